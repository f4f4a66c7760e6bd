"""The worker of DefectIQ: has pictures looked at, and leaves one artifact for each."""
