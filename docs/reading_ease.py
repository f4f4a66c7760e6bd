"""How easily the pages read, by Flesch's reading ease: `make docs` prints it. 60 to 70 is plain English, above is easier.

R. Flesch, A new readability yardstick, Journal of Applied Psychology 32 (1948). Syllables are where words can be hyphenated.
"""

from __future__ import annotations

import re
from pathlib import Path

import pyphen

DOCS = Path(__file__).parent
_NOT_PROSE = re.compile(r"^ *```(?s:.*?)^ *```|^ *\|.*$|^#.*$", re.MULTILINE)
_MARKS = re.compile(r"`[^`\n]*`|\]\([^)]*\)|[\[*_]|^ *(?:-|\d+\.) ", re.MULTILINE)
_SENTENCE_ENDS = re.compile(r"[.!?:](?=\s)|\n\s*\n")
_HYPHENS = pyphen.Pyphen(lang="en_US", left=1, right=1)


def prose(page: Path) -> str:
    """Return the sentences of a page: no code, no tables, no headings, no marks; code within a line reads as one short word."""
    text = _NOT_PROSE.sub("", page.read_text(encoding="utf-8"))
    return _MARKS.sub(lambda found: "it" if found[0].startswith("`") else "", text)


def ease(text: str) -> float:
    """Return Flesch's reading ease of a text in English."""
    sentences = [re.findall(r"[A-Za-z][A-Za-z'’-]*", sentence) for sentence in _SENTENCE_ENDS.split(text)]
    sentences = [words for words in sentences if words]
    words = [word for sentence in sentences for word in sentence]
    syllables = sum(len(_HYPHENS.positions(word)) + 1 for word in words)
    return 206.835 - 1.015 * len(words) / len(sentences) - 84.6 * syllables / len(words)


def main() -> None:
    """Print a line for each page, the hardest first, and one for all of them."""
    pages = [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))]
    for found, name in sorted((ease(prose(page)), page.name) for page in pages):
        print(f"{found:6.1f}  {name}")
    print(f"{ease(' '.join(map(prose, pages))):6.1f}  all pages")


if __name__ == "__main__":
    main()
