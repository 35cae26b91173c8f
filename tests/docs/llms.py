"""Rewrites llms.txt, the project in a form that language models read: what it is, its rules, its pages.

    python tests/docs/llms.py

In: docs/index.md. Out: the file's text, which main() writes and a test compares with what is committed. Its form is that of
llmstxt.org: a title, a summary, sections of links.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "llms.txt"
_LINK = re.compile(r"- \[(?P<title>[^\]]+)\]\((?P<target>[^)]+)\)[,:]? ?(?P<more>.*)")

_HEAD = """\
# kiejobs

> A command-line program that buys generative video, pictures and sound from YAML job files: it plans, prices, submits
> once, downloads and verifies. It never pays twice for the same request and never loses the id of a task that was paid for.

- Everything that spends begins with a plan. `kiejobs validate FILE` and `kiejobs plan FILE` need no key and no network,
  and cost nothing; `--format json` prints documents for programs, on stdout.
- `kiejobs run FILE` spends money. Add `--sandbox` to rehearse at no cost. Without a terminal `run` needs `--yes`: let a
  person approve the plan's digest first, and pass it as `--expect DIGEST`.
- Run the same command again after any failure: it does only what is left. Never submit a job by other means because a
  command failed.
- A job that is in doubt may be paid for. Only `kiejobs resolve` ends a doubt, and a person decides how.
- Never edit or delete `runs/`: it is the record of what was bought.
- `kiejobs models list` and `kiejobs models show MODEL` show the models and their fields. Unknown fields are
  errors.
- Exit codes: 0 done, 1 some failed, 2 invalid, 4 in doubt, 5 stopped (budget, credits, key), 6 stale plan, 7 ledger
  locked or unreadable, 8 still running.
"""


def main() -> None:
    PAGE.write_text(llms(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")


def llms() -> str:
    lines = [_HEAD]
    for line in (ROOT / "docs" / "index.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("**"):
            lines.append(f"## {line.split('**')[1].removesuffix('.')}\n")
        for title, target, more in _LINK.findall(line) or _inline(line):
            path = (Path("docs") / target).as_posix().replace("docs/../", "")
            lines.append(f"- [{title}]({path})" + (f": {more}" if more else ""))
        if not line and lines[-1].startswith("- ["):
            lines.append("")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _inline(line: str) -> list[tuple[str, str, str]]:
    """A link in the middle of a sentence."""
    return [(*found, "") for found in re.findall(r"\[([^\]]+)\]\(([^)]+)\)", line)]


if __name__ == "__main__":
    main()
