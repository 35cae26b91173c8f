"""Expansion: a job file's text in, exact requests out, or every problem with its place."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from kiejobs.core.prices.table import ModelPrice, PriceLine, PriceTable
from tests.support.expanding import MODEL, Expanded, expanded, line

TINY: dict[str, Any] = {
    "type": "object",
    "required": ["model", "input"],
    "properties": {
        "model": {"const": "example/tiny"},
        "callBackUrl": {"type": "string", "format": "uri"},
        "input": {
            "type": "object",
            "required": ["text"],
            "properties": {
                "text": {"type": "string", "maxLength": 40},
                "steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 20},
                "strength": {"type": "number", "minimum": 0, "maximum": 1},
                "loop": {"type": "boolean"},
                "size": {"type": "string", "enum": ["5", "10"]},
                "links": {"type": "array", "items": {"type": "string", "format": "uri"}, "maxItems": 2},
                "style": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "weight": {"type": "integer"}},
                    "additionalProperties": False,
                },
            },
            "additionalProperties": False,
        },
    },
    "x-kiejobs-output": {"media_type": "video/webm", "extension": ".webm"},
}  # fmt: skip
"""Fields of every type."""

PRICES = PriceTable(
    {
        "example/tiny": ModelPrice(
            "example/tiny",
            "video",
            (
                PriceLine({"loop": "true"}, Decimal("12.5")),
                PriceLine({"steps": "20"}, Decimal(4)),
            ),
            source="made up",
            date="2026-10",
        )
    }
)

PAIR: dict[str, Any] = {
    "type": "object",
    "properties": {
        "model": {"enum": ["example/pair"]},
        "input": {
            "type": "object",
            "properties": {
                "first": {"type": "string", "format": "uri"},
                "last": {"type": "string", "format": "uri"},
                "seconds": {"type": "integer", "default": 4},
                "quality": {"type": "string", "enum": ["draft", "full"], "default": "draft"},
            },
            "dependentRequired": {"last": ["first"]},
            "if": {"properties": {"quality": {"const": "full"}}},
            "then": {"properties": {"seconds": {"maximum": 6}}},
            "unevaluatedProperties": False,
        },
    },
}
"""Rules across fields: a last picture needs a first one, full quality ends at six seconds."""


def tiny(body: str, **top: str) -> Expanded:
    """One job `a` of the tiny model: `body` are the lines of its entry."""
    return jobs_of({"a": f"model: example/tiny\n{body}"}, **top)


def clip(body: str, **top: str) -> Expanded:
    """One job `a` of the model that we ship, with its required fields filled."""
    fields = "prompt: a cup, image_url: https://example.com/cup.webp"
    return jobs_of({"a": f"model: {MODEL}\n{body.replace('FIELDS', fields)}"}, **top)


def jobs_of(jobs: dict[str, str], **top: str) -> Expanded:
    written = "".join(
        f"{name}: {value}\n" for name, value in {"version": "1", "campaign": "c", **top}.items()
    )
    entries = "".join(
        f"  {name}:\n" + "".join(f"    {row}\n" for row in body.splitlines()) for name, body in jobs.items()
    )
    return expanded(f"{written}jobs:\n{entries}", TINY, PAIR, prices=PRICES)


def inputs(made: Expanded) -> list[dict[str, Any]]:
    return [dict(job.input) for job in made.jobs]


# --- defaults --------------------------------------------------------------------------------------


def test_defaults_lie_beneath_each_job_key_by_key() -> None:
    made = expanded(
        """
        version: 1
        campaign: c
        defaults:
          model: example/tiny
          takes: 2
          tags: [low]
          output: "{{ job }}-{{ take }}"
          callBackUrl: https://hooks.example.com/{{ job }}
          input: {text: from below, steps: 3, loop: true}
        jobs:
          as-they-are:
          above:
            takes: 1
            tags: [high]
            output: own/file.webm
            callBackUrl: https://hooks.example.com/own
            input: {steps: 4, strength: 0.5}
        """,
        TINY,
    )
    low, twice, above = made.jobs
    assert (low.input, low.take, twice.take) == (twice.input, 1, 2)
    assert low.input == {"text": "from below", "steps": 3, "loop": True}
    assert (low.tags, low.output) == (("low",), "as-they-are-1.webm")
    assert low.callback_url == "https://hooks.example.com/as-they-are"
    assert above.input == {"text": "from below", "steps": 4, "strength": 0.5, "loop": True}
    assert (above.tags, above.output, above.take) == (("high",), "own/file.webm", 1)
    assert above.callback_url == "https://hooks.example.com/own"


def test_a_job_s_axis_replaces_the_default_s_and_the_others_stay() -> None:
    made = jobs_of(
        {"a": "matrix: {steps: [7]}\ninput: {text: x}"},
        defaults="{model: example/tiny, matrix: {steps: [1, 2], size: [5, 10]}}",
    )
    assert [job.address for job in made.jobs] == ["c/a[size=5,steps=7]", "c/a[size=10,steps=7]"]


def test_a_job_s_exclude_replaces_the_default_s() -> None:
    defaults = "{model: example/tiny, matrix: {steps: [1, 2], exclude: [{steps: 2}]}}"
    one = jobs_of({"a": "input: {text: x}"}, defaults=defaults)
    both = jobs_of({"a": "matrix: {exclude: []}\ninput: {text: x}"}, defaults=defaults)
    assert [len(one.jobs), len(both.jobs)] == [1, 2]


def test_a_model_s_defaults_are_always_sent_in_the_schema_s_order() -> None:
    (job,) = clip("input: {FIELDS}").jobs
    assert list(job.body) == ["model", "input"]
    assert json.dumps(job.body["input"]) == json.dumps({
        "prompt": "a cup", "image_url": "https://example.com/cup.webp",
        "resolution": "720p", "duration": "5",
    })  # fmt: skip


def test_a_callback_stands_in_the_body_between_model_and_input() -> None:
    (job,) = clip("callBackUrl: https://hooks.example.com/x\ninput: {FIELDS}").jobs
    assert list(job.body) == ["model", "callBackUrl", "input"]


# --- axes ------------------------------------------------------------------------------------------


def test_an_axis_named_like_a_field_fills_it() -> None:
    made = tiny("matrix: {steps: [1, '2'], loop: [true]}\ninput: {text: x}")
    assert inputs(made) == [
        {"text": "x", "steps": 1, "loop": True},
        {"text": "x", "steps": 2, "loop": True},
    ]
    assert made.jobs[0].axes == (("loop", "true"), ("steps", "1"))


def test_an_axis_value_that_fills_a_field_may_be_a_template() -> None:
    made = tiny("matrix: {text: ['{{ vars.b }} one', 'two of {{ job }}']}", vars="{b: Big}")
    assert [job.input["text"] for job in made.jobs] == ["Big one", "two of a"]


def test_templates_see_an_axis_value_as_it_was_written() -> None:
    prompt = "{{ matrix.duration is number }} {{ matrix.duration }}"
    made = clip(f"matrix: {{duration: [5, '10']}}\ninput: {{image_url: 'https://a', prompt: '{prompt}'}}")
    assert [job.input["prompt"] for job in made.jobs] == ["true 5", "false 10"]
    assert [job.input["duration"] for job in made.jobs] == ["5", "10"]


def test_mapping_axes_are_named_by_their_id_and_give_their_leaves_to_templates() -> None:
    made = tiny(
        "matrix:\n"
        "  scene: [{id: dawn, sky: {colour: rose}}, {name: night sea, sky: {colour: black}}]\n"
        "input: {text: 'a {{ matrix.scene.sky.colour }} sky'}"
    )
    assert {job.address: job.input["text"] for job in made.jobs} == {
        "c/a[scene=dawn]": "a rose sky",
        "c/a[scene=night%20sea]": "a black sky",
    }


def test_extras_of_an_include_fill_fields_and_templates_but_not_the_address() -> None:
    made = tiny(
        "matrix:\n"
        "  size: [5, 10]\n"
        "  include: [{mood: calm}, {size: 10, mood: wild, steps: 9}]\n"
        "input: {text: '{{ matrix.mood }}'}"
    )
    assert {job.address: job.input for job in made.jobs} == {
        "c/a[size=5]": {"text": "calm", "steps": 20, "size": "5"},
        "c/a[size=10]": {"text": "wild", "steps": 9, "size": "10"},
    }


def test_values_are_compared_after_coercion() -> None:
    """An exclude finds `5` where the file writes `"5"`, since both mean the request's "5"."""
    made = tiny("matrix: {size: ['5', 10], exclude: [{size: 5}], include: [{size: '10', steps: 3}]}\n"
                "input: {text: x}")  # fmt: skip
    assert inputs(made) == [{"text": "x", "steps": 3, "size": "10"}]


