"""Sitefit: where a house fits on its parcel, as a job behind a queue."""
