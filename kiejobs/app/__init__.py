"""What verbs share: use cases that wire adapters to the core."""
