#!/usr/bin/env python
"""Makes a thumbnail (well, its first bytes) of each picture that is announced."""

import json
import os
import sys

from azure.servicebus import ServiceBusClient
from azure.storage.blob import BlobServiceClient

BUS = os.environ.get("SERVICEBUS_CONN_STR")
STORAGE = os.environ.get("STORAGE_CONN_STR")
PICTURES = os.getenv("PICTURES_QUEUE", "pictures")
DONE = os.getenv("RESULT_QUEUE", "thumbnails")
SIZE = int(os.environ["THUMB_SIZE"])

if not BUS or not STORAGE:
    sys.exit("set SERVICEBUS_CONN_STR and STORAGE_CONN_STR")

blobs = BlobServiceClient.from_connection_string(STORAGE)
with ServiceBusClient.from_connection_string(BUS) as bus:
    sender = bus.get_queue_sender(DONE)
    receiver = bus.get_queue_receiver(PICTURES)
    with sender, receiver:
        for message in receiver:
            name = json.loads(str(message))["blob"]
            data = blobs.get_blob_client("pictures", name).download_blob().readall()
            blobs.get_blob_client("thumbs", name).upload_blob(data[:SIZE], overwrite=True)
            receiver.complete_message(message)
