"""The emulator as a process, for tests: started, asked over its control API, killed at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager

TOKEN = "a-control-token"


@contextmanager
def process(*arguments, token=TOKEN, **more):
    environment = {**os.environ, "PEEKLOCK_CONTROL_TOKEN": token, **more}
    child = subprocess.Popen(
        [sys.executable, "-m", "peeklock.servicebus", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child, json.loads(child.stdout.readline())
    finally:
        child.kill()
        child.communicate()


def call(port, method, path, body=None, token=TOKEN):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, method=method)
    request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def text(port, rule="RootManageSharedAccessKey", key="SAS_KEY_VALUE"):
    return (
        f"Endpoint=sb://localhost:{port};SharedAccessKeyName={rule};SharedAccessKey={key};UseDevelopmentEmulator=true;"
    )
