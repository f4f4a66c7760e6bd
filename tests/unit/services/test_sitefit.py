"""The parts of Sitefit that need nothing: hashes, solvers, geometry."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from services.shared.contracts import ContractViolationError
from services.sitefit.api.inputs_hash import UnhashableInputsError, inputs_hash
from services.sitefit.appserver.compute_solver import data_tree, read_tree
from services.sitefit.appserver.mock_solver import MockSolver
from services.sitefit.appserver.solver import SolverFailedError
from services.sitefit.compute.program import place
from services.sitefit.contracts import FOLDER, ContractDirectory, ContractNotFoundError
from services.sitefit.worker.geojson import geojson
from services.sitefit.worker.placement import placement_of

FIXTURES = Path(__file__).parents[3] / "fixtures" / "sitefit"
INPUTS: dict[str, Any] = json.loads((FIXTURES / "golden_inputs.json").read_text())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def shuffled(value: Any, seed: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        seed.shuffle(keys)
        return {key: shuffled(value[key], seed) for key in keys}
    return [shuffled(item, seed) for item in value] if isinstance(value, list) else value


@given(inputs=st.dictionaries(st.text(), JSON), seed=st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_count(inputs: dict[str, Any], seed: random.Random):
    assert inputs_hash(inputs) == inputs_hash(shuffled(inputs, seed))


@given(first=st.dictionaries(st.text(), JSON), second=st.dictionaries(st.text(), JSON))
def test_other_inputs_have_another_hash(first: dict[str, Any], second: dict[str, Any]):
    assert (inputs_hash(first) == inputs_hash(second)) == (rfc8785.dumps(first) == rfc8785.dumps(second))


def test_a_number_is_the_same_with_and_without_its_point():
    assert inputs_hash({"x": 20}) == inputs_hash({"x": 20.0})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**60])
def test_a_number_that_json_cannot_carry_is_refused(number: float):
    with pytest.raises(UnhashableInputsError):
        inputs_hash({"x": number})


async def solved(seed: int) -> dict[str, Any]:
    return await MockSolver().solve("sitefit", "1.0.0", {**INPUTS, "seed": seed})


def run(coroutine: Any) -> Any:
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    return stop.value.value


def test_the_recorded_run_comes_out_to_the_letter():
    text = json.dumps(run(solved(999)), separators=(",", ":"))
    assert text == (FIXTURES / "golden_outputs.json").read_text()


@given(seed=st.integers(0, 2**31 - 1))
def test_what_the_mock_solver_says_keeps_the_contract(seed: int):
    ContractDirectory(FOLDER).get("sitefit", "1.0.0").outputs.check(run(solved(seed)))


@pytest.mark.parametrize(
    ("definition", "version"),
    [("sitefit", "9.9.9"), ("other", "1.0.0"), ("..", "1.0.0"), ("sitefit", "../1.0.0"), ("", "")],
)
def test_a_contract_that_is_not_there_is_named_and_no_other_file_is_read(definition: str, version: str):
    with pytest.raises(ContractNotFoundError, match="Contract not found"):
        ContractDirectory(FOLDER).get(definition, version)


def test_the_folder_tells_which_contracts_there_are():
    assert ContractDirectory(FOLDER).names() == ["sitefit@1.0.0"]


def test_a_violation_names_the_place_inside_the_outputs():
    outputs = run(solved(1))
    outputs["results"][0]["transform"]["rotation"]["value"] = 360
    with pytest.raises(ContractViolationError, match=r"results\.0\.transform\.rotation\.value"):
        ContractDirectory(FOLDER).get("sitefit", "1.0.0").outputs.check(outputs)


def test_a_house_is_turned_first_and_moved_then():
    """By 90 degrees the corner (10, 0) comes to (0, 10), and from there to (3, 14)."""
    transform = {"rotation": {"axis": "z", "value": 90}, "translation": {"x": 3, "y": 4, "z": 0}}
    placement = placement_of(INPUTS, {"results": [{"id": "r", "score": 1, "transform": transform}]})
    assert [tuple(round(x, 9) for x in corner) for corner in placement.house.exterior.coords] == [
        (3, 4), (3, 14), (-5, 14), (-5, 4), (3, 4),
    ]  # fmt: skip


@given(seed=st.integers(0, 2**31 - 1))
def test_geojson_holds_the_house_undistorted(seed: int):
    placement = placement_of(INPUTS, run(solved(seed)))
    house = shape(json.loads(geojson(placement))["features"][1]["geometry"])
    assert house.is_valid
    assert house.exterior.is_ccw
    assert house.area == pytest.approx(80)
    assert house.equals_exact(placement.house.normalize(), 1e-6, normalize=True)


def test_a_parameter_travels_to_rhino_compute_as_its_own_type_and_anything_else_as_text():
    assert data_tree("seed", 999)["InnerTree"] == {"{0}": [{"type": "System.Int32", "data": "999"}]}
    assert data_tree("crs", "EPSG:5514")["InnerTree"] == {"{0}": [{"type": "System.String", "data": '"EPSG:5514"'}]}
    assert json.loads(json.loads(data_tree("house", [[0, 0]])["InnerTree"]["{0}"][0]["data"])) == [[0, 0]]


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        [{"ParamName": "RH_OUT:other", "InnerTree": {}}],
        [{"ParamName": "RH_OUT:results"}],
        [{"ParamName": "RH_OUT:results", "InnerTree": {"{0}": [{"data": "{"}]}}],
        [{"ParamName": "RH_OUT:results", "InnerTree": {"{0}": ["text"]}}],
    ],
)
def test_an_answer_of_rhino_compute_without_results_is_a_failure(values: Any):
    with pytest.raises(SolverFailedError):
        read_tree(values, "results")


def test_the_stand_in_for_rhino_compute_puts_the_house_in_the_middle():
    assert place(INPUTS)["transform"]["translation"] == {"x": 5, "y": 11, "z": 0}
    assert place({**INPUTS, "parcel": [[0, 0], [5, 0], [5, 8], [0, 8], [0, 0]]})["score"] == 50
