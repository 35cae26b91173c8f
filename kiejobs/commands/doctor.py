"""`kiejobs doctor`: is everything in place to buy and collect?

In: the workspace's flags. Out: one line for each check. Touches: the network (asking only), disk.
"""

from __future__ import annotations

import platform
import shutil
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import anyio

from kiejobs import __version__
from kiejobs.adapters.media.pictures import INSTALL, can_look
from kiejobs.adapters.project.models import ModelFiles
from kiejobs.adapters.storage.output_folder import nearest
from kiejobs.adapters.system import Secret, api_key
from kiejobs.app.load import KnownModels
from kiejobs.app.project import is_sendable, open_workspace, opened
from kiejobs.core.diagnostics import ExitCode, JournalProblem, Severity, StalePlan, UsageProblem
from kiejobs.core.ledger.outcomes import Unanswered
from kiejobs.core.money import price_text
from kiejobs.core.prices.table import FILE as PRICES
from kiejobs.core.prices.table import OLD_AFTER, aged_prices
from kiejobs.reports.checks import Check, doctor_document, doctor_text, policy_detail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace

_PACKAGES = ("httpx", "PyYAML", "jsonschema", "Jinja2", "click", "anyio")
_TESTED = {
    "Linux": "tested",
    "Darwin": "not tested, expected to work",
    "Windows": "not tested; validate, render and plan may work, nothing is bought or downloaded",
}
_CLOCK_SLACK = 300  # seconds
_LITTLE_ROOM = 2**30  # bytes


def doctor(where: Locations, screen: Screen) -> ExitCode:
    """Exit 0 when all is well, 1 otherwise."""
    space = open_workspace(where)
    links, network = _sound("links", _links, space), list(_network(space))
    may_ask = links.ok and all(check.ok for check in network)  # a rehearsal's API would write through links
    checks = [
        *_versions(),
        Check("policy", ok=True, detail=policy_detail(space.policy)),
        _sound("models", _models, space),
        _sound("prices", _prices, space),
        *network,
        *_key(space),
        *(_api(space) if may_ask else ()),
        *_folders(space),
        links,
        _sound("journals", _journals, space),
        *([] if space.sandbox else [_sound("git", _in_git, space)]),
    ]
    screen.answer(doctor_document, partial(doctor_text, quiet=screen.quiet), checks)
    return ExitCode.DONE if all(check.ok for check in checks) else ExitCode.SOME_FAILED


def _sound(name: str, look: Callable[[Workspace], str], space: Workspace) -> Check:
    try:
        return Check(name, ok=True, detail=look(space))
    except (UsageProblem, JournalProblem, StalePlan) as problem:
        return Check(name, ok=False, detail=problem.message, hint=problem.hint)


def _versions() -> Iterator[Check]:
    yield Check("kiejobs", ok=True, detail=f"{__version__} on Python {platform.python_version()}")
    system = platform.system()
    detail = f"{system}: {_TESTED.get(system, 'not tested')}"
    yield Check("platform", system != "Windows", detail, "run kiejobs in WSL")
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            yield Check("packages", ok=False, detail=f"{package} is not installed")
    yield Check("packages", ok=True, detail=", ".join(found))
    pictures = f"checked by type and size only: {INSTALL} decodes them, too"
    if can_look():
        pictures = f"checked by decoding them, with Pillow {version('pillow')}"
    yield Check("pictures", ok=True, detail=pictures)


def _models(_: Workspace) -> str:
    files = ModelFiles()
    for first in files.check_all():
        hint = "`kiejobs models list` shows what is wrong, and where"
        raise UsageProblem(f"{first.place}: {first.message}", hint=hint)
    own = len(files.own)
    where = "" if files.folder is None else f", {own} of the project's own in {files.folder}"
    return f"{len(files.names) - own} bundled{where}"


def _prices(space: Workspace) -> str:
    known = KnownModels()
    table = known.catalogue().prices
    own_file = space.root.find(PRICES)
    for one in known.problems():
        if one.severity is Severity.ERROR and one.place and one.place.file == own_file:
            hint = "`kiejobs validate FILE` reports every error in it"
            raise UsageProblem(f"{one.place}: {one.message}", hint=hint)
    aged = aged_prices(
        table, [one for one in table.models if one in known.files.names], space.clock().now().date()
    )
    own = sum(1 for price in table if price.file is not None)
    counts = f"{own} of the project's own, " if own else ""
    stated = f"{counts}{len(table.models) - own} bundled"
    priced = [(one, one.price) for one in aged if one.price is not None]
    over = [f"{one.model} ({price.until})" for one, price in priced if one.ended]
    old = [f"{one.model} ({price.date})" for one, price in priced if one.old]
    words = [f"ran out: {', '.join(over)}"] if over else []
    words += [f"older than {OLD_AFTER} days: {', '.join(old)}"] if old else []
    return "; ".join([stated, *words, *(["`kiejobs models sync` asks the vendor"] if words else [])])


