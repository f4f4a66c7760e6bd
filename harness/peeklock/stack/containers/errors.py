"""How the containers backend fails."""

from __future__ import annotations

from collections.abc import Sequence

from peeklock.stack.containers.engine import Engine, EngineError
from peeklock.stack.errors import StackError


def no_engine(checked: Sequence[str]) -> StackError:
    """The containers backend was asked for where no engine answers."""
    return StackError(
        "no container engine answers",
        expected="Docker or podman, whose socket this user may open",
        checked=checked,
        fix="start it (`make docker` on Debian, as root), or set DOCKER_HOST; `--backend embedded` needs none",
    )


def image_missing(image: str, engine: Engine) -> StackError:
    """An image of Peeklock's own has not been built."""
    return StackError(
        f"the container engine has no image {image}",
        where=str(engine),
        expected="the images of this version of Peeklock, which are built here and in no registry",
        fix="make images (or `peeklock images build`)",
    )


def engine_refused(engine: Engine, doing: str, error: EngineError) -> StackError:
    """The container engine answered with an error, or not at all."""
    if error.status == 0:
        return StackError(
            f"the container engine does not answer any more (asked to {doing})",
            where=str(engine),
            actual=error.text,
            fix="start it again; what is left of this stack is removed when the next one starts",
        )
    return StackError(
        f"the container engine refused to {doing}", where=str(engine), actual=f"{error.status} {error.text}"
    )
