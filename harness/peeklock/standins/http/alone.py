"""An HTTP stand-in without a scenario, for tests of any kind."""

from __future__ import annotations

import importlib.util
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from peeklock.errors import PeeklockError
from peeklock.scenario import http_standins
from peeklock.scenario.document import Document
from peeklock.scenario.standins import route_problems
from peeklock.scenario.validation import validate
from peeklock.scenario.values import Scope, resolve
from peeklock.standins.http.stand_in import ScenarioHttpStandIn
from peeklock.standins.stand_in import Surroundings


class HttpStandIn:
    """Answers on loopback in the place of somebody else, by routes as in a scenario's `stack.http`. A context manager.

    ```python
    with HttpStandIn([{"post": "/score", "respond": {"json": {"label": "cat"}}}]) as aml:
        assert httpx.post(f"{aml.url}/score", json={"id": 7}).json() == {"label": "cat"}
        assert aml.requests[0]["body"] == {"id": 7}
    ```

    Leaving it does `check`. Python functions run in this process.
    """

    def __init__(
        self,
        routes: Sequence[Mapping[str, Any]] = (),
        *,
        contract: Path | None = None,
        folder: Path | None = None,
        names: Mapping[str, Any] | None = None,
        port: int = 0,
        **settings: Any,
    ) -> None:
        """Listen when this returns. `contract`: an OpenAPI 3 file (extra `openapi`); `folder`: where paths in the routes start (default: the working directory); `names`: what
        `${…}` finds besides `request`; `port`: 0 for a free one; `settings`: what else a scenario says, as `kind="azure_ml"`. Raises `PeeklockError` for routes that are wrong."""
        folder = (folder or Path.cwd()).resolve()
        scope = Scope(dict(names or {}), folder)

        def looked_up(value: Any, /, **more: Any) -> Any:
            return resolve(value, Scope({**scope.names, **more}, folder))

        surroundings = Surroundings(looked_up, lambda path: f"routes[{path[-1]}]", folder, _HereFunctions(), time.time)
        raw: dict[str, Any] = {"routes": [dict(each) for each in routes], **settings}
        raw |= {} if contract is None else {"contract": str(contract)}
        if settings.get("tls"):
            raise PeeklockError(
                "a stand-in alone does not speak TLS", fix="leave `tls` out, or declare it in a scenario"
            )
        self._key = secrets.token_hex(16)
        self._standin = ScenarioHttpStandIn("the stand-in", _checked(raw, folder), port, surroundings, {"": self._key})

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self._standin.port}"

    @property
    def key(self) -> str:
        """What an Azure ML endpoint takes as `Authorization: Bearer KEY`."""
        return self._key

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What it was asked since `reset`, in the order of the answers: method, path, body, status, answer …; no keys, no tokens."""
        return [dict(entry.view) for entry in self._standin.journal.entries()]

    def check(self) -> None:
        """Raise `PeeklockError` when a request came that no route answers, with the nearest route; or one, or an answer, that is
        outside the contract."""
        entries = self._standin.journal.entries()
        problems = [entry.problem for entry in entries if entry.problem]
        problems += [
            f"{view['method']} {view['path']} {view.get('status', 'hung up')}: {wrong}"
            for view in (each.view for each in entries)
            for wrong in view.get("contract", ())
        ]
        if problems:
            raise PeeklockError("\n\n".join(dict.fromkeys(problems)))

    def reset(self) -> None:
        """Begin anew: no requests, sequences and states from their start."""
        self._standin.reset()

    def close(self) -> None:
        """Close the port. Idempotent."""
        self._standin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if error is None:
            self.check()


class _HereFunctions:
    """Calls functions in this process."""

    def call(self, file: Path, function: str, inputs: dict[str, Any], seconds: float) -> Any:  # noqa: ARG002
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None:
            raise PeeklockError(f"{file.name} cannot be loaded", fix="name a Python file")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return getattr(module, function)(**inputs)

    def close(self) -> None:
        """Nothing to close."""


def _checked(raw: Mapping[str, Any], folder: Path) -> http_standins.HttpStandIn:
    document = Document(folder / "routes", "", dict(raw), {}, {})
    standin, problems = validate(http_standins.HttpStandIn, raw, document, ())
    if standin is not None:
        problems = route_problems(standin, ("routes",), document)
    if standin is None or problems:
        told = [" ".join(filter(None, (_place(p.data_path), p.message, p.fix and f"({p.fix})"))) for p in problems]
        raise PeeklockError(
            "the stand-in is not well written", checked=told, fix="write it as in a scenario's stack.http"
        )
    return standin


def _place(path: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return f"{text.lstrip('.')}:" if text else ""
