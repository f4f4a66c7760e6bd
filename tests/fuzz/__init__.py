"""Hostile input for the emulator: `make fuzz`, and a short run of it among the tests."""
