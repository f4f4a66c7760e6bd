"""`path` on a system of two stages: queues, a model, a blob; and the same with a worker that does its work twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import Run

WORKER = '''\
"""Takes jobs, asks the model, stores the picture, hands on. TWICE makes it ask twice; the exporter only takes."""
import json, os, sys, urllib.request

import openai
from azure.identity import DefaultAzureCredential, get_bearer_token_provider
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

credential = DefaultAzureCredential()
bus = ServiceBusClient("contoso-sb.servicebus.windows.net", credential)
blobs = BlobServiceClient("https://contosoimages.blob.core.windows.net", credential)
token = get_bearer_token_provider(credential, "https://cognitiveservices.azure.com/.default")
source, target = sys.argv[1:] if len(sys.argv) > 2 else (sys.argv[1], None)
with bus.get_queue_receiver(source) as receiver:
    print(json.dumps({"event": "started"}), flush=True)
    for message in receiver:
        item = json.loads(str(message))["item"]
        if target:
            for _ in range(2 if os.environ.get("TWICE") else 1):
                said = [{"role": "user", "content": f"score {item}"}]
                model = openai.AzureOpenAI(api_version="2025-04-01-preview", azure_ad_token_provider=token)
                model.chat.completions.create(model="gpt", messages=said)
            bill = urllib.request.Request(os.environ["BILLS_URL"] + "/bills", b"{}", {"x-item": item})
            urllib.request.urlopen(bill).close()
            blobs.get_blob_client("results", f"{item}/web.png").upload_blob(b"picture", overwrite=True)
            with bus.get_queue_sender(target) as sender:
                sender.send_messages(ServiceBusMessage(json.dumps({"item": item}), message_id=item))
        print(json.dumps({"event": "done", "item": item}), flush=True)
        receiver.complete_message(message)
'''
SCENARIO = """\
scenario: One item through two stages
stack:
  blobs: {name: contosoimages, containers: [results]}
  servicebus: {name: contoso-sb, queues: {jobs: {}, exports: {}}}
  openai: {deployments: {gpt: {answers: {text: good}}}}
  http: {bills: {routes: [{post: /bills, respond: {status: 201}}]}}
  identities:
    worker: [Azure Service Bus Data Owner, Storage Blob Data Contributor, Cognitive Services OpenAI User]
    exporter: [Azure Service Bus Data Receiver]
services:
  worker: {run: [python, worker.py, jobs, exports], env: {TWICE: "TIMES", BILLS_URL: "${http.bills.url}"}, ready: {log: started}}
  exporter: {run: [python, worker.py, exports], ready: {log: started}}
cases:
  its_path:
    steps:
      - send: {queue: jobs, json: {item: "item-${index}"}, times: 12}
      - name: the way of item 1, each stage once
        path:
          id: item-1
          through:
            - {queue: jobs, from: test, to: worker}
            - {call: openai, from: worker, deployment: gpt}
            - {call: bills, method: POST, path: /bills, status: 201}
            - {blob: results/item-1/web.png, from: worker}
            - {queue: exports, from: worker, to: exporter}
        eventually: 20s
"""


@pytest.mark.parametrize("twice", ["", "yes"])
def test_the_way_of_one_item_among_many(peeklock: Run, project: Path, twice: str) -> None:
    """Item 1 is not item 10 or 11; what is done twice is told at once, with the item's own timeline."""
    (project / "worker.py").write_text(WORKER)
    (project / "scenarios" / "path.yaml").write_text(SCENARIO.replace("TIMES", twice))
    done = peeklock("run", "scenarios/path.yaml")
    if not twice:
        assert done.returncode == 0, done.stdout + done.stderr
        return
    assert done.returncode == 1, done.stdout + done.stderr
    assert "item-1: a stage is twice: worker → openai" in done.stdout
    assert "stopped early" in done.stdout
    assert "done item=item-1" in done.stdout
    assert "item-10" not in done.stdout
