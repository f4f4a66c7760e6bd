"""`${fake(name)}` — values that Faker invents, the same each time for the same seed."""

from __future__ import annotations

import zlib
from functools import cached_property
from typing import Any

from peeklock.errors import PeeklockError


class FakeValues:
    """Called with the name of one of Faker's providers, as `name` or `address.city`. Raises `PeeklockError` for another."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def __call__(self, name: str) -> Any:
        try:
            return getattr(self._faker, name.rsplit(".", 1)[-1])()
        except (AttributeError, TypeError) as error:
            raise PeeklockError(f"Faker has no provider {name!r} that needs no argument: {error}") from None

    @cached_property
    def _faker(self) -> Any:
        from faker import Faker  # 0.2 s, which only those who use it pay

        faker = Faker()
        faker.seed_instance(zlib.crc32(self._seed.encode()))
        return faker
