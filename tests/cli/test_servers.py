"""The commands over a server: ``--collection http://host:port/name``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from live import live
from lookalike.cli.servers import COMMANDS_OVER_A_SERVER
from lookalike.errors import BadInput
from lookalike.serve.keys import add_key
from pictures import picture, write_pictures
from running import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures and a collection of them."""
    write_pictures(tmp_path / "photos", 12)
    with lookalike.open(tmp_path / "here") as photos:
        photos.add(tmp_path / "photos")
    return tmp_path / "here"


@pytest.fixture
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("LOOKALIKE_KEY", raising=False)
    with live({"photos": folder}) as url:
        yield f"{url}/photos"


@pytest.mark.parametrize(
    "words",
    [
        ["photos/picture-0003.png", "-k", "3"],
        ["id:picture-0003.png", "--not-same", "-k", "2"],
        ["photos/picture-0003.png", "-", "id:picture-0004.png"],
        ["0007"],
        ["photos/picture-0005.png", "--box", "0.2,0.2,0.9,0.9", "--augment", "mirror"],
    ],
)
def test_a_search_prints_what_the_folders_search_prints(run: Run, there: str, folder: Path, words: list[str]) -> None:
    here = run("search", *words, "--collection", folder)
    over = run("search", *words, "--collection", there)
    assert (over.code, over.err) == (here.code, here.err)
    # A person sees the id, for where the file lies on the server is not told.
    assert over.out == here.out.replace(f"{folder.parent / 'photos'}/", "")


def test_search_json_and_paths(run: Run, there: str, folder: Path) -> None:
    words = ["search", "photos/picture-0003.png", "-k", "3"]
    here, over = (run(*words, "--json", "--collection", at).json for at in (folder, there))
    assert over["query"] == here["query"]
    for mine, theirs in zip(here["hits"], over["hits"], strict=True):
        assert set(theirs) == {*mine, "link", "thumbnail"}
        assert theirs == {**mine, **{name: theirs[name] for name in ("source", "link", "thumbnail")}}
    paths = run(*words, "--paths", "--collection", there).out.splitlines()
    assert paths == [hit["link"] for hit in over["hits"]]
    assert all(path.startswith(there.removesuffix("photos")) for path in paths)


def test_the_picture_of_a_search(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mosaics"
    folder.mkdir()
    tiles = [picture(n, side=96) for n in range(4)]
    Pillow.fromarray(np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])).save(folder / "0.png")
    Pillow.fromarray(tiles[1]).save(tmp_path / "thing.png")
    assert run("index", "mosaics", "--regions", "grid:2x2", "--collection", "here").code == 0
    with live({"photos": tmp_path / "here"}) as url:
        done = run("search", "thing.png", "--picture", "found.png", "--collection", url)
        assert done.code == 0
        assert done.out.endswith("\t96,0,192,96\n")
        assert run("search", "id:0.png", "--picture", "again.png", "--collection", url).code == 0
    with Pillow.open(tmp_path / "found.png") as drawn:
        assert (np.asarray(drawn.convert("RGB")) == (232, 0, 138)).all(axis=2).any()  # the colour of a box


def test_index_uploads_what_is_new_and_names_what_is_bad(run: Run, there: str, tmp_path: Path) -> None:
    write_pictures(tmp_path / "more", 5, start=40)
    (tmp_path / "more" / "bad.jpg").write_text("no picture")
    done = run("index", "more", "--collection", there)
    assert done.code == 1
    assert f"skipped {tmp_path / 'more' / 'bad.jpg'}: " in done.err
    assert "Done: 5 added, 1 skipped in " in done.err
    assert f"; 17 images in {there}." in done.err
    # The command it offers works as it stands.
    words = done.err.splitlines()[-1].removeprefix("Next: lookalike ")
    assert run(*words.split()).code == 0
    again = run("index", "more", "--json", "--prefix", "", "--collection", there)
    assert (again.code, again.json["added"], again.json["unchanged"]) == (1, 0, 5)
    assert again.json["collection"] == there
    assert again.json["images"] == 17
    apart = run("index", "more", "--json", "--prefix", "shop/", "--collection", there)
    assert apart.json["added"] == 5
    ids = run("info", "--ids", "--collection", there).out.splitlines()
    assert "shop/picture-0040.png" in ids


