"""The command line as a person or a script uses it: what goes to stdout, what to stderr, and the exit codes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.cli.app import COMMANDS
from lookalike.errors import NoCollection
from lookalike.testing.store import StoredImage
from pictures import kind_and_view, picture, write_pictures
from running import Run


@pytest.fixture
def indexed(run: Run, tmp_path: Path) -> Path:
    write_pictures(tmp_path / "photos", 8)
    assert run("index", "photos").code == 0
    return tmp_path / "photos"


def test_index_says_what_it_did_and_what_to_type_next(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "my photos", 3)
    done = run("index", "my photos")
    assert (done.code, done.out) == (0, "")
    *_, summary, following = done.err.splitlines()
    assert summary.startswith("Done: 3 added in ")
    assert "3 images in" in summary
    assert following.startswith("Next: lookalike search '")
    # The command it offers works as it stands.
    words = following.removeprefix("Next: ")
    shell = subprocess.run(
        words.replace("lookalike", f"{sys.executable} -m lookalike", 1), shell=True, capture_output=True, text=True
    )
    assert shell.returncode == 0
    assert shell.stdout.startswith("1.0000\t")


def test_skipped_images_make_exit_code_1_and_are_named(run: Run, indexed: Path) -> None:
    (indexed / "broken.jpg").write_bytes(b"no image")
    done = run("index", "photos", "--json")
    assert done.code == 1
    assert done.json["unchanged"] + done.json["replaced"] == 8
    (entry,) = done.json["skipped"]["entries"]
    assert entry["source"] == str(indexed / "broken.jpg")
    assert entry["code"] == "broken_image"
    assert done.json["images"] == 8
    assert "broken.jpg" in run("index", "photos").err


def test_search_prints_one_result_a_line(run: Run, indexed: Path) -> None:
    done = run("search", "photos/picture-0003.png", "-k", "3")
    lines = done.out.splitlines()
    assert done.code == 0
    assert len(lines) == 3
    assert lines[0] == f"1.0000\t{indexed / 'picture-0003.png'}"


def test_search_json_is_the_contract(run: Run, indexed: Path) -> None:
    answer = run("search", "photos/picture-0003.png", "--json", "-k", "2").json
    assert answer["query"] == {"items": [{"kind": "path", "value": "photos/picture-0003.png", "weight": 1.0}]}
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2]
    assert set(answer["hits"][0]) == {"rank", "id", "row", "source", "score", "found_by", "metadata"}
    assert answer["hits"][0]["id"] == "picture-0003.png"
    assert {"embed", "search", "total"} <= set(answer["took_ms"])


def test_search_gives_20_by_default(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 25)
    run("index", "photos")
    assert len(run("search", "id:picture-0003.png", "--json").json["hits"]) == 20


def test_paths_for_pipes(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    names = [b"new\nline.png", b"caf\xe9.png", "emoji \U0001f431.png".encode(), b"-dash.png", b"a'b\"c.png"]
    for seed, name in enumerate(names):
        write_pictures(tmp_path, 1, start=seed)[0].rename(os.fsdecode(os.fsencode(folder) + b"/" + name))
    assert run("index", "photos").code == 0
    done = subprocess.run(
        [sys.executable, "-m", "lookalike", "search", "id:caf%E9.png", "--paths", "--null"],
        capture_output=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    found = done.stdout.split(b"\0")[:-1]
    assert sorted(found) == sorted(os.fsencode(folder) + b"/" + name for name in names)
    # As a table and as JSON every result stays on its line and valid.
    assert len(run("search", "id:caf%E9.png").out.splitlines()) == len(names)
    sources = {hit["source"] for hit in run("search", "id:caf%E9.png", "--json").json["hits"]}
    assert f"{folder}/caf%E9.png" in sources
    assert f"{folder}/new\\nline.png" in sources


def test_several_queries_are_their_mean(run: Run, indexed: Path) -> None:
    both = run("search", "id:picture-0001.png", "+", "id:picture-0002.png", "--json", "-k", "2").json
    assert {hit["id"] for hit in both["hits"]} == {"picture-0001.png", "picture-0002.png"}
    assert both["hits"][0]["score"] == pytest.approx(both["hits"][1]["score"], abs=1e-5)


def test_an_image_on_standard_input(indexed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lookalike", "search", "stdin:", "--json", "-k", "1"]
    data = (indexed / "picture-0005.png").read_bytes()
    done = subprocess.run(command, input=data, capture_output=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout)["hits"][0]["id"] == "picture-0005.png"
    empty = subprocess.run(command, input=b"", capture_output=True, cwd=tmp_path)
    assert empty.returncode == 2
    assert json.loads(empty.stdout)["error"]["message"] == "standard input was empty."


def test_a_list_of_paths_on_standard_input(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "photos", 4)
    done = subprocess.run(
        [sys.executable, "-m", "lookalike", "index", "stdin:", "--json"],
        input="\n".join(map(str, paths[:3])), capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(done.stdout)["added"] == 3


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["search", "nothing.jpg"], "no_such_file", "no such file: 'nothing.jpg'"),
        (["search", "photos"], "bad_query", "is a folder"),
        (["search", "photos/picture-0001.png", "--truth", "x.csv"], "usage", "--picture"),
        (["search", "id:picture-0001.png", "--collection", "none"], "no_collection", "no collection at none"),
        (["search", "id:picture-0001.png", "-k", "0"], "usage", "0 is not in the range"),
        (["index", "nowhere"], "no_such_file", "nowhere"),
        (["index", "photos", "--embedder", "color-histgram"], "unknown_name", "color-histogram"),
        (["index", "photos", "--embedder", "color-histogram"], "other_embedder", "made with 'builtin-2'"),
        (["evaluate", "--truth", "none.csv"], "no_such_file", "no such truth file"),
        (["remove", "nothing"], "bad_input", "none of these"),
        (["rebase", "/nowhere", "/else"], "bad_input", "no image of"),
        (["search", "id:picture-0001.png", "--picture", "out.xyz"], "bad_input", ".xyz"),
    ],
)
def test_mistakes_of_the_caller(run: Run, indexed: Path, words: list[str], code: str, said: str) -> None:
    spoken = run(*words)
    assert (spoken.code, spoken.out) == (2, "")
    assert said in spoken.err
    assert "Traceback" not in spoken.err
    answer = run(*words, "--json")
    assert answer.code == 2
    assert answer.json["error"]["code"] == code
    assert said in answer.json["error"]["message"] + answer.json["error"]["hint"]


def test_a_misspelt_command_offers_the_nearest(run: Run) -> None:
    done = run("serach", "x")
    assert done.code == 2
    assert "Did you mean 'search'" in done.err


def test_a_misspelt_source_leaves_no_collection_behind(run: Run, tmp_path: Path) -> None:
    assert run("index", "nowhere").code == 2
    assert list(tmp_path.iterdir()) == []


def test_picture(run: Run, tmp_path: Path) -> None:
    labels = kind_and_view(3, 3, tmp_path / "photos")
    with (tmp_path / "truth.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("file", "label"), *labels.items()])
    run("index", "photos")
    plain = run("search", "photos/kind1-view0.png", "-k", "4", "--picture", "plain.png")
    marked = run("search", "photos/kind1-view0.png", "-k", "4", "--picture", "marked.png", "--truth", "truth.csv")
    assert (plain.code, marked.code) == (0, 0)
    with Pillow.open(tmp_path / "plain.png") as small, Pillow.open(tmp_path / "marked.png") as large:
        assert large.height > small.height, "the relevant ones have a row of their own"


def test_evaluate_by_hand(run: Run, tmp_path: Path) -> None:
    """Two kinds of two identical pictures: every search finds its twin first. A lone one is counted, not averaged."""
    folder = tmp_path / "photos"
    folder.mkdir()
    lines = [("file", "label")]
    for name, seed in (("a1", 1), ("a2", 1), ("b1", 2), ("b2", 2), ("c1", 3)):
        Pillow.fromarray(picture(seed)).save(folder / f"{name}.png")
        lines.append((f"{name}.png", name[0]))
    lines.append(("missing.png", "a"))
    with (tmp_path / "truth.csv").open("w", newline="") as out:
        csv.writer(out).writerows(lines)
    run("index", "photos")
    answer = run("evaluate", "--truth", "truth.csv", "--json").json
    assert list(answer["metrics"])[:2] == ["map", "hit_rate@1"]
    assert answer["metrics"]["map"]["value"] == 1.0
    assert answer["metrics"]["hit_rate@1"]["n"] == 4
    assert answer["skipped"] == {"unmatched": 1, "no_other_of_its_label": 1}
    table = run("evaluate", "--truth", "truth.csv")
    assert table.out.splitlines()[0].split()[:2] == ["map", "1.0000"]
    assert [line.split()[0] for line in table.out.splitlines()] == list(answer["metrics"])
    assert "missing.png" in table.err


def test_info_remove_rebase_backup(run: Run, indexed: Path, tmp_path: Path) -> None:
    facts = run("info", "--json").json
    assert facts["images"] == 8
    assert facts["space"] == "builtin-2"
    assert facts["roots"] == {str(indexed): 8}
    assert len(run("info", "--ids").out.splitlines()) == 8
    assert run("remove", "picture-0001.png", "photos/picture-0002.png", "--json").json["removed"] == 2
    indexed.rename(tmp_path / "moved")
    assert run("rebase", "photos", "moved", "--json").json == {"moved": 6}
    saved = run("backup", "saved.db", "--json").json
    assert saved == {"saved": 6, "file": "saved.db", "bytes": (tmp_path / "saved.db").stat().st_size}
    assert "6 images saved" in run("backup", "saved.db").err
    assert run("backup", "saved.db", "--restore", "--json").code == 2  # there is a collection here already
    back = run("backup", "saved.db", "--restore", "--collection", "again", "--json").json
    assert back == {"restored": 6, "collection": "again"}
    assert run("info", "--json", "--collection", "again").json["images"] == 6


def test_estimate_stores_nothing(run: Run, indexed: Path, tmp_path: Path) -> None:
    write_pictures(indexed, 5, start=50)
    answer = run("index", "photos", "--estimate", "--json").json
    assert answer["images"] == 13
    assert answer["images_per_second"] > 0
    assert run("info", "--json").json["images"] == 8
    assert "13 images" in run("index", "photos", "--estimate").out


def test_export_and_import(run: Run, indexed: Path) -> None:
    assert run("export", "out", "--json").json["exported"] == 8
    taken = run("import", "out", "--collection", "again", "--embedder", "builtin", "--json").json
    assert taken == {"imported": 8, "images": 8, "space": "builtin-2"}
    assert run("search", "photos/picture-0003.png", "--collection", "again", "--json").json["hits"][0]["score"] == 1.0


@pytest.mark.parametrize("command", [*COMMANDS, ""])
def test_every_command_explains_itself(run: Run, command: str) -> None:
    done = run(*([command] if command else []), "--help")
    assert done.code == 0
    assert "Usage: lookalike" in done.out


def interrupted(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command and send it Ctrl-C when the collection has its first images."""
    import signal
    import time

    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(400):
        time.sleep(0.05)  # looking at a file of another process: there is nothing to wait on
        if list(folder.glob("*.collection/collection.sqlite-wal")) and count(folder):
            break
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    return subprocess.CompletedProcess(list(command), child.returncode, out, err)