def test_an_axis_and_a_field_of_the_same_name_must_agree() -> None:
    told = tiny("matrix: {steps: [3, 4]}\ninput: {text: x, steps: 3}").only("field-set-twice")
    assert (told.count, told.example) == (1, "c/a[steps=4]")
    assert tiny("matrix: {steps: [3]}\ninput: {text: x, steps: '3'}").codes == []


def test_the_address_escapes_what_addresses_and_paths_are_made_of() -> None:
    made = tiny(
        "matrix: {word: ['a/b', 'c=d,e', '晨光', '..', 'x y', '']}\ninput: {text: 'a {{ matrix.word }}'}"
    )
    assert [job.axes[0][1] for job in made.jobs] == [
        "a%2Fb", "c%3Dd%2Ce", "晨光", "~5ec1f7e7", "x%20y", "~e3b0c442",
    ]  # fmt: skip


# --- takes -----------------------------------------------------------------------------------------


def test_takes_are_the_same_request_with_addresses_and_files_of_their_own() -> None:
    jobs = tiny("takes: 3\ninput: {text: x}").jobs
    assert [job.address for job in jobs] == ["c/a", "c/a#2", "c/a#3"]
    assert [job.take for job in jobs] == [1, 2, 3]
    assert [job.output for job in jobs] == ["c/a/a.webm", "c/a/a-take2.webm", "c/a/a-take3.webm"]
    assert len({job.fingerprint for job in jobs}) == 1


