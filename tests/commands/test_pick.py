"""`kiejobs pick`: what was chosen goes into git, is merged there, and is what every verb sees."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import opentimelineio
import pytest

from kiejobs.reports.timeline import Clip, edl, otio
from tests.support.bench import Bench, bare
from tests.support.forked import WITHOUT_MEDIA
from tests.support.repositories import git
from tests.support.results import refused as refusals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.judge.server import Judge

JOBS = {name: f"prompt {name}" for name in ("a", "b", "c", "d")}


@pytest.fixture
def bought(table: tuple[Bench, Judge]) -> Bench:
    """Four jobs with results, in a git work tree of Ada's."""
    bench, _ = table
    bench.write(JOBS)
    git(bench.folder, "init", "--quiet", "--initial-branch=main")
    be(bench.folder, "Ada")
    assert bench.run().code == 0
    return bench


def be(folder: Path, name: str) -> None:
    git(folder, "config", "user.name", name)
    git(folder, "config", "user.email", f"{name.lower()}@example.com")


def commit(folder: Path, *names: str) -> None:
    git(folder, "add", *names)
    git(folder, "commit", "--quiet", "-m", "Choose")


def lines(folder: Path) -> dict[str, str]:
    """The file's lines by job."""
    text = (folder / "picks.yaml").read_text(encoding="utf-8")
    assert text.startswith("version: 1\npicks:\n")
    return {bare(line.partition(":")[0].strip()): line for line in text.splitlines()[2:]}


def selected(bench: Bench, words: str) -> list[str]:
    return sorted(bench.plan("--select", words))


def test_a_pick_is_one_line_with_who_when_and_why(bought: Bench) -> None:
    done = bought.do("pick", "a", "--note", 'the "slow" one\nwith ümlaut: {yes}')
    assert (done.code, done.err) == (0, "")
    (line,) = lines(bought.folder).values()
    mark = bought.job("a")["fingerprint"]
    assert line.startswith(f"  judged/a: {{verdict: pick, fingerprint: {mark}, take: 1, note: ")
    assert 'who: "Ada <ada@example.com>", when: 20' in line
    assert bought.do("pick", "b", "--reject").code == 0
    assert list(lines(bought.folder)) == ["a", "b"]
    assert selected(bought, "pick:yes") == ["a"]
    assert selected(bought, "pick:no") == selected(bought, "pick:reject") == ["b"]
    assert selected(bought, "pick:none") == ["c", "d"]
    rendered = bought.do("render", "jobs.yaml", "--select", "pick:yes").out
    assert [bare(json.loads(line)["address"]) for line in rendered.splitlines()] == ["a"]


def test_a_note_stays_when_the_same_purchase_is_decided_on_again(bought: Bench) -> None:
    bought.do("pick", "a", "--note", "why")
    bought.do("pick", "a", "--reject")
    assert "verdict: reject" in lines(bought.folder)["a"]
    assert 'note: "why"' in lines(bought.folder)["a"]
    bought.do("pick", "a", "--note", "")
    assert "note" not in lines(bought.folder)["a"]


def test_undo_takes_a_decision_back(bought: Bench) -> None:
    bought.do("pick", "judged/*")
    assert bought.do("pick", "--undo", "a", "b").code == 0
    assert selected(bought, "pick:none") == ["a", "b"]
    refused = bought.do("pick", "--undo", "a")
    assert (refused.code, refused.out) == (2, "")
    assert "nothing was decided on `a`" in refused.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("judged/aa",), "did you mean `judged/a`?"),
        (("judged/new",), "nothing was bought as `judged/new`"),
        (("a", "--take", "2"), "nothing was bought as `a` with take 2"),
        ((), "name one or more ADDRESSes"),
        (("a", "--undo", "--reject"), "leave --reject and --note out"),
        (("a", "--from", "x.json"), "name one or more ADDRESSes, or --from FILE"),
        (("tag:hero",), "needs the job file"),
    ],
)
def test_what_was_never_bought_is_refused_with_what_was_meant(
    bought: Bench, words: tuple[str, ...], said: str
) -> None:
    bought.write({**JOBS, "new": "new"})
    refused = bought.do("pick", *words)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    assert not (bought.folder / "picks.yaml").exists()


