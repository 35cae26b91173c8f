"""What went wrong with a template, in words for its author.

In: what jinja2, Python or the sandbox raised, and its traceback. Out: a `TemplateProblem` with message, hint,
the line that is to blame, and those that led there. Touches nothing.
"""

from __future__ import annotations

import re
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final

from jinja2 import TemplateNotFound, TemplateSyntaxError
from jinja2.utils import missing

from kiejobs.core.document.wording import CHARACTER_ITSELF, HALF_A_PAIR, nearest, reference, unseen
from kiejobs.core.template.filters import NotDefined, kind, method
from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.template.renderer import Line

_TOO_DEEP: Final = "the template is nested too deeply"
_MOST_NODES: Final = 2_000
_MOST_SHOWN: Final = 5
_MOST_NAMES: Final = 500
_MOST_TOLD: Final = 4
_LAST_LOOKED_AT: Final = 200
"""Frames; a circle of more templates than that is reported without their names."""


def compile_problem(error: Exception) -> TemplateProblem:
    """What kept a template from being compiled."""
    if isinstance(error, TemplateProblem):
        return error
    if isinstance(error, TemplateSyntaxError):
        message, hint = _syntax_words(error.message or "")
        return TemplateProblem(message, _in_brackets(error) or hint, error.lineno, error.name)
    if isinstance(error, RecursionError | MemoryError | SyntaxError):
        return TemplateProblem(_TOO_DEEP, "write it in smaller steps")
    return TemplateProblem(f"the template can't be read: {_python_words(error)}")


def render_problem(error: Exception, known: Mapping[str, Any]) -> TemplateProblem:
    """What kept a template from being rendered; `known` is the context."""
    lines = _passed_through(error)
    is_placed = isinstance(error, TemplateProblem | TemplateSyntaxError)
    problem = compile_problem(error) if is_placed else _unplaced(error, known)
    if problem.lineno is None and problem.name is None and lines:
        problem.name, problem.lineno = lines.pop()
    # As many as a person wants to read: the outermost one and the last few.
    problem.users = (*lines[:1], *lines[1:][1 - _MOST_TOLD :])
    return problem


def _unplaced(error: Exception, known: Mapping[str, Any]) -> TemplateProblem:
    if isinstance(error, NotDefined) and error.given is None:
        return _not_defined(error, known)
    if isinstance(error, TemplateNotFound):
        return _not_found(error)
    if isinstance(error, RecursionError):
        return _too_deep(error)
    if isinstance(error, MemoryError | OverflowError):
        return TemplateProblem("the template makes something too large")
    if isinstance(error, UnicodeEncodeError):
        return TemplateProblem(HALF_A_PAIR, CHARACTER_ITSELF)
    return TemplateProblem(_python_words(error))


def _not_found(error: TemplateNotFound) -> TemplateProblem:
    names = [name for name in getattr(error, "templates", [error.name]) if isinstance(name, str)]
    if not names:
        return TemplateProblem("the list of templates is empty", "name one at least")
    none = "none of the templates" if len(names) > 1 else "no template"
    hint = "included templates are looked for from the job file's folder, in its project only"
    return TemplateProblem(f"there is {none} {_quoted(names)}", hint, written=names[0])


def _too_deep(error: RecursionError) -> TemplateProblem:
    names = _cycle(error)
    if not names:
        return TemplateProblem(_TOO_DEEP, "does a macro call itself, or a template include itself?")
    several = "include or extend one another"
    verb = "includes or extends itself" if len(names) == 1 else several
    message = f"{_quoted(names)} {verb} without end"
    return TemplateProblem(message, "move what they share into a template of its own")


def _quoted(names: Sequence[str]) -> str:
    shown = [f"`{name[:80]}`" for name in names[:_MOST_SHOWN]]
    return ", ".join(shown) + (", …" if len(names) > _MOST_SHOWN else "")


def _not_defined(error: NotDefined, known: Mapping[str, Any]) -> TemplateProblem:
    holder, name = error.holder, str(error.name)[:80]
    if holder is missing and name in known:
        hint = f"an imported template sees it only so: `{{% import … with context %}}`; or hand `{name}` to the macro"
        return TemplateProblem(f"`{name}` is not defined here", hint)
    if holder is missing:
        near = _elsewhere(name, known) or _hint(name, "", known)
        if near and near.startswith(_DEFINED):
            near += f"; where it is text, write `{{% raw %}}{{{{ {name} }}}}{{% endraw %}}`"
        return TemplateProblem(f"`{name}` is not defined", near)
    if not isinstance(holder, dict):
        call = "call it: write `()` behind its name" if method(holder, name) else None
        return TemplateProblem(f"{kind(holder)} has no `{name}`", call)
    path = _path(holder, known)
    shown = reference(path, name) if path else name
    return TemplateProblem(f"`{shown}` is not defined", _hint(name, path or "", holder))


