"""A small, named subset of the Kusto Query Language, for the queries of log alerts."""

from __future__ import annotations

from peeklock.alerts.kql.errors import KqlError
from peeklock.alerts.kql.query import Query, Tables, compile_query
from peeklock.alerts.kql.values import Columns, Row

__all__ = ["Columns", "KqlError", "Query", "Row", "Tables", "compile_query"]
