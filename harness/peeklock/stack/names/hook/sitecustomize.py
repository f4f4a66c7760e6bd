"""Loads the names where `PYTHONWARNINGS` was lost; then the `sitecustomize` that it hides."""

# No pathlib: it would cost every start of a service more than all of this
# ruff: noqa: PTH100, PTH120

import os

import peeklock_names  # type: ignore[import-not-found]

peeklock_names.next_sitecustomize(os.path.dirname(os.path.abspath(__file__)))
