"""The homes of the ledger, behind the port `LedgerStore`. Only `app/project.py` chooses one.

Face: `FolderStore`.
"""
