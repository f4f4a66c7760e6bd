"""What an SQL text does, in a few words: verbs and the names of tables. No value, literal or comment is ever part of it.

A lexer, no parser: it meets texts that are cut off, and none may keep a connection waiting.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["begin", "commit", "rollback", "other"]

_TOKEN = re.compile(
    r"""
      (?P<space> \s+ | --[^\n]* )
    | (?P<comment> /\* )
    | (?P<string> [eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*(?:'|\Z)
                | (?:[uU]&|[bBxXnN])?'[^']*(?:''[^']*)*(?:'|\Z)
                | \$(?P<tag>(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?)\$(?:.*?\$(?P=tag)\$|.*\Z) )
    | (?P<quoted> "[^"]*(?:""[^"]*)*(?:"|\Z) )
    | (?P<word> [A-Za-z_\x80-\uffff][\w$\x80-\uffff]* )
    | (?P<number> [\d$][\w.]* )
    | (?P<mark> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_PART = re.compile(r"/\*|\*/")
_MODIFIERS = frozenset(
    [
        "OR",
        "REPLACE",
        "UNIQUE",
        "MATERIALIZED",
        "UNLOGGED",
        "GLOBAL",
        "LOCAL",
        "TRUSTED",
        "PROCEDURAL",
        "CONCURRENTLY",
        "IF",
        "NOT",
        "EXISTS",
        "ONLY",
        "CONSTRAINT",
        "DEFAULT",
        "RECURSIVE",
    ]
)
_TWO_WORDS = frozenset({("EVENT", "TRIGGER"), ("FOREIGN", "TABLE"), ("TEXT", "SEARCH"), ("ACCESS", "METHOD")})
_MAKING = frozenset({"CREATE", "ALTER", "DROP"})
_WRITING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "WITH"})
_BY_NAME = frozenset({"TRUNCATE", "CALL", "NOTIFY", "REFRESH"})
_BARE = frozenset({"DO", "GRANT", "REVOKE"})
_NO_UPDATE_AFTER = frozenset({"FOR", "KEY", "DO", "ON", "THEN"})
"""Before the word UPDATE: then it is no statement of its own."""
_MOST_TABLES = 4


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement."""

    text: str
    """Verb and tables: `SELECT job, result`, `INSERT orders`, `BEGIN`."""
    changes: tuple[str, ...] = ()
    """What it changes if it is carried out: `INSERT orders`."""
    kind: Kind = "other"
    chained: bool = False
    """Another transaction begins at its end (`COMMIT AND CHAIN`)."""


class _Word(NamedTuple):
    text: str
    """A keyword in capitals, or a mark."""
    name: str
    """As Postgres understands it as a name; empty for a mark."""


@functools.lru_cache(maxsize=512)
def read_statements(text: str) -> tuple[Statement, ...]:
    """Return the statements of a text in order; what is empty is none."""
    return tuple(_statement(words) for words in _split(_words(text)) if words)


def _words(text: str) -> Iterator[_Word]:
    for found in _TOKEN.finditer(text if "/*" not in text else _without_comments(text)):
        match found.lastgroup:
            case "word":
                yield _Word(found[0].upper(), found[0].lower())
            case "mark":
                yield _Word(found[0], "")
            case "quoted":
                yield _Word("", found[0].strip('"').replace('""', '"'))


def _without_comments(text: str) -> str:
    kept: list[str] = []
    at = start = 0
    while at < len(text) and (found := _TOKEN.match(text, at)) is not None:
        at = found.end()
        if found.lastgroup == "comment":
            kept.append(text[start : found.start()])
            start = at = _after_comment(text, at)
    return " ".join([*kept, text[start:]])


def _after_comment(text: str, at: int) -> int:
    """Return where a comment ends that began before `at`; they nest."""
    depth = 1
    for found in _COMMENT_PART.finditer(text, at):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return found.end()
    return len(text)


def _split(words: Iterator[_Word]) -> Iterator[list[_Word]]:
    found: list[_Word] = []
    atomic = False
    for word in words:
        if word.text == ";" and not atomic:
            yield found
            found = []
            continue
        # the body of a function has statements of its own, and its END ends no transaction
        atomic = atomic or (
            word.text == "ATOMIC" and bool(found) and found[-1].text == "BEGIN" and found[0].text == "CREATE"
        )
        found.append(word)
    yield found


def _statement(words: Sequence[_Word]) -> Statement:
    texts = [word.text for word in words]
    verb = next((text for text in texts if text != "("), "")
    chained = "CHAIN" in texts and "NO" not in texts
    match verb:
        case "BEGIN":
            return Statement("BEGIN", kind="begin")
        case "START" if "TRANSACTION" in texts:
            return Statement("BEGIN", kind="begin")
        case "COMMIT" if "PREPARED" in texts:
            return Statement("COMMIT PREPARED", ("COMMIT PREPARED",))
        case "COMMIT" | "END":
            return Statement("COMMIT", kind="commit", chained=chained)
        case "PREPARE" if texts[1:2] == ["TRANSACTION"]:
            return Statement("PREPARE TRANSACTION", kind="commit")
        case "ROLLBACK" if "PREPARED" in texts or "TO" in texts:
            return Statement("ROLLBACK PREPARED" if "PREPARED" in texts else "ROLLBACK TO")
        case "ROLLBACK" | "ABORT":
            return Statement("ROLLBACK", kind="rollback", chained=chained)
        case _:
            return _work(verb, words, texts)


def _work(verb: str, words: Sequence[_Word], texts: Sequence[str]) -> Statement:
    if verb in _WRITING:
        changes = tuple(dict.fromkeys(_written(words, texts)))
        if changes:
            return Statement(" + ".join(changes), changes)
    elif verb in _MAKING:
        return _made(verb, words)
    elif verb == "COPY":
        table = _name(words, 1)
        told = f"COPY {table}".strip()
        return Statement(told, (told,) if table and "FROM" in texts else ())
    elif verb in _BY_NAME:
        table = _name(words, _past(texts, 1, {"TABLE", "ONLY", "MATERIALIZED", "VIEW", "CONCURRENTLY"}))
        told = f"{verb} {table}".strip()
        return Statement(told, (told,))
    elif verb in _BARE:
        return Statement(verb, (verb,))
    tables = dict.fromkeys(_read(words, texts))
    shown = ", ".join([*tables][:_MOST_TABLES]) + (", …" if len(tables) > _MOST_TABLES else "")
    return Statement(f"{'SELECT' if verb == 'WITH' else verb} {shown}".strip())


def _written(words: Sequence[_Word], texts: Sequence[str]) -> Iterator[str]:
    """Yield what is changed, in whichever part of a statement."""
    for at, text in enumerate(texts):
        after = texts[at + 1] if at + 1 < len(texts) else ""
        before = texts[at - 1] if at else ""
        if (text in ("INSERT", "MERGE") and after == "INTO") or (text == "DELETE" and after == "FROM"):
            table = _name(words, _past(texts, at + 2, {"ONLY"}))
        elif text == "UPDATE" and before not in _NO_UPDATE_AFTER:
            table = _name(words, _past(texts, at + 1, {"ONLY"}))
        else:
            continue
        if table:
            yield f"{text} {table}"


def _made(verb: str, words: Sequence[_Word]) -> Statement:
    """Return what a statement makes, alters or drops."""
    texts = [word.text for word in words]
    at = _past(texts, 1, _MODIFIERS)
    if at < len(texts) and texts[at] in ("TEMP", "TEMPORARY"):  # nobody else sees it
        return Statement(f"{verb} TEMPORARY")
    thing = texts[at] if at < len(texts) else ""
    at += 1
    if at < len(texts) and (thing, texts[at]) in _TWO_WORDS:
        thing, at = f"{thing} {texts[at]}", at + 1
    name = _name(words, _past(texts, at, _MODIFIERS))
    told = f"{verb} {thing} {'' if name == 'on' else name}".strip()
    return Statement(told, (told,))


def _read(words: Sequence[_Word], texts: Sequence[str]) -> Iterator[str]:
    """Yield the tables after FROM and JOIN."""
    for at, text in enumerate(texts):
        no_table = text == "FROM" and ("EXTRACT" in texts[max(0, at - 3) : at] or texts[at - 1] == "DISTINCT")
        if text in ("FROM", "JOIN") and not no_table:
            table = _name(words, _past(texts, at + 1, {"ONLY", "LATERAL"}))
            if table and table not in ("select", "unnest", "generate_series"):
                yield table


def _past(texts: Sequence[str], at: int, skipped: frozenset[str] | set[str]) -> int:
    while at < len(texts) and texts[at] in skipped:
        at += 1
    return at


def _name(words: Sequence[_Word], at: int) -> str:
    """Return the name at a place, with its schema unless that is `public`; empty where there is none."""
    parts: list[str] = []
    while at < len(words) and words[at].name:
        parts.append(words[at].name)
        if at + 1 >= len(words) or words[at + 1].text != ".":
            break
        at += 2
    if len(parts) > 1 and parts[0] == "public":
        del parts[0]
    return ".".join(parts)
