"""`peeklock images`: what the containers backend runs, built from what is installed here; no registry is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from peeklock.cli.exits import exits
from peeklock.stack.containers.images import Kind, recipes
from peeklock.stack.containers.images import build as builder
from peeklock.stack.errors import StackError

images = typer.Typer(
    help="The images of the containers backend: postgres, azurite, servicebus, services.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Kinds = Annotated[
    list[str] | None, typer.Argument(metavar="[KIND]...", help="which; default: all that can be made here")
]


@images.command("build")
def build(
    kinds: Kinds = None,
    base: Annotated[str, typer.Option(help="an image to build on, where a registry is near")] = "scratch",
) -> None:
    """Build what the engine does not have yet, with no network."""
    with exits():
        for kind in _kinds(kinds):
            image = builder.build(kind, base=base, progress=lambda text: typer.echo(f"  {text}"))
            typer.echo(f"  {image.reference:<40} {image.size / 1e6:4.0f} MB{'' if image.built else ', was there'}")


@images.command("list")
def names(kinds: Kinds = None) -> None:
    """Print the references that this version wants, built or not."""
    with exits():
        for kind in _kinds(kinds):
            typer.echo(recipes.reference(kind))


@images.command("prune")
def prune() -> None:
    """Remove the images of other versions of Peeklock that no container uses."""
    with exits():
        removed = builder.prune()
        typer.echo("\n".join(f"  removed {name}" for name in removed) or "  nothing to remove")


@images.command("context")
def context(
    kind: Annotated[str, typer.Argument(help="which image")],
    output: Annotated[Path, typer.Argument(help="the tar file to write")],
) -> None:
    """Write what `docker build - < OUTPUT` needs: for another builder, another base, another machine."""
    with exits():
        builder.write_context(_kinds([kind])[0], output)


def _kinds(wanted: list[str] | None) -> list[Kind]:
    if not wanted:
        return [kind for kind in recipes.KINDS if kind != "services" or recipes.in_a_clone()]
    for name in wanted:
        if name not in recipes.KINDS:
            raise StackError(
                f"there is no image {name!r}", expected=f"one of {', '.join(recipes.KINDS)}", fix="correct the name"
            )
    return [kind for kind in recipes.KINDS if kind in wanted]
