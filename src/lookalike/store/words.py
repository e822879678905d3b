"""The full-text index of a store: which words an image's id, file name and metadata have. SQLite's FTS5.

Words are runs of letters and digits, whatever their case and accents (tokenizer ``unicode61``): separators of paths,
underscores, dots and hyphens part them. A script that writes no spaces makes one word of a whole run.
"""

from __future__ import annotations

import json
import os
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["create_words", "find_words", "forget_words", "matching", "put_words"]

_FAINT = 1e-6  # the least score: a word that most images have tells nothing, yet it was found


def create_words(db: sqlite3.Connection) -> None:
    """Make the empty index; its rowids are the rows of the records."""
    db.execute("CREATE VIRTUAL TABLE words USING fts5 (name, facts, tokenize = 'unicode61 remove_diacritics 2')")


def put_words(db: sqlite3.Connection, records: Iterable[Mapping[str, Any]]) -> None:
    """Index records, in place of what there was of them; columns ``row``, ``id``, ``source``, ``metadata``."""
    db.executemany(
        "INSERT OR REPLACE INTO words (rowid, name, facts) VALUES (?, ?, ?)",
        ((new["row"], _name(new["id"], new["source"]), _facts(new["metadata"])) for new in records),
    )


def forget_words(db: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Take records out of the index."""
    db.executemany("DELETE FROM words WHERE rowid = ?", ((row,) for row in rows))


def find_words(db: sqlite3.Connection, words: str, without: str, limit: int | None) -> list[tuple[int, float]]:
    """Return (row, score) of the records that have any of the words and none of ``without``, best first.

    The score is s / (1 + s) of the BM25 s that FTS5 computes (k1 = 1.2, b = 0.75; Robertson and Zaragoza 2009, with an
    inverse document frequency of at least 1e-6), and at least 1e-6; so in (0, 1). Equal ones by lower row.
    """
    wanted, unwanted = matching(words), matching(without)
    if not wanted:
        return []
    match = f"({wanted}) NOT ({unwanted})" if unwanted else wanted
    found = db.execute(
        "SELECT rowid, -bm25(words) AS s FROM words WHERE words MATCH ? ORDER BY s DESC, rowid LIMIT ?",
        (match, -1 if limit is None else limit),
    ).fetchall()
    return [(row, max(s / (1 + s), _FAINT)) for row, s in found]


def matching(text: str) -> str:
    """Return the FTS5 query for any of the words of a text: each quoted, so that none is taken for syntax; or ""."""
    # Marks belong to the letter before them; what is no letter, digit or mark parts words, as the tokenizer has it.
    parted = "".join(letter if _in_word(letter) else " " for letter in text)
    return " OR ".join(f'"{word}"' for word in dict.fromkeys(parted.split()))


def _in_word(letter: str) -> bool:
    kind = unicodedata.category(letter)
    return kind[0] in "LNM" or kind == "Co"


def _name(id: str, source: bytes) -> str:
    name = os.fsdecode(source).rstrip("/").rsplit("/", 1)[-1]
    return _storable(id if id.endswith(name) else f"{id} {name}")


def _facts(metadata: str) -> str:
    return _storable("\n".join(_texts(json.loads(metadata))))


def _texts(value: Any) -> Iterator[str]:
    """Yield what can be read in JSON values: texts and numbers, not the names they stand under."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, (int, float)):
        yield str(value)
    else:
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _storable(text: str) -> str:
    """Return the text without what SQLite cannot hold: lone surrogates, of file names that are not UTF-8, and NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
