"""Conditions on metadata, against cases worked out by hand and plain loops over the records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lookalike
from lookalike.collection import Collection
from lookalike.collection.where import Condition, Filter, Op, number_of, parse_condition, tags_of, understand_where
from lookalike.errors import BadInput
from pictures import picture

FACTS: list[dict[str, Any]] = [
    {"price": 19.5, "brand": "acme", "tags": ["red", "blue"], "größe": "M"},
    {"price": "20", "brand": "Acme", "tags": "red; green", "größe": "S"},
    {"price": 20, "brand": "acme", "tags": [], "sold": True},
    {"price": "cheap", "brand": "bolt", "tags": "darkred", "sold": False},
    {"price": None, "brand": "007", "made": "2024-01-31"},
    {"brand": 7, "made": "2023-12-01", "tags": [1, {"deep": "red"}], 'a"b': "\ud800é"},
]


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    with lookalike.open(tmp_path / "c") as made:
        made.add_images(
            [picture(n) for n in range(len(FACTS))], ids=[str(n) for n in range(len(FACTS))], metadata=FACTS
        )
        yield made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price<20", {"0"}),
        ("price <= 20", {"0", "1", "2"}),  # "20" reads as a number, "cheap" does not
        ("price>19.5", {"1", "2"}),
        ("price=20.0", {"1", "2"}),
        ("price!=20", {"0", "3", "4", "5"}),  # also what has no price
        ("price missing", {"4", "5"}),  # null is no value
        ("brand=acme", {"0", "2"}),  # case matters
        ("brand==bolt", {"3"}),
        ("brand=7", {"5"}),  # 007 is a text
        ("brand=007", {"4"}),
        ("brand in acme, bolt", {"0", "2", "3"}),
        ("tags contains red", {"0", "1"}),  # whole tags only
        ("tags=red", {"0"}),  # a list has its elements, a text is itself
        ("tags contains 1", {"5"}),
        ("größe=M", {"0"}),
        ("sold=true", {"2"}),
        ("sold!=true", {"0", "1", "3", "4", "5"}),
        ("made<2024-01-01", {"5"}),
        ("made>=2024-01-01", {"4"}),
        ('"a"b"=x', None),
        ('a"b=\ud800é', {"5"}),
    ],
)
def test_worked_out_by_hand(photos: Collection, text: str, expected: set[str] | None) -> None:
    if expected is None:
        with pytest.raises(BadInput, match=r"is not a condition|has the metadata column"):
            photos.search("id:0", where=text)
        return
    hits = photos.search("id:0", k=10, where=text)
    assert {hit.id for hit in hits} == expected
    everything = [(hit.id, hit.score) for hit in photos.search("id:0", k=10) if hit.id in expected]
    assert [(hit.id, hit.score) for hit in hits] == everything  # the plain search, without the others


def test_all_conditions_must_hold(photos: Collection) -> None:
    both = photos.search("id:3", where=["price<=20", "brand=acme"])
    assert {hit.id for hit in both} == {"0", "2"}
    as_json = json.loads(
        '[{"column": "price", "op": "<=", "value": 20}, {"column": "brand", "op": "=", "value": "acme"}]'
    )
    assert [hit.id for hit in photos.search("id:3", where=as_json)] == [hit.id for hit in both]
    none = photos.search("id:3", where=["price<=20", "brand=nobody"])
    assert not len(none)
    assert "fulfils the conditions" in none.note


def test_words_groups_and_spaces_keep_to_the_conditions(photos: Collection) -> None:
    assert {hit.id for hit in photos.search("text:red", where="price<20")} == {"0"}
    assert {hit.id for hit in photos.search(["text:acme", "id:3"], where="price>=20")} == {"1", "2"}
    grouped = photos.search("id:3", group_by="brand", where="price<=20")
    assert sorted(hit.group.value for hit in grouped if hit.group) == ["Acme", "acme"]
    fused = photos.search("id:3", spaces={"builtin-2": 1.0}, where="price<=20")
    assert {hit.id for hit in fused} == {"0", "1", "2"}


def test_a_change_is_seen_at_once(photos: Collection) -> None:
    assert len(photos.search("id:0", where="brand=new")) == 0
    photos.add_images([picture(77)], ids=["new"], metadata=[{"brand": "new"}])
    assert [hit.id for hit in photos.search("id:0", where="brand=new")] == ["new"]


@pytest.mark.parametrize("text", ["", "price", "<20", "=", "price like 20"])
def test_what_is_no_condition_is_said(text: str) -> None:
    with pytest.raises(BadInput, match=r"no condition|not a condition|needs the name"):
        parse_condition(text)


@pytest.mark.parametrize(
    "given",
    [
        {"column": "a"},
        {"column": "a", "op": "="},
        {"column": "a", "op": "~", "value": 1},
        {"column": "", "op": "missing"},
        {"column": "a", "op": "=", "value": [1]},
        {"column": "a", "op": "in", "value": "x"},
        3,
        {"column": 1, "op": "="},
        {"column": "a", "op": "missing", "value": 1},
        {"column": "a", "op": "<", "value": float("nan")},
    ],
)
def test_what_is_no_condition_in_json_is_said(given: Any) -> None:
    with pytest.raises(BadInput):
        understand_where([given])


def test_an_unknown_column_is_named(photos: Collection) -> None:
    with pytest.raises(BadInput, match=r"'pric'.*Did you mean 'price'"):
        photos.search("id:0", where="pric<2")


def test_quoted_columns() -> None:
    assert parse_condition('"size in cm" <= 3') == Condition("size in cm", "<=", "3")
    assert parse_condition("tags contains a=b") == Condition("tags", "contains", "a=b")
    assert parse_condition("name=a in b") == Condition("name", "=", "a in b")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(-5, 5)
    | st.sampled_from(["a", "b", "1", "1.0", "01", "a,b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)
wanted = st.booleans() | st.integers(-5, 5) | st.sampled_from(["a", "1", "1.0", "01", "true"])


@given(json_values, wanted)
def test_operators_agree_with_one_another(value: Any, bound: Any) -> None:
    def holds(op: Op, given: Any = bound) -> bool:
        return Condition("c", op, given).holds(value)

    assert holds("!=") is not holds("=")
    assert holds("in", [bound]) is holds("=")
    assert not (holds("<") and holds(">"))
    assert holds("<=") >= holds("<")
    assert holds("missing", None) is (value is None)
    if number_of(value) is not None and number_of(bound) is not None:
        assert [holds("<"), holds("="), holds(">")].count(True) == 1
    if isinstance(value, list):
        assert holds("contains") is any(
            Condition("c", "=", bound).holds(each) for each in tags_of(value) if not isinstance(each, list)
        )


def test_rows_are_those_of_a_loop(photos: Collection) -> None:
    found = Filter(photos.store)
    for op in ("=", "!=", "<", "<=", ">", ">="):
        for column in ("price", "brand", "made"):
            for value in (20, "20", "acme", True, "2024-01-01"):
                condition = Condition(column, op, value)
                loop = [r.row for r in photos if condition.holds(r.metadata.get(column))]
                assert found.rows([condition]).tolist() == loop
    assert found.rows([]).tolist() == [r.row for r in photos]
