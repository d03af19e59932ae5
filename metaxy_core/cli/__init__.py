"""The `metaxy` command is a thin skin: it loads a project, asks the core, and prints."""