def test_a_pick_of_a_purchase_that_was_replaced_says_so(bought: Bench) -> None:
    bought.do("pick", "a", "b")
    bought.write({**JOBS, "a": "another prompt"})
    before = bought.do("plan", "jobs.yaml", "--format", "json").json["digest"]
    assert bought.run().code == 0
    assert selected(bought, "pick:stale") == ["a"]
    assert selected(bought, "pick:yes") == ["b"]
    for words in (("report",), ("explain", "judged/a")):
        assert "stale, the purchase was replaced since: picked by Ada" in bought.do(*words).out
    explained = bought.do("explain", "judged/a", "--format", "json").json
    assert explained["pick"]["stale"] is True
    assert refusals("documents/explain", explained) == []
    assert bought.do("pick", "a").code == 0
    assert selected(bought, "pick:yes") == ["a", "b"]
    assert before != ""


def test_a_pick_follows_a_job_that_got_another_name(bought: Bench) -> None:
    bought.do("pick", "a")
    bought.write({"renamed": JOBS["a"], **{name: JOBS[name] for name in "bcd"}})
    assert selected(bought, "pick:yes") == ["renamed"]
    assert bought.run().code == 0
    assert selected(bought, "pick:yes") == ["renamed"]


def test_picks_change_no_plan_no_lock_and_no_request(bought: Bench) -> None:
    bought.write({**JOBS, "new": "new"})

    def seen() -> list[str]:
        return [bought.do(verb, "jobs.yaml").out for verb in ("plan", "render")]

    before = seen()
    assert bought.do("lock", "jobs.yaml").code == 0
    bought.do("pick", "a", "--note", "why")
    assert seen() == before
    assert bought.do("plan", "jobs.yaml", "--locked").code == 0


def test_a_rehearsal_has_picks_of_its_own(table: tuple[Bench, Judge]) -> None:
    bench, _ = table
    bench.write(JOBS)
    assert bench.do("run", "jobs.yaml", "--sandbox", "--speed", "400", PYTHONPATH=WITHOUT_MEDIA).code == 0
    assert bench.do("pick", "a", "--sandbox", GIT_CONFIG_GLOBAL="/dev/null").code == 0
    assert "who" not in lines(bench.folder / "rehearsal")["a"], "nobody is configured in git"
    assert not (bench.folder / "picks.yaml").exists()
    assert selected(bench, ["pick:yes", "--sandbox"][0]) == []
    assert sorted(bench.plan("--sandbox", "--select", "pick:yes")) == ["a"]


# --- git ---------------------------------------------------------------------------------------------


def fork(bench: Bench, first: list[tuple[str, ...]], second: list[tuple[str, ...]]) -> None:
    """Ada decides on one branch, Ben on another one, and main gets both."""
    commit(bench.folder, "jobs.yaml", "runs")
    for who, commands in (("Ada", first), ("Ben", second)):
        git(bench.folder, "switch", "--quiet", "-c", who, "main")
        be(bench.folder, who)
        for words in commands:
            assert bench.do("pick", *words).code == 0
        commit(bench.folder, "picks.yaml", ".gitattributes")
    git(bench.folder, "switch", "--quiet", "main")
    git(bench.folder, "merge", "--quiet", "Ada")


def verdicts(bench: Bench) -> dict[str, list[str]]:
    return {word: selected(bench, f"pick:{word}") for word in ("yes", "no", "none")}


def test_two_people_who_start_the_file_merge_without_a_conflict(bought: Bench) -> None:
    fork(bought, [("a",), ("c", "--note", "mine")], [("b", "--reject"), ("d",)])
    git(bought.folder, "merge", "--quiet", "--no-edit", "Ben")
    assert verdicts(bought) == {"yes": ["a", "c", "d"], "no": ["b"], "none": []}


def test_neighbours_that_both_change_merge_without_a_conflict(bought: Bench) -> None:
    bought.do("pick", "judged/*")
    commit(bought.folder, "picks.yaml", ".gitattributes")
    fork(bought, [("a", "--reject"), ("--undo", "d")], [("b", "--reject"), ("c", "--note", "why")])
    git(bought.folder, "merge", "--quiet", "--no-edit", "Ben")
    assert verdicts(bought) == {"yes": ["c"], "no": ["a", "b"], "none": ["d"]}
    assert bought.do("pick", "c").code == 0
    assert list(lines(bought.folder)) == ["a", "b", "c", "d"], "one line each again"


