"""Several views of one object as one vector, against a loop over the groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lookalike
from lookalike.collection import Collection, multiview
from lookalike.collection.grouping import Groups
from lookalike.collection.multiview import Merge, Merged, merge_rows, merged
from lookalike.errors import BadInput, BadQuery
from lookalike.index.exact import Exact
from lookalike.protocols import Snapshot
from lookalike.store.snapshot import VectorSnapshot
from lookalike.types import Rows, Segment, Vectors, VectorSpace
from pictures import picture


@pytest.fixture(params=["color-layout", "dhash"])
def photos(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Collection]:
    """Six products of three views each, in mixed order, and two images without a product."""
    with lookalike.open(tmp_path / "c", embedder=str(request.param)) as made:
        views = [(kind, view) for view in range(3) for kind in range(6)]
        made.add_images(
            [picture(kind, view=4 * view) for kind, view in views] + [picture(50), picture(51)],
            ids=[f"{kind}-{view}" for kind, view in views] + ["lone", "other"],
            metadata=[{"product": f"p{kind}", "view": view} for kind, view in views] + [{}, {"view": 9}],
        )
        yield made


def by_hand(photos: Collection, how: Merge, allowed: set[str] | None = None) -> dict[str, float]:
    """Merge each product view by view, in plain arithmetic, and score it against the vector of picture 2."""
    members: dict[str, list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = defaultdict(list)
    named: dict[str, set[str]] = defaultdict(set)
    bits = photos.space.kind == "bits"
    for record in photos:
        vector = photos.store.vectors(photos.space.name, [record.row])[0]
        name = str(record.metadata.get("product", record.id))
        wide = np.unpackbits(np.asarray(vector, np.uint8)) * 2.0 - 1 if bits else vector
        members[name].append(np.asarray(wide, np.float64))
        named[name].add(record.id)
    query = members["p2"][0]
    found = {}
    for name, views in members.items():
        if allowed is not None and not named[name] & allowed:
            continue
        if bits:
            votes = sum(views)
            chosen = [int(v) if v else int(first) for v, first in zip(np.sign(votes), views[0], strict=True)]
            found[name] = float(np.mean(np.array(chosen) == query))
        else:
            if how == "mean":
                one = sum(views) / len(views)
            else:
                powers = sum(np.sign(view) * np.abs(view) ** 3 for view in views) / len(views)
                one = np.sign(powers) * np.abs(powers) ** (1 / 3)
            found[name] = float(one @ query / np.linalg.norm(one))
    return found


@pytest.mark.parametrize("how", ["mean", "gem"])
def test_scores_are_those_of_a_loop(photos: Collection, how: Merge) -> None:
    results = photos.search("id:2-0", group_by="product", merge=how)
    found = {str(hit.group.value or hit.id) if hit.group else "": hit.score for hit in results}
    assert found == pytest.approx(by_hand(photos, how), abs=1e-5)
    assert [hit.score for hit in results] == sorted((hit.score for hit in results), reverse=True)
    assert results[0].group is not None
    assert (results[0].group.value, results[0].group.size) == ("p2", 3)
    assert results[0].id == "2-0"  # of its group the image nearest to the query is shown
    assert [hit.id for hit in photos.search("id:2-0", k=3, group_by="product", merge=how)] == [
        h.id for h in results[:3]
    ]


@pytest.mark.parametrize("how", ["mean", "gem"])
def test_conditions_choose_groups_and_the_view_that_is_shown(photos: Collection, how: Merge) -> None:
    results = photos.search("id:2-0", group_by="product", merge=how, where="view=1")
    allowed = {record.id for record in photos if record.metadata.get("view") == 1}
    assert {hit.id for hit in results} == allowed
    found = {str(hit.metadata["product"]): hit.score for hit in results}
    assert found == pytest.approx(by_hand(photos, how, allowed), abs=1e-5)


def test_not_the_same_leaves_out_the_whole_group(photos: Collection) -> None:
    results = photos.search("id:2-1", group_by="product", merge="mean", not_same=True)
    assert "p2" not in {hit.metadata.get("product") for hit in results}
    assert "p4" in {hit.metadata.get("product") for hit in results}


def test_several_pictures_of_the_query_are_merged_likewise(tmp_path: Path) -> None:
    with lookalike.open(tmp_path / "c", embedder="color-layout") as photos:
        photos.add_images(
            [picture(1, view=view) for view in (0, 4, 8)],
            ids=list("abc"),
            metadata=[{"product": "p"}] * 3,
        )
        for how in ("mean", "gem"):
            (hit,) = photos.search([f"id:{id}" for id in "abc"], group_by="product", merge=how)
            assert hit.score == pytest.approx(1, abs=1e-6)  # the same views merged in the same way


def test_a_change_is_seen_and_nothing_is_made_twice(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Merge] = []
    original = multiview.merged

    def counted(shot: Snapshot, groups: Groups, how: Merge) -> Merged:
        made.append(how)
        return original(shot, groups, how)

    monkeypatch.setattr("lookalike.collection.pipeline.merged", counted)
    photos.search("id:2-0", group_by="product", merge="mean")
    photos.search("id:3-0", group_by="product", merge="mean")
    assert len(made) == 1
    photos.add_images([picture(2, view=12)], ids=["2-9"], metadata=[{"product": "p2"}])
    found = {
        str(hit.group.value or hit.id) if hit.group else "": hit.score
        for hit in photos.search("id:2-0", group_by="product", merge="mean")
    }
    assert found == pytest.approx(by_hand(photos, "mean"), abs=1e-5)
    assert len(made) == 2


def test_what_cannot_be_merged_is_said(photos: Collection) -> None:
    with pytest.raises(BadInput, match="--group-by COLUMN"):
        photos.search("id:2-0", merge="mean")
    with pytest.raises(BadInput, match="relevance"):
        photos.search("id:2-0", group_by="product", merge="mean", min_relevance=0.5)
    with pytest.raises(BadQuery, match="no merged vectors"):
        photos.search("text:p2", group_by="product", merge="mean")


def snapshot(vectors: Vectors, dead: Rows, space: VectorSpace) -> VectorSnapshot:
    """Rows 10, 11, ... in two segments, of the first some are dead."""
    rows = np.arange(10, 10 + len(vectors), dtype=np.int64)
    half = len(vectors) // 2
    return VectorSnapshot(space, 1, (Segment(rows[:half], vectors[:half], dead), Segment(rows[half:], vectors[half:])))


@pytest.mark.parametrize("how", ["mean", "gem"])
@pytest.mark.parametrize("block", [1, 40, 1 << 20])
def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch, how: Merge, block: int) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((31, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shot = snapshot(vectors, np.array([0, 4], np.int64), VectorSpace("s", 5, "f"))
    values = rng.integers(0, 4, 31).tolist()
    groups = Groups.of("g", [(10 + at, None if value == 3 else value) for at, value in enumerate(values)])
    monkeypatch.setattr(multiview, "_BLOCK_BYTES", block * 8)
    found = merged(shot, groups, how)
    everything = found.index.search(vectors[:1], 100)
    expected: dict[int, float] = {}
    for value in range(4):
        mine = [at for at, each in enumerate(values) if each == value]
        for some in [[at] for at in mine] if value == 3 else [mine]:
            alive = [at for at in some if at not in (0, 4)]
            if alive:
                one = merge_rows(vectors[alive], np.ones(len(alive)), how)
                # The id is the lowest row of the group, whether or not it has a vector.
                expected[10 + some[0]] = float(one @ vectors[0] / np.linalg.norm(one))
    assert dict(everything.pairs(0)) == pytest.approx(expected, abs=1e-6)


def test_views_that_cancel_out_leave_the_first(tmp_path: Path) -> None:
    vectors = np.array([[0.6, 0.8], [-0.6, -0.8], [1, 0]], np.float32)
    shot = snapshot(vectors, np.empty(0, np.int64), VectorSpace("s", 2, "f"))
    found = merged(shot, Groups.of("g", [(10, "a"), (11, "a"), (12, "b")]), "mean")
    assert found.index.search(vectors[:1], 5).rows[0, :3].tolist() == [10, 12, -1]
    assert found.index.search(vectors[:1], 2).scores[0].tolist() == pytest.approx([1, 0.6])
    assert isinstance(found.index, Exact)


def test_the_generalised_mean_by_hand() -> None:
    # (1^3 + 3^3) / 2 = 14, the cube root of which is 2.410; of -1 and 2: (-1 + 8) / 2 = 3.5, whose root is 1.518.
    assert merge_rows(np.array([[1.0, -1.0], [3.0, 2.0]]), np.ones(2), "gem").tolist() == pytest.approx(
        [2.4101, 1.5183], abs=1e-4
    )
    assert merge_rows(np.array([[1.0], [3.0]]), np.array([3.0, 1.0]), "mean").tolist() == pytest.approx([1.5])
