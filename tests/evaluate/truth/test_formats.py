"""Every format, read from files in its published layout, against what a person reads in them."""

from __future__ import annotations

import gzip
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.errors import BadInput, LookalikeError, NoSuchFile, UnknownName
from lookalike.evaluate.truth import TRUTHS, Truth, read_truth
from lookalike.evaluate.truth.tables import line_of_each


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        write(folder / name, "")
    return folder


def labels(truth: Truth) -> dict[str, str]:
    return {name: truth.text(at) for at, name in enumerate(truth.names)}


def named(truth: Truth, positions: Any) -> list[str]:
    return [] if positions is None else [truth.names[int(at)] for at in positions]


def pairs(truth: Truth, found: Any = None) -> dict[tuple[str, str], float]:
    found = truth.pairs if found is None else found
    return {
        (truth.names[query], truth.names[item]): float(grade)
        for query, item, grade in zip(found.query.tolist(), found.item.tolist(), found.grades.tolist(), strict=True)
    }


def test_file_and_label(tmp_path: Path) -> None:
    truth = read_truth(write(tmp_path / "t.csv", "file,label,note\na.jpg,cat,x\nb.jpg,,y\na.jpg,cat,again\n"))
    assert truth.format == "labels"
    assert labels(truth) == {"a.jpg": "cat", "b.jpg": ""}
    assert truth.queries is None
    assert truth.base is None


def test_several_labels_and_another_column(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "file,kind,labels\na.jpg,x,cat|dog\nb.jpg,y,dog\n")
    assert labels(read_truth(path)) == {"a.jpg": "cat|dog", "b.jpg": "dog"}
    assert labels(read_truth(path, label="kind")) == {"a.jpg": "x", "b.jpg": "y"}


def test_query_and_relevant(tmp_path: Path) -> None:
    truth = read_truth(
        write(tmp_path / "t.csv", "query,relevant,grade\nq,a,2\nq,b,0\nlone,,\n".replace("lone,,", "q,c,1"))
    )
    assert truth.format == "pairs"
    assert pairs(truth) == {("q", "a"): 2, ("q", "b"): 0, ("q", "c"): 1}
    assert named(truth, truth.queries) == ["q"]
    plain = read_truth(write(tmp_path / "u.csv", "query,relevant\nq,a\nlone,\n"))
    assert pairs(plain) == {("q", "a"): 1}
    assert named(plain, plain.queries) == ["q", "lone"]


def test_triplets(tmp_path: Path) -> None:
    truth = read_truth(write(tmp_path / "t.csv", "anchor,positive,negative\na,b,c\na,c,d\ne,a,b\na,b,c\n"))
    assert truth.format == "triplets"
    assert truth.triplets is not None
    assert [[truth.names[at] for at in line] for line in truth.triplets] == [list("abc"), list("acd"), list("eab")]
    # c is less like a than b is, but more than d: relevant
    expected = {("a", "b"): 1, ("a", "c"): 1, ("a", "d"): 0, ("e", "a"): 1, ("e", "b"): 0}
    assert pairs(truth) == expected
    assert named(truth, truth.queries) == ["a", "e"]
    assert truth.notes == (
        f"Line 5 of {tmp_path / 't.csv'} repeats an earlier one and counts once: remove or correct it.",
    )


