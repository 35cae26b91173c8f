"""Text with places: YAML as values that know their line and column."""
