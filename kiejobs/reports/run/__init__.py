"""A run and its record: one view, rendered as text, JSON, JUnit and Markdown.

Face: `RunView`, `report_text`, `report_document`, `report_junit`, `StatusView`, `steps_after`.
"""
