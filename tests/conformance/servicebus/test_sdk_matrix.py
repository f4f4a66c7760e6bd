"""The SDK suites hold for older versions of azure-servicebus too."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("sdk_matrix", Path(__file__).with_name("sdk_matrix.py"))
sdk_matrix = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(sdk_matrix)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif("PEEKLOCK_SDK_MATRIX" not in os.environ, reason="set PEEKLOCK_SDK_MATRIX=1: installs from PyPI")
@pytest.mark.parametrize("version", sdk_matrix.VERSIONS)
def test_older_sdk(version):
    """Part B: the SDKs before 7.15 need every field on the wire and get no answer to settled dispositions (S-43)."""
    assert sdk_matrix.run(version) == 0
