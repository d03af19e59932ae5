"""One file per backend: how to connect, how to append atomically, how to define the hash function."""
