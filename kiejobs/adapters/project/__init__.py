"""What a project brings along: files, tables, templates, schemas, models, prices.

Face: `read_source`, `IncludeFolder`, `DataFolder`, `LocalFolder`, `ModelFiles`, `read_schema`.
"""
