"""Prompts as Jinja templates."""
