"""Model schemas: made of fields, merged, compared."""