def test_takes_follow_one_another_row_by_row() -> None:
    jobs = tiny("takes: 2\nmatrix: {steps: [1, 2]}\ninput: {text: x}").jobs
    assert [job.address for job in jobs] == [
        "c/a[steps=1]", "c/a[steps=1]#2", "c/a[steps=2]", "c/a[steps=2]#2",
    ]  # fmt: skip


def test_a_whole_number_may_be_written_as_a_float() -> None:
    made = tiny("takes: 2.0\ninput: {text: x}", limits="{max_jobs: 2.0}")
    assert [job.take for job in made.jobs] == [1, 2]


# --- coercion and prices ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "written", "sent"),
    [
        ("text", "5", "5"),
        ("text", "0.25", "0.25"),
        ("text", "'{{ 2 * 3 }}'", "6"),
        ("size", "5", "5"),
        ("size", "1e1", "10"),
        ("steps", "'7'", 7),
        ("steps", "7.0", 7),
        ("steps", "' +7 '", 7),
        ("steps", "'{{ 3 + 4 }}'", 7),
        ("strength", "1", 1),
        ("strength", "'0.5'", 0.5),
        ("strength", "'.5'", 0.5),
        ("loop", "'true'", True),
        ("loop", "'{{ 1 == 2 }}'", False),
        ("links", "['https://example.com/{{ job }}']", ["https://example.com/a"]),
        ("style", "{name: 7, weight: '3'}", {"name": "7", "weight": 3}),
        ("style", "{weight: '{{ 2 }}'}", {"weight": 2}),
    ],
)
def test_a_value_is_brought_to_its_field_s_type(field: str, written: str, sent: Any) -> None:
    rest = "" if field == "text" else "text: x, "
    (made,) = inputs(tiny(f"input: {{{rest}{field}: {written}}}"))
    assert made[field] == sent
    assert type(made[field]) is type(sent)


