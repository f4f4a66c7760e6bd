"""What shows the metrics of all that stands: a configuration for Prometheus and a dashboard for Grafana."""

from __future__ import annotations

import json
from typing import Any

_OF = "peeklock_servicebus_"
_WHERE = 'environment=~"$environment"'
_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 3


def _messages(state: str) -> str:
    return f'sum by (environment, entity) ({_OF}messages{{state="{state}", {_WHERE}}})'


def _rate(operation: str, by: str = "environment, entity") -> str:
    return f'60 * sum by ({by}) (rate({_OF}operations_total{{operation=~"{operation}", {_WHERE}}}[1m]))'


_ENTITY = "{{environment}} {{entity}}"
PANELS = (
    ("Active messages", _messages("active"), _ENTITY, "short"),
    ("Dead letters", _messages("dead_letter"), _ENTITY, "short"),
    ("Locked messages", _messages("locked"), _ENTITY, "short"),
    ("Scheduled messages", _messages("scheduled"), _ENTITY, "short"),
    ("Sent, a minute", _rate("enqueued"), _ENTITY, "short"),
    ("Completed, a minute", _rate("completed"), _ENTITY, "short"),
    ("Dead-lettered, a minute", _rate("dead_lettered"), _ENTITY, "short"),
    (
        "Success rate",
        f"100 * {_rate('completed', 'environment')} / {_rate('completed|abandoned|dead_lettered', 'environment')}",
        "{{environment}}",
        "percent",
    ),
    (
        "Refused, a minute",
        f"60 * sum by (environment, condition) (rate({_OF}errors_total{{{_WHERE}}}[1m]))",
        "{{environment}} {{condition}}",
        "short",
    ),
    ("Size", f"sum by (environment, entity) ({_OF}size_bytes{{{_WHERE}}})", _ENTITY, "bytes"),
    (
        "Connections",
        f"sum by (environment, protocol) ({_OF}connections{{{_WHERE}}})",
        "{{environment}} {{protocol}}",
        "short",
    ),
    ("Whoever tells its metrics", f"peeklock_target_up{{{_WHERE}}}", "{{environment}} {{service}}", "short"),
)
"""Title, query, legend and unit of each."""


def prometheus_configuration(port: int) -> str:
    """Return `prometheus.yml` for a page of metrics on a port of this machine."""
    return (
        "global: {scrape_interval: 2s, scrape_timeout: 2s}\n"
        "scrape_configs:\n"
        "  - job_name: peeklock\n"
        "    honor_labels: true\n"
        f'    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]\n'
    )


def grafana_dashboard() -> str:
    """Return the dashboard as Grafana imports it."""
    source = {"type": "prometheus", "uid": "${datasource}"}
    panels = [
        {
            "id": number + 1,
            "type": "timeseries",
            "title": title,
            "datasource": source,
            "gridPos": {
                "h": _HEIGHT,
                "w": _WIDTH,
                "x": number % _COLUMNS * _WIDTH,
                "y": number // _COLUMNS * _HEIGHT,
            },
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "targets": [{"refId": "A", "datasource": source, "expr": query, "legendFormat": legend}],
        }
        for number, (title, query, legend, unit) in enumerate(PANELS)
    ]
    environment = {
        "name": "environment",
        "type": "query",
        "datasource": source,
        "query": "label_values(peeklock_target_up, environment)",
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }
    dashboard: dict[str, Any] = {
        "uid": "peeklock",
        "title": "Peeklock",
        "tags": ["peeklock"],
        "schemaVersion": 39,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}, environment],
        },
        "panels": panels,
    }
    return json.dumps(dashboard, indent=2) + "\n"
