"""The pull request that a CI job runs for, at GitHub or GitLab, and our comment on it.

In: the CI server's variables, a comment's text. Out: a `PullRequest`; UsageProblem where the forge refuses.
Touches: the environment through the system adapter, the event's file, the forge's API.

A comment is ours where it begins with our marker and was written by whoever our token belongs to: others may begin
theirs alike. A second one of ours, which two jobs at once can leave, is deleted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from kiejobs.adapters.http.client import FETCH_ERRORS, HttpClient, in_words
from kiejobs.adapters.system import Secret, forge_token, redact, variable
from kiejobs.core.diagnostics import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_PAGES = 100
_PAGE = 100
_VIEWER = "query { viewer { login } }"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """One, with the way to its comments. `silent` says why there can be none; `commit` is what is looked at.

    `comments` is the URL of them all, `one` that of a comment with a hole for its id, `verb` what changes it.
    `own` is asked who our token is, and `is_own` whether a comment is by that.
    """

    commit: str | None
    silent: str | None
    token: Secret
    scheme: str
    """The header that the token goes in, with a hole for it: `Name: … {}`."""
    comments: str
    one: str
    verb: str
    own: tuple[str, str, dict[str, str] | None]
    is_own: Callable[[Any, Mapping[str, Any]], bool]


def pull_request() -> PullRequest:
    """Raises UsageProblem where there is none."""
    if variable("GITHUB_ACTIONS") == "true":
        return _at_github()
    if variable("GITLAB_CI") == "true":
        return _at_gitlab()
    hint = "leave it out elsewhere; `kiejobs plan -o plan.md` writes the same text"
    raise UsageProblem("--comment works in jobs of GitHub Actions and GitLab CI", hint=hint)


def _at_github() -> PullRequest:
    event = _event()
    pull = event.get("pull_request")
    if not isinstance(pull, dict):
        raise UsageProblem("--comment: this job was not started by a pull request")
    api = variable("GITHUB_API_URL") or "https://api.github.com"
    repository, head = variable("GITHUB_REPOSITORY"), pull["head"]
    token = forge_token("GITHUB_TOKEN")
    silent = None if token else "GITHUB_TOKEN is not set"
    if (head.get("repo") or {}).get("full_name") != repository:
        silent = "it is from a fork, whose token may not comment"
    elif variable("GITHUB_ACTOR") == "dependabot[bot]":
        silent = "it is from Dependabot, whose token may not comment"
    return PullRequest(
        commit=str(head["sha"]),
        silent=silent,
        token=token,
        scheme="Authorization: Bearer {}",
        comments=f"{api}/repos/{repository}/issues/{int(pull['number'])}/comments",
        one=f"{api}/repos/{repository}/issues/comments/{{}}",
        verb="PATCH",
        own=("POST", variable("GITHUB_GRAPHQL_URL") or f"{api}/graphql", {"query": _VIEWER}),
        is_own=lambda own, comment: comment["user"]["login"] == own["data"]["viewer"]["login"],
    )


def _event() -> dict[str, Any]:
    try:
        event = json.loads(Path(variable("GITHUB_EVENT_PATH")).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageProblem(f"--comment: the event can't be read: {error}") from error
    return event if isinstance(event, dict) else {}


def _at_gitlab() -> PullRequest:
    number = variable("CI_MERGE_REQUEST_IID")
    if not number:
        raise UsageProblem("--comment: this job was not started by a merge request")
    api, project = variable("CI_API_V4_URL"), variable("CI_PROJECT_ID")
    token = forge_token("GITLAB_TOKEN")
    silent = None if token else "GITLAB_TOKEN is not set"
    if variable("CI_MERGE_REQUEST_PROJECT_ID") not in {"", project}:
        silent = "it is from a fork, whose token may not comment"
    notes = f"{api}/projects/{quote(project, safe='')}/merge_requests/{quote(number, safe='')}/notes"
    return PullRequest(
        commit=variable("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or variable("CI_COMMIT_SHA") or None,
        silent=silent,
        token=token,
        scheme="PRIVATE-TOKEN: {}",
        comments=notes,
        one=f"{notes}/{{}}",
        verb="PUT",
        own=("GET", f"{api}/user", None),
        is_own=lambda own, note: note["author"]["id"] == own["id"],
    )


async def keep_comment(pull: PullRequest, marker: str, text: str, *, create: bool) -> bool:
    """Our one comment says `text` now; without `create` only where there is one. Is there one? Raises UsageProblem."""
    name, _, value = pull.scheme.partition(": ")
    headers = {name: value.format(pull.token.value), "Accept": "application/json"}
    client = HttpClient(headers, httpx.Timeout(30.0))
    try:
        ours = await _ours(client, pull, marker)
        if ours:
            await _call(client, pull.verb, pull.one.format(ours[0]), {"body": text})
        elif create:
            await _call(client, "POST", pull.comments, {"body": text})
        for other in ours[1:]:
            await _call(client, "DELETE", pull.one.format(other))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageProblem("can't comment: the forge gave an answer of another form") from error
    finally:
        await client.aclose()
    return bool(ours) or create


async def _ours(client: HttpClient, pull: PullRequest, marker: str) -> list[int]:
    """The ids of our comments, the oldest first."""
    own = await _call(client, *pull.own)
    found: list[int] = []
    for page in range(1, _MOST_PAGES + 1):
        url = f"{pull.comments}?per_page={_PAGE}&page={page}&sort=asc"
        listed = await _call(client, "GET", url)
        found += [
            int(comment["id"])
            for comment in listed
            if str(comment["body"] or "").startswith(marker) and pull.is_own(own, comment)
        ]
        if len(listed) < _PAGE:
            break
    return sorted(found)


async def _call(client: HttpClient, method: str, url: str, body: dict[str, str] | None = None) -> Any:
    try:
        request = client.request(method, url, json=body)
        status, _, answer = await client.exchange(request)
    except FETCH_ERRORS as error:
        raise UsageProblem(f"can't comment: {in_words(error)}") from error
    if not httpx.codes.is_success(status):
        said = redact(answer.decode("utf-8", "replace"))[:200]
        raise UsageProblem(f"can't comment: HTTP {status}: {said}")
    return json.loads(answer) if answer.strip() else None
