"""One file per verb, and nothing else.

Face: `plan`, `run`, `collect`, `status`, `report`, `resolve`.
"""
