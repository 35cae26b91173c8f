"""Results in, words out: text, Markdown and documents.

Face: `plan`, `diff`, `explain`, `diagnostics`, `terminal`, `documents`.
"""