@pytest.mark.parametrize(
    ("field", "written", "message"),
    [
        ("steps", "7.5", "`steps` must be a whole number, not 7.5"),
        ("steps", "seven", '`steps` must be a whole number, not "seven"'),
        ("steps", "''", '`steps` must be a whole number, not ""'),
        ("steps", "51", "`steps` is 51; at most 50 is allowed"),
        ("steps", "1e300", "`steps` is 1e+300; at most 50 is allowed"),
        ("steps", "true", "`steps` must be a whole number, not true"),
        ("strength", "'1e999'", '`strength` must be a number, not "1e999"'),
        ("strength", "'0x1'", '`strength` must be a number, not "0x1"'),
        ("loop", "1", "`loop` must be true or false, not 1"),
        ("loop", "'yes'", '`loop` must be true or false, not "yes"'),
        ("text", "true", "`text` must be text, not true"),
        ("text", "null", "`text` must be text, not null"),
        ("text", "[a]", "`text` must be text, not a list"),
        ("size", "7", '`size` must be one of 5, 10, not "7"'),
        ("links", "https://example.com", '`links` must be a list, not "https://example.com"'),
        ("links", "[no]", '`links[0]` is not a URL: "no"'),
        ("style", "{weight: x}", '`style.weight` must be a whole number, not "x"'),
        ("style", "{colour: x}", "unknown key `colour` in `style`"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(field: str, written: str, message: str) -> None:
    rest = "" if field == "text" else "text: x, "
    told = tiny(f"input: {{{rest}{field}: {written}}}").only("invalid-field" if field != "style" or "colour" not in written else "unknown-field")  # fmt: skip
    assert told.message == f"job `a`: {message}"


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ("loop: true", "12.5"),
        ("loop: 'true', steps: 3", "12.5"),
        ("steps: '20'", "4"),
        ("steps: 3", None),
    ],
)
def test_the_price_is_that_of_the_coerced_request(fields: str, price: str | None) -> None:
    (job,) = tiny(f"input: {{text: x, {fields}}}").jobs
    assert job.credits == (None if price is None else Decimal(price))


def test_the_model_we_ship_has_a_price_for_each_combination() -> None:
    made = clip("matrix: {resolution: [720p, 1080p], duration: [5, 10]}\ninput: {FIELDS}")
    assert [job.credits for job in made.jobs] == [16, 36, 36, 72]


# --- rules across fields ---------------------------------------------------------------------------


def test_a_rule_across_fields_is_checked_for_each_request() -> None:
    told = jobs_of({
        "a": "model: example/pair\nmatrix: {quality: [draft, full], seconds: [5, 9]}\ninput: {}"
    }).only("field-conflict")  # fmt: skip
    assert told.message == (
        "job `a`: `seconds: 9` does not go with `quality: full`: `seconds` is 9; at most 6 is allowed"
    )
    assert (told.count, told.example) == (1, "c/a[quality=full,seconds=9]")


def test_a_field_that_another_one_needs_is_missing() -> None:
    made = jobs_of({"a": "model: example/pair\ninput: {last: 'https://example.com/z.png'}"})
    assert made.only("missing-field").message == "job `a`: `first` is missing; `last` needs it"


def test_an_unknown_field_is_unknown_in_a_schema_with_rules_too() -> None:
    told = jobs_of({"a": "model: example/pair\ninput: {secnds: 5}"}).only("unknown-field")
    assert told.hint == "did you mean `seconds`?"


# --- what is told ----------------------------------------------------------------------------------


def test_every_missing_field_is_told() -> None:
    assert clip("input: {}").told == [
        f"missing-field 4:3 job `a`: `prompt` is missing: {MODEL} needs it | x1 c/a",
        f"missing-field 4:3 job `a`: `image_url` is missing: {MODEL} needs it | x1 c/a",
    ]


def test_a_bad_axis_value_is_told_where_it_stands_once_for_all_its_rows() -> None:
    made = clip("matrix: {duration: [5, 7, 10, 8], resolution: [720p, 1080p]}\ninput: {FIELDS}")
    assert made.told == [
        (
            'invalid-field 6:28 job `a`: `duration` must be one of 5, 10, not "7"'
            " | x2 c/a[duration=7,resolution=720p]"
        ),
        (
            'invalid-field 6:35 job `a`: `duration` must be one of 5, 10, not "8"'
            " | x2 c/a[duration=8,resolution=720p]"
        ),
    ]


def test_a_bad_value_of_an_include_is_told_there() -> None:
    made = clip("matrix:\n  include:\n    - {duration: 5}\n    - {duration: 7}\ninput: {FIELDS}")
    assert made.only("invalid-field").place == made.jobfile.document.at((9, 12))  # type: ignore[union-attr]


def test_one_slip_in_the_prompt_of_thousands_is_one_problem() -> None:
    numbers = ", ".join(map(str, range(1_000)))
    made = clip(
        f"matrix: {{n: [{numbers}], resolution: [720p, 1080p], duration: [5, 10]}}\n"
        "input: {image_url: 'https://example.com/{{ matrix.n }}.webp', prompt: '{{ vars.brnad }} {{ matrix.n }}'}",
        vars="{brand: Aurora}", limits="{max_jobs: 5000}",
    )  # fmt: skip
    told = made.only("template")
    assert (told.count, told.example) == (4_000, "c/a[duration=5,n=0,resolution=720p]")
    assert told.message == "job `a`: `vars.brnad` is not defined (in `prompt`)"
    assert told.hint == "did you mean `vars.brand`?"


def test_a_slip_whose_words_differ_from_row_to_row_is_told_a_few_times() -> None:
    numbers = ", ".join(map(str, range(100)))
    made = tiny(f"matrix: {{n: [{numbers}]}}\ninput: {{text: \"{{% include 'x' ~ matrix.n %}}\"}}")
    assert made.codes == ["template"] * 5
    assert sum(problem.count for problem in made.problems) == 100


def test_a_required_field_that_is_misspelt_is_told_once() -> None:
    assert tiny("input: {txt: x}").codes == ["unknown-field"]
    assert tiny("input: {colour: x}").codes == ["missing-field", "unknown-field"]


def test_a_list_where_one_value_is_wanted_points_to_the_matrix() -> None:
    told = tiny("input: {text: x, size: [5, 10]}").only("invalid-field")
    assert told.hint == "for a job with each of them, write it as an axis: `matrix: {size: [5, 10]}`"


def test_a_job_whose_excludes_leave_nothing_is_an_error() -> None:
    """Nobody writes a job that is none; silence would look like success."""
    made = tiny("matrix: {steps: [1], exclude: [{steps: 1}]}\ninput: {text: x}")
    assert made.only("empty-job").message == "job `a`: its excludes leave no combination"


def test_a_field_that_fails_to_render_is_not_told_as_missing_too() -> None:
    assert tiny("input: {text: '{{ nope }}', colour: red}").codes == ["template", "unknown-field"]


def test_a_template_that_cannot_be_compiled_is_told_even_beside_a_broken_matrix() -> None:
    made = tiny("matrix: {size: [5, 5]}\ninput: {text: '{% if %}'}")
    assert made.codes == ["duplicate-value", "template"]


def test_a_problem_in_one_job_hides_none_in_another() -> None:
    made = jobs_of({
        "a": "model: example/tiny\ncolour: red",
        "b": "model: example/tinny\ninput: {text: x}",
        "c": "model: example/tiny\ninput: {txt: x}",
        "d": "input: {text: x}",
    })  # fmt: skip
    assert made.told == [
        (
            "unknown-key 6:5 unknown key `colour` in `jobs.a`"
            " | the fields of the request belong under `input:`; its keys: callBackUrl, checks, correlate, input, matrix, model, output, tags, takes, vars"
        ),
        (
            "unknown-model 8:12 the model `example/tinny` is not known | did you mean `example/tiny`? "
            "`kiejobs models list` shows all, `kiejobs models import` adds others"
        ),
        (
            "unknown-field 12:13 job `c`: `txt` is not a field of example/tiny; the API may ignore it"
            " and charge | did you mean `text`? | x1 c/c"
        ),
        f"no-model 13:3 job `d` names no model, and neither do the defaults | add `model: {MODEL}`",
    ]


@pytest.mark.parametrize("url", ["ftp://x.example.com/a", "https://", "https://a b", "{{ 'no' }}"])
def test_a_callback_must_be_an_http_url(url: str) -> None:
    made = tiny(f"callBackUrl: '{{{{ \"{url}\" }}}}'\ninput: {{text: x}}".replace("\"{{ 'no' }}\"", '"no"'))
    assert made.only("invalid-field").message.startswith("job `a`: `callBackUrl` is not an http(s) URL: ")


# --- the same thing twice --------------------------------------------------------------------------


def test_a_request_wanted_by_two_jobs_is_an_error_that_names_both() -> None:
    body = "model: example/tiny\ninput: {text: x}"
    told = jobs_of({"a": body, "b": body}).only("duplicate-request")
    assert told.message == "job `b`: the same request is wanted twice: `c/a` and `c/b`"
    assert told.hint is not None
    assert "takes: 2" in told.hint


def test_an_axis_that_makes_no_difference_makes_the_same_request_twice() -> None:
    text = "x{% if matrix.mood == 'never' %}!{% endif %}"
    told = tiny(f'matrix: {{mood: [calm, wild, odd]}}\ninput: {{text: "{text}"}}').only("duplicate-request")
    assert (told.count, told.example) == (2, "c/a[mood=wild]")


def test_callbacks_do_not_make_a_request_another_one() -> None:
    made = jobs_of({
        name: f"model: example/tiny\ncallBackUrl: https://h.example.com/{name}\ninput: {{text: x}}"
        for name in "ab"
    })  # fmt: skip
    assert made.codes == ["duplicate-request"]


def test_two_rows_of_include_may_not_share_an_address() -> None:
    """The prompts differ, but the address is what the journal and the manifest go by."""
    made = tiny(
        "matrix:\n  size: [5]\n  include: [{size: 10, mood: calm}, {size: 10, mood: wild}]\n"
        "output: '{{ matrix.mood | default(\"x\") }}'\n"
        "input: {text: '{{ matrix.mood | default(\"x\") }}'}"
    )
    assert made.only("duplicate-row").message == "job `a`: include makes the combination `size=10` twice"


# --- files -----------------------------------------------------------------------------------------


def test_files_are_named_after_campaign_job_and_axes() -> None:
    made = clip("matrix: {resolution: [1080p], duration: [5]}\ninput: {FIELDS}")
    assert [job.output for job in made.jobs] == ["c/a/duration=5,resolution=1080p.mp4"]


def test_an_output_template_knows_the_job_its_axes_its_take_and_its_address() -> None:
    made = tiny(
        "takes: 2\nmatrix: {steps: [1, 2]}\n"
        "output: '{{ campaign }}/{{ job }}/{{ matrix.steps }}/{{ axes }}-{{ take }}'\ninput: {text: x}"
    )
    assert [job.output for job in made.jobs] == [
        "c/a/1/steps=1-1.webm", "c/a/1/steps=1-2.webm",
        "c/a/2/steps=2-1.webm", "c/a/2/steps=2-2.webm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("outputs/x.webm", "x.webm"),
        ("x", "x.webm"),
        ("x.mov", "x.mov"),
        ("v1.5", "v1.5.webm"),
        ("a.b/c", "a.b/c.webm"),
        (" x ", "x.webm"),
        ("e\u0301", "\u00e9.webm"),
        (".hidden", ".hidden.webm"),
    ],
)
def test_an_output_gets_its_model_s_extension_where_it_has_none(written: str, path: str) -> None:
    (job,) = tiny(f"output: '{written}'\ninput: {{text: x}}").jobs
    assert job.output == path


