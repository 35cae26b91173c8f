"""Media decoded."""
