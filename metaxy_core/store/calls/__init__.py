"""What users call on a store, a module for each subject."""
