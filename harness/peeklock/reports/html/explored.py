"""The page of an exploration: moments × disturbances, each with how the system ended. One file, which runs and loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from peeklock.explore.events import REPEATED, Explored, Finding, Recorded, Tried
from peeklock.explore.report import accepting, headline
from peeklock.scenario.errors import shorten

_MEANING = {
    "same": "ends as undisturbed",
    "lost": "a row, blob, message or request is missing",
    "doubled": "one is there more often",
    "different": "one has other values, or stands with the wrong ids",
    "flaky": "came out otherwise when it was repeated",
    "could not": "says nothing of the system",
    "not tried": "there was no time for it",
}
_MARKS = {"same": "✓", "lost": "−", "doubled": "×2", "different": "≠", "flaky": "~", "could not": "?", "not tried": "·"}
_STYLE = """
:root { color-scheme: light dark; --text: #1b2026; --muted: #59636e; --line: #d5dbe1; --back: #fff; --bad: #fbd9d5;
  --bad-text: #7d130d; --unsure: #fdf0cd; --unsure-text: #5c4300; --good: #e3f4ea; --good-text: #0d5230; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e9ef; --muted: #9aa6b4; --line: #2b333e; --back: #12161c;
  --bad: #5a211d; --bad-text: #ffe3e0; --unsure: #3a2f14; --unsure-text: #f7dfa0; --good: #16352a; --good-text: #b9ecd0; } }
body { margin: 0; padding: 24px; font: 14px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back); }
h1 { font-size: 18px; margin: 0 0 4px; } h2 { font-size: 15px; margin: 28px 0 8px; } p { margin: 4px 0; }
.muted { color: var(--muted); } code { font: 13px ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; } td, th { border: 1px solid var(--line); padding: 4px 8px; }
th { text-align: left; font-weight: 600; } tbody th { font: 13px ui-monospace, Menlo, Consolas, monospace; }
td.cell { text-align: center; white-space: nowrap; } td.cell a { color: inherit; }
.same { background: var(--good); color: var(--good-text); } .lost, .doubled, .different { background: var(--bad);
  color: var(--bad-text); font-weight: 600; } .could-not, .flaky { background: var(--unsure); color: var(--unsure-text); }
li { margin: 6px 0; } ul { padding-left: 20px; } dl { display: grid; grid-template-columns: max-content auto; gap: 2px 12px; }
dd { margin: 0; }
"""


def write_matrix(path: Path, case: str, explored: Explored, seed: int) -> Path:
    """Write the page of what is known by now; return its path. Raises `OSError`."""
    assert explored.recorded is not None
    policy = f"default-src 'none'; style-src '{_digest(_STYLE)}'; base-uri 'none'; form-action 'none'"
    text = "".join(
        [
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(case)} explored</title>\n<style>{_STYLE}</style>\n",
            *_body(case, explored, explored.recorded, seed),
            "</html>\n",
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _body(case: str, explored: Explored, recorded: Recorded, seed: int) -> Iterator[str]:
    flaky = {each.trial.signature for each in explored.findings if each.flaky}
    words = {each.disturbance.text: _word(each, flaky) for each in explored.tried}
    same = sum(word == "same" for word in words.values())
    yield f"<h1>{escape(case)}</h1>\n"
    sure = sum(not each.flaky for each in explored.findings)
    counts = f"{same} of {len(explored.tried)} the same as undisturbed · {sure} finding{'' if sure == 1 else 's'}"
    left = f" · {explored.left} not tried" if explored.left else ""
    yield f'<p class="muted">{counts}{left} · {explored.seconds:.0f} s · seed {seed}</p>\n'
    yield from _matrix(recorded, words)
    yield from _findings(explored.findings)
    yield from _pairs(explored.tried, words)
    yield from _silent(explored, recorded)


def _matrix(recorded: Recorded, words: Mapping[str, str]) -> Iterator[str]:
    kinds = list(dict.fromkeys(each.kinds[0] for each in recorded.disturbances))
    at = {(each.moments, each.kinds): each for each in recorded.disturbances}
    yield '<h2>Moments and what went wrong at them</h2>\n<div class="wide"><table>\n<thead><tr><th scope="col">moment</th>'
    yield "".join(f'<th scope="col">{escape(kind.replace("_", " "))}</th>' for kind in kinds)
    yield "</tr></thead>\n<tbody>\n"
    for moment in recorded.moments:
        yield f'<tr><th scope="row">{escape(str(moment))}</th>'
        for kind in kinds:
            found = at.get(((str(moment),), (kind,)))
            if found is None:
                yield "<td></td>"
            else:
                word = words.get(found.text, "not tried")
                yield f'<td class="cell {word.replace(" ", "-")}" title="{escape(found.text)}">{_MARKS[word]} {word}</td>'
        yield "</tr>\n"
    yield "</tbody></table></div>\n<dl>"
    yield "".join(f"<dt>{_MARKS[word]} {word}</dt><dd>{meaning}</dd>" for word, meaning in _MEANING.items())
    yield "</dl>\n"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    yield "<h2>Findings</h2>\n"
    if not findings:
        yield "<p>None.</p>\n"
        return
    yield "<ul>\n"
    for each in findings:
        word = "flaky" if each.flaky else headline(each.trial.differences).lower()
        yield f"<li><strong>{_MARKS[word]} {word}</strong> {escape(each.disturbance.text)}"
        yield "".join(f"<br><code>{escape(str(one))}</code>" for one in each.trial.differences)
        yield f'<br><span class="muted">came out so {each.repeated} of {REPEATED} times'
        if each.file is not None:
            yield f"; written: <code>{escape(shorten(each.file))}</code>"
        if accepted := accepting(each.trial.differences):
            yield f"; if it may be so: <code>{escape(accepted)}</code>"
        yield "</span></li>\n"
    yield "</ul>\n"


def _pairs(tried: Sequence[Tried], words: Mapping[str, str]) -> Iterator[str]:
    pairs = [each for each in tried if len(each.disturbance.kinds) > 1]
    if pairs:
        wrong = [each for each in pairs if words[each.disturbance.text] != "same"]
        yield f"<h2>Two at a time</h2>\n<p>{len(pairs)} pairs of what was borne alone.</p>\n<ul>"
        for each in wrong:
            word = words[each.disturbance.text]
            yield f"<li>{_MARKS[word]} {word}: {escape(each.disturbance.text)}</li>\n"
        yield "</ul>\n"


def _silent(explored: Explored, recorded: Recorded) -> Iterator[str]:
    yield "<h2>What nothing is said of</h2>\n<ul>\n"
    for place in recorded.unsteady:
        yield f"<li>{escape(place)}: undisturbed runs leave it behind in different ways</li>\n"
    for what in recorded.untried:
        yield f"<li>not tried: {escape(what)}</li>\n"
    for each in explored.tried:
        if each.trial.verdict in ("not_reached", "could_not"):
            why = "its moment did not come again" if each.trial.verdict == "not_reached" else each.trial.reason
            yield f"<li>{escape(each.disturbance.text)}: {escape(why)}</li>\n"
    yield "</ul>\n"


def _word(tried: Tried, flaky: set[str]) -> str:
    trial = tried.trial
    if trial.verdict == "different":
        return "flaky" if trial.signature in flaky else headline(trial.differences).lower()
    return "same" if trial.verdict == "same" else "could not"


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
