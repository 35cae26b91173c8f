"""Hints are followed: each that names a change is applied to its own input, and the result says what was meant.

A row holds a file, a pattern of the hint, what a reader of the hint changes, and what is bought then. No hint in the
sources that names a change is without a row.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import kiejobs
from kiejobs.app.load import JobFolder, try_to_load
from kiejobs.app.options import JobFileOptions
from kiejobs.core.diagnostics import InvalidJobFile
from tests.support.bench import MODEL
from tests.support.pictures import picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic

URL = "https://example.com/a.webp"
PICTURE = picture("png", (640, 480))
S = "matrix: {s: {from: s.csv, key: id}}"
P = '"{{ matrix.s.p }}"'


class Row(NamedTuple):
    """`changes` are (old, new) in whichever file has `old`; new may hold groups of the hint. `bought`: a field by job."""

    hint: str
    text: str
    changes: Sequence[tuple[str, str]]
    bought: Sequence[object]
    field: str = "prompt"
    files: Mapping[str, str | bytes] = {}
    options: Mapping[str, Any] = {}


def job(prompt: str = "x", body: str = "", top: str = "", image: str = URL, more: str = "") -> str:
    """A job file of one job; `body` are lines of the job, `top` of the file, `more` of its input."""
    lines = ["version: 1", "campaign: h", *top.splitlines(), "jobs:", "  j:", f"    model: {MODEL}"]
    lines += [f"    {row}" for row in body.splitlines()]
    lines += ["    input:", f"      image_url: {image}", f"      prompt: {prompt}"]
    lines += [f"      {row}" for row in more.splitlines()]
    return "\n".join([*lines, ""])


def table(csv: str, prompt: str = P, body: str = S, name: str = "s.csv", **more: Any) -> dict[str, Any]:
    return {"text": job(prompt, body.replace("s.csv", name)), "files": {name: csv}, **more}


def quoted(text: str) -> tuple[tuple[str, str], ...]:
    return ((f"prompt: {text}", f'prompt: "{text}"'),)


CLOSE = "close it, or put the text in quotes"
LOST = "put the entire text in quotes where this belongs to it; where it is a comment, write a blank behind the `#`"
NUMBER = 'put it in quotes, "(.+)", or write (.+)'
RAW = "where it is text, write `(.+)`; where it is a comment, write a blank behind `{#`"
UNUSED = "write `(.+)` where it is meant, drop it, or name it `(.+)`"
IDLE = r"did you mean `(\w+)`\? Otherwise write `(.+)` where it is meant, or drop it"
TWICE = "vary the input, drop one of them, or write `takes: 2` to buy it twice"
AXIS_TWICE = r"read what differs of `(.+)` in a template, drop one, or write `takes: 2`"
TWO = job() + f"  k:\n    model: {MODEL}\n    input: {{image_url: {URL}, prompt: x}}\n"
AXIS = "matrix: {resolution: {from: s.csv, key: id, column: r}}"
IMAGES = {"images/cup.png": PICTURE}

ROWS = [
    # --- what YAML reads ---
    Row("write a value, or drop it", job(body="takes:"), [("    takes:\n", "")], ["x"]),
    Row(r"did you mean `(.+)`\? Case matters", job(more="resolution: 720P"), [("720P", r"\1")], ["720p"], "resolution"),
    Row("delete the invisible character U.200B", job(image=f'"{URL}\u200b"'), [("\u200b", "")], [URL], "image_url"),
    Row("delete the blank at its end", job(image=f'"{URL} "'), [('webp "', 'webp"')], [URL], "image_url"),
    Row("delete the blank at its beginning", job(image=f'" {URL}"'), [('" h', '"h')], [URL], "image_url"),
    Row("remove one of them", job(body="tags: [a, a]"), [("[a, a]", "[a]")], ["x"]),
    Row("write it with a point: (.+)", job(more="strength: '0,5'").replace(MODEL, "qwen/image-to-image"), [("'0,5'", r"\1")],
        [0.5], "strength"),
    Row("give each campaign a file of its own", job() + "---\n" + job("y"), [("---\n" + job("y"), "")], ["x"]),
    Row("drop or quote it", "%x: y\n" + job(), [("%x: y\n", "")], ["x"]),
    Row(r"write it as (\S+)", job(image="https://example.com/a b.webp"), [("https://example.com/a b.webp", r"\1")],
        ["https://example.com/a%20b.webp"], "image_url"),
    Row(r"write it as (\S+)", job(image="https://bücher.example.com/a.webp"), [("https://bücher.example.com/a.webp", r"\1")],
        ["https://xn--bcher-kva.example.com/a.webp"], "image_url"),
    Row("write `/` for each backslash", job(image=r"https://example.com\a.webp"), [("com\\a", "com/a")], [URL], "image_url"),
    Row(r"write two slashes behind the `:`: (\S+)", job(image="https:/example.com/a.webp"), [("https:/example.com/a.webp", r"\1")],
        [URL], "image_url"),
    Row(r"delete the blank in its host: (\S+)", job(image="https://example .com/a.webp"), [("example .com", r"\1")], [URL], "image_url"),
    Row(r"write it as (\S+)", job(image="https://example.com/50%.webp"), [("https://example.com/50%.webp", r"\1")],
        ["https://example.com/50%25.webp"], "image_url"),
    Row(r"write it as (\S+)", job(image=f"<{URL}>"), [(f"<{URL}>", r"\1")], [URL], "image_url"),
    Row(r"write `(\| trim \| default\(omit, true\))` behind a name to leave it out",
        job(more='video_url: https://example.com/a.mp4\nreference_image: ["{{ vars.e }}"]', top='vars: {e: ""}')
        .replace(MODEL, "happyhorse/video-edit").replace(f"      image_url: {URL}\n", ""),
        [("vars.e", r"vars.e \1")], [None], "reference_image"),
    Row("no template makes a list: write its values here", job(body='tags: "{{ vars.t }}"'),
        [('"{{ vars.t }}"', "[a]")], ["x"]),
    Row("it holds two addresses: write one, (.+), or", job(image=f"{URL}, https://example.com/b.webp"),
        [(f"{URL}, https://example.com/b.webp", r"\1")], [URL], "image_url"),
    Row("write a Latin letter for U.0435 CYRILLIC SMALL LETTER IE", job(image="https://exampl\u0435.com/a.webp"), [("\u0435", "e")],
        [URL], "image_url"),
    Row(r"where that is meant, write it as (\S+)", job(image="https://exampl\u0435.com/a.webp"), [("https://exampl\u0435.com/a.webp", r"\1")],
        ["https://xn--exampl-8of.com/a.webp"], "image_url"),
    Row("write single dots in its host: (.+)", job(image="https://example..com/a.webp"), [("example..com", r"\1")], [URL], "image_url"),
    *(Row("delete the port `(.+)`, or", job(image=f"https://example.com{port}/a.webp"), [(port, "")], [URL], "image_url")
      for port in (":99999", ":8o80")),
    Row("write the `:` of an address: (.+)", job(image="https//example.com/a.webp"), [("https//example.com/a.webp", r"\1")], [URL],
        "image_url"),
    Row("put it in a list: (.+)", job(body="tags: hero"), [("tags: hero", r"tags: \1")], ["x"]),
    Row("put it in quotes if it is meant as text", job().replace("campaign: h", "campaign: 5"),
        [("campaign: 5", 'campaign: "5"')], ["x"]),
    Row("put it in quotes if it is meant as text", job(".inf"), quoted(".inf"), [".inf"]),
    Row(LOST, job("Cup of tea #cozy"), quoted("Cup of tea #cozy"), ["Cup of tea #cozy"]),
    Row(LOST, job("Cup of tea #cozy"), [("#cozy", "# cozy")], ["Cup of tea"]),
    Row(LOST, job("A cup, #FF8800"), quoted("A cup, #FF8800"), ["A cup, #FF8800"]),
    Row("put the entire text in quotes where this is the value", job("#cozy cup"), quoted("#cozy cup"), ["#cozy cup"]),
    Row("put the entire text in quotes where it belongs to it, or drop it", job("&then a dog"), quoted("&then a dog"),
        ["&then a dog"]),
    Row("put the entire text in quotes where it belongs to it, or drop it", job("&then a dog"), [("&then ", "")], ["a dog"]),
    Row("put it there, or write its value here", job('"{{ vars.l }}"', top='vars: {l: "{{ vars.b }} cup", b: A}'),
        [("{{ vars.b }} cup", "A cup")], ["A cup"]),
    Row("put it there, or write its value here", job('"{{ vars.l }}"', top='vars: {l: "{{ vars.b }} cup", b: A}'),
        [("{{ vars.l }}", "{{ vars.b }} cup"), ('l: "{{ vars.b }} cup", ', "")], ["A cup"]),
    Row(CLOSE, job("[x"), quoted("[x"), ["[x"]),
    Row(CLOSE, job("{x"), quoted("{x"), ["{x"]),
    Row("put the entire value in quotes", job("@cup"), quoted("@cup"), ["@cup"]),
    Row("put the entire value in quotes", job("& cup"), quoted("& cup"), ["& cup"]),
    Row("put a value that contains `: ` in quotes", job("A cap: red"), quoted("A cap: red"), ["A cap: red"]),
    Row("a text that starts with `- ` needs quotes", job("- cup"), quoted("- cup"), ["- cup"]),
    Row("put the text that holds it in quotes", job("a cup\n        of tea #cozy\n        on a table"),
        [("a cup\n        of tea #cozy\n        on a table", '"a cup of tea #cozy on a table"')], ["a cup of tea #cozy on a table"]),
    Row("where it is a comment, delete it", job("a cup\n        of tea # cozy\n        on a table"), [(" # cozy", "")], ["a cup of tea on a table"]),
    Row("put the text that holds it in quotes", job('"{{ matrix.m }}"', "matrix: {m: [red #1, blue]}"), [("red #1", '"red #1"')],
        ["red #1", "blue"]),
    Row("put the text that holds it in quotes", job().replace(f"\n      image_url: {URL}\n      prompt: x", f" {{prompt: a cup #1,\n      image_url: {URL}}}"),
        [("a cup #1", '"a cup #1"')], ["a cup #1"]),
    Row("write an apostrophe in it twice, (''),", job("'it's a cup'"), [("it's", r"it\1s")], ["it's a cup"]),
    Row("or put the text in double quotes", job("'it's a cup'"), [("'it's a cup'", '"it\'s a cup"')], ["it's a cup"]),
    Row("put the text in single quotes", job('"a "big" cup"'), [('"a "big" cup"', "'a \"big\" cup'")], ['a "big" cup']),
    Row("or write `(.+)` for each quote in it", job('["a "big" cup"]'), [('["a "big" cup"]', '"a \\1big\\1 cup"')], ['a "big" cup']),
    Row("close it; within single quotes an apostrophe is written twice", job("'cup"), [("'cup", "'cup'")], ["cup"]),
    Row("close it; `---` and `...` can't begin a line", job('"cup') + "...\n", [('"cup', '"cup"')], ["cup"]),
    Row("add the `:`; a text over several lines needs `>-`", job("cup\n    of tea"),
        [("cup\n    of tea", ">-\n        cup\n        of tea")], ["cup of tea"]),
    Row("add it, or quote the text", job("[, a]"), quoted("[, a]"), ["[, a]"]),
    Row(r"in double quotes write `\\\\` for a backslash", job(r'"a\d"'), [(r"a\d", r"a\\\\d")], [r"a\d"]),
    Row("or use single quotes", job(r'"a\d"'), [(r'"a\d"', r"'a\\d'")], [r"a\d"]),
    Row("begin the text on the next line", job("| cup"), [("| cup", "|\n        cup")], ["cup"]),
    Row("drop the `%YAML` line", "%YAML 2.0\n---\n" + job(), [("%YAML 2.0\n", "")], ["x"]),
    Row("delete it; where it is meant", job("a\u2028b"), [("a\u2028b", "ab")], ["ab"]),
    Row("write it as an escape in double quotes", job("a\u2028b"), [("a\u2028b", r'"a\\u2028b"')], ["a\u2028b"]),
    Row('write it as (".+")', job("{{ job }} cup"), [("{{ job }} cup", r"\1")], ["j cup"]),
    Row('write it as (".+")', job("A cap: {{ job }}"), [("A cap: {{ job }}", r"\1")], ["A cap: j"]),
    Row('write it as "{{ … }}"', job(body="matrix: {duration: [{{ vars.d }}]}", top="vars: {d: 10}"),
        [("{{ vars.d }}", '"{{ vars.d }}"')], ["10"], "duration"),
    Row("put it in quotes", job("{{ job }}" + "a" * 2000), quoted("{{ job }}" + "a" * 2000), ["j" + "a" * 2000]),
    Row(NUMBER, job("3.10"), [("3.10", r'"\1"')], ["3.10"]),
    Row(NUMBER, job("3.10"), [("3.10", r"\2")], ["3.1"]),
    Row(NUMBER, job('"{{ vars.b }}"', top="vars: {b: True}"), [("True", r'"\1"')], ["True"]),
    Row(NUMBER, job('"{{ vars.b }}"', top="vars: {b: True}"), [("True", r"\2")], ["true"]),
    Row("drop it; a text that starts with `!` needs quotes", job("!wow cup"), quoted("!wow cup"), ["!wow cup"]),
    Row("drop the tag", job("!!int cup"), [("!!int ", "")], ["cup"]),
    Row("a text that starts with `[*]` needs quotes", job("*cup"), quoted("*cup"), ["*cup"]),
    Row("write `&(.+)` before a value further up", job("*cup", top="vars: {x-c: tea}"), [("tea", r"&\1 tea")], ["tea"]),
    Row("write the key as text", job(body="? [takes]\n: 1"), [("? [takes]\n    : 1", "takes: 1")], ["x"]),
    Row(r"write one `<<: \[\*first, \*second\]`", job(body="<<: *a\n<<: *b", top="x-a: &a {takes: 1}\nx-b: &b {tags: [t]}"),
        [("<<: *a\n    <<: *b", "<<: [*a, *b]")], ["x"]),
    Row(r"did you mean `(\w+)`", job(body="tgas: [a]"), [("tgas", r"\1")], ["x"]),
    Row("start with `version: 1`, `campaign:` and `jobs:`", "- x\n", [("- x\n", job())], ["x"]),
    # --- models and fields ---
    Row(r"add `model: (.+)`", job().replace(f"    model: {MODEL}\n", ""), [("  j:\n", "  j:\n    model: " + MODEL + "\n")], ["x"]),
    Row(r"did you mean `(.+)`\?", job().replace(MODEL, MODEL[:-2] + "oe"), [(MODEL[:-2] + "oe", r"\1")], ["x"]),
    Row(r"did you mean `(.+)`\?", job(more="resolutoin: 1080p"), [("resolutoin", r"\1")], ["1080p"], "resolution"),
    Row(r"remove one of them; for a single value write `matrix: \{duration: \[value\]\}`",
        job(body="matrix: {duration: [5, 10]}", more="duration: 10"), [("      duration: 10\n", "")], ["5", "10"], "duration"),
    Row(r"for a job with each of them, write it as an axis: `(.+)`", job(more="duration: [5, 10]"),
        [("      duration: [5, 10]\n", ""), ("    input:", "    \\1\n    input:")], ["5", "10"], "duration"),
    Row(r"name the axis `x`, say, and write `(.+)`", job(body="matrix: {resolution: [{id: a, v: 720p}]}"),
        [("{resolution: [", "{x: ["), ("prompt: x\n", "prompt: x\n      \\1\n")], ["720p"], "resolution"),
    Row(r"add `(column: \w+)` to the axis", **table("id,r\na,1080p\n", "x", "matrix: {resolution: {from: s.csv, key: id}}"),
        changes=[("key: id}", r"key: id, \1}")], bought=["1080p"], field="resolution"),
    *(Row(r"write `\| trim \| default\('…', true\)` behind its name", **table(f"id,p\na,{cell}\n"),
        changes=[("s.p", "s.p | trim | default('tea', true)")], bought=["tea"]) for cell in ("", '" "')),
    *(Row("name the axis `x`, say, and write `(resolution: .+)`$", **table(rows, "x", AXIS, name), field="resolution",
        changes=[("{resolution: ", "{x: "), ("prompt: x\n", "prompt: x\n      \\1\n")], bought=["720p", "1080p"])
      for name, rows in (("s.csv", "id,r\na,\nb,1080p\n"), ("s.csv", 'id,r\na," "\nb,1080p\n'),
                         ("s.jsonl", '{"id":"a"}\n{"id":"b","r":"1080p"}\n'))),
    Row("write one$", text=job(body=AXIS.replace("resolution: ", "prompt: ").replace("csv", "jsonl")).replace("      prompt: x\n", ""),
        files={"s.jsonl": '{"id":"a","r":null}\n'}, changes=[("null", '"x"')], bought=["x"]),
    Row("where a part of a text is left out, write `('')` for it", job('"x{{ omit }}"'), [("omit", r"\1")], ["x"]),
    Row("drop the line of `output`", job(body='output: "{{ omit }}"'), [('    output: "{{ omit }}"\n', "")], ["x"]),
    Row("leave the field out: `(duration: .+)`$",
        text=job(body=S, more='duration: "{{ matrix.s.d }}"', prompt='"{{ matrix.s.id }}"'), files={"s.csv": "id,d\na,\n"},
        changes=[('duration: "{{ matrix.s.d }}"', r"\1")], bought=["5"], field="duration"),
    Row("delete it where it comes from", job(r'"a\x1bb"'), [(r"\x1b", "")], ["ab"]),
    Row("give each entry of `include` that adds a combination a `(model)`, too",
        job('"{{ matrix.m }}"', f"matrix: {{include: [{{model: {MODEL}, m: a}}, {{m: b}}]}}").replace(f"    model: {MODEL}\n", "", 1),
        [("{m: b}", f"{{\\1: {MODEL}, m: b}}")], ["a", "b"]),
    Row("write `(seconds):`, or", job(body="checks: {length: {seconds: 5, at_least: 9}}"), [("seconds: 5, at_least: 9", r"\1: 5")], ["x"]),
    # --- files and addresses ---
    Row("write the file's path from the job file's folder", job(image="http://localhost/cup.png"),
        [("http://localhost/cup.png", "images/cup.png")], ["x"], files=IMAGES),
    Row("write the address that leads there from outside", job(body="callBackUrl: http://localhost/"),
        [("http://localhost/", "https://example.com/")], ["x"]),
    Row("write the shortest path", job(image="images/x/../cup.png"), [("images/x/../", "images/")], ["x"], files=IMAGES),
    Row("if that is an address, write `(.+)`", job(image="example.com/a.webp"), [("example.com/a.webp", r"\1")], [URL], "image_url"),
    Row("write a URL, or a path such as", job(image='""'), [('""', URL)], [URL], "image_url"),
    Row("write paths with `/`", job(image=r"images\cup.png"), [("images\\cup", "images/cup")], ["x"], files=IMAGES),
    Row("did you mean `(.+)`[?]$", job(image="Images/cup.PNG"), [("Images/cup.PNG", r"\1")], ["x"], files=IMAGES),
    Row("did you mean `(.+)`[?]$", job(image="Imagse/cup.PNG"), [("Imagse/cup.PNG", r"\1")], ["x"], files=IMAGES),
    Row("did you mean `(.+)`[?] The template has U.00E9 LATIN SMALL LETTER E WITH ACUTE where the other has U.0065",
        job('"{{ vars.caf\u00e9 }}"', top="vars: {cafe\u0301: A}"), [("vars.caf\u00e9", r"\1")], ["A"]),
    Row("did you mean `(.+)`", job(image="images/cpu.png"), [("images/cpu.png", r"\1")], ["x"], files=IMAGES),
    Row("give it a name without the dot", job(image="images/.cup.png"), [("/.cup", "/cup")], ["x"], files=IMAGES),
    Row("like `({{ job }}/{{ axes }})`", job(body="output: /tmp/x\nmatrix: {duration: [5]}"), [("/tmp/x", r'"\1"')], ["x"]),
    Row("set `(correlate: false)`", job(body="callBackUrl: https://example.com/?attempt=1"),
        [("    input:", "    \\1\n    input:")], ["x"]),
    # --- what nothing reads, and what is there twice ---
    Row(UNUSED, job(top="vars: {brand-name: A}"), [("prompt: x", r'prompt: "\1"')], ["A"]),
    Row(UNUSED, job(top="vars: {b: A}"), [("vars: {b: A}\n", "")], ["x"]),
    Row(UNUSED, job(top="vars: {b: A}"), [("b: A", r"\2: A")], ["x"]),
    Row(IDLE, job(body="matrix: {resolutoin: [1080p]}"), [("resolutoin", r"\1")], ["1080p"], "resolution"),
    Row(IDLE, job(body="matrix: {resolutoin: [1080p]}"), [("prompt: x", r'prompt: "\2"')], ["1080p"]),
    Row("^write `(.+)` where it is meant, or drop it", job(body="matrix: {mood: [calm]}"), [("prompt: x", r'prompt: "\1"')], ["calm"]),
    Row("^write `(.+)` where it is meant, or drop it", **table("id,Image URL\na,x\n", "x"), changes=[("prompt: x", r'prompt: "\1"')],
        bought=["x"]),
    Row(RAW, job('"a {#sale} or #} b"'), [("{#sale} or #}", r"\1")], ["a {#sale} or #} b"]),
    Row(RAW, job('"a {#sale#} b"'), [("{#sale", "{# sale")], ["a  b"]),
    Row(TWICE, TWO, [(TWO[TWO.index("  k:"):], ""), ("    input:\n", "    takes: 2\n    input:\n")], ["x", "x"]),
    Row(TWICE, TWO, [("prompt: x}", "prompt: y}")], ["x", "y"]),
    Row(AXIS_TWICE, job("\"x{% if matrix.m == 'z' %}z{% endif %}\"", "matrix: {m: [a, b]}"),
        [("{% if matrix.m == 'z' %}z{% endif %}", r"{{ \1 }}")], ["xa", "xb"]),
    Row("put an axis or `({{ take }})` into `output`", job(body="takes: 2\noutput: a.mp4"),
        [("output: a.mp4", r'output: "\1.mp4"')], ["x", "x"]),
    Row("put `({{ job }})` into `output`", TWO.replace("prompt: x}", "prompt: y}").replace("    input", "    output: a\n    input"),
        [("output: a\n", 'output: "\\1"\n')], ["x", "y"]),
    Row("rename one of the two values", job('"{{ matrix.m }}"', "output: \"{{ matrix.m|replace('/','_') }}\"\nmatrix: {m: [a/b, a_b]}"),
        [("a_b", "c")], ["a/b", "c"]),
    Row("rename one of the two: ", TWO.replace("prompt: x}", "prompt: y}").replace("    input", "    output: a.mp4\n    input", 1)
        .replace("    input: {", "    output: a.mp4/b.mp4\n    input: {"), [("a.mp4/", "a/")], ["x", "y"]),
    Row("spell one of them so that they differ", job('"{{ matrix.m }}"', "matrix: {m: [cafe, Cafe]}"), [("Cafe", "Coffee")],
        ["cafe", "Coffee"]),
    # --- matrices ---
    Row("give it `(id: some-name)`", job('"{{ matrix.s.p }}"', "matrix: {s: [{p: x}]}"), [("{p: x}", r"{\1, p: x}")], ["x"]),
    Row("remove one of them", job(body="matrix: {duration: [5, 5]}"), [("[5, 5]", "[5]")], ["x"]),
    Row("remove one of them", job(body='matrix: {duration: [5, "5"]}'), [('[5, "5"]', "[5]")], ["x"]),
    Row("remove one of them", job('"{{ matrix.m }}"', 'matrix: {m: [5, "5"]}'), [('[5, "5"]', "[5]")], ["5"]),
    Row("give them different `id`s", job('"{{ matrix.s.p }}"', "matrix: {s: [{id: a, p: x}, {id: a, p: y}]}"),
        [("{id: a, p: y}", "{id: b, p: y}")], ["x", "y"]),
    Row(r"the job can drop it with `(exclude: \[\])`",
        job(top="defaults: {matrix: {duration: [5, 10], exclude: [{duration: 10}]}}", body="matrix: {duration: [5]}"),
        [("matrix: {duration: [5]}", r"matrix: {duration: [5], \1}")], ["5"], "duration"),
    Row('for its "007", write the quotes, too',
        **table("id,p\n007,x\n008,y\n", body="matrix: {s: {from: s.csv, key: id}, exclude: [{s: 007}]}"),
        changes=[("{s: 007}", '{s: "007"}')], bought=["y"]),
    Row("write a plain value, or give the mapping `(id: some-name)`",
        job('"{{ matrix.s.p }}"', "matrix: {s: [{id: a, p: x}], include: [{s: {p: y}}]}"),
        [("{s: {p: y}}", r"{s: {\1, p: y}}")], ["x", "y"]),
    Row("drop one of the two entries",
        job('"{{ matrix.duration }} {{ matrix.m }}"', "matrix: {duration: [5], m: [a], include: [{duration: 10, m: b}, {duration: 10, m: b}]}"),
        [(", {duration: 10, m: b}]", "]")], ["5 a", "10 b"]),
    Row("drop an exclude, or the job", job(body="matrix: {duration: [5], exclude: [{duration: 5}]}"),
        [(", exclude: [{duration: 5}]", "")], ["x"]),
    Row("write it as (5)", job('"{{ matrix.m }}"', 'matrix: {m: [5], include: [{m: "5"}]}'), [('{m: "5"}', r"{m: \1}")], ["5"]),
    Row(r"write `(step: \S+)`", job('"{{ matrix.n }}"', "matrix: {n: {range: {from: 3, to: 1}}}"),
        [("to: 1}", r"to: 1, \1}")], ["3", "2", "1"]),
    Row("or the smaller number first", job('"{{ matrix.n }}"', "matrix: {n: {range: [2, 1]}}"), [("[2, 1]", "[1, 2]")], ["1", "2"]),
    Row("drop it, or say how far one number is from the next", job('"{{ matrix.n }}"', "matrix: {n: {range: [1, 2, 0]}}"),
        [(", 0]", "]")], ["1", "2"]),
    Row("write one like 5 or 0.25", job('"{{ matrix.n }}"', "matrix: {n: {range: [1, two]}}"), [("two", "2")], ["1", "2"]),
    Row("write a path from the job file's folder, like `(images/[*].webp)`", job('"{{ matrix.f }}"', "matrix: {f: {glob: /images/*.webp}}"),
        [("/images/*.webp", r'"\1"')], ["images/b.webp"], files={"images/b.webp": PICTURE}),
    Row("write just the name to mean that value",
        **table("id,p\na,x\n", '"{{ matrix.s.p }}{{ matrix.m }}"', "matrix: {s: {from: s.csv, key: id}, include: [{s: {id: a, p: z}, m: 1}]}"),
        changes=[("{id: a, p: z}", "a")], bought=["x1"]),
    Row("give each as many values as the others, or take it out of `zip`",
        job('"{{ matrix.a }}{{ matrix.b }}"', "matrix: {a: [1, 2], b: [3], zip: [a, b]}"), [("b: [3]", "b: [3, 4]")], ["13", "24"]),
    Row(r"raise `limits: \{max_jobs: …\}`", job('"{{ matrix.n }}"', "matrix: {n: {range: [1, 3]}}", "limits: {max_jobs: 2}"),
        [("max_jobs: 2", "max_jobs: 3")], ["1", "2", "3"]),
    # --- tables ---
    Row("write a quote in it twice", **table('id,p\na,5" wide\n'), changes=[('5" wide', '"5"" wide"')], bought=['5" wide']),
    Row("a cell that holds a delimiter needs quotes", **table("id,p\na,calm, wild\n"), changes=[("calm, wild", '"calm, wild"')],
        bought=["calm, wild"]),
    Row("delete the line, and save the table with commas", **table("sep=,\nid,p\na,x\n"), changes=[("sep=,\n", "")], bought=["x"]),
    Row("put it in quotes if it is meant as text", **table('[{"id": "a", "p": NaN}]', name="s.json"), changes=[("NaN", '"NaN"')],
        bought=["NaN"]),
    Row("^delete it$", **table("id,p\na,x\x07\n"), changes=[("\x07", "")], bought=["x"]),
    Row("close it, or write it twice", **table('id,p\na,"x\n'), changes=[('"x', '"x"')], bought=["x"]),
    Row("name it, or delete it", **table("id,p,\na,x,y\n"), changes=[("id,p,\n", "id,p,q\n")], bought=["x"]),
    Row("delete the blanks: they belong to the name", **table("id, p\na,x\n"), changes=[("id, p", "id,p")], bought=["x"]),
    Row("rename one", **table("id,p,p\na,x,y\n"), changes=[("id,p,p", "id,p,q")], bought=["x"]),
    Row("begin each row with `- (id: some-name)`", **table("id: a\np: x\n", name="s.yaml"),
        changes=[("id: a\np: x", "- \\1\n  p: x")], bought=["x"]),
    Row("write text or a number", **table("- id: [a]\n  p: x\n", name="s.yaml"), changes=[("[a]", "a")], bought=["x"]),
    Row("delete this row: all its cells are empty", **table("id,p\na,x\n,\n"), changes=[("\n,\n", "\n")], bought=["x"]),
    Row("rename one of them", **table("id,p\na,x\na,y\n"), changes=[("a,y", "b,y")], bought=["x", "y"]),
    Row("tabs: name it .tsv", **table("id\tp\na\tx\n"), changes=[("s.csv", "s.tsv")], bought=["x"]),
    Row("`,`: name it .csv", **table("id,p\na,x\n", name="s.tsv"), changes=[("s.tsv", "s.csv")], bought=["x"]),
    Row("name it .json; .jsonl where each line is a mapping", **table('[{"id": "a", "p": "x"}]'), changes=[("s.csv", "s.json")],
        bought=["x"]),
    Row("one list of them is a .json file", **table('[{"id": "a", "p": "x"}]', name="s.jsonl"), changes=[("s.jsonl", "s.json")],
        bought=["x"]),
    Row("write the character itself", **table('[{"id": "a", "p": "\\ud83d"}]', name="s.json"), changes=[("\\ud83d", "😀")],
        bought=["😀"]),
    Row("write the character itself", job(r'"a \ud83d b"'), [(r"\ud83d", "😀")], ["a 😀 b"]),
    # --- templates ---
    Row("did you mean `(.+)`", job('"{{ vars.bradn }}"', top="vars: {brand: A}"), [("vars.bradn", r"\1")], ["A"]),
    Row("did you mean `(.+)`", job('"{{ vars.brand-name }}"', top="vars: {brand-name: A}"), [("vars.brand-name", r"\1")], ["A"]),
    Row("did you mean `(.+)`", job('"{{ brand }}"', top="vars: {brand: A}"), [("{{ brand", r"{{ \1")], ["A"]),
    Row(r"write `\| default\('…', true\)`", job('"{{ vars.b }}"', top="vars: {b: null}"), [("vars.b", "vars.b | default('A', true)")], ["A"]),
    Row("give it a value", job('"{{ vars.b }}"', top="vars: {b: null}"), [("null", "A")], ["A"]),
    Row(r"write `(\| join\(', '\))`", job('"{{ vars.b }}"', top="vars: {b: [x, y]}"), [("vars.b", r"vars.b \1")], ["x, y"]),
    Row(r"name one of its keys, or write `(\| tojson)`", job('"{{ vars.b }}"', top="vars: {b: {k: v}}"), [("vars.b", r"vars.b \1")],
        ['{"k": "v"}']),
    Row("name one of its keys", job('"{{ vars.b }}"', top="vars: {b: {k: v}}"), [("vars.b", "vars.b.k")], ["v"]),
    Row(r"call it: write `(\(\))` behind its name", job('"{{ job.upper }}"'), [("job.upper", r"job.upper\1")], ["J"]),
    Row(r"call it: write `(\(\))` behind its name", job('"{% set m = job.upper %}{{ m }}"'), [("upper %", r"upper\1 %")], ["J"]),
    Row("where `{%` is text, write `(.+)`", job('"50{% off"'), [("{%", r"\1")], ["50{% off"]),
    Row("where `{{` is text, write `(.+)`", job('"a {{sale} b"'), [("{{", r"\1")], ["a {{sale} b"]),
    Row("^write `(.+)`: no dot", job('"{{ vars.Image URL }}"', top="vars: {Image URL: A}"), [("vars.Image URL", r"\1")], ["A"]),
    Row("^write `(.+)`: no dot", job('"{{ vars.2nd }}"', top="vars: {2nd: A}"), [("vars.2nd", r"\1")], ["A"]),
    Row("^write `(.+)`: no dot", **table("id,Image URL\na,x\n", '"{{ matrix.s.Image URL }}"'), changes=[("matrix.s.Image URL", r"\1")],
        bought=["x"]),
    Row("where it is text, write `(.+)`$", job('"a {{ SALE }} b"'), [("{{ SALE }}", r"\1")], ["a {{ SALE }} b"]),
    Row("where it is text, write `(.+)` before the brackets and `(.+)` behind", job('"a {{ 50% off! }} b"'),
        [("{{ 50% off! }}", r"\1{{ 50% off! }}\2")], ["a {{ 50% off! }} b"]),
    *(Row(f"where `{sign}` is text, write `(.+)`", job(f'"a {text}"'), [(sign, r"\1")], [f"a {text}"]) for sign, text in (
        ("{{", "{{ sale in rain"), ("{{", "{{ big sale }}"), ("{%", "{%50 off%}"), ("{%", "{% if sale"), ("{%", "{% if job %} x"),
        ("{%", "{% if a b %} x"))),
    Row("did you mean `(.+)`", job('"{{ brand-name }}"', top="vars: {brand-name: A}"), [("brand-name }", r"\1 }")], ["A"]),
    Row("did you mean `(.+)`.? The path has U.00A0 NO-BREAK SPACE where the name of the file has U.0020 SPACE",
        job(image='"images/a\u00a0cup.png"'), [("images/a\u00a0cup.png", r"\1")], ["x"], files={"images/a cup.png": PICTURE}),
    Row("where it is text, write `(.+)`; where it is a comment",
        text=job("\"{% include 'a.j2' %}\""), files={"a.j2": "a {#sale#} b"}, changes=[("{#sale#}", r"\1")], bought=["a {#sale#} b"]),
    Row("add `({% endif %})`;", job('"{% if job %}x"'), [('x"', 'x\\1"')], ["x"]),
    Row("add `(}})`;", job('"{{ job"'), [("{{ job", r"{{ job \1")], ["j"]),
    Row("add `(%})`", job('"{% set a = 1"'), [("a = 1", r"a = 1 \1x")], ["x"]),
    Row("put a name in it", job('"{{ }}"'), [("{{ }}", "{{ job }}")], ["j"]),
    Row("where it is text, write `({% raw %}{#{% endraw %})`", job('"a {#sale} b"'), [("{#", r"\1")], ["a {#sale} b"]),
    Row("where it is a comment, end it with `(#})`", job('"a {#sale b"'), [("sale b", r"sale \1 b")], ["a  b"]),
    Row("add `({% endraw %})`", job('"{% raw %}{{x}}"'), [("{{x}}", r"{{x}}\1")], ["{{x}}"]),
    Row("`self.(.+)` prints it again", job('"{% block a %}x{% endblock %}{% block a %}{% endblock %}"'),
        [("{% block a %}{% endblock %}", r"{{ self.\1 }}")], ["xx"]),
    Row("put it into a block, or delete it", text=job("\"{% extends 'a.j2' %}x{% block b %}y{% endblock %}\""),
        files={"a.j2": "{% block b %}{% endblock %}"}, changes=[("%}x{%", "%}{%")], bought=["y"]),
    Row("like `(prompts/scene.j2)`", text=job("\"{% include '/prompts/scene.j2' %}\""), files={"prompts/scene.j2": "x"},
        changes=[("'/prompts/scene.j2'", r"'\1'")], bought=["x"]),
    # --- variables that are given ---
    Row("write one on each line: `(brand: Aurora)`", text=job('"{{ vars.brand }}"', top="vars: {brand: A}"), files={"v.yaml": "Aurora\n"},
        changes=[("Aurora\n", "\\1\n")], bought=["Aurora"], options={"vars_files": ("v.yaml",)}),
    Row("declare it under `vars:` in the job file", text=job('"{{ vars.a }}"', top="vars: {a: x}"), changes=[("{a: x}", "{a: x, x-zz: y}")],
        files={"v.yaml": "x-zz: z\n"}, bought=["x"], options={"vars_files": ("v.yaml",)}),
]  # fmt: skip

WITHOUT = {
    r"need(s)? quotes$|^put the value in quotes$": "said with another hint, or of what no parser is known to say",
    r"--var .*|in the file it is": "of the command line: tests/core/jobfile/test_variables.py follows it",
    r"--max-jobs NUMBER": "of the command line: tests/core/expand/test_ceilings.py",
    r"^add \0$|^write `\0: \0`$|^drop `\0`$|fewer or smaller|smaller steps|rename it: |^name a text": "of own models, or no one change",
}
"""Advice that is not a change of one's own files, by pattern, with why it has no row."""


