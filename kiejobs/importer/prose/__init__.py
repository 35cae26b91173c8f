"""What a page says of its fields in sentences only."""
