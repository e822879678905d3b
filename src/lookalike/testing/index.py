"""The contract every index keeps. Authors of plug-ins call this from their own tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..index.exact import Exact
from ..protocols import Index
from ..types import Rows, SpaceKind, Vectors, VectorSpace

__all__ = ["check_index"]


def check_index(
    make: Callable[[VectorSpace], Index], *, recall: float = 1.0, seed: int = 0, kind: SpaceKind = "float"
) -> None:
    """Check that a kind of index keeps the contract.

    Args:
        make: returns an empty index of a space.
        recall: the least recall@10 accepted against ``Exact``, in [0, 1].
        seed: of the random vectors.
        kind: of the space: ``float`` (cosine) or ``bits`` (hamming).

    Raises:
        AssertionError: what it does wrong.
    """
    rng = np.random.default_rng(seed)
    space, vectors = _bits(rng) if kind == "bits" else _floats(rng)
    ids = np.asarray(rng.permutation(10_000)[:500], np.int64)
    index, oracle = make(space), Exact(space)
    _expect(index.space == space, "space is what it was made with")
    empty = index.search(vectors[:3], 5)
    _expect(empty.rows.shape == (3, 5) and (empty.rows == -1).all(), "an empty index answers with -1")
    _expect(bool(np.isneginf(empty.scores).all()), "unused slots have the score -inf")

    before = vectors.copy()
    index.add(ids, vectors)
    oracle.add(ids, vectors)
    _expect(np.array_equal(vectors, before), "add() does not change the caller's array")
    _expect(len(index) == 500, "len() counts what was added")
    vectors[:] = 0  # the index must not look at the caller's array any more
    vectors = before
    _check_answers(index, oracle, vectors, ids, recall)

    index.add(ids[:1], vectors[1:2])
    _expect(len(index) == 500, "adding an id that is there replaces its vector")
    twins = index.search(vectors[1:2], 2)
    _expect(twins.rows[0].tolist() == sorted(ids[:2].tolist()), "equal scores are ordered by lower row")
    _expect(twins.scores[0, 0] == twins.scores[0, 1], "equal vectors have equal scores")

    _expect(index.remove(ids[:50]) == 50 and index.remove(ids[:50]) == 0, "remove() counts what was there")
    _expect(len(index) == 450, "len() does not count what was removed")
    _expect(not np.isin(index.search(vectors, 10).rows, ids[:50]).any(), "a removed id does not come back")
    allowed = np.append(ids[45:53], 99_999_999)
    only = index.search(vectors[:1], 10, allowed=allowed)
    _expect(set(only.rows[0].tolist()) == {*ids[50:53].tolist(), -1}, "allowed= gives what is allowed and there")
    everything = index.search(vectors[:2], 1000)
    _expect(everything.rows.shape == (2, 1000) and (everything.rows[:, 450:] == -1).all(), "k over N is padded with -1")
    _check_refusals(index, vectors, _STRAY if kind == "bits" else np.full((1, 16), np.nan, np.float32))


def _floats(rng: np.random.Generator) -> tuple[VectorSpace, Vectors]:
    vectors = rng.standard_normal((500, 16)).astype(np.float32)
    return VectorSpace("contract", 16, "contract"), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _bits(rng: np.random.Generator) -> tuple[VectorSpace, Vectors]:
    # 75: neither whole bytes nor a whole word; few bits, so that equal distances are common
    packed = np.packbits(rng.random((500, 75)) < 0.5, axis=1)
    return VectorSpace("contract", 75, "contract", kind="bits", similarity="hamming"), cast(Vectors, packed)


_STRAY = np.full((1, 10), 255, np.uint8)


def _check_answers(index: Index, oracle: Exact, queries: Vectors, ids: Rows, recall: float) -> None:
    found, truth = index.search(queries, 10), oracle.search(queries, 10)
    _expect(found.rows.dtype == np.int64 and found.scores.dtype == np.float32, "rows are int64, scores float32")
    _expect(bool((found.scores[:, 1:] <= found.scores[:, :-1]).all()), "scores do not increase along a row")
    _expect(bool(np.isin(found.rows, [*ids.tolist(), -1]).all()), "every row is one that was added")
    hits = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(found.rows, truth.rows, strict=True)])
    _expect(hits >= recall, f"recall@10 is {hits:.3f}, below {recall}")


def _check_refusals(index: Index, vectors: Vectors, impossible: npt.NDArray[Any]) -> None:
    wrong: dict[str, Callable[[], object]] = {
        "k = 0": lambda: index.search(vectors[:1], 0),
        "a query of another dimension": lambda: index.search(vectors[:1, :2], 1),
        "NaN, or bits too many, in a query": lambda: index.search(impossible, 1),
        "NaN, or bits too many, in a vector": lambda: index.add(np.array([1]), impossible),
        "more ids than vectors": lambda: index.add(np.array([1, 2]), vectors[:1]),
    }
    n = len(index)
    for what, call in wrong.items():
        try:
            call()
        except BadInput:
            continue
        raise AssertionError(f"the contract is not kept: BadInput is raised for {what}")
    _expect(len(index) == n, "what was refused has changed nothing")


def _expect(kept: object, what: str) -> None:
    # Not ``assert``: it would vanish under -O, and pytest does not rewrite the asserts of an installed package.
    if not kept:
        raise AssertionError(f"the contract is not kept: {what}")
