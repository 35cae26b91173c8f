"""What a project brings along: models, prices, tables, pictures, templates."""
