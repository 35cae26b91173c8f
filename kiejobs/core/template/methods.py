"""What stands behind a dot besides a mapping's keys: `name.upper()`, `loop.index`, `vars.items()`.

In: a value and the name behind the dot. Out: a `Method` to be called, a loop's or a module's value, or
`missing`. Touches nothing.

Python's own attributes are never looked at: a name that is not in the lists here does not exist, so
there is no way from a text to its class and from there to the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2.environment import TemplateModule
from jinja2.runtime import BlockReference, LoopContext, TemplateReference
from jinja2.utils import Namespace, missing

from kiejobs.core.template.list_filters import join
from kiejobs.core.template.text_filters import replace, small

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.template.environment import PromptEnvironment as Env


@dataclass(frozen=True, slots=True)
class Method:
    """A function together with what stood before the dot."""

    owner: Any
    function: Callable[..., Any]

    def __call__(self, env: Env, /, *args: Any, **kwargs: Any) -> Any:
        return self.function(env, self.owner, *args, **kwargs)


def attribute(value: Any, name: str) -> Any:
    """What `value.name` is in a template; `missing` where it is nothing."""
    for types, lookup in _LOOKUPS:
        if isinstance(value, types):
            return lookup(value, name)
    return missing


def _of_text(value: str, name: str) -> Any:
    return _method(_TEXT, value, name)


def _of_list(value: Any, name: str) -> Any:
    return _method(_LIST, value, name)


def _of_mapping(value: Any, name: str) -> Any:
    return _method(_MAPPING, value, name)


def _of_loop(loop: LoopContext, name: str) -> Any:
    if name in _LOOP:
        return getattr(loop, name)
    return Method(loop, _LOOP_METHODS[name]) if name in _LOOP_METHODS else missing


def _of_module(module: TemplateModule, name: str) -> Any:
    return missing if name.startswith("_") else vars(module).get(name, missing)


def _of_namespace(namespace: Namespace, name: str) -> Any:
    # Its __getattribute__ answers from what was set, except for names like the first.
    return missing if name.startswith("_") else getattr(namespace, name, missing)


def _of_self(reference: TemplateReference, name: str) -> Any:
    try:
        return reference[name]
    except KeyError:
        return missing


def _of_block(block: BlockReference, name: str) -> Any:
    return block.super if name == "super" else missing


_LOOKUPS: tuple[tuple[Any, Callable[[Any, str], Any]], ...] = (
    (str, _of_text),
    (dict, _of_mapping),
    ((list, tuple), _of_list),
    (LoopContext, _of_loop),
    (TemplateModule, _of_module),
    (Namespace, _of_namespace),
    (TemplateReference, _of_self),
    (BlockReference, _of_block),
)


def _method(table: dict[str, Callable[..., Any]], owner: Any, name: str) -> Any:
    function = table.get(name)
    return missing if function is None else Method(owner, function)


def _python(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose work and result are no larger than what it is given."""

    def call(env: Env, owner: Any, *args: Any) -> Any:
        env.meter.examine(owner)
        return function(owner, *args)

    return call


def _padded(function: Callable[..., str]) -> Callable[..., str]:
    def call(_env: Env, owner: str, width: int, *fill: str) -> str:
        return function(owner, small(width), *fill)

    return call


def _stripped(function: Callable[..., str]) -> Callable[..., str]:
    def call(env: Env, owner: str, chars: str | None = None) -> str:
        env.meter.examine(owner)
        small(len(chars or ""))
        return function(owner, chars)

    return call


def _join(env: Env, owner: str, parts: Any) -> str:
    return join(env, parts, owner)


def _cycle(_env: Env, loop: LoopContext, *args: Any) -> Any:
    return loop.cycle(*args)


def _changed(env: Env, loop: LoopContext, *args: Any) -> bool:
    env.meter.examine(args)
    return loop.changed(*args)


# Missing on purpose: format, translate, encode; and rfind, rsplit and the like, whose search from the
# right takes quadratic time.
_TEXT: dict[str, Callable[..., Any]] = {
    name: _python(getattr(str, name))
    for name in (
        *("capitalize", "casefold", "lower", "swapcase", "title", "upper"),
        *("count", "endswith", "find", "index", "startswith"),
        *("isalnum", "isalpha", "isdecimal", "isdigit", "islower", "isnumeric", "isspace"),
        *("istitle", "isupper"),
        *("partition", "removeprefix", "removesuffix", "split", "splitlines"),
    )
}
_TEXT |= {name: _padded(getattr(str, name)) for name in ("center", "ljust", "rjust", "zfill")}
_TEXT |= {name: _stripped(getattr(str, name)) for name in ("lstrip", "rstrip", "strip")}
_TEXT |= {"join": _join, "replace": replace}
_LIST: dict[str, Callable[..., Any]] = {
    "count": _python(lambda owner, item: owner.count(item)),
    "index": _python(lambda owner, item: owner.index(item)),
}
_MAPPING: dict[str, Callable[..., Any]] = {
    "get": lambda _env, owner, key, default=None: owner.get(key, default),
    "items": lambda env, owner: [(key, owner[key]) for key in env.items(owner)],
    "keys": lambda env, owner: env.items(owner),
    "values": lambda env, owner: [owner[key] for key in env.items(owner)],
}
_LOOP = frozenset(
    (
        *("index", "index0", "revindex", "revindex0", "first", "last", "length"),
        *("depth", "depth0", "previtem", "nextitem"),
    )
)
_LOOP_METHODS: dict[str, Callable[..., Any]] = {"changed": _changed, "cycle": _cycle}
MAPPING_METHODS = frozenset(_MAPPING)
"""Names behind a mapping that may stand for all of it."""