def count(folder: Path) -> int:
    try:
        with lookalike.open(folder / "lookalike.collection", create_missing=False) as made:
            return len(made)
    except NoCollection:  # it is being made
        return 0


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 150)
    # Many small images, taken one at a time, so that the interrupt comes in the middle.
    for copy in range(1, 10):
        (tmp_path / "photos" / f"copy{copy}").mkdir()
        for path in list((tmp_path / "photos").glob("*.png")):
            with Pillow.open(path) as opened:
                opened.convert("RGB").save(tmp_path / "photos" / f"copy{copy}" / path.name, compress_level=copy % 10)
    command = [sys.executable, "-m", "lookalike", "index", "photos", "--batch-size", "1", "--workers", "1"]
    stopped = interrupted(command, tmp_path)
    assert stopped.returncode == 130, stopped.stderr
    assert "Stopped: " in stopped.stderr
    assert "type the same command again" in stopped.stderr
    done = count(tmp_path)
    assert 0 < done < 1500
    assert f"Stopped: {done} added" in stopped.stderr
    again = subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    answer = json.loads(again.stdout)
    assert answer["images"] == 1500
    assert answer["added"] == 1500 - done


def test_what_a_c_library_prints_does_not_reach_the_person(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    broken = bytearray((write_tiff(tmp_path / "x.tif")).read_bytes())
    broken[200:260] = bytes(60)
    (tmp_path / "photos" / "broken.tif").write_bytes(broken)
    command = [sys.executable, "-m", "lookalike", "index", "photos"]
    loud = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "LOOKALIKE_DEBUG": "1"}
    )
    quiet = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert loud.returncode == quiet.returncode == 1
    assert len(loud.stderr.splitlines()) > len(quiet.stderr.splitlines()), "libtiff had something to say"
    assert quiet.stderr.startswith("skipped "), quiet.stderr