@pytest.mark.parametrize(
    "path",
    [
        "../x", "a/../../x", "/etc/x", "~/x", "a//b", "a/./b", "..", ".", "a/..", "C:/x", "a\\\\b",
        "a\\0b", "a\\nb", "a\\u202eb", "a /b", "a./b", "CON", "a/nul.mp4", "x.part", "x.mp4.part",
        "what?.mp4", "a*b", "a|b", "<a>",
    ],
)  # fmt: skip
def test_an_output_that_could_leave_its_folder_or_fit_no_disk_is_refused(path: str) -> None:
    made = tiny(f"output: \"{{{{ '{path}' }}}}\"\ninput: {{text: x}}")
    told = made.only("output-path")
    assert told.place == made.jobfile.document.at((6, 13))  # type: ignore[union-attr]


def test_an_output_too_long_for_a_disk_is_refused() -> None:
    made = tiny(f"output: {'x' * 250}\ninput: {{text: x}}")
    assert "more than 220 bytes" in made.only("output-path").message


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("x.webm", "x.webm", "the same file `x.webm`"),
        ("x.webm/y", "x.webm", "`x.webm/y.webm` and `x.webm`: one is a file where the other needs a folder"),
        (
            "x.webm",
            "X.webm/a/b",
            "`x.webm` and `X.webm/a/b.webm`: one is a file where the other needs a folder",
        ),
    ],
)
def test_two_jobs_may_not_write_the_same_file_nor_one_into_the_other(
    first: str, second: str, words: str
) -> None:
    made = jobs_of({
        "a": f"model: example/tiny\noutput: {first}\ninput: {{text: one}}",
        "b": f"model: example/tiny\noutput: {second}\ninput: {{text: two}}",
    })  # fmt: skip
    told = made.only("output-collision")
    assert told.message == f"job `b`: `c/a` and `c/b` would write {words}"


