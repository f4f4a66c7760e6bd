"""The client leaves no socket behind, however its connection fails."""

from __future__ import annotations

import gc
import socket
import threading
import warnings

import pytest

from peeklock.servicebus import Client, ServiceBusError

TEXT = "Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=k;SharedAccessKey=s;UseDevelopmentEmulator={plain}"


@pytest.mark.parametrize("plain", ["true", "false"])
@pytest.mark.parametrize("answer", [b"", b"nonsense, and no handshake"])
def test_a_handshake_that_fails_closes_its_socket(plain: str, answer: bytes) -> None:
    """The peer hangs up, or answers with what is none of it: an error, and no socket that is left for others to find."""
    with socket.create_server(("127.0.0.1", 0)) as listener, warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")

        def hang_up() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(answer)

        thread = threading.Thread(target=hang_up)
        thread.start()
        client = Client(TEXT.format(port=listener.getsockname()[1], plain=plain), timeout=5)
        with pytest.raises((OSError, ServiceBusError)):
            client.peek("q", 1)
        thread.join()
        client.close()
        gc.collect()
    assert not [str(warning.message) for warning in left if warning.category is ResourceWarning]
