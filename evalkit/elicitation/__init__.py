"""Ways of asking: one a module, each builds a request body and reads its reply."""