def write_tiff(path: Path) -> Path:
    Pillow.fromarray(picture(1)).save(path, compression="tiff_lzw")
    return path


def test_an_estimate_leaves_no_collection_behind(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 3)
    done = run("index", "photos", "--estimate", "--collection", "new")
    assert (done.code, (tmp_path / "new").exists()) == (0, False)
    assert done.out.startswith("3 images, 3 of them new")
    assert done.out.rstrip().endswith("in new.")


def test_a_source_without_images_is_said_in_words(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "No images were found there" in run("index", "empty").err
    assert "No images were found there" in run("index", "empty", "--estimate").out


def test_the_collection_may_be_named_before_the_command(run: Run, indexed: Path) -> None:
    run("index", "photos/picture-0001.png", "--collection", "one")
    assert run("--collection", "one", "info", "--json").json["images"] == 1
    assert run("--collection", "one", "info", "--json", "--collection", "lookalike.collection").json["images"] == 8
    assert run("--collection", "none", "search", "id:x").code == 2


def test_a_member_of_an_archive_is_a_query_as_it_is_shown(run: Run, indexed: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "some.tar", "w") as tar:
        tar.add(indexed / "picture-0005.png", "deep/5.png")
    assert run("index", "some.tar", "--collection", "tar").code == 0
    shown = run("search", "photos/picture-0005.png", "--collection", "tar", "--paths").out.rstrip("\n")
    assert shown == f"{tmp_path / 'some.tar'}!/deep/5.png"
    assert run("search", shown, "--json", "-k", "1").json["hits"][0]["id"] == "picture-0005.png"
    gone = run("search", "some.tar!/deep/6.png")
    assert (gone.code, "deep/6.png" in gone.err) == (2, True), gone.err
    assert "no such file" in run("search", "other.tar!/deep/5.png").err


def test_a_list_on_standard_input(indexed: Path, tmp_path: Path) -> None:
    names = "".join(f"photos/picture-000{n}.png\n" for n in (1, 2))
    for place, word in enumerate(("stdin:", "-")):
        command = [sys.executable, "-m", "lookalike", "index", word, "--json", "--collection", f"listed{place}"]
        done = subprocess.run(command, cwd=tmp_path, input=names, capture_output=True, text=True)
        assert json.loads(done.stdout)["images"] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a name that is not UTF-8")
def test_the_next_command_can_be_typed_whatever_the_names(run: Run, tmp_path: Path) -> None:
    (made,) = write_pictures(tmp_path / "photos", 1)
    made.rename(Path(os.fsdecode(os.fsencode(made.parent) + b"/a\xff.png")))
    assert run("index", "photos").err.splitlines()[-1] == "Next: lookalike search id:a%FF.png"
    assert run("search", "id:a%FF.png").code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are closed in another way there")
def test_a_reader_that_leaves_early_is_no_error(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 2)
    run("index", "photos")
    with lookalike.open(tmp_path / "lookalike.collection") as photos:  # more than a pipe holds
        ids = [f"{'long' * 50}{n}" for n in range(500)]
        photos.store.put([StoredImage(id, f"/r/{id}") for id in ids], {})
    command = [sys.executable, "-m", "lookalike", "info", "--ids"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.wait(timeout=60) == 0
        assert child.stderr is not None
        assert child.stderr.read() == b""


def test_the_truth_of_a_picture_may_name_its_column(run: Run, indexed: Path, tmp_path: Path) -> None:
    rows = "".join(f"picture-000{n}.png,{'even' if n % 2 == 0 else 'odd'}\n" for n in range(8))
    (tmp_path / "truth.csv").write_text(f"file,parity\n{rows}")
    drawn = run("search", "photos/picture-0002.png", "--picture", "o.png", "--truth", "truth.csv", "--label", "parity")
    assert drawn.code == 0, drawn.err
    with Pillow.open(tmp_path / "o.png") as opened:
        colours = {colour for _, colour in opened.convert("RGB").getcolors(1 << 24) or []}
    assert {(24, 128, 56), (197, 57, 41)} <= colours  # green and red frames
    assert run("search", "photos/picture-0002.png", "--label", "parity").code == 2
