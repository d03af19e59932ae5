"""The graph of features: what depends on what, how it is wired, and which versions follow from it."""
