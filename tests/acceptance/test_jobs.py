"""Container Apps jobs that a schedule or a step starts, with several replicas; rules that see nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from peeklock.stack.clock import faketime
from tests.acceptance.conftest import Run
from tests.conformance.stack.engine import engine_or_skip

SHARD = """\
import json, os, sys, time

name, mode = os.environ["CONTAINER_APP_REPLICA_NAME"], os.environ.get("MODE", "work")
print(json.dumps({"event": "shard", "execution": os.environ["CONTAINER_APP_JOB_EXECUTION_NAME"], "mode": mode}), flush=True)
if mode == "hang":
    time.sleep(10_000)
sys.exit(mode == "fail" or (mode == "one_fails" and name.endswith("-1")))
"""

SCENARIO = """\
scenario: shards
services:
  reindex:
    run: [python, shard.py]
    scale: {job: {trigger: manual, parallelism: 3, completion_count: 2, retries: 1, timeout: 60s}}
  nightly:
    run: [python, shard.py]
    scale: {job: {trigger: schedule, cron: "0 2 * * *"}}
cases:
  started_by_a_step:
    steps:
      - job: {start: reindex}
        expect: {name: reindex-1, status: running, replicas: [reindex.0, reindex.1, reindex.2]}
        capture: {execution: name}
      - scale: reindex
        eventually: 20s
        expect: {running: 0, executions: [{name: "${execution}", status: succeeded, trigger: manual}]}
      - logs: {service: reindex, where: {execution: "${execution}", mode: work}}
        expect: {count: {$between: [2, 3]}}
  enough_replicas_succeed:
    allow: [no_service_exit]
    steps:
      - job: {start: reindex, env: {MODE: one_fails}}
      - scale: reindex
        eventually: 20s
        expect: {executions: [{status: succeeded, succeeded: 2, failed: 0}]}
  too_few_succeed:
    allow: [no_service_exit]
    steps:
      - job: {start: reindex, run: [python, -c, "raise SystemExit(3)"]}
      - scale: reindex
        eventually: 20s
        expect:
          running: 0
          executions:
            - status: failed
              succeeded: 0
              failed: 2
              reason: {$regex: "reindex.. exited with code 3 at the last of 2 attempts"}
  one_that_hangs:
    steps:
      - job: {start: reindex, env: {MODE: hang}}
      - logs: {service: reindex, where: {mode: hang}}
        eventually: 20s
        expect: {count: 3}
      - clock: {advance: 60s}
      - logs: {service: reindex, where: {mode: hang}}
        eventually: 20s
        expect: {count: 6}
      - clock: {advance: 60s}
      - scale: reindex
        expect: {running: 0, executions: [{status: failed, reason: {$contains: has taken 1m}}]}
  by_the_clock:
    clock: {start: 2027-01-01T01:59:00Z}
    steps:
      - scale: nightly
        expect: {begun: 0, next_due: 2027-01-01T02:00:00Z}
      - clock: {advance: 1m}
      - scale: nightly
        eventually: 20s
        expect: {executions: [{status: succeeded, trigger: schedule, why: "due at 2027-01-01T02:00:00Z"}]}
      - name: a jump over several due times starts the last
        clock: {advance: 3d}
      - scale: nightly
        eventually: 20s
        expect:
          running: 0
          executions: [{status: succeeded}, {status: succeeded, why: "due at 2027-01-04T02:00:00Z, 2 missed before it"}]
          next_due: 2027-01-05T02:00:00Z
"""

BLIND = """\
scenario: blind
stack:
  servicebus:
    queues: {chores: {}, errands: {}}
    access_rules:
      reader: {rights: [Listen]}
      scaler: {rights: [Manage, Send, Listen]}
services:
  worker:
    run: [python, -c, "import time; time.sleep(1000)"]
    scale:
      max: 4
      polling: 1s
      rules:
        - {queue: errands, messages: 1, auth: scaler}
        - {queue: chores, messages: 1, auth: reader}
cases:
  the_largest_number_wins:
    steps:
      - send: {queue: errands, text: work, times: 3}
      - scale: worker
        eventually: 20s
        expect: {replicas: 3}
  never_scaled:
    steps:
      - send: {queue: chores, text: work}
      - scale: worker
        eventually: 3s
        expect: {replicas: 1}
"""


BY_IDENTITY = """\
scenario: by identity
stack:
  servicebus: {name: contoso-chores, queues: {chores: {}}}
  identities: {scaler: [Azure Service Bus Data Receiver]}
