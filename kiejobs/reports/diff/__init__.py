"""What an edit did to requests, in words."""
