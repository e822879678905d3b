from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.errors import BadInput
from lookalike.images import Item, Skipped, scan
from lookalike.images.lists import names_in


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def items_of(source: Path) -> list[Item]:
    found = list(scan(source))
    assert [entry.error for entry in found if isinstance(entry, Skipped)] == []
    return [entry for entry in found if isinstance(entry, Item)]


def test_a_csv_with_ids_and_metadata(tmp_path: Path) -> None:
    fill(tmp_path, "in/a.jpg", "in/b.jpg", "c.jpg")
    path = tmp_path / "in/list.csv"
    path.write_text(
        f'id,brand,File,note\nA7,acme,a.jpg,"two\nlines"\n,007,{tmp_path}/in/b.jpg,\nC,x,../c.jpg,y,beyond\n',
        encoding="utf-8-sig",
    )
    a, b, c = items_of(path)
    assert (a.id, a.given_id, a.metadata) == ("A7", True, {"brand": "acme", "note": "two\nlines"})
    assert (b.id, b.given_id, b.metadata) == ("b.jpg", False, {"brand": "007"})
    assert (c.id, c.given_id, c.metadata) == ("C", True, {"brand": "x", "note": "y"})
    assert [item.read() for item in (a, b, c)] == [b"in/a.jpg", b"in/b.jpg", b"c.jpg"]
    assert [item.source for item in (a, b, c)] == [str(tmp_path / name) for name in ("in/a.jpg", "in/b.jpg", "c.jpg")]
    assert (a.root, b.root) == (str(path.parent),) * 2
    assert a.stamp is not None
    assert a.stamp.size == 8


def test_ids_of_files_outside_the_lists_folder_are_unique(tmp_path: Path) -> None:
    fill(tmp_path, "x/a.jpg", "y/a.jpg")
    path = tmp_path / "lists/list.csv"
    path.parent.mkdir()
    path.write_text("path\n../x/a.jpg\n../y/a.jpg\n")
    items = items_of(path)
    assert [os.path.join(item.root, *item.id.split("/")) for item in items] == [item.source for item in items]
    assert len({item.id for item in items}) == 2


@pytest.mark.parametrize(("name", "delimiter"), [("l.tsv", "\t"), ("l.csv", ";"), ("l.csv", "\t"), ("l.CSV", ",")])
def test_delimiters(tmp_path: Path, name: str, delimiter: str) -> None:
    fill(tmp_path, "a,b;.jpg")
    with (tmp_path / name).open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([["label", "image"], ["one", "a,b;.jpg"]])
    (item,) = items_of(tmp_path / name)
    assert item.metadata == {"label": "one"}
    assert item.read() == b"a,b;.jpg"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_surest_column_is_taken(tmp_path: Path, suffix: str) -> None:
    columns = {"source": ["http://x/s.jpg"], "URL": ["http://x/u.jpg"], "caption": ["hello"]}
    path = tmp_path / f"l.{suffix}"
    if suffix == "csv":
        path.write_text(",".join(columns) + "\n" + ",".join(cell for (cell,) in columns.values()) + "\n")
    else:
        pq.write_table(pa.table(columns), path)
    (item,) = items_of(path)
    assert (item.id, item.root, item.source, item.stamp) == ("http://x/u.jpg", "", "http://x/u.jpg", None)
    assert item.metadata == {"source": "http://x/s.jpg", "caption": "hello"}


