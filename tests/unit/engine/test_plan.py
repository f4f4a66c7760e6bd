"""Which cases run, and in what order."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.engine.plan import Choice, Target, make_plan
from peeklock.errors import PeeklockError
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.verbs import VOCABULARY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    step = "steps: [{set: {a: 1}}]"
    (tmp_path / "a.yaml").write_text(
        f"scenario: a\ntags: [slow]\ncases: {{sas_expired: {{covers: [IO-8], {step}}}, happy: {{{step}}}}}\n"
    )
    (tmp_path / "b.yaml").write_text(f"scenario: b\ncases: {{sas: {{tags: [new], matrix: {{x: [1, 2]}}, {step}}}}}\n")
    return tmp_path


def names(choice: Choice, *targets: str) -> list[str]:
    plan = make_plan([Target.parse(target) for target in targets or (".",)], choice, VOCABULARY)
    return [f"{scenario.path.stem}:{case.name}" for scenario, cases in plan for case in cases]


@pytest.mark.usefixtures("folder")
class TestPlan:
    def test_everything_in_the_order_of_the_files(self) -> None:
        assert names(Choice()) == ["a:sas_expired", "a:happy", "b:sas[1]", "b:sas[2]"]

    def test_a_case_of_a_file(self) -> None:
        assert names(Choice(), "a.yaml::happy") == ["a:happy"]
        assert names(Choice(), "b.yaml::sas") == ["b:sas[1]", "b:sas[2]"]
        assert names(Choice(), "b.yaml::sas[2]", "a.yaml::happy") == ["b:sas[2]", "a:happy"]

    def test_a_case_that_is_not_there(self) -> None:
        with pytest.raises(ScenarioInvalid, match='no case "hapy"') as caught:
            names(Choice(), "a.yaml::hapy")
        assert caught.value.problems[0].fix == 'did you mean "happy"?'

    @pytest.mark.parametrize(
        ("keyword", "expected"),
        [
            ("sas", ["a:sas_expired", "b:sas[1]", "b:sas[2]"]),
            ("sas and not expired", ["b:sas[1]", "b:sas[2]"]),
            ("happy or new", ["a:happy", "b:sas[1]", "b:sas[2]"]),
            ("IO-8", ["a:sas_expired"]),
            ("(sas or happy) and not (expired or new)", ["a:happy"]),
            ("NOT SAS", ["a:happy"]),
        ],
    )
    def test_keywords(self, keyword: str, expected: list[str]) -> None:
        assert names(Choice(keyword=keyword)) == expected

    @pytest.mark.parametrize("keyword", ["(sas", "sas)", "and sas", "sas or", "sas happy", "not", "()"])
    def test_a_keyword_that_cannot_be_read_is_told(self, keyword: str) -> None:
        """It would match nothing, and look like an empty choice."""
        with pytest.raises(PeeklockError, match="-k"):
            names(Choice(keyword=keyword))

    def test_tags_of_files_and_cases(self) -> None:
        assert names(Choice(tags=("slow",))) == ["a:sas_expired", "a:happy"]
        assert names(Choice(tags=("new",))) == ["b:sas[1]", "b:sas[2]"]

    def test_a_seed_gives_the_same_order_twice(self) -> None:
        assert names(Choice(shuffle=7)) == names(Choice(shuffle=7))
        assert sorted(names(Choice(shuffle=7))) == sorted(names(Choice()))

    def test_only_some_as_of_the_last_failure(self) -> None:
        assert names(Choice(only=frozenset({"a.yaml::happy"}))) == ["a:happy"]
