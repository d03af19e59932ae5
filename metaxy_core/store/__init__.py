"""Stores keep records and commits; they execute what the engine describes."""
