"""`gh api` as our workflows call it: a pull request's comments, kept in the file $FAKE_GH_COMMENTS.

In: gh's own words: `--paginate`, `--method`, `-F body=@FILE`, `--jq`, `--silent`; GH_TOKEN. Out: what gh
would print. A token that may not write is refused as GitHub refuses it. Touches: the file. `--jq` is read
by jq itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import jq

REPOSITORY = r"repos/(?P<owner>[\w-]+)/(?P<name>[\w-]+)"
LIST = re.compile(rf"{REPOSITORY}/issues/(?P<issue>\d+)/comments")
ONE = re.compile(rf"{REPOSITORY}/issues/comments/(?P<id>\d+)")
LARGEST = 65_536


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["api"])
    parser.add_argument("path")
    parser.add_argument("--method", default="GET", choices=["GET", "POST", "PATCH"])
    parser.add_argument("--paginate", action="store_true")
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--jq", default=".")
    parser.add_argument("-F", dest="field", action="append", default=[])
    asked = parser.parse_args(words)
    store = Path(os.environ["FAKE_GH_COMMENTS"])
    comments = json.loads(store.read_text(encoding="utf-8")) if store.exists() else []
    if not os.environ.get("GH_TOKEN"):
        return refused("To use GitHub CLI in a GitHub Actions workflow, set the GH_TOKEN environment")
    if asked.method == "GET":
        issue = LIST.fullmatch(asked.path)["issue"]  # type: ignore[index]
        answer: Any = [comment for comment in comments if comment["issue"] == issue]
    else:
        answer = written(asked, comments)
        if isinstance(answer, str):
            return refused(answer)
        store.write_text(json.dumps(comments), encoding="utf-8")
    if not asked.silent:
        show(answer, asked.jq)
    return 0


def written(asked: argparse.Namespace, comments: list[dict[str, Any]]) -> dict[str, Any] | str:
    (field,) = asked.field
    body = Path(field.removeprefix("body=@")).read_text(encoding="utf-8")
    if len(body) > LARGEST:
        return "Validation Failed (HTTP 422)"
    if asked.method == "PATCH":
        found = ONE.fullmatch(asked.path)["id"]  # type: ignore[index]
        comment = next(c for c in comments if str(c["id"]) == found)
        comment["body"] = body
        return comment
    issue = LIST.fullmatch(asked.path)["issue"]  # type: ignore[index]
    who = {"login": "github-actions[bot]"}
    comment = {"id": 1000 + len(comments), "issue": issue, "user": who, "body": body}
    comments.append(comment)
    return comment


def show(answer: Any, program: str) -> None:
    for value in jq.compile(program).input_value(answer):
        sys.stdout.write(f"{value if isinstance(value, str) else json.dumps(value)}\n")


def refused(message: str) -> int:
    sys.stderr.write(f"gh: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