def _elsewhere(name: str, known: Mapping[str, Any]) -> str | None:
    """It is a variable or an axis; or, where nothing else is, it is nearly one."""
    inside = [word for word in ("vars", "matrix") if name in known.get(word, ())]
    if inside:
        return f"did you mean `{reference(inside[0], name)}`?"
    near = None if nearest(name, known) else nearest(name, map(str, known.get("vars", ())))
    return near and f"did you mean `{reference('vars', near)}`?"


def _hint(name: str, where: str, known: Mapping[Any, Any]) -> str | None:
    # A mapping that a template wrote may have a function for a key; its address would show.
    keys = [str(key) for key in known if isinstance(key, str | int | float)]
    near = nearest(name, keys[:_MOST_NAMES])
    if near is not None:
        apart = unseen(name, near)
        is_told = f" The template has {apart}: copy the name" if apart else ""
        return f"did you mean `{reference(where, near) if where else near}`?{is_told}"
    names = ", ".join(f"`{reference(where, key[:40]) if where else key[:40]}`" for key in keys[:8])
    return f"{_DEFINED}{names}" if names else None


def _path(wanted: Any, known: Mapping[str, Any]) -> str | None:
    """How a template would write the mapping `wanted`, if it is found soon."""
    queue: list[tuple[str, Any]] = list(known.items())
    for place, (path, value) in enumerate(queue):
        if value is wanted:
            return path
        if place < _MOST_NODES and len(queue) < _MOST_NODES and isinstance(value, dict):
            queue += [(reference(path, str(key)), inner) for key, inner in value.items()]
    return None


_DEFINED: Final = "defined here: "
_AS_TEXT: Final = "where `{0}` is text, write `{{{{% raw %}}}}{0}{{{{% endraw %}}}}`"
_SYNTAX: tuple[tuple[str, str, str | None], ...] = (
    (r"innermost block .* closed is '(\w+)'", "`{{% {0} %}}` is not closed", "add `{{% end{0} %}}`; " + _AS_TEXT.format("{{%")),
    (r"unknown tag '(end\w+)'", "`{{% {0} %}}` closes nothing", None),
    (r"unknown tag '(\w+)'", "there is no tag `{0}`", _AS_TEXT.format("{{%")),
    (r"end of template.* 'end of print statement'", "`{{{{` is not closed", "add `}}}}`; " + _AS_TEXT.format("{{{{")),
    (r"end of template.* 'end of statement block'", "`{{%` is not closed", "add `%}}`; " + _AS_TEXT.format("{{%")),
    (r"tag name expected", "`{{%` is not followed by a tag", _AS_TEXT.format("{{%")),
    (r"expression, got 'end of print statement'", "`{{{{ }}}}` is empty", "put a name in it"),
    (r"token 'end of print statement', got '(.+)'", "`{0}` is not expected before `}}}}`",
     "`~` joins texts; a name with blanks is written as `vars['Image URL']`; no text in quotes holds the same quote; "
     + _AS_TEXT.format("{{{{")),
    (r"token 'end of statement block', got '(.+)'", "`{0}` is not expected before `%}}`", _AS_TEXT.format("{{%")),
    (r"unexpected char '(.+)' at", "`{0}` is not expected here",
     "where it is text, write `{{% raw %}}` before the brackets and `{{% endraw %}}` behind them"),
    (r"unexpected '(.+)'", "`{0}` is not expected here", _AS_TEXT.format("{{{{")),
    (r"block '(.+)' defined twice", "the block `{0}` is there twice", "`self.{0}()` prints it again"),
    (r"end of comment tag", "`{{#` begins a comment, which is not closed",
     "where it is text, write `{{% raw %}}{{#{{% endraw %}}`; where it is a comment, end it with `#}}`"),
    (r"end of raw directive", "`{{% raw %}}` is not closed", "add `{{% endraw %}}`"),
)  # fmt: skip


_UNREACHABLE: Final = re.compile(
    r"\b((?:vars|matrix)(?:\.[A-Za-z_]\w*)*?)\.([0-9]\w*|\w+(?=  *\w))((?: +(?!(?:if|is|in|and|or|not|else)\b)\w+)*) *[|}\n]"
)


def _in_brackets(error: TemplateSyntaxError) -> str | None:
    """A name with a blank, or that starts with a digit, behind a dot."""
    lines = (error.source or "").splitlines()
    line = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
    found = _UNREACHABLE.search(f"{line}\n") if "got '" in (error.message or "") else None
    return (
        found
        and f"write `{reference(found[1], found[2] + found[3])}`: no dot leads to a name with a blank or with a digit first"
    )


