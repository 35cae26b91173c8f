"""The API, imitated: one ASGI app with scripted faults and a charge log.

Face: `Sandbox`, `read_faults`, `Faults`, `Charges`.
"""
