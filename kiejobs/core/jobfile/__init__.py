"""What a person wrote: a job file's meaning, defaults merged."""
