"""The only wing that touches the world: HTTP, files, locks, environment, clock."""
