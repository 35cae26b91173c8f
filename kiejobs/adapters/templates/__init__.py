"""Templates rendered in a process of their own: `process` starts it, `worker` is what it runs."""
