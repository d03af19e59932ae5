"""Specs are plain, frozen data: what an author declares, before anything is computed from it."""
