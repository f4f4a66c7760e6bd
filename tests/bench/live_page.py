"""What the live page costs, and how late it is: `python -m tests.bench.live_page [seconds]`.

200 messages a second go through a queue. Measured are the time from a message's enqueue to its row in the page, by the
browser's clock, and the broker's CPU time with and without the page.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from peeklock.servicebus import Client, OutgoingMessage
from tests.acceptance.browser import browser
from tests.acceptance.conftest import PEEKLOCK, environment

RATE = 200
_KEY = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
_WATCH = """() => { window.late = []; const seen = new Set();
new MutationObserver(() => { for (const link of document.querySelectorAll('.live-events a')) {
  const id = link.textContent; if (seen.has(id)) continue; seen.add(id);
  const sent = Number(id.split('@')[1]); if (sent) window.late.push(Date.now() - sent); } })
.observe(document.querySelector('#app'), {childList: true, subtree: true, characterData: true}); }"""


def cpu(pid: int) -> float:
    """CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pass_by(connection: str, seconds: float) -> None:
    """Send, receive and complete `RATE` messages a second."""
    tick = threading.Event()
    with Client(connection) as sender, Client(connection) as receiver:
        began = time.monotonic()
        for number in range(int(seconds * RATE)):
            tick.wait(max(0.0, began + number / RATE - time.monotonic()))
            sender.send("jobs", [OutgoingMessage(b'{"order": 7}', f"m{number}@{time.time() * 1000:.0f}")])
            for message in receiver.receive("jobs", 1, 1.0):
                receiver.complete(message)


def broker_share(pid: int, connection: str, seconds: float) -> float:
    """The broker's CPU time in percent of one core while messages go by."""
    before, began = cpu(pid), time.monotonic()
    pass_by(connection, seconds)
    return 100 * (cpu(pid) - before) / (time.monotonic() - began)


def main(seconds: float) -> None:
    """Measure in turns, so that both meet the same machine."""
    config = json.dumps({"namespaces": {"bench": {"queues": {"jobs": {}}}}})
    broker = subprocess.Popen(
        [PEEKLOCK, "servicebus", "--port", "0"],
        env=environment() | {"PEEKLOCK_SERVICEBUS_CONFIG": config},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert broker.stdout is not None
    port = json.loads(broker.stdout.readline())["amqp_port"]
    connection = f"Endpoint=sb://127.0.0.1:{port};{_KEY}"
    served = subprocess.Popen([PEEKLOCK, "ui", "--connection-string", connection], stdout=subprocess.PIPE, text=True)
    try:
        assert served.stdout is not None
        found = re.search(r"http://\S+", served.stdout.readline())
        assert found is not None
        with browser() as opened:
            pass_by(connection, 1)
            for turn in range(3):
                without = broker_share(broker.pid, connection, seconds)
                page = opened.new_page()
                page.goto(found[0])
                page.locator(".overview").wait_for()
                page.evaluate(_WATCH)
                shown = broker_share(broker.pid, connection, seconds)
                page.wait_for_timeout(500)
                late = sorted(page.evaluate("window.late"))
                page.close()
                print(
                    f"turn {turn + 1}: broker {without:.1f} % of a core without, {shown:.1f} % with the page; "
                    f"{len(late)} messages seen, ms after the send: "
                    f"p50 {late[len(late) // 2]}, p99 {late[len(late) * 99 // 100]}, max {late[-1]}"
                )
    finally:
        for process in (served, broker):
            process.send_signal(signal.SIGINT)
            process.wait(20)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
