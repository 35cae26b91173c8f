"""Data tables: rows of cells with their places, each named by its key.

Face: `Table`, `read_table`, `is_table`.
"""
