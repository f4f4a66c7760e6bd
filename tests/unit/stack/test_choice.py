"""What `auto` means, and the reason that the report's first line gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.stack.choice import choose_backend
from peeklock.stack.containers import discovery, stack
from peeklock.stack.containers.engine import Engine
from peeklock.stack.containers.errors import no_engine
from peeklock.stack.errors import StackError


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PEEKLOCK_BACKEND")


class _Engine(Engine):
    def __init__(self, images: set[str]) -> None:
        super().__init__("unix:///engine.sock", "podman 4.3.1")
        self.images = images

    def has_image(self, reference: str) -> bool:
        return reference in self.images


def test_without_an_engine_it_is_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Engine:
        raise no_engine([])

    monkeypatch.setattr(discovery, "find_engine", none)
    assert choose_backend("auto") == ("embedded", "no container engine answers; embedded needs none")


def test_with_an_engine_and_its_images_it_is_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("testcontainers")
    monkeypatch.setattr(discovery, "find_engine", lambda: _Engine(set(stack.wanted_images().values())))
    assert choose_backend("auto") == ("containers", "podman 4.3.1 at unix:///engine.sock has the images")


def test_an_engine_without_the_images_is_not_used_and_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("testcontainers")
    monkeypatch.setattr(discovery, "find_engine", lambda: _Engine(set()))
    chosen, why = choose_backend("auto")
    assert chosen == "embedded"
    assert stack.wanted_images()["postgres"] in why
    assert "make images" in why


def test_the_variable_decides_and_a_wish_is_stronger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PEEKLOCK_BACKEND", "containers")
    assert choose_backend("auto", tmp_path) == ("containers", "PEEKLOCK_BACKEND says so")
    assert choose_backend("embedded", tmp_path) == ("embedded", "asked for")
    monkeypatch.setenv("PEEKLOCK_BACKEND", "podman")
    with pytest.raises(StackError, match="there is no backend 'podman'"):
        choose_backend("auto", tmp_path)
