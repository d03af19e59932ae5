"""Stores whose tables stand in a lake format; queries are computed in DuckDB."""
