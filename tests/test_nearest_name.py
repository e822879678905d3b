"""What is said of a name that no table has."""

from __future__ import annotations

from pathlib import Path

import lookalike
from lookalike.nearest_name import choices, did_you_mean, listed


def test_the_nearest_name_is_offered_whatever_its_capitals() -> None:
    assert did_you_mean("vit-b-3", ["RN50", "ViT-B-32"]) == "Did you mean 'ViT-B-32'?"
    assert did_you_mean("TRIPLET", ["arcface", "triplet"]) == "Did you mean 'triplet'?"
    assert did_you_mean("resnet1", ["resnet18", "resnet10"], near=2).count(" or ") == 1


def test_what_is_like_nothing_gets_the_list_alone() -> None:
    assert did_you_mean("zzz", ["arcface"]) == ""
    assert choices("zzz", ["arcface", "circle"]) == "Known: arcface, circle."
    assert choices("zzz", []) == "Known: none."


def test_a_long_list_says_how_many_more() -> None:
    names = [f"name{at}" for at in range(15)]
    assert listed(names, 12) == ", ".join(names[:12]) + " and 3 more"
    assert listed(names[:12], 12) == ", ".join(names[:12])
    assert choices("nam3", names, shown=2) == "Did you mean 'name3'? Known: name0, name1 and 13 more."


def test_the_sentence_is_written_in_one_place() -> None:
    source = Path(lookalike.__file__).parent
    assert [path.name for path in source.rglob("*.py") if "Did you mean" in path.read_text()] == ["nearest_name.py"]
