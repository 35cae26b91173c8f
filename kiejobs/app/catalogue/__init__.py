"""What newer schemas and prices mean for a project: its job files before they are written, and its files after.

Face: `effects`, `files`.
"""
