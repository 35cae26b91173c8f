"""The web: the guarded client, which hosts may be asked, errors in words."""
