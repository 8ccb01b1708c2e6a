"""Question files: one source format a module, read row by row and mapped to questions."""
