"""What telemetry costs: a file with it beside the same one without, and ten thousand spans beside a working system."""

from __future__ import annotations

from pathlib import Path

from tests.bench.command import median, run
from tests.bench.table import Row

FOLDER = "scenarios/defectiq"
SPANS = 10_000
PIPELINE = "scenarios/intellioptics/pipeline.yaml"
_FLOOD = """\
scenario: flood
extends: base.yaml
stack: {telemetry: {protocols: [otlp]}}
services: {flood: {run: [python, -m, tests.bench.flood], env: {FLOOD_TOOK: "PLACE"}, ready: {http: /}}}
cases:
  beside_pictures:
    steps:
      - http:
          post: /api/v1/ingest
          form: {metadata: '{"product_sku": "WK-KN-200", "facility": "yangjiang"}'}
          files: {image: {file: ../../fixtures/blades/nicked.png, content_type: image/png}}
          times: 40
          parallel: 8
      - http: {on: flood, post: /SPANS}
        expect: {status: 204}
      - settle: 60s
      - name: none is lost
        spans: {service: flood}
        expect: {count: SPANS}
      - blob: {list: processed-images}
        expect: {count: 40}
"""


def cost(project: Path, rounds: int) -> Row:
    """Return how much longer a file takes with telemetry than without, from the command to its end; rounds alternate."""
    plain = project / PIPELINE
    traced = plain.with_name("pipeline_traced.yaml")
    head = "extends: base.yaml\n"
    traced.write_text(
        plain.read_text(encoding="utf-8").replace(head, f"{head}stack: {{telemetry: true}}\n"), encoding="utf-8"
    )
    seconds: dict[Path, list[float]] = {plain: [], traced: []}
    for _ in range(rounds):
        for file, found in seconds.items():
            found.append(run(project, str(file.relative_to(project))).whole)
    without, with_it = median(seconds[plain]), median(seconds[traced])
    return Row("a file: with telemetry / without", with_it / without, "x", 1.2, f"{with_it:.2f} and {without:.2f} s")


def flood(project: Path) -> Row:
    """Return how long the receiver takes for ten thousand spans while DefectIQ looks at pictures. Raises when one is lost."""
    took = project / "flood_took"
    text = _FLOOD.replace("PLACE", str(took)).replace("SPANS", str(SPANS))
    (project / FOLDER / "flood.yaml").write_text(text, encoding="utf-8")
    seconds = []
    for _ in range(3):
        run(project, f"{FOLDER}/flood.yaml")
        seconds.append(float(took.read_text(encoding="utf-8")))
    each = ", ".join(f"{one:.2f}" for one in seconds)
    return Row(f"telemetry: {SPANS:,} spans, none lost, beside DefectIQ at work", median(seconds), "s", 1.0, each)
