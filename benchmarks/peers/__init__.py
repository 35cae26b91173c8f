"""Programs that someone without kiejobs would write: short, and without its guards."""
