"""Puts a blob into an account, and asks a model, that it knows by their production names only: sync and async, by key and SAS."""

import asyncio
import json
import os
import re
import sys
from datetime import UTC, datetime, timedelta

import httpx
from azure.storage.blob import BlobClient, BlobServiceClient, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient as AsyncClient

account, resource, text = sys.argv[1:]
key = re.search("AccountKey=([^;]+)", os.environ["AZURE_STORAGE_CONNECTION_STRING"])[1]
production = f"DefaultEndpointsProtocol=https;AccountName={account};AccountKey={key};EndpointSuffix=core.windows.net"


async def put():
    async with AsyncClient.from_connection_string(production) as service:
        await service.get_blob_client("images", "async").upload_blob(text)


with BlobServiceClient.from_connection_string(production) as service:
    service.get_blob_client("images", "sync").upload_blob(text)
asyncio.run(put())
sas = generate_blob_sas(
    account, "images", "async", account_key=key, permission="r", expiry=datetime.now(UTC) + timedelta(hours=1)
)
with BlobClient.from_blob_url(f"https://{account}.blob.core.windows.net/images/async?{sas}") as blob:
    assert blob.download_blob().readall().decode() == text
for domain in ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"):
    url = f"https://{resource}.{domain}/openai/v1/chat/completions"
    body = {"model": "gpt", "messages": [{"role": "user", "content": "hello"}]}
    answer = httpx.post(url, json=body, headers={"api-key": os.environ["AZURE_OPENAI_API_KEY"]}).json()
    assert answer["choices"][0]["message"]["content"] == "good day", answer
print(json.dumps({"event": "sent"}), flush=True)
