"""The filters that take or make lists: `{{ names | sort | join(', ') }}`.

In: the environment, a value, what stands in the brackets. Out: whole lists, never something half done
that would do its work later, unmetered. Touches nothing.

They do what jinja2's filters of the same name do, which mostly answer with generators and so can't be
used as they are.
"""
# ruff: noqa: FBT001, FBT002 - what stands in the brackets is jinja2's, positions and all

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2.runtime import Undefined

from kiejobs.core.template.renderer import TemplateProblem
from kiejobs.core.template.text_filters import small

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kiejobs.core.template.environment import PromptEnvironment as Env


def join(env: Env, value: Any, between: Any = "", attribute: Any = None) -> str:
    get = _getter(env, attribute)
    texts = [env.text(get(item)) for item in env.items(value)]
    glue = env.text(between)
    env.meter.room(sum(map(len, texts)) + len(texts) * len(glue))
    return glue.join(texts)


def _length(env: Env, value: Any) -> int:
    return len(env.iterable(value))


def _first(env: Env, value: Any) -> Any:
    for item in env.iterable(value):
        return item
    return env.nothing("there is no first item: the list is empty")


def _last(env: Env, value: Any) -> Any:
    for item in reversed(env.iterable(value)):
        return item
    return env.nothing("there is no last item: the list is empty")


def _list(env: Env, value: Any) -> list[Any]:
    return env.items(value)


def _reverse(env: Env, value: Any) -> Any:
    return value[::-1] if isinstance(value, str) else env.items(value)[::-1]


def _items(env: Env, value: Any) -> list[Any]:
    if not isinstance(value, dict):
        raise TemplateProblem("`items` takes a mapping")
    return [(key, value[key]) for key in env.items(value)]


def _dictsort(
    env: Env, value: Any, case_sensitive: bool = False, by: str = "key", reverse: bool = False
) -> list[Any]:
    return _sort(env, _items(env, value), reverse, case_sensitive, 1 if by == "value" else 0)


def _sort(
    env: Env, value: Any, reverse: bool = False, case_sensitive: bool = False, attribute: Any = None
) -> list[Any]:
    paths = attribute.split(",") if isinstance(attribute, str) else [attribute]
    keys = [_key(_getter(env, path), case_sensitive) for path in paths]
    found = env.items(value)
    ranks = [[key(item) for key in keys] for item in found]
    env.meter.examine(ranks)
    order = sorted(range(len(found)), key=ranks.__getitem__, reverse=reverse)
    return [found[place] for place in order]


def _min(env: Env, value: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:
    return _first(env, _sort(env, value, False, case_sensitive, attribute))  # noqa: FBT003 - as above


def _max(env: Env, value: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:
    return _first(env, _sort(env, value, True, case_sensitive, attribute))  # noqa: FBT003 - as above


def _unique(env: Env, value: Any, case_sensitive: bool = False, attribute: Any = None) -> list[Any]:
    key = _key(_getter(env, attribute), case_sensitive)
    found = env.items(value)
    keys = [key(item) for item in found]
    env.meter.examine(keys)
    kept: dict[Any, Any] = {}
    for rank, item in zip(keys, found, strict=True):
        kept.setdefault(rank, item)
    return list(kept.values())


def _sum(env: Env, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    get = _getter(env, attribute)
    numbers = [start, *map(get, env.items(value))]
    if not all(isinstance(number, int | float) for number in numbers):
        raise TemplateProblem("`sum` adds numbers only", "`join` puts texts together")
    return sum(numbers)


def _batch(env: Env, value: Any, linecount: int, fill_with: Any = None) -> list[Any]:
    size = max(small(linecount), 1)
    found = env.items(value)
    rows = [found[start : start + size] for start in range(0, len(found), size)]
    if rows and fill_with is not None:
        rows[-1] += [fill_with] * (size - len(rows[-1]))
    return rows


def _slice(env: Env, value: Any, slices: int, fill_with: Any = None) -> list[Any]:
    found = env.items(value)
    size, longer = divmod(len(found), max(small(slices), 1))
    columns: list[list[Any]] = []
    start = 0
    for number in range(slices):
        end = start + size + (number < longer)
        filling = [fill_with] if fill_with is not None and number >= longer else []
        columns.append(found[start:end] + filling)
        start = end
    return columns


def _map(env: Env, value: Any, name: Any = None, *args: Any, **kwargs: Any) -> list[Any]:
    if name is None:
        get = _getter(env, kwargs.pop("attribute", None), kwargs.pop("default", None))
        return [get(item) for item in env.items(value)]
    apply = env.filter_named(name)
    return [apply(env, item, *args, **kwargs) for item in env.items(value)]


def _select(env: Env, value: Any, *test: Any) -> list[Any]:
    holds = _condition(env, None, test)
    return [item for item in env.items(value) if holds(item)]


def _reject(env: Env, value: Any, *test: Any) -> list[Any]:
    holds = _condition(env, None, test)
    return [item for item in env.items(value) if not holds(item)]


def _selectattr(env: Env, value: Any, attribute: Any, *test: Any) -> list[Any]:
    holds = _condition(env, attribute, test)
    return [item for item in env.items(value) if holds(item)]


def _rejectattr(env: Env, value: Any, attribute: Any, *test: Any) -> list[Any]:
    holds = _condition(env, attribute, test)
    return [item for item in env.items(value) if not holds(item)]


def _condition(env: Env, attribute: Any, test: Sequence[Any]) -> Callable[[Any], bool]:
    get = _getter(env, attribute)
    if not test:
        return lambda item: bool(get(item))
    name, *args = test
    holds = env.test_named(name)
    return lambda item: bool(holds(env, get(item), *args))


def _getter(env: Env, attribute: Any, default: Any = None) -> Callable[[Any], Any]:
    """Looks up a dotted path in an item, with the environment's rules; the item itself for None."""
    if attribute is None:
        return lambda item: item
    parts = attribute.split(".") if isinstance(attribute, str) else [attribute]
    path = [int(part) if isinstance(part, str) and part.isdecimal() else part for part in parts]
    small(len(path))

    def get(item: Any) -> Any:
        for part in path:
            item = env.getitem(item, part)
            if default is not None and isinstance(item, Undefined):
                item = default
        return item

    return get


def _key(get: Callable[[Any], Any], case_sensitive: bool) -> Callable[[Any], Any]:
    def key(item: Any) -> Any:
        value = get(item)
        return value.lower() if isinstance(value, str) and not case_sensitive else value

    return key


LIST_FILTERS: dict[str, Callable[..., Any]] = {
    "batch": _batch,
    "count": _length,
    "dictsort": _dictsort,
    "first": _first,
    "items": _items,
    "join": join,
    "last": _last,
    "length": _length,
    "list": _list,
    "map": _map,
    "max": _max,
    "min": _min,
    "reject": _reject,
    "rejectattr": _rejectattr,
    "reverse": _reverse,
    "select": _select,
    "selectattr": _selectattr,
    "slice": _slice,
    "sort": _sort,
    "sum": _sum,
    "unique": _unique,
}
"""By the name that a template uses; each takes the environment first."""
