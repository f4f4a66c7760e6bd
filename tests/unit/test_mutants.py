"""Mutants can be made: a change to a service that leaves one without its text is told in a second, not after the whole suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import planted
from tests.mutants.mutation import Mutation
from tests.mutants.test_mutants import MUTATIONS

ROOT = Path(__file__).parents[2]


EVERY = (*MUTATIONS, *planted.MUTATIONS)


@pytest.mark.parametrize("mutation", EVERY, ids=lambda mutation: mutation.id)
def test_its_text_is_there_once(mutation: Mutation) -> None:
    assert (ROOT / mutation.file).read_text(encoding="utf-8").count(mutation.old) == 1