@pytest.mark.parametrize(
    ("output", "values", "axis"),
    [
        ("{{ matrix.s | replace('/', '_') }}.mp4", "[a/b, a_b]", "s"),
        ("{{ matrix['s'] }}", "[cup, 'cup ']", "s"),
        ("{{ axes | lower | replace('%20', '') }}", "[cup, 'cup ']", "s"),
        ("{{ matrix.t }}.mp4", "[cup, can]", None),
        ("x{# matrix.t #}.mp4", "[cup, can]", None),
    ],
)
def test_values_that_output_makes_alike_are_named_where_it_reads_them(
    output: str, values: str, axis: str | None
) -> None:
    text = "input: {text: '{{ matrix.s }}{{ matrix.t }}'}"
    told = tiny(f'matrix: {{s: {values}, t: [x]}}\noutput: "{output}"\n{text}').only("output-collision")
    assert (f"both values of axis `{axis}`" in told.message) is (axis is not None)
    assert (told.hint == "put an axis or `{{ take }}` into `output`") is (axis is None)


def test_files_whose_names_differ_in_case_only_are_told_with_the_cause() -> None:
    made = tiny("matrix: {s: [cafe, Cafe]}\ninput: {text: '{{ matrix.s }}'}")
    assert "where names ignore case" in made.only("output-collision").message