def test_info_and_remove(run: Run, there: str, folder: Path) -> None:
    assert f"{there}: 12 images" in run("info", "--collection", there).out
    facts = run("info", "--json", "--collection", there).json
    assert (facts["images"], facts["space"]) == (12, "builtin-2")
    assert run("info", "--ids", "--collection", there).out == run("info", "--ids", "--collection", folder).out
    done = run("remove", "picture-0001.png", "id:picture-0002.png", "nothing", "--collection", there)
    assert (done.code, done.err) == (1, f"not there: nothing\n2 removed; 10 images in {there}.\n")
    gone = run("remove", "nothing", "--json", "--collection", there)
    assert (gone.code, gone.json["error"]["code"]) == (2, "bad_input")


def test_the_environment_names_a_server_and_a_key(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = add_key(tmp_path / "keys.toml", "me", "search")
    with live({"photos": folder}, api_keys=str(tmp_path / "keys.toml")) as url:
        monkeypatch.setenv("LOOKALIKE_COLLECTION", f"{url}/photos")
        refused = run("search", "text:0001", "--json")
        assert (refused.code, refused.json["error"]["code"]) == (2, "no_key")
        assert "LOOKALIKE_KEY" in refused.json["error"]["hint"]
        monkeypatch.setenv("LOOKALIKE_KEY", key)
        assert run("search", "text:0001").out.endswith("picture-0001.png\n")
        write_pictures(tmp_path / "more", 1, start=50)
        upload = run("index", "more")
        assert (upload.code, "needs write" in upload.err) == (2, True)


OTHERS = {
    "find": ["photos/picture-0001.png"],
    "related": ["out.csv"],
    "evaluate": ["--truth", "photos"],
    "calibrate": ["--truth", "photos"],
    "weigh": ["--truth", "photos"],
    "rebase": ["photos", "elsewhere"],
    "export": ["out"],
    "import": ["photos"],
    "backup": ["out.backup"],
}


@pytest.mark.parametrize("command", OTHERS)
def test_commands_that_need_the_folder_say_so(run: Run, tmp_path: Path, command: str) -> None:
    write_pictures(tmp_path / "photos", 2)
    done = run(command, *OTHERS[command], "--collection", "http://127.0.0.1:9/photos")
    assert done.code == 2
    assert f"`lookalike {command}` needs the folder" in done.err
    assert not (tmp_path / "http:").exists()
    assert command not in COMMANDS_OVER_A_SERVER


@pytest.mark.parametrize(
    "words",
    [
        ["index", "photos", "--prune"],
        ["index", "photos", "--watch"],
        ["index", "photos", "--embedder", "hog"],
        ["index", "photos", "--estimate"],
        ["search", "text:x", "--verify", "template"],
        ["search", "text:x", "--subject", "saliency"],
        ["search", "text:x", "--device", "cpu"],
        ["info", "--basis", "x.png"],
    ],
)
def test_options_that_mean_nothing_over_a_server_say_so(run: Run, words: list[str]) -> None:
    done = run(*words, "--collection", "http://127.0.0.1:9/photos")
    assert done.code == 2
    assert "does not work over a server" in done.err


def test_a_folder_is_wanted_where_the_environment_names_a_server(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=r"lookalike\.Client"):
        lookalike.open("http://127.0.0.1:9/photos")
    assert "--prefix" in run("index", tmp_path, "--prefix", "x/").err
    monkeypatch.setenv("LOOKALIKE_COLLECTION", "http://127.0.0.1:9/photos")
    with pytest.raises(BadInput, match="LOOKALIKE_COLLECTION"):
        lookalike.open()
    assert "needs a folder" in run("serve", "--port", "0").err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_keeps_what_was_sent(there: str, tmp_path: Path) -> None:
    write_pictures(tmp_path / "many", 800)
    command = [sys.executable, "-m", "lookalike", "index", "many", "--json", "--collection", there]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, env=os.environ) as process,
        lookalike.Client(there) as client,
    ):
        end = time.monotonic() + 60
        while len(client) < 30:
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        report = json.loads(out)
        assert process.returncode == 130
        assert report["stopped"]
        assert 12 < report["images"] < 812
        # What the last request had in hand may have been stored after the report.
        assert report["added"] <= len(client) - 12 <= report["added"] + 64
