"""A run and its record in words."""
