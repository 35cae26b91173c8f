"""One file for each verb, or for the verbs of one subject, and nothing else.

Face: `plan`, `run`, `collect`, `status`, `validate`, `resolve`.
"""
