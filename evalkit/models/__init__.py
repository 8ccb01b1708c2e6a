"""What evalkit knows about models, and the models it brings along itself."""
