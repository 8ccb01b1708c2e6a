"""Scores shown to people: one output format a module."""
