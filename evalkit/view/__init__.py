"""A local web app over the folder of all runs, which it only reads."""