def test_a_list_without_such_a_column_names_those_it_has(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text("picture,brand\na.jpg,x\n")
    with pytest.raises(BadInput, match=r"'picture', 'brand'.*Name one of them file,"):
        scan(path)  # at once, not at the first picture
    path.write_text("")
    with pytest.raises(BadInput, match="columns are none"):
        scan(path)
    pq.write_table(pa.table({"image": [b"bytes"], "n": [1]}), tmp_path / "l.parquet")
    with pytest.raises(BadInput, match="has no column"):
        scan(tmp_path / "l.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but not really PAR1")
    with pytest.raises(BadInput, match="not a Parquet file"):
        scan(tmp_path / "broken.parquet")


def test_rows_that_cannot_be_used_are_named_with_their_line(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "z.jpg")
    (tmp_path / "folder").mkdir()
    path = tmp_path / "l.csv"
    path.write_text("file\na.jpg\ngone.jpg\n\nfolder\n \0.jpg\nz.jpg\n")
    found = list(scan(path))
    assert [type(entry) for entry in found] == [Item, Skipped, Skipped, Skipped, Item]
    messages = [str(entry.error) for entry in found if isinstance(entry, Skipped)]
    assert "line 3" in messages[0]
    assert "gone.jpg" in messages[0]
    assert "folder" in messages[1]
    assert "line 6" in messages[2]


def test_a_row_too_long_for_csv_is_reported(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "l.csv").write_text("file,x\na.jpg,1\na.jpg," + "y" * 200_000 + "\n")
    found = list(scan(tmp_path / "l.csv"))
    assert [type(entry) for entry in found] == [Item, Skipped]


def test_parquet_values_become_json(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "b.jpg")
    table = pa.table(
        {
            "file": ["a.jpg", "b.jpg"],
            "id": [1, 2],
            "score": [0.5, float("nan")],
            "day": [date(2024, 2, 29), None],
            "tags": [["x", "y"], []],
            "struct": [{"a": 1}, None],
            "raw": [b"\x00", b"\x01"],
            "vector": pa.array([np.ones(3, np.float32).tolist()] * 2, pa.list_(pa.float32())),
        }
    )
    pq.write_table(table, tmp_path / "l.parquet")
    a, b = items_of(tmp_path / "l.parquet")
    assert (a.id, b.id, a.given_id) == ("1", "2", True)
    assert a.metadata == {
        "score": 0.5,
        "day": "2024-02-29",
        "tags": ["x", "y"],
        "struct": {"a": 1},
        "vector": [1.0, 1.0, 1.0],
    }
    assert b.metadata == {"score": None, "tags": [], "vector": [1.0, 1.0, 1.0]}
    json.dumps([a.metadata, b.metadata], allow_nan=False)


def test_many_parquet_rows_come_in_order(tmp_path: Path) -> None:
    urls = [f"http://x/{n}.jpg" for n in range(5000)]
    pq.write_table(pa.table({"url": urls, "n": range(5000)}), tmp_path / "l.parquet", row_group_size=700)
    items = items_of(tmp_path / "l.parquet")
    assert [item.id for item in items] == urls
    assert [item.metadata["n"] for item in items] == list(range(5000))


def test_a_list_may_name_members_of_archives(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("in/a.jpg", b"member")
    (tmp_path / "l.csv").write_text("source,label\nx.zip!/in/a.jpg,1\n")
    (item,) = items_of(tmp_path / "l.csv")
    assert item.source == f"{tmp_path}/x.zip!/in/a.jpg"
    assert item.id == "x.zip/in/a.jpg"
    assert item.read() == b"member"


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
def test_undecodable_names_in_a_csv(tmp_path: Path) -> None:
    name = b"\xe9t\xe9.jpg"
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(b"ok")
    (tmp_path / "l.csv").write_bytes(b"file\n" + name + b"\n")
    (item,) = items_of(tmp_path / "l.csv")
    assert item.id == "%E9t%E9.jpg"
    assert item.read() == b"ok"


class Slow(io.RawIOBase):
    """A pipe whose writer hands over a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step = data, step

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        piece, self._data = self._data[: self._step], self._data[self._step :]
        memoryview(buffer)[: len(piece)] = piece  # type: ignore[arg-type]
        return len(piece)


NAME = st.binary(min_size=1, max_size=12).filter(lambda n: not set(b"\0\n\r") & set(n) and not n.startswith(b"\xef"))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(NAME, max_size=8), st.integers(1, 30), st.sampled_from([b"\n", b"\r\n", b"\0"]), st.booleans())
def test_names_of_a_stream(names: list[bytes], step: int, end: bytes, last_ended: bool) -> None:
    data = end.join(names) + (end if last_ended else b"")
    first = max(step, len(names[0]) + 1) if names else step  # the first block tells which separator it is
    stream = io.BufferedReader(Slow(data, first if end == b"\0" else step))
    found = [os.fsencode(name) for name in names_in(stream)]
    assert found == names


def test_names_ended_by_nul_may_hold_line_breaks() -> None:
    assert list(names_in(io.BytesIO(b"a\nb.jpg\0c.jpg\0"))) == ["a\nb.jpg", "c.jpg"]
    assert list(names_in(io.BytesIO(b"\xef\xbb\xbfa.jpg\n\nb.jpg"))) == ["a.jpg", "b.jpg"]


def test_standard_input(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "b/new\nline.jpg")
    script = (
        "from lookalike.images import Item, scan\n"
        "for e in scan('stdin:'): print([e.id, e.source, e.read().decode()] if isinstance(e, Item) and e.stamp"
        " else [e.source])"
    )
    names = ["a.jpg", str(tmp_path / "b/new\nline.jpg"), "gone.jpg", "http://x/y.jpg"]
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="\0".join(names),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines() == [
        str(["a.jpg", f"{tmp_path}/a.jpg", "a.jpg"]),
        str(["b/new\nline.jpg", f"{tmp_path}/b/new\nline.jpg", "b/new\nline.jpg"]),
        str([f"{tmp_path}/gone.jpg"]),
        str(["http://x/y.jpg"]),
    ]
