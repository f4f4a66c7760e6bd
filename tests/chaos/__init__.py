"""`make chaos`: kills, hostile peers, evil services and spoilt files, for ten minutes; what was lost, doubled or left is told."""