def test_values_that_look_the_same_are_named_by_what_tells_them_apart() -> None:
    told = tiny("matrix: {s: [caf\u00e9, cafe\u0301]}\ninput: {text: '{{ matrix.s }}'}").only(
        "duplicate-value"
    )
    assert "the first has U+00E9 LATIN SMALL LETTER E WITH ACUTE where the other has U+0065" in told.message


def test_takes_without_a_take_in_their_output_would_write_one_file() -> None:
    told = tiny("takes: 3\noutput: x\ninput: {text: x}").only("output-collision")
    assert (told.count, told.example) == (2, "c/a#2")


# --- how many --------------------------------------------------------------------------------------


def test_the_limit_on_jobs_holds_and_nothing_is_rendered_beyond_it() -> None:
    made = tiny("takes: 4\nmatrix: {steps: [1, 2, 3]}\ninput: {text: '{{ nope }}'}", limits="{max_jobs: 11}")
    assert made.told == [
        (
            "too-many-jobs 5:3 the file makes 12 jobs; at most 11 are allowed"
            " | narrow a matrix, or raise `limits: {max_jobs: …}` in the file or `--max-jobs`"
        )
    ]
    assert made.expansion is not None
    assert len(made.expansion.jobs) == 0


def test_a_thousand_jobs_are_the_limit_where_none_is_said_and_a_flag_overrules() -> None:
    numbers = ", ".join(map(str, range(501)))
    text = (
        "{version: 1, campaign: c, jobs: {a: {model: example/tiny, "
        f"matrix: {{n: [{numbers}], steps: [1, 2]}}, input: {{text: '{{{{ matrix.n }}}}'}}}}}}}}"
    )
    assert expanded(text, TINY).codes == ["too-many-jobs"]
    assert len(expanded(text, TINY, max_jobs=1_002).jobs) == 1_002
    assert expanded(text, TINY, max_jobs=1_001).codes == ["too-many-jobs"]


