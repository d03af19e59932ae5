"""The example reads and writes real media files, and this package holds that work alone."""
