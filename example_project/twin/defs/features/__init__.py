"""The component of the twin and its functions."""
