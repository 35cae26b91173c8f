"""The door: commands, flags, exit codes. Only here does the process end.

Face: `main`.
"""
