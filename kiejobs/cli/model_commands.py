"""The verbs about models: which there are, what they take, and taking in new ones.

In: parsed flags. Out: an exit code. Touches nothing itself.
"""

from __future__ import annotations

import click

from kiejobs.cli.command_group import door, verb_of
from kiejobs.cli.options import flag, format_flag


@door.group(short_help="The models that job files can name; take in new ones.")
def models() -> None:
    """The models that job files can name: each is a JSON Schema, the project's own before ours."""


@models.command(name="list")
@click.argument("words", metavar="[WORD]...", nargs=-1)
@format_flag()
@verb_of("models")
def models_list() -> None:
    """List the models: what each makes, when its facts were read, what it costs.

    A WORD is a part of a model's id, what it makes (video, image, audio), or `project`: those that all
    words fit are listed.
    """


@models.command(name="show")
@click.argument("model")
@format_flag()
@verb_of("models")
def models_show() -> None:
    """Show what MODEL takes: fields, limits, defaults, rules between fields, prices, sources."""


@models.command(name="import")
@click.argument("pages", metavar="PAGE...", nargs=-1, required=True)
@flag("--into", metavar="DIR", help="Folder to write to.  [default: schemas/models, here or above]")
@flag("--force", is_flag=True, help="Overwrite a model that is there already.")
@format_flag()
@verb_of("models")
def models_import() -> None:
    """Turn the vendor's pages into model schemas of this project.

    PAGE is a file or an http(s) URL: the vendor's Markdown, or an OpenAPI document as YAML or JSON. What
    can't be imported is told with its place (exit 2); the other pages are imported all the same.
    """


@models.command(name="check")
@click.argument("pages", metavar="PAGE...", nargs=-1, required=True)
@format_flag("markdown")
@verb_of("models")
def models_check() -> None:
    """Tell what newer pages of the vendor's change about the models in use; write nothing.

    PAGE is what `models import` takes. Exits with 0 where nothing changed, 3 where it did, 1 where that
    breaks job files, 2 where a page can't be read.
    """
