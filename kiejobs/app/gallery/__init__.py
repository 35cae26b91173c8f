"""A gallery's document from the project's records, and its files; once, or live while a run goes on.

Face: `page`, `live`.
"""
