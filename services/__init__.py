"""The systems under test, written as their owners would run them; they know nothing of the harness."""