def test_oml(tmp_path: Path) -> None:
    path = write(
        tmp_path / "df.csv",
        "label,path,split,is_query,is_gallery,category,sequence,x_1,x_2,y_1,y_2\n"
        "1,a.jpg,train,,,shoe,,,,,\n"
        "2,b.jpg,validation,True,False,shoe,s1,1,5,2,8\n"
        "2,c.jpg,validation,False,True,shoe,s1,,,,\n"
        "3,d.jpg,validation,1,1,bag,s2,,,,\n",
    )
    truth = read_truth(path)
    assert truth.format == "oml"
    assert labels(truth) == {"b.jpg": "2", "c.jpg": "2", "d.jpg": "3"}
    assert named(truth, truth.queries) == ["b.jpg", "d.jpg"]
    assert named(truth, truth.base) == ["c.jpg", "d.jpg"]
    assert truth.groups == ("shoe", "shoe", "bag")
    assert truth.boxes == {0: (1, 2, 5, 8)}  # x_1, x_2, y_1, y_2 are left, right, top, bottom
    (rule,) = truth.same
    assert (rule.column, rule.with_label, rule.codes.tolist()) == ("sequence", False, [0, 0, 1])
    training = read_truth(path, training=True)
    assert (labels(training), training.queries, training.base) == ({"a.jpg": "1"}, None, None)
    assert training.notes == (f"Of {path} the training takes the lines whose split is train.",)
    none = write(tmp_path / "none.csv", "label,path,split,is_query,is_gallery\n2,b.jpg,validation,1,1\n")
    with pytest.raises(BadInput, match=r"no line whose split is 'train'"):
        read_truth(none, training=True)


def test_trec(tmp_path: Path) -> None:
    truth = read_truth(write(tmp_path / "qrels.txt", "q1 0 d1 1\nq1 0 d2 0\nq2\t0\td1\t-2\n"))
    assert truth.format == "trec"
    assert pairs(truth) == {("q1", "d1"): 1, ("q1", "d2"): 0, ("q2", "d1"): 0}
    assert truth.notes == ("1 pairs with a grade below 0 count as not relevant.",)


def test_beir(tmp_path: Path) -> None:
    write(tmp_path / "qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td3\t1\n")
    bare = read_truth(tmp_path / "qrels/test.tsv")
    assert (bare.format, bare.base) == ("beir", None)
    write(tmp_path / "corpus.jsonl", '{"_id": "d1", "image": "img/1.jpg"}\n{"_id": "d2"}\n{"_id": "d3", "text": "x"}\n')
    write(tmp_path / "queries.jsonl", '{"_id": "q1", "path": "asked.jpg"}\n')
    truth = read_truth(tmp_path)
    assert pairs(truth) == {("asked.jpg", "img/1.jpg"): 2, ("asked.jpg", "d3"): 1}
    assert named(truth, truth.base) == ["img/1.jpg", "d2", "d3"]
    assert named(truth, truth.queries) == ["asked.jpg"]
    with pytest.raises(NoSuchFile, match=r"no qrels/train\.tsv"):
        read_truth(tmp_path, training=True)
    write(tmp_path / "qrels/train.tsv", "query-id\tcorpus-id\tscore\nq2\td2\t1\n")
    assert pairs(read_truth(tmp_path, training=True)) == {("q2", "d2"): 1}


GND = {
    "imlist": ["i0", "i1", "i2", "i3"],
    "qimlist": ["q0", "q1"],
    "gnd": [
        {"bbx": [1.5, 2.0, 30.0, 40.0], "easy": np.array([0]), "hard": np.array([2]), "junk": np.array([3])},
        {"bbx": np.array([0, 0, 9, 9]), "easy": np.array([], int), "hard": np.array([1, 0]), "junk": [2]},
    ],
}


