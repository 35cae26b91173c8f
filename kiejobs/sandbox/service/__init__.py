"""The imitated API: routes, jobs, tasks, files."""
