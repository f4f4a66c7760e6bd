"""DefectIQ: its cold start beside IntelliOptics', a case with identities beside the same one with keys, and two thousand pictures."""

from __future__ import annotations

from pathlib import Path

from tests.bench.command import FIRST, median, middle, run
from tests.bench.table import Row

FOLDER = "scenarios/defectiq"
FIRST_OF_DEFECTIQ = f"{FOLDER}/pipeline.yaml::a_picture_is_looked_at[nicked]"
PICTURES = 2000
_CASE = """\
cases:
  same:
    steps:
      - use: ../fragments/defectiq_picture.yaml
        outputs: [image_id]
      - settle: 20s
      - http: {get: "/api/v1/artifacts/${image_id}"}
        expect: {status: 200}
"""


def cold_start(project: Path, rounds: int) -> Row:
    """Return how much longer it takes from nothing to the first green scenario than with IntelliOptics; rounds alternate."""
    pairs = [(run(project, FIRST_OF_DEFECTIQ), run(project, FIRST)) for _ in range(rounds)]
    ours, theirs = (middle(each) for each in zip(*pairs, strict=True))
    note = f"{ours.green:.2f} and {theirs.green:.2f} s"
    return Row("first scenario green, cold start: DefectIQ / IntelliOptics", ours.green / theirs.green, "x", 2.0, note)


def identities(project: Path, repeats: int) -> Row:
    """Return what a case costs with identities, in times of the same case with keys."""
    head, _, _ = (project / FOLDER / "identities.yaml").read_text(encoding="utf-8").partition("cases:\n")
    (project / FOLDER / "with_identities.yaml").write_text(head + _CASE, encoding="utf-8")
    (project / FOLDER / "with_keys.yaml").write_text(f"scenario: keys\nextends: base.yaml\n{_CASE}", encoding="utf-8")
    files = [f"{FOLDER}/with_{kind}.yaml" for kind in ("identities", "keys")]
    seconds: dict[str, list[float]] = {file: [] for file in files}
    for _ in range(5):
        for file in files:  # in turn, so that noise meets both
            seconds[file] += run(project, file, "--repeat", str(repeats)).each
    ours, keys = (median(seconds[file]) for file in files)
    return Row(
        "a case: with identities / with keys", ours / keys, "x", 1.15, f"{ours * 1000:.0f} and {keys * 1000:.0f} ms"
    )


def many(project: Path) -> Row:
    """Return how long a picture takes, of two thousand that are posted at once, a fifth of them twice: one artifact each."""
    file = project / FOLDER / "load.yaml"
    few, unique = "{pictures: 200, different: 160, repeated: 40}", PICTURES * 4 // 5
    text = file.read_text(encoding="utf-8")
    assert few in text
    more = f"{{pictures: {PICTURES}, different: {unique}, repeated: {PICTURES - unique}}}"
    file.write_text(text.replace(few, more), encoding="utf-8")
    whole = run(project, f"{FOLDER}/load.yaml").each[0]
    return Row(
        f"{PICTURES:,} pictures, a fifth of them twice: each", whole / PICTURES * 1000, "ms", note=f"{whole:.0f} s"
    )
