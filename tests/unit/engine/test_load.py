"""A load: what its process is told, what comes back, and how one says otherwise than the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.load import Act, Figures, LoadFailed, Order, swarm
from peeklock.load.figures import Measured, Taken
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.load_step import LoadChange
from peeklock.scenario.loader import load
from peeklock.verbs import VOCABULARY

FILE = """\
scenario: loads
stack: {servicebus: {queues: {jobs: {}}}}
cases:
  loaded:
    timeout: 30s
    steps:
      - load: {users: 3, iterations: 5, acts: [{send: {queue: jobs, text: "${index}"}}]}
  plain:
    steps:
      - send: {queue: jobs, text: a}
"""


def test_an_order_and_figures_survive_their_way_through_a_line() -> None:
    act = Act("http", "ask", {"get": "/${index}"}, "/a", {"status": 200}, {"id": "json.id"})
    whole = Act("use", "use a.yaml", "a.yaml", "/a", steps=(act,), bindings={"id": 1}, outputs=("id",))
    order = Order((whole,), 2, 1.0, None, 7, 0.0, {"id": "ä"}, "c", {"api": "http://x"}, "api", {}, "", {"q": "q"})
    assert Order.read(order.line()) == order
    taken = (Taken("api", "GET", "/a", 200, 0.1),)
    figures = Figures(Measured(3, 1, 2.0), {"ask": Measured(3, 1)}, ({"act": "ask"},), 3, 0, 1.5, 2.0, True, taken)
    assert Figures.read(figures.line()) == figures


def test_a_load_may_be_changed_without_its_file(tmp_path: Path) -> None:
    """A duration takes the place of iterations, and the case gets that much more time; other cases stay."""
    path = tmp_path / "a.yaml"
    path.write_text(FILE, encoding="utf-8")
    scenario = load(path, VOCABULARY)
    changed, cases = LoadChange(users=50, duration=60.0).of(scenario, scenario.cases[:1])
    arguments = cases[0].steps[0].arguments
    assert arguments["users"] == 50
    assert arguments["duration"] == "60s"
    assert "iterations" not in arguments
    assert changed.timeout(cases[0]) == 90
    assert changed.cases == (cases[0], scenario.cases[1])
    assert scenario.cases[0].steps[0].arguments["users"] == 3
    same, _ = LoadChange().of(scenario, scenario.cases[:1])
    assert same == scenario


def test_a_case_without_a_load_cannot_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(FILE, encoding="utf-8")
    scenario = load(path, VOCABULARY)
    with pytest.raises(ScenarioInvalid, match='"plain" has no load'):
        LoadChange(users=5).of(scenario, scenario.cases)


def test_without_locust_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swarm, "find_spec", lambda _name: None)
    with pytest.raises(LoadFailed) as caught:
        swarm.ready_to_load()
    assert caught.value.fix == "pip install 'peeklock[load]'"
