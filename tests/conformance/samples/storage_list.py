"""Azure's samples for Blob Storage and for identities, by name: what each must say, or why it cannot run here."""

from __future__ import annotations

from tests.conformance.samples.sample import Sample

_AZURITE = "{}, which Azurite has not implemented"
_PUBLIC = (
    "makes a container public, which the blob door refuses as accounts in Azure do by default: past it, at Azurite"
)
_KEY_VAULT = "needs a key vault"
_BROWSER = "asks somebody to sign in with a browser"
_DEFINES = "only defines credentials: nothing in it runs"

SAMPLES: dict[str, Sample] = {
    "blob_samples_authentication": Sample(
        cannot="reads the properties of the service by token: that takes Storage Account Contributor, no role on data"
    ),
    "blob_samples_batch_delete_blobs": Sample(),
    "blob_samples_client_side_encryption": Sample(),
    "blob_samples_client_side_encryption_keyvault": Sample(cannot=_KEY_VAULT),
    "blob_samples_common": Sample(cannot=_AZURITE.format("brings a deleted blob back (soft delete)")),
    "blob_samples_container_access_policy": Sample(
        says=("Created container has identifier read", "Blob Access Type: container", "has permissions 'rw'"),
        past_the_door=_PUBLIC,
    ),
    "blob_samples_containers": Sample(says=("myblob",), quiet="myblob"),
    "blob_samples_copy_blob": Sample(cannot="copies a picture from GitHub"),
    "blob_samples_enumerate_blobs": Sample(),
    "blob_samples_hello_world": Sample(),
    "blob_samples_network_activity_logging": Sample(says=("Response status: 200", "0 containers.")),
    "blob_samples_proxy_configuration": Sample(cannot="needs an HTTP proxy, which is written into its source"),
    "blob_samples_query": Sample(cannot=_AZURITE.format("queries the content of a blob")),
    "blob_samples_service": Sample(cannot="reads statistics from the account's secondary location, which is not there"),
    "blob_samples_walk_blob_hierarchy": Sample(),
    "control_interactive_prompts": Sample(cannot=_BROWSER),
    "credential_creation_code_snippets": Sample(cannot=_DEFINES),
    "custom_credentials": Sample(cannot=_DEFINES),
    "key_vault_cert": Sample(cannot=_KEY_VAULT),
    "on_behalf_of_client_assertion": Sample(cannot="acts on behalf of a user, with a token of the user's"),
    "user_authentication": Sample(cannot=_BROWSER),
}
"""By the name of the file; the one with `_async` behind it does the same."""