@pytest.mark.parametrize("protocol", range(5))
def test_revisited(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "gnd_roxford5k.pkl"
    path.write_bytes(pickle.dumps(GND, protocol=protocol))
    truth = read_truth(tmp_path)
    assert truth.format == "revisited"
    assert named(truth, truth.base) == ["i0", "i1", "i2", "i3"]
    assert named(truth, truth.queries) == ["q0", "q1"]
    assert truth.boxes[4] == (1.5, 2.0, 30.0, 40.0)
    found = {name: [set(pairs(truth, part)) for part in parts] for name, parts in truth.variants.items()}
    assert found == {
        "medium": [{("q0", "i0"), ("q0", "i2"), ("q1", "i0"), ("q1", "i1")}, {("q0", "i3"), ("q1", "i2")}],
        "easy": [{("q0", "i0")}, {("q0", "i2"), ("q0", "i3"), ("q1", "i0"), ("q1", "i1"), ("q1", "i2")}],
        "hard": [{("q0", "i2"), ("q1", "i0"), ("q1", "i1")}, {("q0", "i0"), ("q0", "i3"), ("q1", "i2")}],
    }


class Evil:
    def __init__(self, call: Callable[..., Any], *words: Any) -> None:
        self.call, self.words = call, words

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call, self.words


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_runs_no_code(tmp_path: Path, protocol: int) -> None:
    import os
    import subprocess

    mark = tmp_path / "was-here"
    evils = [
        Evil(os.system, f"touch {mark}"),
        Evil(eval, f"open({str(mark)!r}, 'w')"),
        Evil(subprocess.check_call, ["touch", str(mark)]),
        Evil(getattr, "text", "format"),
        Evil(np.load, str(mark)),
        Evil(np.ndarray, (1 << 40,)),
        np.array([Evil(os.mkdir, str(mark))], dtype=object),
    ]
    path = tmp_path / "gnd_evil.pkl"
    for evil in evils:
        path.write_bytes(pickle.dumps({**GND, "imlist": [evil]}, protocol=protocol))
        with pytest.raises(BadInput, match=r"gnd_evil\.pkl"):
            read_truth(path)
        assert not mark.exists()
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.")
    with pytest.raises(BadInput, match="could run code"):
        read_truth(path)
    assert not mark.exists()


@pytest.mark.parametrize("cut", [0, 1, 20, 100])
def test_a_torn_pickle_is_one_sentence(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "gnd_torn.pkl"
    path.write_bytes(pickle.dumps(GND)[:cut])
    with pytest.raises(BadInput, match=r"cannot be read as a pickle|was not read"):
        read_truth(path)


def test_sop(tmp_path: Path) -> None:
    write(
        tmp_path / "Ebay_test.txt",
        "image_id class_id super_class_id path\n59552 11319 1 bicycle_final/1_0.JPG\n"
        "59553 11319 1 bicycle_final/1_1.JPG\n"
        "59554 11320 2 cabinet_final/2_0.JPG\n",
    )
    truth = read_truth(tmp_path)
    assert truth.format == "sop"
    assert labels(truth)["bicycle_final/1_1.JPG"] == "11319"
    assert truth.groups == ("1", "1", "2")
    write(tmp_path / "Ebay_train.txt", "image_id class_id super_class_id path\n1 1 1 bicycle_final/0_0.JPG\n")
    assert labels(read_truth(tmp_path, training=True)) == {"bicycle_final/0_0.JPG": "1"}


def test_in_shop(tmp_path: Path) -> None:
    write(
        tmp_path / "Eval/list_eval_partition.txt",
        "4\nimage_name item_id evaluation_status\nimg/a.jpg id_1 train\nimg/b.jpg id_2 query\nimg/c.jpg id_2 gallery\n"
        "img/d.jpg id_3 gallery\n",
    )
    truth = read_truth(tmp_path)
    assert truth.format == "in-shop"
    assert labels(truth) == {"img/b.jpg": "id_2", "img/c.jpg": "id_2", "img/d.jpg": "id_3"}
    assert named(truth, truth.queries) == ["img/b.jpg"]
    assert named(truth, truth.base) == ["img/c.jpg", "img/d.jpg"]
    training = read_truth(tmp_path, training=True)
    assert (labels(training), training.queries, training.base) == ({"img/a.jpg": "id_1"}, None, None)


def test_cub(tmp_path: Path) -> None:
    write(tmp_path / "images.txt", "1 001.Albatross/a.jpg\n2 002.Wren/b.jpg\n3 002.Wren/c.jpg\n")
    write(tmp_path / "image_class_labels.txt", "1 1\n2 2\n3 2\n")
    write(tmp_path / "train_test_split.txt", "1 1\n2 0\n3 1\n")
    assert labels(read_truth(tmp_path)) == {"002.Wren/b.jpg": "002.Wren", "002.Wren/c.jpg": "002.Wren"}
    split = read_truth(tmp_path, format="cub-split")
    assert named(split, split.queries) == ["002.Wren/b.jpg"]
    assert named(split, split.base) == ["001.Albatross/a.jpg", "002.Wren/c.jpg"]
    assert labels(read_truth(tmp_path, training=True)) == {"001.Albatross/a.jpg": "001.Albatross"}
    assert "takes the first half of the classes" in read_truth(tmp_path, training=True).notes[0]
    first = read_truth(tmp_path, format="cub-split", training=True)
    assert sorted(first.names) == ["001.Albatross/a.jpg", "002.Wren/c.jpg"]
    assert (first.queries, first.base) == (None, None)
    assert "takes its training images" in first.notes[0]


def matlab(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a struct array called annotations, as the devkit does."""
    from scipy.io import savemat

    table = np.zeros((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for at, row in enumerate(rows):
        table[0, at] = tuple(row.values())
    savemat(path, {"annotations": table})


def test_cars(tmp_path: Path) -> None:
    test = [{"bbox_x1": 30, "class": c, "fname": f"{n:05d}.jpg"} for n, c in ((1, 181), (2, 3))]
    matlab(tmp_path / "cars_test_annos_withlabels.mat", test)
    truth = read_truth(tmp_path)
    assert (truth.format, labels(truth)) == ("cars", {"00001.jpg": "181", "00002.jpg": "3"})
    every = [
        {"relative_im_path": f"car_ims/{n}.jpg", "bbox_x1": 1, "class": c, "test": 0}
        for n, c in ((1, 1), (2, 2), (3, 2))
    ]
    matlab(tmp_path / "cars_annos.mat", every)
    assert labels(read_truth(tmp_path)) == {"car_ims/2.jpg": "2", "car_ims/3.jpg": "2"}
    matlab(tmp_path / "cars_test_annos.mat", [{"bbox_x1": 30, "fname": "00001.jpg"}])
    with pytest.raises(BadInput, match="file names and classes are needed"):
        read_truth(tmp_path / "cars_test_annos.mat")
    assert labels(read_truth(tmp_path, training=True)) == {"car_ims/1.jpg": "1"}
    with pytest.raises(BadInput, match="holds the test part"):
        read_truth(tmp_path / "cars_test_annos_withlabels.mat", training=True)


def test_market(tmp_path: Path) -> None:
    touch(tmp_path / "query", "0002_c1s1_000451_03.jpg", "Thumbs.db")
    touch(
        tmp_path / "bounding_box_test",
        "0002_c1s1_000776_01.jpg",
        "0002_c2s1_000801_01.jpg",
        "-1_c1s1_000401_03.jpg",
        "0000_c3s1_000151_01.jpg",
    )
    truth = read_truth(tmp_path)
    assert truth.format == "market"
    assert labels(truth) == {
        "query/0002_c1s1_000451_03.jpg": "0002",
        "bounding_box_test/0000_c3s1_000151_01.jpg": "",
        "bounding_box_test/0002_c1s1_000776_01.jpg": "0002",
        "bounding_box_test/0002_c2s1_000801_01.jpg": "0002",
    }
    assert named(truth, truth.queries) == ["query/0002_c1s1_000451_03.jpg"]
    (rule,) = truth.same
    assert (rule.column, rule.with_label) == ("camera", True)
    assert dict(zip(truth.names, rule.codes.tolist(), strict=True))["bounding_box_test/0002_c2s1_000801_01.jpg"] == 2
    assert truth.notes == ("1 junk images are not searched.",)
    touch(tmp_path / "bounding_box_train", "0007_c3s3_077419_03.jpg")
    training = read_truth(tmp_path, training=True)
    assert labels(training) == {"bounding_box_train/0007_c3s3_077419_03.jpg": "0007"}
    assert (training.queries, training.base) == (None, None)


def test_landmarks(tmp_path: Path) -> None:
    path = write(
        tmp_path / "retrieval_solution_v2.1.csv", "id,images,Usage\nq1,a b,Public\nq2,None,Ignored\nq3,b,Private\n"
    )
    truth = read_truth(path)
    assert truth.format == "landmarks"
    assert pairs(truth) == {("q1", "a"): 1, ("q1", "b"): 1, ("q3", "b"): 1}
    assert named(truth, truth.queries) == ["q1", "q3"]


def test_landmark_recognition(tmp_path: Path) -> None:
    path = write(tmp_path / "recognition_solution_v2.1.csv", "id,landmarks,Usage\nq1,7 9,Public\nq2,,Private\n")
    with pytest.raises(NoSuchFile, match=r"train\.csv"):
        read_truth(path)
    write(tmp_path / "train.csv", "id,url,landmark_id\na,http://x/1.jpg,7\nb,http://x/2.jpg,8\n")
    truth = read_truth(path)
    assert labels(truth) == {"a": "7", "b": "8", "q1": "7|9", "q2": ""}
    assert named(truth, truth.queries) == ["q1", "q2"]
    assert named(truth, truth.base) == ["a", "b"]


@pytest.mark.parametrize("header", ["query_id,reference_id\n", ""])
def test_disc(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "dev_ground_truth.csv", f"{header}Q00000,R540107\nQ00001,\n")
    truth = read_truth(path, format="disc")
    assert pairs(truth) == {("Q00000", "R540107"): 1}
    assert named(truth, truth.queries) == ["Q00000", "Q00001"]
    assert not header or read_truth(path).format == "disc"


def idx(values: list[int]) -> bytes:
    return b"\0\0\x08\x01" + struct.pack(">I", len(values)) + bytes(values)


def test_idx(tmp_path: Path) -> None:
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx([3, 9])))
    one = read_truth(tmp_path)
    assert (one.format, labels(one), one.queries) == ("idx", {"t10k/00000": "3", "t10k/00001": "9"}, None)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx([9]))
    both = read_truth(tmp_path)
    assert named(both, both.queries) == ["t10k/00000", "t10k/00001"]
    assert named(both, both.base) == ["train/00000"]
    assert labels(read_truth(tmp_path, training=True)) == {"train/00000": "9"}
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx([9, 1])[:-1])
    with pytest.raises(BadInput, match="should hold 2 labels and holds 1"):
        read_truth(tmp_path)


def test_omniglot(tmp_path: Path) -> None:
    touch(
        tmp_path, "images_background/Greek/character01/0394_01.png", "images_background/Latin/character02/0501_01.png"
    )
    truth = read_truth(tmp_path)
    assert truth.format == "omniglot"
    assert labels(truth) == {
        "images_background/Greek/character01/0394_01.png": "Greek/character01",
        "images_background/Latin/character02/0501_01.png": "Latin/character02",
    }
    assert truth.groups == ("Greek", "Latin")


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    touch(tmp_path, "cats/1.jpg", "cats/more/2.jpg", "dogs/1.jpg", "other.png", "dogs/notes.txt", ".hidden/1.jpg")
    truth = read_truth(tmp_path)
    assert truth.format == "folder"
    assert labels(truth) == {"cats/1.jpg": "cats", "cats/more/2.jpg": "cats", "dogs/1.jpg": "dogs", "other.png": ""}


def test_a_folder_with_a_split(tmp_path: Path) -> None:
    touch(tmp_path, "query/a/1.jpg", "gallery/a/2.jpg", "gallery/b/3.jpg")
    truth = read_truth(tmp_path)
    assert labels(truth) == {"query/a/1.jpg": "a", "gallery/a/2.jpg": "a", "gallery/b/3.jpg": "b"}
    assert named(truth, truth.queries) == ["query/a/1.jpg"]
    assert named(truth, truth.base) == ["gallery/a/2.jpg", "gallery/b/3.jpg"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "looks like no ground truth"),
        ("file,label\n", "no lines after its header"),
        ("file,label\na.jpg\n", "line 2 of .* has 1 of the 2 fields"),
        (
            "file,label\na.jpg,cat\n\na.jpg,dog\n",
            "line 4 of .* gives 'a.jpg' the label 'dog', an earlier one says 'cat'",
        ),
        ("file,label\n,cat\n", "line 2 of .* names no image"),
        ("query,relevant\n", "no lines after its header"),
        ("anchor,positive,negative\n", "no lines after its header"),
        ("anchor,positive,negative\na,b,\n", "line 2 of .* names no negative"),
        ("anchor,positive,negative\na,b,a\n", "line 2 of .* names one image twice: a, b, a"),
        ("anchor,positive,negative\na,b,c\na,c,b\n", "line 3 of .* 'a' is more like 'c' than 'b'; an earlier one"),
        ("query,relevant,grade\nq,a,1\nq,a,2\n", "line 3 of .* grade 2, an earlier one says 1"),
        ("query,relevant,grade\nq,a,-1\n", "line 2 of .* has the grade '-1'"),
        ("query,relevant,grade\nq,a,nan\n", "line 2 of .* has the grade 'nan'"),
        ("query,relevant,grade\nq,a,1\nq,b,\n", "line 3 of .* has no grade"),
        ("label,path,split,is_query,is_gallery\n1,a,train,,\n", "no line whose split is .validation."),
        ("label,path,split,is_query,is_gallery\n1,a,validation,maybe,1\n", "line 2 of .* marks an image with 'maybe'"),
    ],
)
def test_mistakes_name_the_file_and_the_line(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(BadInput, match=said) as caught:
        read_truth(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint or "names no image" in said or "fields" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "query,relevant\nq,a\nq,b\nq,a\n",
            "Line 4 of {} repeats an earlier one and counts once: remove or correct it.",
        ),
        ("file,label\na,x\na,x\nb,x\nb,x\n", "2 lines of {} repeat earlier ones (3, 5) and count once: "),
        ("query_id,reference_id\nQ00001,R000001\nQ00001,R000001\nQ00002,\n", "Line 3 of {} repeats"),
    ],
)
def test_lines_that_repeat_earlier_ones_are_said(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path / "t.csv", text)
    (note,) = read_truth(path).notes
    assert note.startswith(said.format(path))


def test_a_truth_without_repeated_lines_says_nothing(tmp_path: Path) -> None:
    assert read_truth(write(tmp_path / "t.csv", "query,relevant\nq,a\nq,b\n")).notes == ()


def test_qrels_are_known_by_their_first_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"line 2 of .* has 1 of 4 fields"):
        read_truth(write(tmp_path / "q.txt", "a 0 b 1\nbroken\n"))


def test_the_line_of_a_name(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", 'file,label\n11.jpg,a\n1.jpg,a\n"odd, name.jpg",b\n1.jpg,a\n')
    assert line_of_each(path, ["1.jpg", "odd, name.jpg", "gone.jpg"]) == {"1.jpg": 3, "odd, name.jpg": 4}
    assert line_of_each(write(tmp_path / "q.txt", "q 0 i 1\nq 0 j 1\n"), ["j"]) == {"j": 2}
    both = write(tmp_path / "p.csv", "query,relevant\na,b\nb,\n")
    assert (line_of_each(both, ["b"]), line_of_each(both, ["b"], leading=True)) == ({"b": 2}, {"b": 3})
    assert line_of_each(tmp_path, ["t.csv"]) == {}
    (tmp_path / "gnd.pkl").write_bytes(b"\x80\x04name\xff")
    assert line_of_each(tmp_path / "gnd.pkl", ["name"]) == {}


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile, match="no such truth file"):
        read_truth(tmp_path / "none.csv")
    with pytest.raises(UnknownName, match="markt"):
        read_truth(tmp_path, format="markt")
    (tmp_path / "t.csv").write_bytes(b"file,label\na,b\n" * 9999 + b"\xff\xfe,a\n")
    with pytest.raises(BadInput, match="cannot be read as text"):
        read_truth(tmp_path / "t.csv")


@pytest.mark.parametrize("name", list(TRUTHS))
def test_no_reader_fails_in_a_strange_way(tmp_path: Path, name: str) -> None:
    """Whatever a path is, looking never raises, and reading raises one of our sentences."""
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 4)
    for path in (
        tmp_path,
        tmp_path / "noise.bin",
        write(tmp_path / "a.csv", "x,y\n1,2\n"),
        write(tmp_path / "b.txt", "1"),
    ):
        TRUTHS[name].looks(path)
        with pytest.raises(LookalikeError):
            TRUTHS[name].read(path)
