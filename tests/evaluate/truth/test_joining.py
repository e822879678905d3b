"""Names of a truth meet the images of a collection: by id, by the end of a path, without a suffix, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.errors import BadInput
from lookalike.evaluate.truth.base import LabelSets, Truth
from lookalike.evaluate.truth.joining import join
from lookalike.types import Record

RECORDS = [
    Record(3, "cats/1.jpg", "/photos/cats/1.jpg"),
    Record(5, "dogs/1.jpg", "/photos/dogs/1.jpg"),
    Record(8, "all_souls_000013.jpg", "/ox/jpg/all_souls_000013.jpg"),
    Record(9, "m/2.png", "/data/set.tar!/m/2.png"),
    Record(11, "m/2.jpg", "/data/m/2.jpg"),
]


def rows(*names: str) -> list[int]:
    truth = Truth(path=Path("t.csv"), format="labels", names=names, labels=LabelSets.of([["x"]] * len(names)))
    return [int(row) for row in join(truth, RECORDS).rows]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("cats/1.jpg", 3),  # an id
        ("photos/dogs/1.jpg", 5),  # longer than the id, the end of the source
        ("/elsewhere/dogs/1.jpg", 5),  # another root: the id is the end of the name
        ("all_souls_000013", 8),  # without its suffix
        ("jpg/all_souls_000013", 8),
        ("2.png", 9),  # the end of a path within an archive
        ("set.tar/m/2.png", 9),
        ("./cats/1.jpg", 3),
        ("cats\\1.jpg", 3),
        ("1.jpg", -1),  # two images fit
        ("m/2", -1),
        ("1.JPG", -1),
        ("ats/1.jpg", -1),  # the end of a path, not of a name
    ],
)
def test_a_name_joins(name: str, row: int) -> None:
    assert rows("m/2.jpg", name) == [11, row]


def test_what_joins_nothing_is_named() -> None:
    truth = Truth(
        path=Path("t.csv"), format="labels", names=("none.jpg", "1.jpg", "2.png"), labels=LabelSets.of([["x"]] * 3)
    )
    joined = join(truth, RECORDS)
    assert joined.unmatched == ("none.jpg", "1.jpg")
    assert joined.ambiguous == 1
    assert joined.all_rows.tolist() == [3, 5, 8, 9, 11]
    with pytest.raises(BadInput, match=r"no line of t\.csv names an image of the collection; its first name is 'none"):
        join(Truth(path=Path("t.csv"), format="labels", names=("none.jpg",), labels=LabelSets.of([["x"]])), RECORDS)


def test_two_names_of_one_image() -> None:
    names = ("cats/1.jpg", "/photos/cats/1.jpg")
    same = Truth(path=Path("t.csv"), format="labels", names=names, labels=LabelSets.of([["x"], ["x"]]))
    assert join(same, RECORDS).rows.tolist() == [3, -1], "the first name speaks for it"
    other = Truth(path=Path("t.csv"), format="labels", names=names, labels=LabelSets.of([["x"], ["y"]]))
    with pytest.raises(BadInput, match=r"names the image 'cats/1\.jpg' twice"):
        join(other, RECORDS)
