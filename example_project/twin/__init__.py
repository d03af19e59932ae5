"""Two of the features once more, as a code location that YAML declares: compare ``defs.yaml``."""
