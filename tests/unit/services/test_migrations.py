from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import services.intellioptics

INI = Path(services.intellioptics.__file__).parent / "migrations" / "alembic.ini"


def _revisions(section: str) -> list[str]:
    script = ScriptDirectory.from_config(Config(str(INI), ini_section=section))
    return [revision.revision for revision in script.walk_revisions()]


@pytest.mark.parametrize(
    ("section", "revisions"),
    [("alembic", ["0003", "0002", "0001"]), ("after_cutover", ["0004", "0003", "0002", "0001"])],
)
def test_dropping_the_old_column_is_not_on_the_way_to_head(section: str, revisions: list[str]) -> None:
    assert _revisions(section) == revisions
