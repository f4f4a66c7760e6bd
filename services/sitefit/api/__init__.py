"""The HTTP API of Sitefit: takes jobs, and tells what became of them."""
