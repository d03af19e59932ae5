"""What `dg` loads of the twin."""
