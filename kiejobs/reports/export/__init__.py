"""A campaign's provenance in the forms that others have tools for."""
