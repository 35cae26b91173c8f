"""Data tables: rows that are mappings, each named by its key."""
