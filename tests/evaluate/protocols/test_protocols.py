"""Each protocol against a slow loop that follows the definition of its benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.errors import BadInput, UnknownName
from lookalike.evaluate.outside import with_outside
from lookalike.evaluate.protocols import run_protocol
from lookalike.evaluate.summary import per_query
from lookalike.evaluate.truth import read_truth
from lookalike.evaluate.truth.base import LabelSets, Pairs, Same, Truth
from lookalike.evaluate.truth.joining import join
from lookalike.evaluate.vector_files import VectorSet
from lookalike.types import Candidates, Rows, Vectors
from pictures import kind_and_view, picture

Floats = npt.NDArray[np.float64]


def unit(count: int, seed: int, dim: int = 5) -> npt.NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    made: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return made


def truth_of(count: int, **rest: object) -> Truth:
    names = tuple(f"n{at}" for at in range(count))
    return Truth(path=Path("t"), format="test", names=names, **rest)  # type: ignore[arg-type]


def base_of(truth: Truth, seed: int) -> VectorSet:
    """The items of a truth, and ten distractors that it does not name."""
    return VectorSet(unit(len(truth) + 10, seed), [*truth.names, *(f"other{at}" for at in range(10))])


def compute_ap(ranks: list[int], nres: int) -> float:
    """``compute_ap`` of revisitop's ``python/evaluate.py``: ranks from 0, trapezoids."""
    recall_step = 1.0 / nres
    ap = 0.0
    for j, rank in enumerate(ranks):
        precision_0 = 1.0 if rank == 0 else float(j) / rank
        precision_1 = float(j + 1) / (rank + 1)
        ap += (precision_0 + precision_1) * recall_step / 2.0
    return ap


def compute_map(order: npt.NDArray[np.int64], ok: list[list[int]], junk: list[list[int]]) -> list[float]:
    """``compute_map`` of revisitop: junk ranks are skipped by shifting the positives up."""
    out = []
    for query, good in enumerate(ok):
        if not good:
            out.append(np.nan)  # not considered in the mean
            continue
        pos = np.flatnonzero(np.isin(order[query], good))
        bad = np.flatnonzero(np.isin(order[query], junk[query]))
        k, ij = 0, 0
        ranks = []
        for ip in range(len(pos)):
            while ij < len(bad) and pos[ip] > bad[ij]:
                ij += 1
                k += 1
            ranks.append(int(pos[ip]) - k)
        out.append(compute_ap(ranks, len(good)))
    return out


