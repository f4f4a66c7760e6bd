"""A container is swept away only when its owner has certainly ended."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from peeklock.stack.containers import ownership
from peeklock.supervision.process_tree import LINUX

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc")


def test_a_process_that_runs_is_alive_and_one_that_has_ended_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    label = ownership.owner(process.pid)
    assert ownership.dead(label) is False
    process.communicate()
    assert ownership.dead(label) is True


def test_another_process_with_the_same_pid_is_not_the_owner() -> None:
    boot, namespace, pid, started = ownership.owner(os.getpid()).split("/")
    assert ownership.dead(f"{boot}/{namespace}/{pid}/{int(started) - 1}") is True


def test_what_began_before_the_machine_did_is_dead() -> None:
    _, namespace, pid, started = ownership.owner(os.getpid()).split("/")
    assert ownership.dead(f"another-boot/{namespace}/{pid}/{started}") is True


def test_nobody_decides_over_a_process_that_cannot_be_seen_from_here() -> None:
    boot, _, pid, started = ownership.owner(os.getpid()).split("/")
    assert ownership.dead(f"{boot}/pid:[1]/{pid}/{started}") is None
    assert ownership.dead("") is None
