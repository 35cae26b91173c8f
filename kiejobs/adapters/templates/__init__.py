"""Templates rendered in a child process with limits and without secrets.

Face: `render_process`, `RenderProcess`, `worker`.
"""
