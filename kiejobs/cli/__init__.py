"""The door: commands, options, exit codes. Only here does the process end."""
