"""From a job file to its jobs: each is made once and kept.

Face: `expand`, `Expansion`, `Job`, `LocalFile`, `Catalogue`.
"""
