"""Production names that lead to an environment: no service needs another configuration than its own."""

__all__ = ["bundle", "variables"]