def test_of_two_decisions_on_one_address_the_newest_counts(bought: Bench) -> None:
    (bought.folder / "picks.yaml").write_text("")
    bought.do("pick", "a")
    first = lines(bought.folder)["a"] if (bought.folder / "picks.yaml").read_text() else ""
    assert first == "", "an empty file is refused, and stays as it is"
    (bought.folder / "picks.yaml").unlink()
    bought.do("pick", "a")
    older = lines(bought.folder)["a"].replace("when: 20", "when: 19").replace("pick,", "reject,")
    for pair in ((older, lines(bought.folder)["a"]), (lines(bought.folder)["a"], older)):
        (bought.folder / "picks.yaml").write_text("version: 1\npicks:\n" + "\n".join(pair) + "\n")
        assert selected(bought, "pick:yes") == ["a"]


def test_a_conflict_is_shown_at_its_line_and_nothing_is_lost(bought: Bench) -> None:
    fork(bought, [("a",)], [("b",)])
    (bought.folder / ".gitattributes").write_text("")
    git(bought.folder, "commit", "--quiet", "-am", "No driver")
    git(bought.folder, "merge", "--quiet", "--no-edit", "Ben", fails=True)
    before = (bought.folder / "picks.yaml").read_bytes()
    for words in (("pick", "c"), ("plan", "jobs.yaml", "--select", "pick:yes"), ("report",)):
        refused = bought.do(*words)
        assert refused.code == 2
        assert "error[picks-conflict] picks.yaml:3:1: an unresolved merge conflict" in refused.err
    assert (bought.folder / "picks.yaml").read_bytes() == before
    kept = [line for line in before.decode().splitlines(keepends=True) if line[0] not in "<=>"]
    (bought.folder / "picks.yaml").write_text("".join(kept))
    assert selected(bought, "pick:yes") == ["a", "b"], "as the hint says"


# --- what a gallery exported ---------------------------------------------------------------------------


def export(bench: Bench, *entries: dict[str, Any]) -> str:
    document = {"kiejobs_picks": 1, "campaign": "judged", "picks": list(entries)}
    (bench.folder / "export.json").write_text(json.dumps(document))
    return "export.json"


def entry(bench: Bench, job: str, **more: Any) -> dict[str, Any]:
    mark = bench.job(job)["fingerprint"]
    return {"address": f"judged/{job}", "take": 1, "fingerprint": mark, "verdict": "pick", **more}


def test_an_export_is_taken_in_but_for_what_was_decided_since(bought: Bench) -> None:
    bought.do("pick", "a")
    old = {"when": "2026-01-01T00:00:00Z", "note": "<b>hostile</b>\u202e", "verdict": "reject"}
    file = export(bought, entry(bought, "a", **old), entry(bought, "b", **old), entry(bought, "c"))
    taken = bought.do("pick", "--from", file)
    assert (taken.code, taken.err) == (0, "")
    assert "\u202e" not in taken.out
    assert verdicts(bought) == {"yes": ["a", "c"], "no": ["b"], "none": ["d"]}
    assert "2026-01-01T00:00:00Z" in lines(bought.folder)["b"]
    again = bought.do("pick", "--from", export(bought, entry(bought, "b", **old)))
    assert again.out.startswith("Nothing to change")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"address": "judged/aa", "fingerprint": "0" * 64}, "did you mean `judged/a`?"),
        ({"fingerprint": "0" * 64}, "nothing was bought with the request 000000000000 as `judged/a`"),
        ({"verdict": "maybe"}, "picks-structure"),
        ({"extra": 1}, "unknown-key"),
        ({"when": "yesterday"}, "picks-structure"),
    ],
)
def test_an_export_of_something_else_is_refused(bought: Bench, change: dict[str, Any], said: str) -> None:
    refused = bought.do("pick", "--from", export(bought, {**entry(bought, "a"), **change}))
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    assert not (bought.folder / "picks.yaml").exists()