def _network(space: Workspace) -> Iterator[Check]:
    """What this machine's environment says of proxies and authorities, and what of it is used for the API."""
    if space.sandbox:
        return
    from kiejobs.adapters.http.proxy import authorities, excepted, proxy_for, why_no_creates  # noqa: PLC0415 - httpx is slow to import

    def proxies(_: Workspace) -> str:
        proxy = proxy_for(space.base)
        if why := why_no_creates(space.base):
            raise UsageProblem(
                f"no job can be submitted: {why}", hint="use an https:// base, or set NO_PROXY"
            )
        but = f"; NO_PROXY is {', '.join(excepted())}" if excepted() else ""
        way = f"{proxy.variable} {proxy.shown}" if proxy else "none"
        return f"{way} for {space.origin}{but}"

    yield _sound("proxy", proxies, space)
    yield _sound("tls", lambda _: authorities(), space)


def _key(space: Workspace) -> Iterator[Check]:
    if space.sandbox:
        yield Check("key", ok=True, detail="a rehearsal needs none")
        return
    key = api_key()
    detail = "KIE_API_KEY is set" if key else "KIE_API_KEY is not set"
    if not is_sendable(key):
        detail = "KIE_API_KEY contains characters that no key has"
    hint = "export KIE_API_KEY=…; plan and validate work without it"
    yield Check("key", bool(key) and is_sendable(key), detail, hint)


def _api(space: Workspace) -> Iterator[Check]:
    """Reached, key taken, balance, and its clock next to ours, in one question."""
    key = Secret("sandbox") if space.sandbox else api_key()
    if not is_sendable(key):
        return

    async def ask() -> tuple[Decimal | Unanswered, str | None]:
        async with opened(space, key) as (api, *_):
            return await api.balance(), api.last_date

    answer, date = anyio.run(ask)
    if isinstance(answer, Unanswered):
        hint = "check network and --base-url"
        if answer.by_edge:
            hint = "find out who answers there: check --base-url, a proxy, a firewall; the key may be fine"
        elif answer.message.startswith("the proxy "):
            hint = "check its address and login, and whether it lets you go there; NO_PROXY names hosts that need none"
        elif "CERTIFICATE_VERIFY_FAILED" in answer.message:
            hint = "name the authority of your network in SSL_CERT_FILE"
        elif answer.code in {"401", "403"}:
            hint = "check the key"
        yield Check("api", ok=False, detail=f"{space.origin}: {answer.message}", hint=hint)
        return
    yield Check("api", ok=True, detail=f"{space.origin} answers")
    yield Check("balance", ok=True, detail=price_text(answer))
    if date is not None:
        yield _clock(date)


def _clock(date: str) -> Check:
    try:
        away = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):
        return Check("clock", ok=True, detail="the API's clock could not be read")
    detail = f"{abs(away):.0f} s away from the API's"
    return Check("clock", abs(away) < _CLOCK_SLACK, detail, "set this machine's clock")


def _folders(space: Workspace) -> Iterator[Check]:
    homes = (
        ("runs", space.store.name, space.store.unwritable()),
        ("outputs", space.folder.name, space.folder.unwritable()),
    )
    for name, folder, problem in homes:
        detail = f"{folder} can be written" if problem is None else f"{folder}: {problem}"
        yield Check(name, problem is None, detail, "fix the permissions or name another folder")
    free = shutil.disk_usage(nearest(space.outputs)).free
    room = f"{free / 2**30:.1f} GB free for outputs"
    yield Check("disk", free > _LITTLE_ROOM, room, "a video takes 2 to 50 MB")


def _journals(space: Workspace) -> str:
    if problem := space.two_ledgers():
        raise problem
    count = len(space.store.read().records)
    return f"{count} in {space.store.name}, unbroken" if count else f"none in {space.store.name} yet"


def _links(space: Workspace) -> str:
    space.require_no_links()
    return "no symbolic link among the folders to write to"


def _in_git(space: Workspace) -> str:
    """As `run` asks before it buys."""
    return "; ".join(space.store.require_current()) or "every journal of this branch and its upstream is here"
