"""The worker of Sitefit: takes jobs off the queue, has them solved, and keeps what came out."""
