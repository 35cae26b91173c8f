"""What verbs share, as use cases: load, plan, approve, execute, finish.

Face: `load`, `plan`, `approve`, `execute`, `finish`, `project`.
"""
