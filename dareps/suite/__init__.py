"""Suites: expansion into runs, runners, the results store and its statistics."""
