"""An endpoint as Azure ML would serve it, with a model that only mirrors pictures: for desks, and for tests."""
