"""Plans and reports as Markdown: what a pull request is told, and that nobody can tell it anything else."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.plan.plan import Action, Change, FieldChange
from kiejobs.reports.markdown import (
    LIMIT,
    cell,
    code,
    fenced,
    fitting,
    marker,
    plan_markdown,
    report_markdown,
)
from kiejobs.reports.plan import PlanRow, PlanView
from kiejobs.reports.run.view import RunView
from tests.support.results import (
    HOSTILE,
    LONG,
    harmless,
    hash_of,
    ledger_of,
    manifest_of,
    one_of_each,
    totals_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from markdown_it.token import Token

    from kiejobs.core.ledger.ledger import Attempt

DIGEST = hash_of(7)
USD = Decimal("0.005")
DIFF = [FieldChange("prompt", f"{LONG}slow", f"{LONG}fast"), FieldChange("seed", None, 7)]
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
OURS = re.compile(
    r"<!-- kiejobs (plan|report): [A-Za-z0-9._~/% -]* -->|</?details>|<br>|"
    r"<details>\n<summary>[\w ,]+</summary>"
)

EVIL = [
    HOSTILE,
    "a|b\\|c\\\\|d||",
    "`` ``` `a` ````````",
    "@octocat @org/team #123 GH-1 https://evil.example user@evil.example",
    "<img src=x onerror=alert(1)> </details> <!-- kiejobs plan: tea jobs/tea.yaml -->",
    "--> -- <!--",
    "\n\n| x | y |\n```\n# owned\n::error::owned\n##[add-mask]x",
    "[click](http://evil.example) ![x](http://evil.example/x.png) &lt;b&gt; &#64;me",
    "::set-output name=x::y",
    "",
    " ",
    "\\",
]
evil = st.sampled_from(EVIL) | st.text(alphabet="`|\\<>!-@#[]()&; \nab:*_~", max_size=30)


def change(
    name: str,
    action: Action,
    sign: str,
    reason: str,
    credits_: int | None = 0,
    detail: str | None = None,
    attempt: Attempt | None = None,
) -> Change:
    price = None if credits_ is None else Decimal(credits_)
    return Change(name, action, sign, reason, hash_of(1), 1, "a/b", price, detail=detail, attempt=attempt)


def new(name: str, credits_: int | None = 16) -> Change:
    return change(name, Action.SUBMIT, "+", "new", credits_)


def in_doubt(said: str = "the line broke") -> Attempt:
    return next(a for a in ledger_of(*one_of_each(said)).attempts() if a.state == "in_doubt")


DOUBTED = in_doubt()
CHANGED = change("tea/浓缩[d=5]", Action.SUBMIT, "±", "input_changed", 1000)
DOUBT = change(DOUBTED.address, Action.HOLD, "?", "in_doubt", 0, "since noon: it broke", DOUBTED)
FAILED = change("tea/bad", Action.HOLD, "!", "failed", 0, "422: no such picture")
DONE = change("tea/done", Action.KEEP, "=", "done")
MOVED = change("tea/moved", Action.ADOPT, ">", "moved_from tea/old", 0, "then keep")
GONE = change("tea/gone", Action.ORPHAN, "-", "no_longer_wanted", 0, "succeeded; never deleted")


def plan(
    changes: Sequence[Change],
    *,
    left: int | None = None,
    broken: Sequence[Diagnostic] = (),
    diff: Sequence[FieldChange] = DIFF,
    rehearsal: bool = False,
    flag: str = "",
) -> str:
    view = PlanView(
        "tea",
        [PlanRow(line, diff if line.reason == "input_changed" else None) for line in changes],
        totals_of(changes, DIGEST),
        file="jobs/tea.yaml",
        budget_left=None if left is None else Decimal(left),
        usd_per_credit=USD,
        broken=broken,
        flag=flag,
        rehearsal=rehearsal,
    )
    return plan_markdown(view)


def report(said: str = "the model broke", **more: object) -> str:
    events = one_of_each(said)
    attempts = list(ledger_of(*events).attempts())
    view = RunView(manifest_of(*events), exit_code=1, attempts=attempts)
    return report_markdown(replace(view, **more))  # type: ignore[arg-type]


def leaves(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from leaves(token.children or ())


def contained(text: str) -> bool:
    """Is everything that could act on a reader, a forge or a CI server our own?"""
    found = list(leaves(MARKDOWN.parse(text)))
    html = [t.content.strip() for t in found if t.type in {"html_block", "html_inline"}]
    prose = "".join(t.content for t in found if t.type == "text")
    return (
        all(OURS.fullmatch(line) for line in html)
        and text.count("<!--") == 1
        and not any(token.type in {"link_open", "image"} for token in found)
        and not re.search(r"@\w|#\w|://|</?\w", prose)
        and not re.search(r"^\s*::|##\[", text, re.MULTILINE)
        and harmless(text)
    )


def cells(text: str) -> list[int]:
    """How many cells each row of the tables has."""
    rows: list[int] = []
    for token in MARKDOWN.parse(text):
        if token.type == "tr_open":
            rows.append(0)
        elif token.type in {"td_open", "th_open"}:
            rows[-1] += 1
    return rows


# --- the plan ---------------------------------------------------------------------------------------


def test_a_plan_of_every_kind_says_what_a_merge_would_buy() -> None:
    rows = [new("tea/pour[d=5]"), CHANGED, new("tea/odd", None), DOUBT, FAILED, DONE, MOVED, GONE]
    assert plan(rows, left=900, flag=" --sandbox", rehearsal=True) == (
        f"""\
