"""Prompts as Jinja templates. Only the rendering process imports jinja2.

Face: `Renderer`, `Wish`, `Reads`, `TemplateProblem`, `is_template`.
"""
