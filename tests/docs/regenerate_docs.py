"""Rewrites what is generated in the documentation's pages.

    python tests/docs/regenerate_docs.py

In: the command line, the schemas, the codes: whatever the program knows best. Out: the regions
between `<!-- generated: NAME -->` and `<!-- end -->`, the page that `kiejobs --help` prints, the manual page, llms.txt.
Touches the pages. Tests compare them.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kiejobs.cli.main import HELP_PAGE
from tests.docs import llms, man_page
from tests.docs.pages import Page, pages, regions, with_regions
from tests.docs.reference import (
    benchmarks,
    cli,
    diagnostics,
    faults,
    formats,
    jobfile,
    models,
    outcomes,
    policy,
    prices,
    proofs,
)

REGIONS = {
    "answers": outcomes.answers,
    "benchmark-commands": benchmarks.commands,
    "benchmark-conditions": benchmarks.conditions,
    "benchmark-figures": benchmarks.figures,
    "benchmark-growth": benchmarks.growth,
    "cli-overview": cli.overview,
    "cli-variables": cli.variables,
    "cli-verbs": cli.verbs,
    "diagnostics": diagnostics.diagnostics,
    "exit-codes": outcomes.exit_codes,
    "fault-actions": faults.actions,
    "fault-rules": faults.rules,
    "formats-documents": formats.documents,
    "formats-events": formats.events,
    "formats-journal-line": formats.journal_line,
    "formats-lock": formats.lock,
    "formats-manifest": formats.manifest,
    "formats-picks": formats.picks,
    "formats-plan": formats.plan,
    "jobfile-checks": jobfile.check_keys,
    "jobfile-job": jobfile.job_keys,
    "jobfile-limits": jobfile.limits,
    "jobfile-top": jobfile.top_keys,
    "models": models.models,
    "policy-flags": policy.flags,
    "policy-keys": policy.keys,
    "prices-keys": prices.keys,
    "prices-model": prices.of_a_model,
    "proofs": proofs.proofs,
    "template-names": jobfile.filters,
}
"""Who writes which region."""


def main() -> None:
    for page in pages():
        text = regenerated(page)
        if text != page.text:
            page.path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {page.name}\n")
    Path(HELP_PAGE).write_text(cli.help_page(80), encoding="utf-8")
    man_page.main()
    llms.main()


def regenerated(page: Page) -> str:
    """The page's text as it should be. KeyError for a region that nobody writes."""
    made = {name: REGIONS[name]().strip("\n") + "\n" for name in regions(page.text)}
    return with_regions(page.text, made)


if __name__ == "__main__":
    main()