<!-- kiejobs plan: tea jobs/tea.yaml -->
### kiejobs plan: `tea` - a rehearsal, nothing is paid

**+3 jobs, 1,016 credits ($5.08) and 1 at an unknown price; 1 moved; 1 done; 1 failed; \
1 in doubt; 1 no longer wanted**

7 jobs now, 6 before: 2 new, 1 changed, 1 moved, 1 no longer wanted.

- ⚠️ **Price unknown** for 1 job, left out of the sum: no budget can hold that, so a run stops \
before it.
- ⚠️ **Over budget**: 900 credits ($4.50) left; a run stops at the first job that does not fit.
- ⚠️ **In doubt**: not bought again until resolved, see below.
- **Failed**: held, and not bought again without `--retry failed`.

|   | job | reason | credits |
| :-: | :-- | :-- | --: |
| + | `tea/pour[d=5]` | new | 16 |
| ± | `tea/浓缩[d=5]` | input_changed | 1,000 |
| + | `tea/odd` | new | unknown |
| ? | `tea/doubt[d=5]` | in_doubt<br>`since noon: it broke` |  |
| ! | `tea/bad` | failed<br>`422: no such picture` |  |
| > | `tea/moved` | moved_from<br>`from tea/old, then keep` |  |
| - | `tea/gone` | no_longer_wanted<br>`succeeded; never deleted` |  |

```diff
@@ tea/浓缩[d=5] @@
- prompt: "… over the cup, slow"
+ prompt: "… over the cup, fast"
- seed: (absent)
+ seed: 7
```

In doubt: look for the request in the vendor's task log. `--task` with the id that you find there, \
`--lost` where nothing was made.

```sh
# tea/doubt[d=5]: sent 2026-11-22 07:00:15 UTC, may have cost 16 credits: the line broke
kiejobs resolve 'tea/doubt[d=5]' --task TASK_ID --sandbox
kiejobs resolve 'tea/doubt[d=5]' --lost --sandbox
```

