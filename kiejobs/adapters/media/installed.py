"""Is the extra `media` installed?

In: nothing. Out: yes or no. Touches: the folders that modules are imported from, by reading.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

HAS_MEDIA = sys.platform != "win32" and all(map(find_spec, ("av", "numpy", "PIL")))
"""PyAV, numpy and Pillow, on a system where a process can be kept within limits."""
