"""The combinations of a job."""
