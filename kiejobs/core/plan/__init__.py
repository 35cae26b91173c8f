"""What would be done and what it costs, and whether it may be done.

Face: `plan`, `Plan`, `Change`, `Action`, `Selection`, `Policy`.
"""
