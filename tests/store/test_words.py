"""The full-text index against a scan in Python; and that no text breaks its query."""

from __future__ import annotations

import json
import math
import os
import re
import sqlite3
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lookalike.store.migrations import MIGRATIONS, migrate
from lookalike.store.sqlite import FILE, SqliteStore
from lookalike.store.words import create_words, find_words, matching, put_words
from lookalike.testing.store import StoredImage

WORDS = ["red", "cat", "shoe", "night", "x1", "2024"]


def tokens(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def scan(documents: dict[int, str], query: str, without: str = "") -> list[tuple[int, float]]:
    """BM25 as FTS5 documents it, by loops over all documents; then s / (1 + s)."""
    parted = {row: tokens(text) for row, text in documents.items()}
    mean = sum(map(len, parted.values())) / len(parted)
    found = {}
    for row, words in parted.items():
        total = 0.0
        for word in dict.fromkeys(tokens(query)):
            having = sum(word in other for other in parted.values())
            often = words.count(word)
            if often:
                rarity = max(math.log((len(parted) - having + 0.5) / (having + 0.5)), 1e-6)
                total += rarity * often * 2.2 / (often + 1.2 * (1 - 0.75 + 0.75 * len(words) / mean))
        if total and not set(words) & set(tokens(without)):
            found[row] = max(total / (1 + total), 1e-6)
    return sorted(found.items(), key=lambda pair: (-round(pair[1], 12), pair[0]))


def fresh(records: Sequence[dict[str, Any]] = ()) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    create_words(db)
    put_words(db, records)
    return db


texts = st.lists(st.sampled_from(WORDS), max_size=6)


@settings(deadline=None, max_examples=80)
@given(
    ids=st.lists(texts, min_size=1, max_size=12),
    tags=st.lists(texts, min_size=12, max_size=12),
    query=st.lists(st.sampled_from([*WORDS, "absent"]), min_size=1, max_size=4),
    without=texts,
    joint=st.sampled_from(["_", "/", ".", "-", " "]),
)
def test_what_is_found_and_its_scores_are_those_of_a_scan(
    ids: list[list[str]], tags: list[list[str]], query: list[str], without: list[str], joint: str
) -> None:
    records, documents = [], {}
    for row, (parts, tagged) in enumerate(zip(ids, tags, strict=False), start=1):
        name = joint.join([*parts, f"n{row}"])
        metadata = {"tags": tagged[:2], "caption": " ".join(tagged[2:]), "seen": True, "none": None}
        records.append({"row": row, "id": name, "source": b"/a/" + name.encode(), "metadata": json.dumps(metadata)})
        # The name of the file is part of the id, unless a slash parts it; and then the id ends with it.
        documents[row] = " ".join([name, *tagged])
    db = fresh(records)
    found = find_words(db, joint.join(query).upper(), " ".join(without), None)
    expected = scan(documents, " ".join(query), " ".join(without))
    assert {row: pytest.approx(score, rel=1e-6) for row, score in expected} == dict(found)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert find_words(db, joint.join(query), " ".join(without), 2) == found[:2]
    db.close()


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=30) | st.text(string.punctuation + 'aANDORNOT "*^:-', max_size=20))
@example('"')
@example('a" OR "b')
@example("NEAR(a b)")
@example("name:a")
@example("a*")
@example("\0")
@example("\ud800 a")
@example("e\u0301")
def test_no_text_breaks_the_query(text: str) -> None:
    db = fresh([{"row": 1, "id": "only", "source": b"/only", "metadata": "{}"}])
    found = find_words(db, text, text, None) + find_words(db, text, "", None)
    assert [row for row, _ in found] in ([], [1])
    assert bool(find_words(db, f"only {text}", "", None))
    assert all(0 < score < 1 for _, score in found)
    db.close()


def test_case_and_accents_do_not_matter_and_syntax_is_words() -> None:
    facts = json.dumps({"title": "Café Straße", "year": 1999, "near": {"deep": ["AND", "naïve"]}})
    db = fresh([{"row": 7, "id": "a/Big_red-Shoe.v2.JPG", "source": b"/x/a/Big_red-Shoe.v2.JPG", "metadata": facts}])
    for query in ("cafe", "CAFE\u0301", "1999", "and", "NAIVE", "red", "shoe", "v2", "jpg", "a big zebra"):
        assert [row for row, _ in find_words(db, query, "", None)] == [7], query
    for query in ("title", "sho", "", "!?", "x", '"'):
        assert find_words(db, query, "", None) == [], query
    assert matching('red "shoe" red') == '"red" OR "shoe"'
    db.close()


def image(id: str, **metadata: Any) -> StoredImage:
    return StoredImage(id, f"/photos/{id}", metadata=metadata)


def rows_of(store: SqliteStore, words: str) -> list[int]:
    return sorted(row for row, _ in store.find_words(words))


def test_the_index_follows_what_is_put_and_removed(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "c", create=True) as store:
        first, second = store.put([image("cat.jpg", tag="old"), image("dog.jpg")], {}).tolist()
        store.put([image("cat.jpg", tag="new")], {})
        assert (rows_of(store, "old"), rows_of(store, "new"), rows_of(store, "jpg")) == ([], [first], [first, second])
        store.remove([first])
        assert (rows_of(store, "new"), rows_of(store, "cat jpg")) == ([], [second])
        with pytest.raises(ValueError, match="JSON"):
            store.put([image("bird.jpg"), image("x", bad={1, 2})], {})
        assert rows_of(store, "bird") == []


def test_a_transaction_that_fails_takes_its_words_back(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "c", create=True) as store:

        def half() -> None:
            with store._changing() as (db, _):
                put_words(db, [{"row": 5, "id": "ghost", "source": b"/ghost", "metadata": "{}"}])
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            half()
        assert rows_of(store, "ghost") == []


def test_names_that_are_not_utf8_are_found_by_the_rest(tmp_path: Path) -> None:
    source = os.fsdecode(b"/photos/red\xff shoe.jpg")
    with SqliteStore.open(tmp_path / "c", create=True) as store:
        (row,) = store.put([StoredImage("given", source, metadata={"of": "\udcff blue"})], {}).tolist()
        for words in ("given", "shoe", "blue"):
            assert rows_of(store, words) == [row]


def test_a_collection_of_the_first_format_is_indexed_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    db = sqlite3.connect(tmp_path / "c" / FILE, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    assert migrate(db, MIGRATIONS[:1]) == 1
    db.executemany(
        "INSERT INTO records VALUES (?, ?, ?, NULL, NULL, NULL, NULL, 0, 0, ?, 0, 0)",
        [(3, "a/cat.jpg", b"/x/a/cat.jpg", '{"tag":"caf\\u00e9"}'), (9, "dog", b"/x/b.png", "{}")],
    )
    db.close()
    with SqliteStore.open(tmp_path / "c") as store:
        assert (rows_of(store, "cat"), rows_of(store, "café"), rows_of(store, "png")) == ([3], [3], [9])
        store.remove([3])
        assert rows_of(store, "cat") == []


def test_readers_see_words_and_records_at_one_moment(tmp_path: Path) -> None:
    """What another process sees while words are being written is the state before."""
    with SqliteStore.open(tmp_path / "c", create=True) as store, SqliteStore.open(tmp_path / "c") as reader:
        store.put([image("cat.jpg")], {})
        with store._changing() as (db, _):
            put_words(db, [{"row": 5, "id": "later", "source": b"/later", "metadata": "{}"}])
            assert rows_of(reader, "later cat") == rows_of(reader, "cat") != []
