"""The only wing that touches the world: network, files, locks, environment, clock.

Face: `system`, `callbacks`, `git`, `sandbox`.
"""

import sys

# httpx imports its own command line, with pygments and rich's progress, wherever they are installed. None of
# our commands needs it, and it would be a third of what importing httpx costs. Its fallback is an empty one.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # None: "there is no such module"
