"""The graph of features: what depends on what, how it is wired, which versions follow."""
