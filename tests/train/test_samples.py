"""What is read of images and labels, how it is split, and what a loss is told of a batch; no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.errors import BadInput
from lookalike.evaluate.truth.base import LabelSets, Pairs
from lookalike.train.samplers import SAMPLERS, Asked, batches_of, sampler_for
from lookalike.train.samples import Samples, lone_classes, read_samples
from lookalike.train.split import split
from lookalike.train.targets import Labels
from pictures import write_pictures


def of_classes(names: list[str]) -> Samples:
    ids = tuple(f"{at}.png" for at in range(len(names)))
    return Samples(names=ids, sources=ids, labels=LabelSets.of([name] for name in names))


def of_pairs(pairs: list[tuple[int, int, float]], count: int) -> Samples:
    ids = tuple(f"{at}.png" for at in range(count))
    return Samples(names=ids, sources=ids, pairs=Pairs.of(pairs))


def test_folders_are_classes(tmp_path: Path) -> None:
    write_pictures(tmp_path / "cats", 2)
    write_pictures(tmp_path / "dogs", 3)
    write_pictures(tmp_path, 1)
    samples = read_samples([tmp_path])
    assert samples.kind == "classes"
    assert samples.labels is not None
    assert sorted(samples.labels.names) == ["cats", "dogs"]
    assert len(samples) == 5
    assert "1 images lie in no folder" in samples.notes[0]


def test_folders_of_parts_are_no_classes(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for kind in ("cats", "dogs"):
            write_pictures(tmp_path / part / kind, 2)
    with pytest.raises(BadInput, match="are parts, train and test, not classes") as failed:
        read_samples([tmp_path])
    assert "--test-on" in failed.value.hint
    assert sorted(read_samples([tmp_path / "train"]).part([0, 1, 2, 3]).labels.names) == ["cats", "dogs"]  # type: ignore[union-attr]
    by_truth = read_samples([tmp_path], tmp_path)
    assert {name.split("/")[0] for name in by_truth.names} == {"train"}
    measured = read_samples([tmp_path], tmp_path, training=False)
    assert {name.split("/")[0] for name in measured.names} == {"train", "test"}


def test_images_without_labels_must_be_said_to_be(tmp_path: Path) -> None:
    write_pictures(tmp_path, 3)
    with pytest.raises(BadInput, match="have no labels") as failed:
        read_samples([tmp_path])
    assert "--unlabelled" in failed.value.hint
    assert read_samples([tmp_path], unlabelled=True).kind == "none"


def test_labels_join_by_the_end_of_paths_and_name_what_is_missing(tmp_path: Path) -> None:
    files = write_pictures(tmp_path / "images", 3)
    table = tmp_path / "labels.csv"
    lines = [f"images/{file.name},{'a' if at else 'b'}" for at, file in enumerate(files)]
    table.write_text("\n".join(["file,label", *lines, "gone.png,a"]))
    samples = read_samples([tmp_path / "images"], table)
    assert len(samples) == 3
    assert any("gone.png" in note for note in samples.notes)
    assert all(Path(source).is_file() for source in samples.sources)


def test_a_benchmark_with_parts_gives_its_training_part_and_says_so(tmp_path: Path) -> None:
    files = write_pictures(tmp_path / "images", 4)
    table = tmp_path / "oml.csv"
    parts = ("train,,", "train,,", "validation,1,1", "validation,1,1")
    lines = [f"{at % 2},{file.name},{part}" for at, (file, part) in enumerate(zip(files, parts, strict=True))]
    table.write_text("\n".join(["label,path,split,is_query,is_gallery", *lines]))
    trained = read_samples([tmp_path / "images"], table)
    measured = read_samples([tmp_path / "images"], table, training=False)
    assert set(trained.names) == {file.name for file in files[:2]}
    assert set(measured.names) == {file.name for file in files[2:]}
    assert trained.notes == (f"Of {table} the training takes the lines whose split is train.",)
    assert measured.notes == ()


def test_a_label_file_of_other_images_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", 2)
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nx.png,a\ny.png,b\n")
    with pytest.raises(BadInput, match=r"no line of .*labels.csv names one of the images"):
        read_samples([tmp_path / "images"], table)


@given(st.lists(st.integers(0, 30), min_size=12, max_size=120), st.integers(0, 5), st.floats(0.05, 0.6))
def test_a_split_never_parts_a_class_where_there_are_ten(numbers: list[int], seed: int, share: float) -> None:
    samples = of_classes([str(number) for number in numbers])
    try:
        parts = split(samples, share, seed=seed)
    except BadInput:
        assert len(set(numbers)) < 2
        return
    assert not set(parts.train.names) & set(parts.validation.names)
    assert len(parts.train) + len(parts.validation) == len(samples)
    if len(set(numbers)) >= 10:
        assert parts.by == "class"
        assert parts.train.labels is not None
        assert parts.validation.labels is not None
        assert not set(parts.train.labels.names) & set(parts.validation.labels.names)


def test_a_split_never_parts_what_pairs_hold_together() -> None:
    # 12 chains of three images
    chains = [(3 * at + step, 3 * at + step + 1, 1.0) for at in range(12) for step in range(2)]
    parts = split(of_pairs(chains, 36), 0.25, seed=1)
    assert parts.by == "group"
    assert len(parts.validation) == 9
    for side in (parts.train, parts.validation):
        assert side.pairs is not None
        assert len(side.pairs) == 2 * len(side) // 3


def test_pairs_that_say_only_what_is_alike_become_classes() -> None:
    labels = Labels(of_pairs([(0, 1, 1.0), (1, 2, 1.0), (3, 4, 1.0)], 6))
    assert labels.classes is not None
    assert len(set(labels.classes[:3])) == 1
    assert labels.count == 3  # the third is the image that is in no pair
    np.testing.assert_array_equal(labels.batch([0, 2, 3]).overlap, [[1, 1, 0], [1, 1, 0], [0, 0, 1]])


def test_pairs_that_also_say_what_is_not_alike_count_as_said() -> None:
    labels = Labels(of_pairs([(0, 1, 1.0), (0, 2, 0.0)], 4))
    assert labels.classes is None
    found = labels.batch([0, 1, 2, 3])
    expected = np.full((4, 4), np.nan)
    np.fill_diagonal(expected, 1)
    expected[0, 1] = expected[1, 0] = 1
    expected[0, 2] = expected[2, 0] = 0
    np.testing.assert_array_equal(found.overlap, expected)
    a, p, b, n = found.pairs()
    assert list(zip(a, p, strict=True)) == [(0, 1), (1, 0)]
    assert list(zip(b, n, strict=True)) == [(0, 2), (2, 0)]


def test_the_overlap_of_label_sets_is_jaccards() -> None:
    ids = ("a", "b", "c")
    sets = LabelSets.of([["sky", "sea"], ["sea", "sand", "sky"], ["cat"]])
    found = Labels(Samples(names=ids, sources=ids, labels=sets)).batch([0, 1, 2]).overlap
    # {sky, sea} and {sea, sand, sky}: 2 of 3
    np.testing.assert_allclose(found, np.array([[1, 2 / 3, 0], [2 / 3, 1, 0], [0, 0, 1]]), rtol=1e-6)


def test_without_labels_an_image_is_alike_to_its_own_copies() -> None:
    ids = ("a", "b")
    found = Labels(Samples(names=ids, sources=ids), views=2).batch([0, 1, 0, 1])
    np.testing.assert_array_equal(found.overlap, np.tile(np.eye(2), (2, 2)))


def asked(samples: Samples, *, batch: int = 8, per_class: int = 2, seed: int = 0, epoch: int = 0) -> Asked:
    return Asked(samples, Labels(samples), batch, per_class, np.random.default_rng([seed, epoch]))


@given(
    st.lists(st.integers(0, 9), min_size=8, max_size=60).filter(lambda numbers: len(set(numbers)) > 2),
    st.integers(2, 4),
    st.integers(0, 3),
)
def test_batches_by_class_hold_pairs_and_no_more_than_was_asked(numbers: list[int], per_class: int, seed: int) -> None:
    samples = of_classes([str(number) for number in numbers])
    wanted = asked(samples, batch=4 * per_class, per_class=per_class, seed=seed)
    batches = batches_of("per-class", wanted)
    counts = np.bincount(numbers)
    for batch in batches:
        assert 0 < len(batch) <= 4 * per_class
        found = np.bincount([numbers[at] for at in batch], minlength=10)
        for number in np.flatnonzero(found):
            assert found[number] >= min(per_class, counts[number])
    again = batches_of("per-class", asked(samples, batch=4 * per_class, per_class=per_class, seed=seed))
    assert batches == again


def test_a_random_epoch_shows_every_image_once() -> None:
    samples = of_classes([str(at % 5) for at in range(37)])
    batches = batches_of("random", asked(samples))
    assert sorted(at for batch in batches for at in batch) == list(range(37))
    assert batches != batches_of("random", asked(samples, epoch=1))


def test_hierarchical_batches_stay_within_a_group() -> None:
    names = [f"{'fruit' if at % 2 else 'tools'}/{at % 6}" for at in range(48)]
    for batch in batches_of("hierarchical", asked(of_classes(names))):
        assert len({names[at].split("/")[0] for at in batch}) == 1
    with pytest.raises(BadInput, match="group in front"):
        batches_of("hierarchical", asked(of_classes(["a", "b", "a", "b"])))


def test_hard_batches_join_the_classes_that_are_confused() -> None:
    # Classes 0 and 1 lie together, 2 and 3 too: with room for two classes a batch holds one of the two couples.
    names = [str(at % 4) for at in range(16)]
    samples = of_classes(names)
    angle = np.array([0.0, 0.1, 2.0, 2.1])[[int(name) for name in names]]
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    wanted = Asked(samples, Labels(samples), 8, 4, np.random.default_rng(0), vectors)
    batches = batches_of("hard", wanted)
    assert {frozenset(int(names[at]) for at in batch) for batch in batches} == {frozenset({0, 1}), frozenset({2, 3})}


def test_batches_of_pairs_hold_both_images() -> None:
    samples = of_pairs([(0, 1, 1.0), (0, 2, 0.0), (3, 4, 1.0), (3, 5, 0.0)], 6)
    for batch in batches_of("pairs", asked(samples, batch=4)):
        assert batch in ([0, 1, 2], [3, 4, 5])


def test_auto_fits_labels_and_loss() -> None:
    classes = Labels(of_classes(["a", "b", "a", "b"]))
    assert sampler_for("auto", classes, needs="pairs") == "per-class"
    assert sampler_for("auto", classes, needs="classes") == "random"
    assert sampler_for("auto", Labels(of_pairs([(0, 1, 1.0), (0, 2, 0.0)], 3)), needs="pairs") == "pairs"
    with pytest.raises(BadInput, match="needs a class"):
        sampler_for("per-class", Labels(Samples(names=("a",), sources=("a",))), needs="pairs")
    assert sampler_for("auto", Labels(of_triplets([(0, 1, 2)], 3)), needs="pairs") == "triplets"
    assert set(SAMPLERS) == {"hard", "hierarchical", "pairs", "per-class", "random", "triplets"}


def test_classes_of_one_image_are_named() -> None:
    assert lone_classes(of_classes(["a", "a", "b"])) == ["b"]


def of_triplets(triplets: list[tuple[int, int, int]], count: int) -> Samples:
    ids = tuple(f"{at}.png" for at in range(count))
    grades = {(a, p): 1.0 for a, p, _ in triplets}
    grades |= {(a, n): 0.0 for a, _, n in triplets if (a, n) not in grades}
    pairs = Pairs.of((a, b, grade) for (a, b), grade in grades.items())
    return Samples(names=ids, sources=ids, pairs=pairs, triplets=np.array(triplets, np.int64))


def test_triplets_are_read_joined_and_cut(tmp_path: Path) -> None:
    files = write_pictures(tmp_path / "images", 5)
    names = [file.name for file in files]
    table = tmp_path / "triplets.csv"
    lines = [(0, 1, 2), (0, 2, 3), (4, 0, 1)]
    table.write_text("\n".join(["anchor,positive,negative", *(",".join(names[at] for at in line) for line in lines)]))
    samples = read_samples([tmp_path / "images"], table)
    assert samples.kind == "triplets"
    assert samples.triplets is not None
    found = [[samples.names[at] for at in triplet] for triplet in samples.triplets]
    assert found == [[names[at] for at in line] for line in lines]
    without = samples.part([at for at, name in enumerate(samples.names) if name != names[3]])
    assert without.triplets is not None
    assert [[without.names[at] for at in triplet] for triplet in without.triplets] == [found[0], found[2]]
    assert without.digest != samples.digest


def test_triplets_count_as_they_were_said() -> None:
    samples = of_triplets([(0, 1, 2), (0, 2, 3)], 4)  # 2 is less than 1, and more than 3
    labels = Labels(samples)
    assert (labels.kind, labels.classes) == ("triplets", None)
    found = labels.batch([3, 0, 2]).triplets  # 1 is not there
    assert found is not None
    assert found.tolist() == [[1, 2, 0]]


@given(st.lists(st.permutations(range(9)).map(lambda order: tuple(order[:3])), min_size=1, max_size=30, unique=True))
def test_batches_of_triplets_hold_each_whole_and_no_more_images_than_asked(
    triplets: list[tuple[int, int, int]],
) -> None:
    samples = of_triplets(triplets, 9)
    batches = batches_of("triplets", asked(samples, batch=5))
    assert all(len(batch) == len(set(batch)) <= 5 for batch in batches)
    assert all(any(set(triplet) <= set(batch) for batch in batches) for triplet in triplets)
