"""What a model takes: its schema, its rules, its file fields."""
