"""What is happening, as it happens."""
