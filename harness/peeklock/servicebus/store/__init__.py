"""What outlives the process: a namespace in one SQLite file (`file.Store`). Without one, everything is in memory."""

from .errors import StoreError

__all__ = ["StoreError"]
