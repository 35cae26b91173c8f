"""What happened: events, and the state folded from them."""
