"""Azure's samples for Blob Storage, as they are in the SDK's source distribution: led through the door by environment variables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from peeklock.servicebus.gateway.certificate_names import AZURE
from peeklock.servicebus.gateway.certificates import authority, folder
from peeklock.servicebus.managed_identity import IdentityEndpoint, ManagedIdentity
from peeklock.stack.names.bundle import write_bundle
from peeklock.stack.names.variables import name_variables
from tests.conformance.blobs.conftest import OUTER, OWNER, Door

VERSION = "12.31.1"


def samples() -> Path:
    """Return the folder of samples, downloaded when it is not there yet."""
    target = folder().parent / "storage-blob-samples" / VERSION
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as made:
            wanted = ("--no-binary", ":all:", "--no-deps", "--quiet", "--dest", made, f"azure-storage-blob=={VERSION}")
            subprocess.run([sys.executable, "-m", "pip", "download", *wanted], check=True)
            with tarfile.open(next(Path(made).glob("*.tar.gz"))) as archive:
                archive.extractall(made, filter="data")
            (Path(made) / f"azure_storage_blob-{VERSION}" / "samples").rename(target)
    return target


LEFT_OUT = {
    "blob_samples_authentication": "reads the properties of the service, which takes a role to manage the account",
    "blob_samples_client_side_encryption": "runs, and takes more than a minute, past the door as well",
    "blob_samples_client_side_encryption_keyvault": "needs a key vault",
    "blob_samples_common": "restores a deleted blob, which Azurite cannot",
    "blob_samples_container_access_policy": "opens a container to everybody, which is off by default, in Azure as here",
    "blob_samples_copy_blob": "copies from www.gutenberg.org",
    "blob_samples_proxy_configuration": "names a proxy in its source",
    "blob_samples_query": "queries a blob, which Azurite cannot",
}
RUN = {
    "blob_samples_batch_delete_blobs": "sync", "blob_samples_containers": "both",
    "blob_samples_enumerate_blobs": "both", "blob_samples_hello_world": "both",
    "blob_samples_network_activity_logging": "sync", "blob_samples_service": "both",
    "blob_samples_walk_blob_hierarchy": "both",
}  # fmt: skip
"""By name, and whether there is an asynchronous one."""
PROGRAMS = [*RUN, *(f"{name}_async" for name, ways in RUN.items() if ways == "both")]


@pytest.fixture
def variables(door: Door, owner: BlobServiceClient, tmp_path: Path) -> dict[str, str]:
    """What a sample is told: an empty account by its production name, its key, and an identity that owns it."""
    for container in owner.list_containers():
        owner.delete_container(container.name)
    door.issuer.serve(IdentityEndpoint("sample", ManagedIdentity("sample")))
    door.grant("sample", OWNER)
    foreign = ("AZURE_", "IDENTITY_", "MSI_", "PYTHON", "STORAGE_", "OAUTH_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    bundle = write_bundle(tmp_path, authority(AZURE).read_text(encoding="ascii"), kept)
    key, suffix = door.account.key, "blob.core.windows.net"
    connection = f"DefaultEndpointsProtocol=https;AccountName={OUTER};AccountKey={key};EndpointSuffix=core.windows.net"
    return {
        **kept,
        **name_variables({f"{OUTER}{copy}.{suffix}": door.door.port for copy in ("", "-secondary")}, bundle, kept),
        **door.issuer.environment("sample"),
        **dict.fromkeys(("STORAGE_CONNECTION_STRING", "STORAGE_CONNECTION_STRING_SOFT"), connection),
        **dict.fromkeys(("STORAGE_ACCOUNT_NAME", "OAUTH_STORAGE_ACCOUNT_NAME"), OUTER),
        "STORAGE_ACCOUNT_KEY": key,
    }


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_sample_runs_as_it_is(variables: dict[str, str], tmp_path: Path, name: str) -> None:
    work = Path(shutil.copytree(samples(), tmp_path / "samples"))
    (work / "SampleSource.txt").write_text("from the test")
    (work / "sample-blobs").mkdir()
    for number in range(3):
        (work / "sample-blobs" / f"{number}.txt").write_text("from the test")
    done = subprocess.run(
        [sys.executable, f"{name}.py"],
        cwd=work,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-2500:]


def test_every_sample_is_on_a_list() -> None:
    """Of those that run, or of those that are left out, with the reason."""
    found = {path.stem for path in samples().glob("*.py")} - {*PROGRAMS}
    assert {name.removesuffix("_async") for name in found} == {*LEFT_OUT}
