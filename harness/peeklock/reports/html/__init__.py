"""The page of a run: `record` keeps each case as it ends, `page` makes one file of them for the viewer in `viewer/`."""

from __future__ import annotations
