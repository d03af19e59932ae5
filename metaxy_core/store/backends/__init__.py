"""One file per backend: how to connect, append atomically and define the hash function."""