services:
  worker:
    run: [python, -c, "import time; time.sleep(1000)"]
    scale: {queue: chores, polling: 1s, identity: scaler}
cases:
  granted:
    steps:
      - send: {queue: chores, text: work}
      - identity: {of: scaler, grant: Azure Service Bus Data Owner, on: chores}
      - scale: worker
        eventually: 20s
        expect: {replicas: 1}
  not_granted:
    steps:
      - send: {queue: chores, text: work}
      - scale: worker
        eventually: 3s
        expect: {replicas: 1}
"""


@pytest.fixture
def shards(project: Path) -> Path:
    (project / "shard.py").write_text(SHARD, encoding="utf-8")
    path = project / "scenarios" / "shards.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


@pytest.mark.skipif(bool(faketime.why_not()), reason=faketime.why_not() or "it works")
def test_executions_of_several_replicas_succeed_fail_and_come_by_the_clock(peeklock: Run, shards: Path) -> None:
    done = peeklock("run", str(shards))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed, 5 passed" in done.stdout


def test_a_rule_without_manage_sees_nothing_and_both_check_and_failure_say_why(peeklock: Run, project: Path) -> None:
    path = project / "scenarios" / "blind.yaml"
    path.write_text(BLIND, encoding="utf-8")
    why = "KEDA reads the queue chores with the access rule reader, which has Listen but not Manage: it sees nothing"
    done = peeklock("check", "scenarios/blind.yaml")
    assert done.returncode == 0
    assert f"warning: scenarios/blind.yaml:16:46: {why}" in done.stderr
    done = peeklock("run", "scenarios/blind.yaml")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert f"likely cause  {why}" in re.sub(" +", " ", done.stdout).replace("likely cause ", "likely cause  ")


def test_an_identity_needs_data_owner_to_see_a_queue(peeklock: Run, project: Path) -> None:
    path = project / "scenarios" / "identity.yaml"
    path.write_text(BY_IDENTITY, encoding="utf-8")
    why = "KEDA reads the queue chores as the identity scaler, which has Azure Service Bus Data Receiver on it but not Azure"
    done = peeklock("run", str(path))
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert f"likely cause  {why}" in re.sub(r"likely cause +", "likely cause  ", done.stdout)
    assert f"warning: scenarios/identity.yaml:8:51: {why}" in peeklock("check", "scenarios/identity.yaml").stderr


def test_a_plan_without_a_load_tells_triggers_and_due_times(peeklock: Run, shards: Path) -> None:
    done = peeklock("plan", str(shards))
    assert done.returncode == 0, done.stderr
    assert re.search(r"reindex +manual job of 3 +job: {start: reindex} +10", done.stdout)
    assert re.search(r"nightly +schedule job +0 2 \* \* \* +10 +(\w{3} \d{4}-\d\d-\d\d 02:00,? ?){3}", done.stdout)


def test_a_load_starts_no_job_that_looks_at_no_queue(peeklock: Run, shards: Path, project: Path) -> None:
    (project / "load.csv").write_text("0,1\n", encoding="utf-8")
    done = peeklock("plan", str(shards), "--load", "load.csv", "--service", "nightly")
    assert done.returncode == 2
    assert "nightly looks at no queue" in done.stderr


IN_CONTAINERS = """\
scenario: In containers
stack: {servicebus: {queues: {chores: {}}}}
services:
  reindex:
    image: peeklock/services
    run: [python, -c, "import os, sys; sys.exit(int(os.environ['CODE']))"]
    env: {CODE: 0}
    scale: {job: {trigger: manual, parallelism: 2, completion_count: 2, retries: 1}}
cases:
  both:
    allow: [no_service_exit]
    steps:
      - job: {start: reindex}
      - scale: reindex
        eventually: 30s
        expect: {running: 0, executions: [{status: succeeded, succeeded: 2, attempts: 2}]}
      - job: {start: reindex, env: {CODE: 3}}
      - scale: reindex
        eventually: 30s
        expect: {running: 0, executions: [{status: succeeded}, {status: failed, reason: {$contains: exited with code 3}}]}
"""


def test_replicas_are_containers_too(peeklock: Run, project: Path) -> None:
    engine_or_skip("peeklock/services")
    path = project / "scenarios" / "contained.yaml"
    path.write_text(IN_CONTAINERS, encoding="utf-8")
    done = peeklock("run", str(path), "--backend", "containers")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
