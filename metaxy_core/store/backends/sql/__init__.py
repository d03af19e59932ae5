"""Databases with SQL of their own, in which the engine's expressions run."""
