"""The API imitated as one ASGI app, with scripted faults and a charge log."""
