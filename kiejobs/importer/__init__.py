"""The vendor's pages as model schemas. Only the verbs of models import it.

Face: `read_page`, `combined`.
"""
