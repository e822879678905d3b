"""More like this, not the same; one result of each group: against loops written the slow way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

import lookalike
from lookalike.collection import Collection
from lookalike.collection.choosing import Same, choose
from lookalike.collection.confidence import COPIES
from lookalike.collection.grouping import Groups
from lookalike.collection.queries import parse
from lookalike.collection.sameness import near_score
from lookalike.errors import BadInput
from lookalike.types import Group, Rows
from pictures import picture

VALUES: list[Any] = [None, 1, "1", True, 2.5, ["a"], "shoe"]


def slowly(
    ranking: Sequence[tuple[int, float]], k: int, same: Same | None, values: dict[int, Any] | None
) -> list[tuple[int, float]]:
    shown: list[tuple[int, float]] = []
    seen: set[str] = set()
    for row, score in ranking:
        if same is not None and (row in same.rows or score >= same.score):
            continue
        if values is not None and values[row] is not None:
            if repr(values[row]) in seen:
                continue
            seen.add(repr(values[row]))
        shown.append((row, score))
    return shown[:k]


@given(st.data())
def test_what_is_chosen_is_what_a_loop_over_the_whole_ranking_chooses(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 300))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    rows = rng.permutation(n * 2)[:n].astype(np.int64)
    scores = np.sort(rng.integers(-9, 10, n) / 10)[::-1]
    k = data.draw(st.integers(1, 40))
    few = data.draw(st.integers(1, len(VALUES)))
    values = {int(row): VALUES[int(rng.integers(few))] for row in rows}
    own = rows[rng.random(n) < 0.1]
    same = data.draw(st.sampled_from([None, Same(own), Same(own, 0.5)]))
    grouped = data.draw(st.booleans())
    groups = Groups.of("x", sorted(values.items())) if grouped else None
    asked: list[int] = []

    def ranking(depth: int) -> tuple[Rows, npt.NDArray[np.floating]]:
        asked.append(depth)
        return rows[:depth], scores[:depth]

    chosen = choose(ranking, k, same=same, groups=groups)
    expected = slowly(list(zip(rows.tolist(), scores.tolist(), strict=True)), k, same, values if grouped else None)
    assert list(zip(chosen.rows.tolist(), chosen.scores.tolist(), strict=True)) == expected
    assert chosen.best == (scores[0] if n else -np.inf)
    assert asked == sorted(set(asked))


def test_groups_know_their_sizes_and_who_is_alone() -> None:
    groups = Groups.of("object", [(1, "a"), (2, None), (5, "b"), (7, "a"), (9, 1), (10, True)])
    assert groups.shown(7) == Group("object", "a", 2)
    assert groups.shown(5) == Group("object", "b", 1)
    assert groups.shown(2) == groups.shown(99) == Group("object", None, 1)
    assert groups.shown(9).size == groups.shown(10).size == 1
    assert len(set(groups.of_rows(np.array([2, 99, 1, 5, 9, 10])).tolist())) == 6


@pytest.fixture
def views(tmp_path: Path) -> Iterator[Collection]:
    """Four objects of three views each, a copy of one of them, and a picture of no object."""
    images, ids, metadata = [], [], []
    for kind in range(4):
        for view in range(3):
            images.append(picture(kind, view=2 * view))
            ids.append(f"{kind}-{view}")
            metadata.append({"object": f"kind {kind}"})
    images += [picture(0), picture(50)]
    ids += ["copy", "alone"]
    with lookalike.open(tmp_path / "c") as photos:
        photos.add_images(images, ids=ids, metadata=[*metadata, {}, {"colour": "red"}])
        yield photos


def test_one_result_of_each_group_is_its_best(views: Collection) -> None:
    everything = views.search("id:2-1", k=100)
    grouped = views.search("id:2-1", k=100, group_by="object")
    best: dict[str, str] = {}
    for hit in everything:
        best.setdefault(hit.metadata.get("object", hit.id), hit.id)
    assert [hit.id for hit in grouped] == list(best.values())
    assert [hit.rank for hit in grouped] == list(range(1, 7))
    assert grouped[0].group == Group("object", "kind 2", 3)
    assert {hit.id: hit.group for hit in grouped}["alone"] == Group("object", None, 1)
    assert [hit.id for hit in views.search("id:2-1", k=2, group_by="object")] == list(best.values())[:2]
    assert all(hit.group is None for hit in everything)


def test_more_like_it_but_not_the_same(views: Collection, tmp_path: Path) -> None:
    everything = views.search("id:0-0", k=100)
    near = near_score(views.space, views.store)
    assert {hit.id for hit in everything if hit.score >= near} >= {"0-0", "copy"}
    expected = [hit.id for hit in everything if hit.score < near]
    assert len(expected) < len(everything) - 1
    assert [hit.id for hit in views.search("id:0-0", k=100, not_same=True)] == expected
    Pillow.fromarray(picture(0)).save(tmp_path / "outside.bmp")
    assert [hit.id for hit in views.search(tmp_path / "outside.bmp", k=100, not_same=True)] == expected
    # Of the product group no view remains, however little alike; of the others one each.
    others = views.search("id:0-2", k=100, not_same=True, group_by="object")
    assert "kind 0" not in {hit.metadata.get("object") for hit in others}
    assert {hit.group.value for hit in others if hit.group} >= {"kind 1", "kind 2", "kind 3"}


def test_what_a_near_copy_is_depends_on_what_is_usual_in_the_collection(tmp_path: Path) -> None:
    """Forty views of one thing are not copies of one another; forty different things have none at the same score."""
    with lookalike.open(tmp_path / "views") as alike, lookalike.open(tmp_path / "things") as unlike:
        noise = np.random.default_rng(0)
        one = picture(3).astype(np.float64)
        views = [(one * noise.uniform(0.7, 1, 3) + noise.normal(0, 6, one.shape)).clip(0, 255) for _ in range(40)]
        alike.add_images([view.astype(np.uint8) for view in views], ids=[f"v{n}" for n in range(40)])
        unlike.add_images([picture(n) for n in range(40)], ids=[f"t{n}" for n in range(40)])
        scores = [near_score(photos.space, photos.store) for photos in (alike, unlike)]
        assert scores[0] > scores[1] >= COPIES[0]
        assert scores[0] <= COPIES[1]
        assert alike.info()["spaces"]["builtin-2"]["near_copies"] == scores[0]


def test_of_several_pictures_each_ones_copies_are_left_out(views: Collection) -> None:
    least = near_score(views.space, views.store)
    near = {hit.id for name in ("0-0", "3-1") for hit in views.search(f"id:{name}", k=100) if hit.score >= least}
    left = views.search(parse(["id:0-0", "+", "id:3-1"]), k=100, not_same=True)
    assert {hit.id for hit in left} == {record.id for record in views} - near
    # What is taken away is not what is searched for: its copies may be found.
    kept = views.search(parse(["id:0-0", "-", "0.1:id:3-1"]), k=100, not_same=True)
    assert "3-1" in {hit.id for hit in kept}


def test_the_columns_that_there_are_get_named(views: Collection) -> None:
    with pytest.raises(BadInput, match="'objekt'") as raised:
        views.search("id:0-0", group_by="objekt")
    assert "object" in raised.value.hint
    with pytest.raises(BadInput) as raised:
        views.search("id:0-0", group_by="zzz")
    assert "colour, object" in raised.value.hint


def test_nothing_left_is_said_so(tmp_path: Path) -> None:
    with lookalike.open(tmp_path / "c") as photos:
        photos.add_images([picture(1), picture(1)], ids=["a", "b"])
        results = photos.search("id:a", not_same=True)
        assert (len(results), "nothing else to show" in results.note) == (0, True)


def test_groups_follow_what_changes(views: Collection) -> None:
    views.search("id:0-0", group_by="object")
    views.add_images([picture(60)], ids=["new"], metadata=[{"object": "kind 9"}])
    (best, *_) = views.search("id:new", group_by="object")
    assert best.group == Group("object", "kind 9", 1)