def _syntax_words(told: str) -> tuple[str, str | None]:
    for pattern, message, hint in _SYNTAX:
        found = re.search(pattern, told)
        if found is not None:
            return message.format(*found.groups()), hint and hint.format(*found.groups())
    return told[:1].lower() + told[1:200].rstrip("."), None


_PYTHON: tuple[tuple[str, str], ...] = (
    (r"extended multiple times", "a template can extend only one other"),
    (r"Required block '(.+)' not found", "the block `{0}` must be given: the template that is extended requires it"),
    (r"there is no parent block called '(.+)'\.", "`super`: what is extended has no block `{0}`"),
    (r"the template '(.+)' \(imported .*\) does not export the requested name '(.+)'",
     "the template `{0}` has no macro `{1}`"),
    (r"No first item", "there is no first item: the list is empty"),
    (r"No last item", "there is no last item: the list is empty"),
    (r"No aggregated item", "there is no first item: the list is empty"),
    (r"unhashable type: 'slice'", "a mapping can't be sliced"),
    (r"'(\S+)' not supported between .* '(\w+)' and '(\w+)'", "`{0}` makes no sense between {1} and {2}"),
    (r"unsupported operand type\(s\) for (\S+): '(\w+)' and '(\w+)'", "`{0}` makes no sense between {1} and {2}"),
    (r"cannot unpack non-iterable (\w+)", "{0} can't be taken apart into several names"),
    (r"'(\w+)' object is not callable", "{0} can't be called"),
    (r"'(\w+)' object is not (?:iterable|reversible|subscriptable)", "{0} is not a list"),
    (r"(?:object|argument) of type '(\w+)' (?:has no len|is not)", "{0} is not a list"),
    (r"unhashable type: '(\w+)'", "{0} can't be a key"),
    (r"'(\w+)' object cannot be interpreted as an integer", "{0} is not a whole number"),
    (r"type (\w+) doesn't define __round__", "{0} can't be rounded"),
    (r"Exceeds the limit \(\d+ digits\)", "a number is too large"),
)  # fmt: skip
_TYPES = dict.fromkeys(("int", "float"), "a number") | dict.fromkeys(("list", "tuple"), "a list")
_TYPES |= {"str": "a text", "bool": "a boolean", "dict": "a mapping", "NoneType": "null"}
_TYPES |= {"LoopContext": "`loop`", "Namespace": "a namespace", "range": "a list"}
_ARGUMENTS = re.compile(
    r"(?:[\w<>]+\.)*(?:sync_)?(?:do_|test_)?[_<]?(\w+?)[_>]?(?:\(\))? (?:takes|got|missing|expected)"
)
_NAMELESS = frozenset(("lambda", "call", "equal", "within"))
_AS_WRITTEN = {"len": "length", "soft_str": "string", "joins": "join"}


def _python_words(error: Exception) -> str:
    """Python's own message, its types called what a person would call them."""
    told = " ".join(str(error).split())[:200]
    for pattern, message in _PYTHON:
        found = re.match(pattern, told)
        if found is not None:
            return message.format(*(_TYPES.get(word, word) for word in found.groups()))
    called = _ARGUMENTS.match(told)
    if called is not None:
        known = _AS_WRITTEN.get(called[1], called[1])
        name = "it" if known in _NAMELESS else f"`{known}`"
        return f"{name} does not take what is in its brackets"
    return told or type(error).__name__


def _passed_through(error: BaseException) -> list[Line]:
    """The outermost first, each once even where it led to itself.

    A block may be in the line of the `extends` that led to the template which calls it; then that line
    comes last, where the blame is.
    """
    frames = list(_frames(error))
    lines = dict.fromkeys(line for line, _ in frames)
    if frames and frames[-1][1].startswith("block_"):
        lines[frames[-1][0]] = lines.pop(frames[-1][0])
    return list(lines)


def _cycle(error: BaseException) -> list[str]:
    """The templates that pull in one another, in that order; nothing where it is a macro that does."""
    frames = list(_frames(error))
    lately = frames[-_LAST_LOOKED_AT:]
    pulled = [line[0] for line, function in lately if function == "root"]
    if not pulled or lately[-1][1] != "root" or pulled.count(pulled[-1]) < 2:
        return []
    in_order = dict.fromkeys(line[0] for line, _ in frames)
    return [name for name in in_order if name is not None and name in pulled]


def _frames(error: BaseException) -> Iterator[tuple[Line, str]]:
    """Lines of templates, each with the function that jinja2 made of the part that it is in."""
    for frame, number in walk_tb(error.__traceback__):
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(number)
            yield (template.name, line), frame.f_code.co_name
