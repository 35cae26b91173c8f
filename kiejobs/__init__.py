"""kiejobs: a declarative YAML job runner for paid generative video.

The library face. In: nothing. Out: `__version__`. Touches nothing, imports nothing, so that the
command line can start without paying for what a verb does not use.
"""

__version__ = "0.1.0"
