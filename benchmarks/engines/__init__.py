"""The contestants; each is imported only by a Python that has what it needs."""
