"""The fields of a request, in our form."""