def problems_of(row: Row) -> tuple[list[object] | None, list[Diagnostic]]:
    """What the row's file buys, None where it has errors; and its problems."""
    try:
        loaded, problems = try_to_load(
            JobFileOptions(file="jobs.yaml", **row.options), JobFolder("jobs.yaml")
        )
    except InvalidJobFile as invalid:
        return None, list(invalid.problems)
    if loaded is None or problems.fatal:
        return None, list(problems)
    return [one.input.get(row.field) for one in loaded.expansion.jobs], list(problems)


def write(files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())


def changed(row: Row, found: re.Match[str]) -> dict[str, str | bytes]:
    """The row's files as the hint says; a file may be named otherwise by it, too."""
    files: dict[str, str | bytes] = {"jobs.yaml": row.text, **row.files}
    for old, new in row.changes:
        words = found.expand(new)
        with_it = [name for name, text in files.items() if isinstance(text, str) and old in text]
        renamed = [name for name in files if old in name]
        assert with_it or renamed, old
        for name in with_it:
            files[name] = str(files[name]).replace(old, words)
        for name in renamed:
            files[name.replace(old, words)] = files.pop(name)
    return files


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.hint[:50])
def test_a_hint_that_is_followed_leads_to_what_was_meant(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write({"jobs.yaml": row.text, **row.files})
    hints = [one.hint or "" for one in problems_of(row)[1]]
    found = next(filter(None, (re.search(row.hint, hint) for hint in hints)), None)
    assert found is not None, hints
    for name in ("jobs.yaml", *row.files):
        (tmp_path / name).unlink()
    write(changed(row, found))
    bought, problems = problems_of(row)
    assert bought == row.bought, problems
    assert found.string not in [one.hint for one in problems]


# --- is there a row for each? ------------------------------------------------------------------------

SOURCES = ("core/document", "core/expand", "core/jobfile.py", "core/matrix", "core/table", "core/template",
           "core/models/validator.py", "adapters/project/local_files.py")  # fmt: skip
CHANGE = re.compile(
    r"did you mean|(?<![a-z] )\b(?:write|add|drop|put|delete|say|name it|rename|remove|give|close|begin|raise)\b"
)


def changes_in_the_sources() -> Iterator[str]:
    """Texts that tell somebody to change something; `\0` stands for what is filled in."""
    package = Path(kiejobs.__file__).parent
    for place in SOURCES:
        path = package / place
        for module in [path] if path.is_file() else path.rglob("*.py"):
            yield from filter(CHANGE.match, texts_in(ast.parse(module.read_text(encoding="utf-8"))))


def texts_in(tree: ast.AST) -> Iterator[str]:
    """Its strings, without those that are parts of others; `{0}` is filled in, too."""
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield one_brace(
                "".join(str(one.value) if isinstance(one, ast.Constant) else "\0" for one in node.values)
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield one_brace(re.sub(r"\{\d\}", "\0", node.value))


def one_brace(text: str) -> str:
    """Braces are doubled in some of the sources."""
    return re.sub(r"([{}])\1+", r"\1", text)


def test_no_hint_that_names_a_change_is_without_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given: set[str] = set()
    for row in ROWS:
        write({"jobs.yaml": row.text, **row.files})
        given |= {one_brace(one.hint) for one in problems_of(row)[1] if one.hint}
        for name in ("jobs.yaml", *row.files):
            (tmp_path / name).unlink()
    everything = "\n".join(given)
    without = [
        text
        for text in changes_in_the_sources()
        if not re.search(".*".join(map(re.escape, text.split("\0"))), everything)
        and not any(re.search(pattern, text) for pattern in WITHOUT)
    ]
    assert without == []
