"""The work itself: each asset gets the records that need it and returns them with results."""