# --- files by hand, and by strangers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 2\npicks:\n", "picks.yaml:1:10"),
        ("version: 1\npicks:\n  judged/a: {verdict: pick, fingerprint: xyz}\n", "picks.yaml:3:42"),
        ("version: 1\npicks:\n  judged/a: {verdikt: pick}\n", "did you mean `verdict`?"),
        (
            "version: 1\npicks:\n  judged/a: {verdict: pikc, fingerprint: " + "0" * 63 + "a}\n",
            "did you mean `pick`?",
        ),
        ("version: 1\npicks:\n  judged/a: [\n", "picks.yaml:4:1"),
        (
            "version: 1\npicks:\n  nowhere: {verdict: pick, fingerprint: " + "0" * 63 + "a}\n",
            "picks.yaml:3:3",
        ),
        ("version: 1\npicks: &a [*a, *a]\n", "picks.yaml:2"),
        (
            "a: &a [x]\n"
            + "".join(f"{b}: &{b} [{f'*{a},' * 9}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
            "picks.yaml",
        ),
    ],
)
def test_a_slip_in_the_file_is_an_error_with_its_place_and_loses_nothing(
    bought: Bench, text: str, said: str
) -> None:
    file = bought.folder / "picks.yaml"
    file.write_text(text)
    for words in (("pick", "b"), ("plan", "jobs.yaml", "--select", "pick:yes")):
        refused = bought.do(*words)
        assert refused.code == 2
        assert said in refused.err
    assert file.read_text() == text


def test_a_huge_file_and_a_link_out_of_the_project_are_not_read(bought: Bench, tmp_path: Path) -> None:
    file = bought.folder / "picks.yaml"
    with file.open("wb") as stream:
        stream.truncate(100 * 2**20)
    assert "is larger than 32 MB" in bought.do("pick", "a").err
    file.unlink()
    outside = tmp_path.parent / f"{tmp_path.name}.secret"
    outside.write_text("version: 1\npicks:\n")
    file.symlink_to(outside)
    assert "is a link that leads out of its folder" in bought.do("pick", "a").err
    assert outside.read_text() == "version: 1\npicks:\n"
    outside.unlink()


def test_no_picks_are_read_or_written_through_a_link_that_leaves_the_project(
    bought: Bench, tmp_path: Path
) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}.outside"
    outside.mkdir()
    (outside / "jobs.yaml").write_text((bought.folder / "jobs.yaml").read_text())
    (outside / "picks.yaml").write_text("version: 1\n")
    (bought.folder / "jobs.yaml").unlink()
    (bought.folder / "jobfiles").symlink_to(outside)
    refused = bought.do("pick", "a")
    assert (refused.code, refused.out) == (2, "")
    assert "leads out of the project" in refused.err
    assert (outside / "picks.yaml").read_text() == "version: 1\n"
    shutil.rmtree(outside)


def test_comments_at_the_top_and_other_settings_of_git_stay(bought: Bench) -> None:
    (bought.folder / "picks.yaml").write_text("# Ours.\nversion: 1\npicks:\n")
    (bought.folder / ".gitattributes").write_text("*.mp4 binary")
    assert bought.do("pick", "a").out.endswith("wrote picks.yaml and .gitattributes\n")
    assert bought.do("pick", "b").out.endswith("wrote picks.yaml\n")
    assert (bought.folder / "picks.yaml").read_text().startswith("# Ours.\nversion: 1\npicks:\n  judged/a: {")
    assert (bought.folder / ".gitattributes").read_text() == "*.mp4 binary\npicks.yaml merge=union\n"


def test_processes_that_pick_at_once_lose_nothing(bought: Bench) -> None:
    started = [bought.start("pick", name) for name in JOBS]
    assert [process.wait() for process in started] == [0] * len(JOBS)
    for process in started:
        process.communicate()
    assert sorted(lines(bought.folder)) == sorted(JOBS)


# --- where picks are shown -------------------------------------------------------------------------------


