"""Runs, comparisons and gates as charts: one question a chart, one chart a module."""
