"""What became of the vendor's pages, and what they change.

Face: `import_text`, `import_document`, `check_text`, `check_markdown`, `check_document`, `status_counts`.
"""