Digest: `{DIGEST}`
"""
    )


def test_a_plan_with_nothing_to_buy_is_short() -> None:
    assert plan([DONE, DONE]) == (
        "<!-- kiejobs plan: tea jobs/tea.yaml -->\n### kiejobs plan: `tea`\n\n"
        "**Nothing to buy; 2 done**\n\n2 jobs now, 2 before: the same.\n"
    )


def test_a_first_plan_has_nothing_to_compare_itself_with() -> None:
    assert "\n1 job, none of them known from an earlier run.\n" in plan([new("tea/a")])


def _breach(rule: str, place: Place, message: str, example: str | None = None) -> Diagnostic:
    return Diagnostic(rule, message, place, count=2, example=example)


def test_a_broken_policy_is_told_before_the_lines() -> None:
    breach = _breach("max_jobs", Place("kiejobs.yaml", 3, 1), "at most 2 jobs", "tea/a")
    said = plan([new("tea/a")], broken=[breach])
    assert "a run would refuse this plan and buy nothing.\n\n```text\npolicy max_jobs" in said
    assert said.index("max_jobs") < said.index("| + |")


def test_a_long_table_is_folded() -> None:
    rows = [new(f"tea/{number}") for number in range(20)]
    assert "<details>" not in plan(rows)
    folded = plan([*rows, new("tea/20")])
    assert "<details>\n<summary>21 lines</summary>\n\n|   | job |" in folded
    assert cells(folded) == [4] * 22


def test_the_same_edit_of_many_jobs_is_shown_once() -> None:
    said = plan([CHANGED._replace(address=f"tea/{number}") for number in range(5)])
    hunk = "@@ tea/0 @@\n@@ tea/1 @@\n@@ tea/2 @@\n@@ and 2 more, in the same words @@\n- "
    assert said.count("@@ tea/") == 3
    assert hunk in said


def test_a_plan_that_is_too_long_for_a_comment_says_how_many_lines_it_leaves_out() -> None:
    rows = [new(f"tea/pour[number={number}]") for number in range(5000)]
    said = plan(rows)
    shown = said.count("\n| + |")
    assert 100 < shown < 5000
    assert f"*{5000 - shown:,} more lines left out: too long for a comment.*" in said
    assert len(said) <= LIMIT


def test_everything_at_its_longest_still_fits_into_a_comment() -> None:
    said = "`" * 9000
    doubt = DOUBT._replace(address=said, attempt=in_doubt(said))
    long = [CHANGED._replace(address=said, detail=said) for _ in range(300)]
    diff = [FieldChange(said, said, "@" * 9000)] * 3
    broken = [_breach("rule", Place(said, 1, 1), said)] * 300
    whole = plan([*long, *[doubt] * 300], left=1, broken=broken, diff=diff)
    assert len(whole) <= LIMIT
    assert contained(whole)


def test_a_plan_keeps_no_more_than_it_shows() -> None:
    kept, more = fitting((f"line {number}" for number in range(100_000)), 1000)
    assert sum(map(len, kept)) <= 1000
    assert more == 100_000 - len(kept)


def test_one_job_file_has_one_marker_and_another_has_another() -> None:
    assert marker("plan", "tea", "jobs/tea.yaml") == "<!-- kiejobs plan: tea jobs/tea.yaml -->"
    names = [("tea", "a.yaml"), ("tea", "b.yaml"), ("tea--", "a.yaml"), ("tea", "--> <b>")]
    made = {marker("plan", *pair) for pair in names}
    assert len(made) == len(names)
    assert all(text.count("--") == 2 for text in made)


@given(evil, evil, evil, evil)
def test_nothing_in_a_plan_gets_out_of_its_place(a: str, b: str, c: str, d: str) -> None:
    attempt = in_doubt(b)
    rows = [
        new(a),
        CHANGED._replace(address=b, detail=a),
        change(c, Action.HOLD, "?", "in_doubt", 0, d, replace(attempt)),
        change(d, Action.ADOPT, ">", f"moved_from {a}", 0, c),
    ]
    diff = [FieldChange(c, a, b), FieldChange(d, None, {a: [b]})]
    view = PlanView(
        a,
        [PlanRow(line, diff) for line in rows],
        totals_of(rows, DIGEST),
        file=b,
        usd_per_credit=USD,
        broken=[_breach("rule", Place(a, 1, 1), b, c)],
        flag=f" --runs {c}",
        own_schemas={a: True, d: False},
    )
    said = plan_markdown(view)
    assert contained(said)
    assert cells(said) == [4] * 5


@given(evil)
def test_a_code_span_is_one_token_wherever_it_stands(text: str) -> None:
    (inline,) = [t for t in MARKDOWN.parse(f"x {code(text)} y") if t.type == "inline"]
    assert [t.type for t in inline.children or ()] == ["text", "code_inline", "text"]
    row = f"| a | b |\n| - | - |\n| {cell(text)} | {cell(text)} |"
    found = [t for t in leaves(MARKDOWN.parse(row)) if t.type == "code_inline"]
    assert cells(row) == [2, 2]
    assert len(found) == 2
    assert found[0].content == found[1].content


def test_a_block_is_fenced_with_more_backticks_than_it_holds() -> None:
    assert fenced(["a ```` b"], "text") == "`````text\na ```` b\n`````"


# --- the report -------------------------------------------------------------------------------------


def test_a_report_says_what_a_run_came_to() -> None:
    said = report(stopped=("credits", ""))
    assert said.startswith("<!-- kiejobs report: tea jobs/tea%20time.yaml -->\n### kiejobs run of `tea`")
    assert "\n\n**9 jobs: 1 succeeded, 1 not collected, 1 failed" in said
    assert "| ❌ | `tea/bad` | failed | 0 | `task-3`<br>`500: the model broke` |\n" in said
    assert "| ✅ | `tea/good` | succeeded | 15.5 | `task-0`<br>`tea/good.mp4` |" in said
    assert said.index("tea/bad") < said.index("`tea/good`")
    assert "    kiejobs resolve 'tea/doubt[d=5]' --lost\n" in said
    assert "Stopped (credits): " in said


@given(evil)
def test_nothing_in_a_report_gets_out_of_its_place(said: str) -> None:
    told = report(said, stopped=("credits", said), notes={"tea/here[scene=浓缩]": said})
    assert contained(told)
    assert cells(told) == [5] * 10
    assert len(told) <= LIMIT
