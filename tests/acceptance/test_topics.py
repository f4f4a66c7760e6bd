"""A scenario about topics: rules route, actions change, and the history tells it, without any service."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.conftest import Run

SCENARIO = """\
scenario: Orders
stack:
  servicebus:
    queues: {audit: }
    topics:
      orders:
        duplicate_detection_window: 10m
        subscriptions:
          all:
          large: {rules: {large: {sql: "quantity > 10"}}}
          prague: {rules: {city: {correlation: {properties: {city: Prague}}}}}
          none: {rules: {never: false}}
          audited: {forward_to: audit}
cases:
  routed:
    steps:
      - send: {topic: orders, message_id: small, json: {n: 1}, properties: {quantity: 1, city: Prague}}
      - send: {topic: orders, message_id: large, json: {n: 2}, properties: {quantity: 50}}
      - send: {topic: orders, message_id: large, json: {n: 2}, properties: {quantity: 50}}
      - name: every message
        messages: {queue: orders/Subscriptions/all}
        expect: {count: 2, unordered: [{message_id: small}, {message_id: large}]}
      - messages: {queue: orders/Subscriptions/large}
        expect: {count: 1, each: {message_id: large, body: {n: 2}}}
      - messages: {queue: orders/Subscriptions/prague}
        expect: {count: 1, each: {message_id: small}}
      - messages: {queue: orders/Subscriptions/none}
        expect: {count: 0}
      - name: forwarded
        messages: {queue: audit}
        expect: {count: 2}
      - queue: orders/Subscriptions/all
        expect: {active: 2, dead_letter: 0}
"""


def test_topics_from_the_scenario_to_the_history(peeklock: Run, project: Path) -> None:
    (project / "scenarios" / "orders.yaml").write_text(SCENARIO, encoding="utf-8")
    done = peeklock("run", "scenarios/orders.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_bad_rule_is_told_before_anything_starts(peeklock: Run, project: Path) -> None:
    text = SCENARIO.replace('{sql: "quantity > 10"}', "{}").replace(
        "topic: orders, message_id: small", "topic: order, message_id: small"
    )
    (project / "scenarios" / "orders.yaml").write_text(text, encoding="utf-8")
    done = peeklock("check", "scenarios/orders.yaml")
    assert done.returncode == 2
    assert "say exactly one of sql or correlation" in done.stderr
    (project / "scenarios" / "orders.yaml").write_text(
        SCENARIO.replace("topic: orders, message_id: small", "topic: order, message_id: small"), encoding="utf-8"
    )
    done = peeklock("check", "scenarios/orders.yaml")
    assert 'there is no topic "order"' in done.stderr
    assert 'did you mean "orders"?' in done.stderr


def test_a_filter_that_is_no_sql_is_told_with_its_place(peeklock: Run, project: Path) -> None:
    (project / "scenarios" / "orders.yaml").write_text(
        SCENARIO.replace("quantity > 10", "quantity >> 10"), encoding="utf-8"
    )
    done = peeklock("check", "scenarios/orders.yaml")
    assert done.returncode == 2, done.stdout
    assert "scenarios/orders.yaml:10:40" in done.stderr
    assert "^" in done.stderr