def test_every_form_of_a_report_shows_what_was_chosen(bought: Bench) -> None:
    bought.do("pick", "a", "--note", "<script>alert(1)</script> \x1b[31m ::error::x")
    bought.do("pick", "b", "--reject")
    text = bought.do("report").out
    assert "1 picked, 1 rejected\n" in text
    assert "picked by Ada <ada@example.com>: <script>alert(1)</script> \\x1b[31m" in text
    jobs = {bare(job["address"]): job["pick"] for job in bought.do("report", "--format", "json").json["jobs"]}
    assert (jobs["a"]["verdict"], jobs["a"]["stale"]) == ("pick", False)
    assert jobs["b"]["verdict"] == "reject"
    assert jobs["c"] is None
    assert "`picked by Ada <ada@example.com>: <script>" in bought.do("report", "--format", "markdown").out
    assert "choice: rejected by Ada &lt;ada@example.com&gt;" in bought.do("report", "--format", "junit").out
    assert refusals("documents/report", bought.do("report", "--format", "json").json) == []


def test_the_comment_on_a_pull_request_shows_picks_and_which_it_would_replace(bought: Bench) -> None:
    bought.do("pick", "a", "b", "--note", "a | b\n`x` @team")
    bought.write({**JOBS, "a": "another prompt"})
    shown = bought.do("plan", "jobs.yaml", "--format", "markdown").out
    assert "**Picks**: 2 picked." in shown
    assert "Replaces what was picked: `judged/a`." in shown
    assert "| `judged/b` | `picked by Ada <ada@example.com>: a \\| b \u02cbx\u02cb @team` |" in shown
    assert "Picks" not in bought.do("plan", "jobs.yaml").out


# --- for an editing program -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "words", "hint"),
    [
        ("f [end=fail]", "has no result: it failed", "kiejobs run FILE --retry failed"),
        ("r [create=422]", "has no result: it was rejected", "kiejobs run FILE --retry failed"),
        ("d [create=drop_kept]", "has no result: it is in doubt", "kiejobs status"),
        ("s [end=never]", "has no result: it is at the API", "kiejobs collect"),
    ],
)
def test_what_has_no_result_is_refused_with_how_it_is(
    table: tuple[Bench, Judge], prompt: str, words: str, hint: str
) -> None:
    bench, _ = table
    bench.write({"a": prompt, "ab": "good"})
    bench.run("--wait", "1s")
    refused = bench.do("pick", "judged/a")
    assert (refused.code, refused.out) == (2, "")
    assert f"`judged/a` {words}" in refused.err
    assert hint in refused.err
    assert "did you mean" not in refused.err


def test_a_delivery_has_what_was_picked_whatever_a_run_would_buy_in_its_place(bought: Bench) -> None:
    bought.do("pick", "a", "b", "c", "d")
    bought.write({**JOBS, "a": "not bought yet"})
    words = ("gallery", "jobs.yaml", "--picks", "--copy", "-o", "selects/")
    sent = bought.do(*words)
    assert (sent.out, sent.err) == ("selects/index.html: 4 jobs, 4 clips\n", "")
    page = (bought.folder / "selects/index.html").read_text(encoding="utf-8")
    assert "not bought yet" not in page, "the request is the one that the clip was made with"
    assert '"stale":true' not in page.replace(" ", "")
    assert len([*(bought.folder / "selects/clips").rglob("*.mp4")]) == 4
    bought.write({**JOBS, "a": "another prompt"})
    assert bought.run().code == 0
    (bought.folder / "outputs/judged/b/b.mp4").unlink()
    less = bought.do(*words)
    assert less.out == "selects/index.html: 2 jobs, 2 clips\n"
    assert less.err == (
        "left out, its pick is stale: judged/a\nleft out, its file is not here, or is damaged: judged/b\n"
    )
    for name in ("c", "d"):
        (bought.folder / f"outputs/judged/{name}/{name}.mp4").unlink()
    nothing = bought.do(*words)
    assert (nothing.code, nothing.out) == (2, "")
    assert "no picked file is here" in nothing.err


@pytest.fixture
def rehearsed(bought: Bench) -> Bench:
    """A rehearsal whose samples are real clips of 5 and 10 seconds' requests."""
    jobs = {name: {"duration": "10" if name == "b" else "5"} for name in JOBS}
    bought.write(JOBS)
    file = bought.folder / "jobs.yaml"
    document = json.loads(file.read_text())
    for name, more in jobs.items():
        document["jobs"][name]["input"] |= more
    file.write_text(json.dumps(document))
    assert bought.do("run", "jobs.yaml", "--sandbox", "--speed", "400").code == 0
    return bought


