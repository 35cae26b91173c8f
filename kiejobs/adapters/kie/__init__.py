"""The vendor's API over httpx."""
