"""The command line's reference, from the commands themselves.

In: the click tree. Out: Markdown. Touches nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

import kiejobs.cli.verbs  # noqa: F401 - they hang themselves onto the door
from kiejobs.cli.command_group import door
from tests.docs.reference.markdown import code, codes, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Row = tuple[str, str, str, str]
_HEAD = ("option", "value", "default", "meaning")
_MANY = 6
"""Commands that share an option, from which on it is listed once."""

VARIABLES = (
    (
        "KIE_API_KEY",
        "The account's key. Needed by whatever talks to the real API, by nothing else.",
    ),
    ("KIE_API_BASE", "The API's base where `--base-url` is not given."),
    (
        "KIE_UPLOAD_BASE",
        (
            "Where local files are uploaded to. When it is not set: the vendor's upload host for the vendor's "
            "API, else the API's base itself."
        ),
    ),
    ("KIE_WEBHOOK_HMAC_KEY", "Never used for sending; cut out of reports on bugs like the key."),
    (
        "KIEJOBS_LEDGER_URL",
        "The database's URL where `kiejobs.yaml` has `ledger: postgresql` and names no other variable.",
    ),
    (
        "HTTPS_PROXY",
        "The proxy for `https://` addresses; also `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, in either case.",
    ),
    ("SSL_CERT_FILE", "The authorities to trust instead of the bundled ones; also `SSL_CERT_DIR`."),
    ("NO_COLOR", "Any value: no colours."),
)


def help_page(columns: int) -> str:
    """What click says for `kiejobs --help` on a screen that wide."""
    context = door.make_context("kiejobs", [], resilient_parsing=True, terminal_width=columns - 2)
    return door.get_help(context) + "\n"


def verbs() -> str:
    """The options that many commands share, then a chapter for each command: what it does, its usage, its own options."""
    counts = Counter(_row(option) for _, command in commands() for option in shown_options(command))
    shared = {row: row[0].partition(",")[0] for row, count in counts.items() if count >= _MANY}
    head = "### Common options\n\nEach command lists those that it takes.\n\n" + table(_HEAD, list(shared))
    return "\n".join([head, *("\n".join(_chapter(path, command, shared)) for path, command in commands())])


def overview() -> str:
    rows = [(f"[`{path}`](#{path.replace(' ', '-')})", _short(command)) for path, command in commands()]
    return table(("command", "what it does"), rows)


def variables() -> str:
    """Every environment variable, with the flag that it stands for."""
    rows = [(code(name), meaning) for name, meaning in VARIABLES]
    known: dict[str, set[str]] = {}
    for _, command in commands():
        for option in shown_options(command):
            if option.envvar:
                known.setdefault(str(option.envvar), set()).add(option.opts[0])
    rows += [(code(name), f"Same as {codes(sorted(flags))}.") for name, flags in sorted(known.items())]
    return table(("variable", "meaning"), rows)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Each command under the words that call it, groups before what is in them."""
    yield from _below("kiejobs", door)


def _below(path: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    for name in sorted(group.commands):
        command = group.commands[name]
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _below(f"{path} {name}", command)


def _chapter(path: str, command: click.Command, shared: Mapping[Row, str]) -> Iterator[str]:
    with click.Context(command, info_name=path) as context:
        usage = " ".join(command.collect_usage_pieces(context))
    yield f"### {path}\n"
    yield f"{_help(command)}\n"
    yield f"```text\n{path} {usage}\n```\n"
    rows = [_row(option) for option in shown_options(command)]
    if own := [row for row in rows if row not in shared]:
        yield table(_HEAD, own)
    if others := [shared[row] for row in rows if row in shared]:
        yield f"[Common options](#common-options): {', '.join(others)}\n"


def _row(option: click.Option) -> Row:
    default = "" if option.is_flag or option.default is None else _default(option)
    several = " Several times." if option.multiple else ""
    return codes(option.opts), value_of(option), default, f"{option.help or ''}{several}"


def _default(option: click.Option) -> str:
    plain: Any = option.default
    told = "" if callable(plain) or plain in {(), ""} or "UNSET" in repr(plain) else str(plain)
    return code(told) if told else ""


def value_of(option: click.Option) -> str:
    """What it takes, as code; empty for a flag."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return codes(option.type.choices)
    return code(option.metavar or option.type.name.upper().replace(" RANGE", ""))


def shown_options(command: click.Command) -> list[click.Option]:
    """Those that a person is told about."""
    return [param for param in command.params if isinstance(param, click.Option) and not param.hidden]


def _help(command: click.Command) -> str:
    return " ".join((command.help or "").split())


def _short(command: click.Command) -> str:
    return command.short_help or _help(command).partition(". ")[0].rstrip(".") + "."
