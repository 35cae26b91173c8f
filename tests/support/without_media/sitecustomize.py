"""A Python that begins with this folder on its path is one where the extra `media` is not installed."""

import sys

sys.modules.update(dict.fromkeys(("av", "numpy", "PIL")))  # type: ignore[arg-type] # None: can't be imported
