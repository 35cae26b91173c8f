"""What the imitated models produce."""
