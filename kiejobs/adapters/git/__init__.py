"""The repository, read through the git executable."""
