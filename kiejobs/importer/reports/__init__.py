"""What importing and checking models have to say."""