def events_of(text: str) -> list[list[str]]:
    """The numbered lines of an edit list, in words."""
    return [line.split() for line in text.splitlines() if line[:3].isdecimal()]


def test_an_edit_list_has_all_that_succeeded_until_something_is_picked(rehearsed: Bench) -> None:
    words = ("manifest", "export", "--sandbox", "--format", "edl")
    everything = rehearsed.do(*words).out
    assert len(events_of(everything)) == 4
    rehearsed.do("pick", "b", "--sandbox", "--note", "slow\n002  AX  V  C", GIT_CONFIG_GLOBAL="/dev/null")
    rehearsed.do("pick", "c", "--sandbox")
    shown = rehearsed.do(*words)
    assert shown.out.startswith("TITLE: judged\nFCM: NON-DROP FRAME\n")
    first, second = events_of(shown.out)
    assert first[:5] == ["001", "AX", "V", "C", "00:00:00:00"]
    assert first[6:] == ["01:00:00:00", second[6]], "one begins where the other one ends"
    assert "* LOC: 01:00:00:00 GREEN   slow 002  AX  V  C" in shown.out
    assert "* SOURCE FILE: rehearsal/outputs/judged/b/b.mp4" in shown.out


def test_an_edit_list_is_in_the_order_of_the_job_file(bought: Bench) -> None:
    words = ("manifest", "export", "--format", "edl")
    bought.write({name: JOBS[name] for name in ("c", "a", "d", "b")})
    listed = [line.split()[-1] for line in bought.do(*words).out.splitlines() if "* COMMENT" in line]
    assert listed == ["judged/c", "judged/a", "judged/d", "judged/b"]
    bought.write({name: JOBS[name] for name in ("d", "b")})
    fewer = [line.split()[-1] for line in bought.do(*words).out.splitlines() if "* COMMENT" in line]
    assert fewer[:2] == ["judged/d", "judged/b"]
    assert sorted(fewer[2:]) == ["judged/a", "judged/c"]
    bought.write({**JOBS, "b": "{{ vars.nope }}"})
    broken = bought.do(*words)
    assert broken.code == 0
    assert "judged is in the order of its purchases: jobs.yaml has errors" in broken.err


def test_sound_has_a_track_of_its_own() -> None:
    clips = [
        Clip("tea/a", "out/a.mp4", Fraction(2), has_sound=True),
        Clip("tea/b", "out/b.mp4", Fraction(1)),
        Clip("tea/c", "out/c.mp3", Fraction(1), has_picture=False, has_sound=True),
    ]
    assert [event[2] for event in events_of(edl("tea", clips))] == ["B", "V", "A"]
    timeline = opentimelineio.adapters.read_from_string(otio("tea", clips), "otio_json")
    pictures, sounds = timeline.tracks
    assert (pictures.kind, sounds.kind) == ("Video", "Audio")
    assert [clip.name for clip in pictures.find_clips()] == ["a.mp4", "b.mp4"]
    assert [clip.name for clip in sounds.find_clips()] == ["a.mp4", "c.mp3"]
    assert pictures.duration() == sounds.duration()


def test_a_timeline_is_what_its_own_library_reads(rehearsed: Bench) -> None:
    rehearsed.do("pick", "b", "--sandbox", "--note", "why")
    words = ("manifest", "export", "--sandbox", "--format", "otio", "-o", "cut.otio")
    assert rehearsed.do(*words).err.endswith("wrote cut.otio: 1 clip\n")
    timeline = opentimelineio.adapters.read_from_file(str(rehearsed.folder / "cut.otio"))
    (clip,) = timeline.find_clips()
    assert clip.media_reference.target_url == "rehearsal/outputs/judged/b/b.mp4"
    assert [marker.name for marker in clip.markers] == ["why"]
    assert clip.metadata["kiejobs"]["address"] == "judged/b"


def test_a_stale_pick_is_left_out_and_said(bought: Bench) -> None:
    bought.do("pick", "a", "b")
    bought.write({**JOBS, "a": "another prompt"})
    assert bought.run().code == 0
    exported = bought.do("manifest", "export", "--format", "edl")
    assert exported.err == "left out, its pick is stale: judged/a\n"
    assert len(events_of(exported.out)) == 1
