"""The command line: one command a module, each a thin layer over the public API."""
