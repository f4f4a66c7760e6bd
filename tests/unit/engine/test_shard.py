"""Which files each of several machines runs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeklock.engine.pace import read_seconds
from peeklock.engine.plan import Choice, Plan, Target, make_plan
from peeklock.engine.shard import Shard, parse_shard, split
from peeklock.engine.sharding import only, shard_of
from peeklock.errors import PeeklockError
from peeklock.verbs import VOCABULARY

TIMES = st.dictionaries(st.text("abc/.", min_size=1, max_size=6), st.integers(0, 100_000), max_size=40)


@given(TIMES, st.integers(1, 12))
def test_each_file_is_in_exactly_one_shard(times: dict[str, int], count: int) -> None:
    parts = split(times, count)
    assert len(parts) == count
    assert sorted(name for part in parts for name in part) == sorted(times)


@given(TIMES, st.integers(1, 12), st.randoms())
def test_the_order_in_which_files_are_found_changes_nothing(
    times: dict[str, int], count: int, chance: random.Random
) -> None:
    names = list(times)
    chance.shuffle(names)
    assert split({name: times[name] for name in names}, count) == split(times, count)


@given(TIMES, st.integers(1, 12))
def test_no_shard_takes_much_longer_than_it_has_to(times: dict[str, int], count: int) -> None:
    """Graham's bound for any list order: the mean, and of the longest file all but its share."""
    loads = [sum(times[name] for name in part) for part in split(times, count)]
    longest = max(times.values(), default=0)
    assert max(loads) <= sum(loads) / count + longest * (1 - 1 / count) + 1e-6


@given(st.integers(1, 40), st.integers(1, 12))
def test_files_that_take_no_time_are_spread_all_the_same(files: int, count: int) -> None:
    sizes = [len(part) for part in split({f"{number}.yaml": 0 for number in range(files)}, count)]
    assert max(sizes) - min(sizes) <= 1


def test_longest_first_is_near_the_best_split() -> None:
    """Every other file to each would make 22 and 4 of it."""
    times = {"a": 10, "b": 1, "c": 10, "d": 1, "e": 2, "f": 2}
    assert [sum(times[name] for name in part) for part in split(times, 2)] == [13, 13]


@pytest.mark.parametrize(
    "text", ["", "0/4", "5/4", "1", "1/", "/4", "a/b", "-1/4", "1/0", "²/4", "1/4/2", "1/1001", "1.0/4"]
)
def test_what_is_no_shard_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="from 1/4 to 4/4"):
        parse_shard(text)


def test_a_shard_is_a_number_and_a_count() -> None:
    assert [parse_shard(text) for text in ("1/1", "2/4", " 04/10 ")] == [(1, 1), (2, 4), (4, 10)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files a to e with 4, 1, 2, 2 and 1 cases."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    for name, count in zip("abcde", (4, 1, 2, 2, 1), strict=True):
        cases = ", ".join(f"c{number}: {{steps: [{{set: {{a: 1}}}}]}}" for number in range(count))
        (tmp_path / f"{name}.yaml").write_text(f"scenario: {name}\ncases: {{{cases}}}\n")
    return tmp_path


def planned(**choice: object) -> Plan:
    return make_plan([Target.parse(".")], Choice(**choice), VOCABULARY)  # type: ignore[arg-type]


def shards(plan: Plan, count: int, known: dict[str, float] | None = None, **told: object) -> list[Shard]:
    return [shard_of(plan, (index, count), known or {}, **told) for index in range(1, count + 1)]  # type: ignore[arg-type]


def cases_of(plan: Plan) -> list[str]:
    return [f"{scenario.path.name}::{case.name}" for scenario, cases in plan for case in cases]


@pytest.mark.usefixtures("folder")
class TestShardsOfAPlan:
    @pytest.mark.parametrize("choice", [{}, {"keyword": "c0 or c1"}, {"shuffle": 5}])
    def test_every_chosen_case_is_in_one_shard_and_a_file_stays_whole(self, choice: dict[str, object]) -> None:
        plan = planned(**choice)
        parts = [only(plan, shard) for shard in shards(plan, 3)]
        assert sorted(name for part in parts for name in cases_of(part)) == sorted(cases_of(plan))
        files = [scenario.path for part in parts for scenario, _ in part]
        assert len(files) == len(set(files))

    def test_without_durations_files_are_weighed_by_their_cases(self) -> None:
        assert [[name for name, _ in shard.files] for shard in shards(planned(), 3)] == [
            ["a.yaml"],
            ["c.yaml", "b.yaml"],
            ["d.yaml", "e.yaml"],
        ]

    def test_with_durations_by_what_they_take(self) -> None:
        known = {f"a.yaml::c{number}": 0.1 for number in range(4)} | {"b.yaml::c0": 9.0}
        known |= {f"{file}.yaml::c0": 0.2 for file in "cde"} | {f"{file}.yaml::c1": 0.2 for file in "cd"}
        first, second = shards(planned(), 2, known, source=Path("times.json"))
        assert [[name for name, _ in shard.files] for shard in (first, second)] == [
            ["b.yaml"],
            ["a.yaml", "c.yaml", "d.yaml", "e.yaml"],
        ]
        assert str(second) == (
            "shard 2 of 2: 4 of 5 files; split by durations of times.json (10 of 10 cases are in it)"
        )

    def test_a_case_that_is_not_timed_counts_as_the_others_on_average(self) -> None:
        """And a file that is gone, as nothing."""
        known = {f"a.yaml::c{number}": 2.0 for number in range(4)} | {"gone.yaml::c0": 100.0}
        assert [sum(cases for _, cases in shard.files) for shard in shards(planned(), 2, known)] == [5, 5]

    def test_all_shards_know_the_same_split_and_another_one_is_told_apart(self) -> None:
        plan = planned()
        assert len({shard.split for shard in shards(plan, 3)}) == 1
        timed = {"b.yaml::c0": 9.0} | {f"a.yaml::c{number}": 0.1 for number in range(4)}
        assert shards(plan, 3, timed)[0].split != shards(plan, 3)[0].split
        assert shards(plan, 2)[0].split != shards(plan, 3)[0].split

    def test_a_seed_orders_what_a_shard_runs_and_not_what_it_has(self) -> None:
        plan, shuffled = planned(), planned(shuffle=3)
        assert shards(plan, 3) == shards(shuffled, 3)
        assert sorted(cases_of(only(plan, shards(plan, 3)[0]))) == sorted(
            cases_of(only(shuffled, shards(shuffled, 3)[0]))
        )

    def test_of_more_shards_than_files_some_have_nothing_and_say_so(self) -> None:
        last = shards(planned(), 7)[-1]
        assert last.files == ()
        assert str(last).startswith("shard 7 of 7: nothing is left for it, 5 shards are enough for 5 files;")


@pytest.mark.parametrize(
    "text", ["", "[]", "3", '{"a": "x"}', '{"a": null}', '{"a": NaN}', '{"a": -1}', '{"a": 1e999}', "[" * 100_000]
)
def test_durations_that_cannot_be_used_are_refused_by_name(tmp_path: Path, text: str) -> None:
    """A machine that passed over them would come to other parts than the others."""
    path = tmp_path / "times.json"
    path.write_text(text)
    with pytest.raises(PeeklockError, match="duration") as caught:
        read_seconds(path)
    assert caught.value.where == str(path)


def test_durations_that_are_not_there_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PeeklockError, match="No such file"):
        read_seconds(tmp_path / "none.json")
