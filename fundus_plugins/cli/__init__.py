"""The `fundus` command: a small module for each subcommand, over the functions of the package."""
