"""The SDK's own live tests, unpatched, against the emulator."""