@pytest.mark.parametrize("variant", ["easy", "medium", "hard"])
@pytest.mark.parametrize("seed", range(4))
def test_revisited_equals_the_authors_program(variant: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images, asking = 40, 7
    kinds = [rng.choice(4, images, p=[0.7, 0.1, 0.1, 0.1]) for _ in range(asking)]  # 0 none, 1 easy, 2 hard, 3 junk
    kinds[0][kinds[0] == 1] = 0  # a query without easy images
    right = {"easy": [1], "medium": [1, 2], "hard": [2]}[variant]
    gone = {"easy": [2, 3], "medium": [3], "hard": [1, 3]}[variant]
    ok = [np.flatnonzero(np.isin(kind, right)).tolist() for kind in kinds]
    junk = [np.flatnonzero(np.isin(kind, gone)).tolist() for kind in kinds]

    def pairs(lists: list[list[int]]) -> Pairs:
        return Pairs.of((images + query, item, 1.0) for query, some in enumerate(lists) for item in some)

    truth = truth_of(
        images + asking,
        variants={variant: (pairs(ok), pairs(junk))},
        queries=np.arange(images, images + asking),
        base=np.arange(images),
    )
    vectors = unit(images + asking, seed)
    base = VectorSet(vectors, truth.names)
    evaluation = run_protocol(base, join(truth, base))
    assert evaluation.protocol["name"] == f"revisited-{variant}"
    order = np.argsort(-(vectors[images:] @ vectors[:images].T), axis=1, kind="stable")
    found = per_query(evaluation.judged, ["map_revisited"])["map_revisited"]
    np.testing.assert_allclose(found, compute_map(order, ok, junk), rtol=1e-9)
    assert evaluation.skipped["nothing_relevant"] == sum(not some for some in ok)
    shown = [set(rows[rows >= 0].tolist()) for rows in evaluation.shown]
    assert not any(rows & set(some) for rows, some in zip(shown, junk, strict=True)), "junk is not shown"


def test_trapezoids_by_hand() -> None:
    """Relevant at ranks 1 and 3: (1 + 1)/2 = 1 and (1/2 + 2/3)/2 = 7/12, so (1 + 7/12)/2 = 19/24."""
    assert compute_ap([0, 2], 2) == pytest.approx(19 / 24)


@pytest.mark.parametrize("seed", range(4))
def test_same_camera_and_person_is_ignored(seed: int) -> None:
    """Market-1501's rule, query by query: the same person by the same camera is as if it were not there."""
    rng = np.random.default_rng(seed)
    count, asking = 60, 15
    person, camera = rng.integers(0, 6, count), rng.integers(0, 3, count)
    labels = LabelSets.of([[str(one)] if one else [] for one in person])  # person 0 is a distractor
    queries = np.flatnonzero(person[:asking])
    truth = truth_of(
        count,
        labels=labels,
        queries=queries,
        base=np.arange(asking, count),
        same=(Same("camera", camera, with_label=True),),
    )
    vectors = unit(count, seed)
    base = VectorSet(vectors, truth.names)
    evaluation = run_protocol(base, join(truth, base))
    assert evaluation.protocol["name"] == "query-gallery"
    expected: list[list[float]] = []
    for query in queries:
        order = sorted(range(asking, count), key=lambda item: (-float(vectors[query] @ vectors[item]), item))
        order = [item for item in order if not (person[item] == person[query] and camera[item] == camera[query])]
        right = [person[item] == person[query] for item in order]
        found = [at for at, one in enumerate(right, start=1) if one]
        ap = float(np.mean([(n + 1) / rank for n, rank in enumerate(found)])) if found else np.nan
        expected.append([ap, float(right[0]) if found else np.nan])
    values = per_query(evaluation.judged, ["map", "cmc@1"])
    np.testing.assert_allclose(np.stack([values["map"], values["cmc@1"]], axis=1), expected, rtol=1e-9)
    cut = run_protocol(base, join(truth, base), cut=4)
    np.testing.assert_array_equal(per_query(cut.judged, ["cmc@1"])["cmc@1"], values["cmc@1"])


def test_a_sequence_is_ignored_whatever_its_label() -> None:
    truth = truth_of(
        5,
        labels=LabelSets.of([["a"], ["a"], ["a"], ["b"], ["b"]]),
        queries=np.array([0]),
        base=np.arange(5),
        same=(Same("sequence", np.array([7, 7, -1, 7, -1]), with_label=False),),
    )
    base = VectorSet(unit(5, 0), truth.names)
    evaluation = run_protocol(base, join(truth, base))
    assert evaluation.judged.total.tolist() == [1]
    assert sorted(evaluation.shown[0][evaluation.shown[0] >= 0].tolist()) == [2, 4]


def test_the_full_base_holds_distractors_and_no_query() -> None:
    truth = truth_of(6, pairs=Pairs.of([(0, 2, 1), (0, 3, 1), (1, 4, 1), (1, 5, 0)]), queries=np.array([0, 1]))
    base = base_of(truth, 1)
    evaluation = run_protocol(base, join(truth, base), shown=20)
    assert evaluation.protocol["name"] == "full"
    assert evaluation.protocol["base"] == 14
    for shown in evaluation.shown:
        assert sorted(shown.tolist()) == [-1] * (len(shown) - 14) + list(range(2, 16))
    assert evaluation.judged.total.tolist() == [2, 1], "a pair judged 0 is not relevant"
    assert [rows.tolist() for rows in evaluation.expected] == [[2, 3], [4]]


def test_chosen_holds_queries_and_their_relevant_images_only() -> None:
    truth = truth_of(7, pairs=Pairs.of([(0, 2, 1), (1, 3, 2), (1, 4, 0), (5, 0, 1)]), queries=np.array([0, 1]))
    base = base_of(truth, 2)
    evaluation = run_protocol(base, join(truth, base), "chosen", shown=20)
    assert [sorted(set(rows.tolist()) - {-1}) for rows in evaluation.shown] == [[1, 2, 3], [0, 2, 3]]


def test_queries_that_are_results_of_one_another_stay_in_the_base() -> None:
    truth = truth_of(3, pairs=Pairs.of([(0, 1, 1), (1, 0, 1)]), queries=np.array([0, 1]))
    base = base_of(truth, 3)
    evaluation = run_protocol(base, join(truth, base))
    assert evaluation.protocol["name"] == "query-gallery"
    assert evaluation.judged.total.tolist() == [1, 1]


@pytest.mark.parametrize(("name", "within"), [("3-way-2-shot", False), ("2-way-1-shot-within", True)])
def test_episodes_equal_a_loop(name: str, within: bool) -> None:
    classes = [f"c{at}" for at in range(8) for _ in range(4)] + ["lone"]
    groups = tuple(f"g{int(label[1:]) // 4}" if label != "lone" else "g0" for label in classes)
    truth = truth_of(len(classes), labels=LabelSets.of([[label] for label in classes]), groups=groups)
    vectors = unit(len(classes) + 10, 5)
    base = base_of(truth, 5)
    evaluation = run_protocol(base, join(truth, base), name, seed=3)
    again = run_protocol(base, join(truth, base), name, seed=3)
    np.testing.assert_array_equal(evaluation.judged.ranks, again.judged.ranks)
    ways, shots = (2, 1) if within else (3, 2)
    assert len(evaluation) == 600 * ways
    assert (evaluation.judged.total == shots).all()
    right = 0
    for first in range(0, len(evaluation), ways):
        rows = evaluation.query_rows[first : first + ways]
        support = {row for some in evaluation.shown[first : first + ways] for row in some.tolist() if row >= 0}
        drawn = [classes[row] for row in rows]
        assert len(set(drawn)) == ways
        assert not within or len({groups[row] for row in rows}) == 1
        assert sorted(classes[row] for row in support) == sorted(drawn * shots)
        assert not support & set(rows.tolist()), "no image is asked and searched in one episode"
        for row in rows:
            nearest = max(support, key=lambda item: (float(vectors[row] @ vectors[item]), -item))
            right += classes[nearest] == classes[row]
    hit = per_query(evaluation.judged, ["hit_rate@1"])["hit_rate@1"]
    assert hit.mean() == pytest.approx(right / len(evaluation))
    assert evaluation.judged.query_ids is not None
    assert len(set(evaluation.judged.query_ids.tolist())) == len(evaluation)


def test_episodes_that_cannot_be_drawn() -> None:
    truth = truth_of(4, labels=LabelSets.of([["a"], ["a"], ["b"], ["b"]]))
    base = base_of(truth, 0)
    with pytest.raises(BadInput, match="3 ways need as many classes with 2 images; there are 2"):
        run_protocol(base, join(truth, base), "3-way-1-shot")
    with pytest.raises(BadInput, match="knows no groups"):
        run_protocol(base, join(truth, base), "2-way-1-shot-within")
    with pytest.raises(UnknownName, match="Did you mean 'full'"):
        run_protocol(base, join(truth, base), "ful")


class Broken(VectorSet):
    """A search that gives a NaN, or forgets what it finds last."""

    wrong = "nan"

    def search(self, vectors: Vectors, k: int, *, allowed: Rows | None = None) -> Candidates:
        found = super().search(vectors, k, allowed=allowed)
        rows, scores = found.rows.copy(), found.scores.copy()
        if self.wrong == "nan":
            scores[1, 1] = np.nan
        else:
            rows[:, 2:], scores[:, 2:] = -1, -np.inf
        return Candidates(rows, scores)

    @property
    def searcher(self) -> Broken:
        return self


def test_a_search_that_is_not_to_be_trusted() -> None:
    truth = truth_of(6, labels=LabelSets.of([["a"]] * 6))
    broken = Broken(unit(6, 0), truth.names)
    with pytest.raises(BadInput, match="NaN, at place 2 of the query 'n1'"):
        run_protocol(broken, join(truth, broken))
    broken.wrong = "short"
    with pytest.raises(BadInput, match=r"left out \d+ that are relevant") as caught:
        run_protocol(broken, join(truth, broken))
    assert "--cut" in caught.value.hint


def test_a_cut_above_the_base_is_stated() -> None:
    truth = truth_of(4, labels=LabelSets.of([["a"], ["a"], ["b"], []]))
    base = VectorSet(unit(4, 0), truth.names)
    evaluation = run_protocol(base, join(truth, base), cut=50)
    assert evaluation.protocol["cut"] is None
    assert evaluation.protocol["notes"] == [
        "The cut 50 is above the 4 images that are searched: all of them are ranked."
    ]
    assert evaluation.skipped == {"unmatched": 0, "no_other_of_its_label": 1}
    lone = truth_of(4, labels=LabelSets.of([["a"], ["b"], [], []]))
    with pytest.raises(BadInput, match="none of the 2 queries has anything to find"):
        run_protocol(base, join(lone, base))


def test_several_labels_yes_or_no_equals_the_graded_ranks() -> None:
    sets = [["a", "b"], ["b"], ["c"], ["a", "c"], ["b", "c"], []]
    graded, counted, plain = (
        truth_of(6, labels=LabelSets.of(sets), overlap=overlap) for overlap in ("jaccard", "count", "any")
    )
    base = VectorSet(unit(6, 4), graded.names)
    one, two, three = (run_protocol(base, join(truth, base)).judged for truth in (graded, counted, plain))
    np.testing.assert_array_equal(one.ranks, three.ranks)
    np.testing.assert_array_equal(one.total, three.total)
    assert three.ideal is None
    assert one.ideal is not None
    # of the first item {a, b}: {b} 1/2, {a, c} 1/3, {b, c} 1/3
    np.testing.assert_allclose(one.ideal[:3], [1 / 2, 1 / 3, 1 / 3])
    assert two.grades.max() == 1


def test_queries_from_outside(tmp_path: Path) -> None:
    labels = kind_and_view(4, 3, tmp_path / "all")
    for name in [name for name in labels if name.endswith("view0.png")]:
        (tmp_path / "asked").mkdir(exist_ok=True)
        (tmp_path / "all" / name).rename(tmp_path / "asked" / name)
    (tmp_path / "asked" / "kind9-view0.png").write_bytes(b"no picture")
    lines = [f"{name},{label}" for name, label in {**labels, "kind9-view0.png": "kind1"}.items()]
    (tmp_path / "truth.csv").write_text("\n".join(["file,label", *lines]))
    with lookalike.open(tmp_path / "c.collection") as photos:
        photos.add(tmp_path / "all")
        joined = with_outside(photos, join(read_truth(tmp_path / "truth.csv"), photos), tmp_path / "asked")
        evaluation = run_protocol(photos, joined)
        assert evaluation.protocol["name"] == "full"
        assert len(evaluation) == 4
        assert evaluation.skipped["queries_without_image"] == 1, "the broken one is counted"
        assert (evaluation.query_rows == -1).all()
        assert evaluation.judged.total.tolist() == [2, 2, 2, 2]
        for at, source in enumerate(evaluation.query_sources):
            by_hand = photos.search(source, k=8)
            assert [hit.row for hit in by_hand] == evaluation.shown[at][:8].tolist()
            np.testing.assert_allclose([hit.score for hit in by_hand], evaluation.shown_scores[at][:8], atol=1e-6)


def test_a_truth_that_names_its_own_query_files(tmp_path: Path) -> None:
    """Images that lie beside the truth are found without being asked for, with or without their suffix."""
    kind_and_view(2, 2, tmp_path / "photos")
    Pillow.fromarray(picture(0, view=3)).save(tmp_path / "asked.png")
    (tmp_path / "truth.csv").write_text(
        "query,relevant\nasked,kind0-view0.png\nasked,kind0-view1.png\ngone,kind1-view0.png\n"
    )
    with lookalike.open(tmp_path / "c.collection") as photos:
        photos.add(tmp_path / "photos")
        joined = with_outside(photos, join(read_truth(tmp_path / "truth.csv"), photos))
        evaluation = run_protocol(photos, joined)
    assert evaluation.query_sources == (str(tmp_path / "asked.png"),)
    assert evaluation.judged.total.tolist() == [2]
    assert evaluation.skipped["queries_without_image"] == 1
    assert evaluation.skipped["unmatched"] == 1
