"""The schema that editors complete job files with."""