def test_the_lines_of_problems_are_stable() -> None:
    """The form that tests/examples/invalid is written in."""
    problem = tiny("input: {txt: x, text: y}").only("unknown-field")
    assert line(problem) == (
        "unknown-field 6:13 job `a`: `txt` is not a field of example/tiny; the API may ignore it"
        " and charge | did you mean `text`? | x1 c/a"
    )


def test_a_job_s_own_word_counts_whichever_form_it_has() -> None:
    made = expanded(
        f"version: 1\ncampaign: c\ndefaults:\n  model: {MODEL}\n"
        "  input: {duration: 5, image_url: 'https://a'}\n  matrix: {resolution: [720p, 1080p]}\n"
        "jobs:\n  a: {matrix: {duration: [5, 10]}, input: {prompt: a}}\n"
        "  b: {input: {prompt: b, resolution: 1080p}}\n"
    )
    assert [(job.name, job.input["resolution"], job.input["duration"]) for job in made.jobs] == [
        ("a", "720p", "5"),
        ("a", "720p", "10"),
        ("a", "1080p", "5"),
        ("a", "1080p", "10"),
        ("b", "1080p", "5"),
    ]


def test_names_may_be_in_any_script() -> None:
    made = jobs_of({"拿铁": "model: example/tiny\ninput: {text: x}"}, campaign="Café")
    assert made.jobs[0].address == "Café/拿铁"
    assert made.jobs[0].output == "Café/拿铁/拿铁.webm"


def test_what_an_include_reads_is_rendered_anew_for_each_of_its_values() -> None:
    """A prompt is rendered once for each tuple of the axes that it reads, includes counted in."""
    templates = {
        "outer.j2": "{% include 'inner.j2' %} {{ matrix.light }}",
        "inner.j2": "{% from 'macro.j2' import say with context %}{{ say() }}",
        "macro.j2": "{% macro say() %}{{ matrix.mood }} {{ vars.brand }}{% endmacro %}",
    }
    made = expanded(
        f"""
version: 1
campaign: tea
vars: {{brand: Aurora}}
jobs:
  pour:
    model: {MODEL}
    matrix:
      mood: [calm, wild]
      light: [dawn, dusk]
      resolution: [720p, 1080p]
    input:
      image_url: https://example.com/cup.webp
      prompt: "{{% include 'outer.j2' %}}"
""",
        load=templates.get,
    )
    said = {job.address: job.input["prompt"] for job in made.jobs}
    assert len(said) == 8
    for address, prompt in said.items():
        light, mood = (word in address for word in ("light=dawn", "mood=calm"))
        assert prompt == f"{'calm' if mood else 'wild'} Aurora {'dawn' if light else 'dusk'}"
    assert len(set(said.values())) == 4
