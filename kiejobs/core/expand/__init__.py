"""From a job file to its jobs."""
