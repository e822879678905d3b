"""The main job through the Python interface: open, add, search, change, remove."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lookalike
from lookalike.collection import Collection, Options
from lookalike.embed import create
from lookalike.errors import BadInput, BadQuery, CollectionBusy, NoCollection, NoSuchFile, OtherEmbedder, UnknownName
from lookalike.images.decode import decode
from pictures import picture, write_pictures


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "photos", 12)
    return tmp_path / "photos"


@pytest.fixture
def collection(tmp_path: Path, photos: Path) -> Collection:
    made = lookalike.open(tmp_path / "c.collection")
    made.add(photos)
    return made


def age(path: Path) -> None:
    """Make a file old enough for its time to be trusted."""
    past = time.time() - 3600
    os.utime(path, (past, past))


def test_scores_are_the_cosines_of_the_embedders_own_vectors(collection: Collection, photos: Path) -> None:
    embedder = create("builtin")
    paths = sorted(photos.iterdir())
    vectors = embedder.embed([decode(path.read_bytes()).pixels for path in paths])
    cosines = vectors @ vectors[3]
    expected = sorted(zip((-cosines).tolist(), range(1, 13), strict=True))
    hits = collection.search(paths[3], k=12)
    assert [hit.score for hit in hits] == pytest.approx([-score for score, _ in expected], abs=2e-3)
    assert hits[0].id == paths[3].name
    assert hits[0].source == str(paths[3])
    assert [hit.rank for hit in hits] == list(range(1, 13))


def test_every_way_to_ask_for_one_image_gives_one_answer(collection: Collection, photos: Path) -> None:
    path = photos / "picture-0004.png"
    pixels = np.asarray(Pillow.open(path).convert("RGB"))
    answers = [
        [(hit.id, round(hit.score, 4)) for hit in collection.search(what, k=5)]
        for what in (path, str(path), path.read_bytes(), pixels, Pillow.open(path), "id:picture-0004.png", [path, path])
    ]
    assert answers[0][0] == ("picture-0004.png", 1.0)
    assert all(answer == answers[0] for answer in answers)


def test_k_beyond_the_collection_gives_all_of_it(collection: Collection) -> None:
    assert len(collection.search("id:picture-0001.png", k=500)) == 12
    with pytest.raises(BadInput, match="k must be at least 1"):
        collection.search("id:picture-0001.png", k=0)


def test_unknown_ids_are_refused_in_a_sentence(collection: Collection) -> None:
    with pytest.raises(BadQuery, match="no image has the id 'nothing'"):
        collection.search("id:nothing")


def test_a_second_run_does_nothing_and_a_third_sees_what_changed(collection: Collection, photos: Path) -> None:
    for path in photos.iterdir():
        age(path)
    first = collection.add(photos)  # the times have changed, the bytes have not
    assert (first.added, first.replaced, first.unchanged) == (0, 0, 12)
    before = {record.id: record.row for record in collection}

    Pillow.fromarray(picture(99)).save(photos / "picture-0002.png")
    (photos / "picture-0005.png").unlink()
    write_pictures(photos, 1, start=50)
    report = collection.add(photos)
    assert (report.added, report.replaced, report.unchanged, report.vanished_count) == (1, 1, 10, 1)
    assert report.vanished == [str(photos / "picture-0005.png")]
    assert "picture-0005.png" in collection
    after = {record.id: record.row for record in collection}
    assert after["picture-0002.png"] == before["picture-0002.png"], "a replaced image keeps its row"
    assert collection.search(picture(99), k=1)[0].id == "picture-0002.png"

    pruned = collection.add(photos, prune_vanished=True)
    assert pruned.pruned == 1
    assert "picture-0005.png" not in collection


def test_a_file_written_within_the_clocks_tick_is_read_again(collection: Collection, photos: Path) -> None:
    path = photos / "picture-0000.png"
    stamp = path.stat()
    other = picture(77)
    Pillow.fromarray(other).save(path)
    data = path.read_bytes()
    # The worst case: same size and same time, as a coarse clock or one that jumped back may leave them.
    path.write_bytes(data[: stamp.st_size].ljust(stamp.st_size, b"\0"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_size == stamp.st_size
    report = collection.add(photos)
    assert report.unchanged == 11
    assert report.replaced + report.skipped_count == 1


def test_a_broken_image_is_skipped_named_and_does_not_lose_the_old_vector(collection: Collection, photos: Path) -> None:
    (photos / "picture-0003.png").write_bytes(b"not an image at all")
    (photos / "new.jpg").write_bytes(b"")
    report = collection.add(photos)
    assert report.skipped_count == 2
    assert {Path(skipped.source).name for skipped in report.skipped} == {"new.jpg", "picture-0003.png"}
    assert all(skipped.error.message for skipped in report.skipped)
    assert collection.search("id:picture-0003.png", k=1)[0].score == pytest.approx(1)


def test_two_folders_with_the_same_names_do_not_collide(collection: Collection, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_pictures(other, 2, start=200)
    for place, path in enumerate(sorted(other.iterdir())):
        path.rename(other / f"picture-{place:04d}.png")
    report = collection.add(other)
    assert report.added == 2
    assert "other/picture-0000.png" in collection
    assert collection.get("picture-0000.png") is not None


def test_a_folder_inside_an_indexed_one_adds_nothing_twice(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos" / "2024", 4)
    made = lookalike.open(tmp_path / "c.collection")
    made.add(tmp_path / "photos")
    made.add(tmp_path / "photos" / "2024")
    assert sorted(record.id for record in made) == [f"2024/picture-{n:04d}.png" for n in range(4)]


def test_a_renamed_file_takes_its_vector_along(collection: Collection, photos: Path) -> None:
    (photos / "picture-0001.png").rename(photos / "renamed.png")
    report = collection.add(photos, prune_vanished=True)
    assert (report.added, report.reused, report.pruned) == (1, 1, 1)
    assert len(collection) == 12


def test_a_list_gives_metadata_and_a_folder_does_not_take_it_away(collection: Collection, photos: Path) -> None:
    for path in photos.iterdir():
        age(path)
    table = photos.parent / "list.csv"
    table.write_text("file,price\nphotos/picture-0001.png,3\n")
    assert collection.add(table).replaced == 1
    assert (collection.get("picture-0001.png") or pytest.fail("gone")).metadata == {"price": "3"}
    collection.add(photos)
    assert collection.add(photos).unchanged == 12
    assert (collection.get("picture-0001.png") or pytest.fail("gone")).metadata == {"price": "3"}
    table.write_text("file,price\nphotos/picture-0001.png,4\n")
    assert collection.add(table).replaced == 1
    assert (collection.get("picture-0001.png") or pytest.fail("gone")).metadata == {"price": "4"}


def test_members_of_an_archive_come_and_go(tmp_path: Path) -> None:
    import tarfile

    paths = write_pictures(tmp_path / "photos", 4)
    archive = tmp_path / "photos.tar"

    def pack(some: list[Path]) -> None:
        with tarfile.open(archive, "w") as tar:
            for path in some:
                tar.add(path, path.name)
        age(archive)

    made = lookalike.open(tmp_path / "c.collection")
    pack(paths)
    first = made.add(archive)
    assert (first.added, first.vanished_count) == (4, 0), "what has just been added has not vanished"
    assert (made.add(archive).unchanged, made.add(archive).vanished_count) == (4, 0)
    pack(paths[1:])
    report = made.add(archive, prune_vanished=True)
    assert (report.vanished, report.pruned) == ([f"{archive}!/picture-0000.png"], 1)
    assert len(made) == 3


def test_rebase_moves_a_folder_without_reading_it(collection: Collection, photos: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "pictures"
    moved.parent.mkdir()
    shutil.move(photos, moved)
    ids = [record.id for record in collection]
    assert collection.rebase(photos, moved) == 12
    assert [record.id for record in collection] == ids
    for path in moved.iterdir():
        age(path)
    assert collection.add(moved).unchanged == 12
    assert collection.search("id:picture-0000.png")[0].source == str(moved / "picture-0000.png")


def test_a_moved_folder_that_is_simply_indexed_again_keeps_its_ids(collection: Collection, photos: Path) -> None:
    moved = photos.with_name("moved")
    photos.rename(moved)
    report = collection.add(moved)
    assert (report.added, report.replaced) == (0, 12)
    assert len(collection) == 12
    assert collection.search("id:picture-0000.png")[0].source == str(moved / "picture-0000.png")


def test_pictures_in_memory(collection: Collection) -> None:
    report = collection.add_images([picture(300), picture(301)], ids=["m/0", "m/1"], metadata=[{"tag": "a"}, {}])
    assert report.added == 2
    hit = collection.search(picture(300), k=1)[0]
    assert (hit.id, hit.metadata) == ("m/0", {"tag": "a"})
    # The same id with other pixels is another image under the old row.
    assert collection.add_images([picture(302)], ids=["m/0"]).replaced == 1
    assert collection.search(picture(302), k=1)[0].row == hit.row
    with pytest.raises(BadInput, match="one id"):
        collection.add_images([picture(1)], ids=[])


def test_remove(collection: Collection, photos: Path) -> None:
    assert collection.remove(["picture-0003.png", "nothing"]) == 1
    assert all(hit.id != "picture-0003.png" for hit in collection.search(photos / "picture-0003.png"))
    report = collection.add(photos)
    assert report.added == 1


def test_a_collection_remembers_its_embedder(collection: Collection, tmp_path: Path) -> None:
    collection.close()
    assert lookalike.open(tmp_path / "c.collection").space.name == "builtin-2"
    assert len(lookalike.open(tmp_path / "c.collection", embedder="builtin")) == 12
    with pytest.raises(OtherEmbedder, match=r"made with 'builtin-2'.*not with 'color-histogram"):
        lookalike.open(tmp_path / "c.collection", embedder="color-histogram")
    both = lookalike.open(tmp_path / "c.collection", embedder="color-histogram", add_space=True)
    assert len(both.store.spaces()) == 2
    assert lookalike.open(tmp_path / "c.collection").space.name == "builtin-2", "the first space stays the one searched"


def test_builtin_is_content_with_an_older_one_until_it_is_added(tmp_path: Path) -> None:
    with lookalike.open(tmp_path / "c", embedder="builtin-1") as made:
        made.add_images([picture(1)], ids=["a"])
    with lookalike.open(tmp_path / "c", embedder="builtin") as again:
        assert again.space.name == "builtin-1"
        assert [hit.id for hit in again.search("id:a")] == ["a"]
    with pytest.raises(OtherEmbedder, match=r"made with 'builtin-1'.*not with 'builtin-2'"):
        lookalike.open(tmp_path / "c", embedder="builtin-2")
    with lookalike.open(tmp_path / "c", embedder="builtin", add_space=True) as both:
        assert sorted(both.store.spaces()) == ["builtin-1", "builtin-2"]


def test_a_second_space_embeds_what_is_there_already(collection: Collection, photos: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        age(path)
    collection.add(photos)
    collection.close()
    second = lookalike.open(tmp_path / "c.collection", embedder="color-histogram", add_space=True)
    report = second.add(photos)
    assert report.replaced == 12
    assert second.search(photos / "picture-0002.png", k=1)[0].id == "picture-0002.png"
    first = lookalike.open(tmp_path / "c.collection")
    assert first.search(photos / "picture-0002.png", k=1)[0].id == "picture-0002.png"


def test_a_misspelt_embedder_or_place_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'builtin"):
        lookalike.open(tmp_path / "new.collection", embedder="bulitin")
    assert not (tmp_path / "new.collection").exists()
    with pytest.raises(NoCollection, match="there is no collection at"):
        lookalike.open(tmp_path / "new.collection", create_missing=False)


def test_the_default_collection_is_the_nearest_upwards(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert lookalike.collection.default_path() == deep / "lookalike.collection"
    (tmp_path / "lookalike.collection").mkdir()
    assert lookalike.collection.default_path() == tmp_path / "lookalike.collection"
    monkeypatch.setenv("LOOKALIKE_COLLECTION", str(tmp_path / "c.collection"))
    assert len(lookalike.open()) == 12


def test_memory_does_not_hold_the_images(tmp_path: Path) -> None:
    """Few images are in flight: a source is pulled as the model goes on, not read to its end first."""
    from lookalike.collection.ingest import Ingest
    from lookalike.collection.reports import AddReport
    from lookalike.images import Item, Skipped, scan

    made = lookalike.open(tmp_path / "c.collection")
    write_pictures(tmp_path / "photos", 60)
    pulled = 0
    ahead: list[int] = []

    def counting() -> Iterator[Item | Skipped]:
        nonlocal pulled
        for _ in range(20):
            for entry in scan(tmp_path / "photos"):
                pulled += 1
                yield entry

    report = AddReport()
    with made.store.writing():
        Ingest(
            made.store,
            made.embedder,
            Options(batch_size=4, workers=2, commit_every_s=0),
            on_progress=lambda so_far: ahead.append(pulled - so_far.done),
        ).run(counting(), report, lambda row: None)
    assert pulled == 1200
    assert max(ahead) <= 256 + 2 * 4 + 2 + 4 * 2


def test_a_second_writer_is_told_and_readers_go_on(collection: Collection, photos: Path, tmp_path: Path) -> None:
    program = (
        "import sys, lookalike\n"
        f"c = lookalike.open({str(tmp_path / 'c.collection')!r})\n"
        "print(len(c.search('id:picture-0001.png')), flush=True)\n"
        "try: c.remove('picture-0001.png')\n"
        "except lookalike.errors.CollectionBusy as error: print('busy:', error)\n"
    )
    with collection.store.writing():
        done = subprocess.run(
            [sys.executable, "-c", "import lookalike.errors\n" + program], capture_output=True, text=True, check=True
        )
    assert done.stdout.startswith("12\nbusy: ")
    assert issubclass(CollectionBusy, lookalike.LookalikeError)


def test_low_confidence_is_said_in_words(tmp_path: Path) -> None:
    made = lookalike.open(tmp_path / "c.collection")
    assert made.search(picture(1)).note.startswith("The collection is empty")
    for view in range(3):
        made.add_images([picture(seed, view=view) for seed in range(20)], ids=[f"{seed}/{view}" for seed in range(20)])
    assert made.search(picture(7, view=4)).note == ""
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    assert "Nothing stands out" in made.search(noise).note


def test_backup_and_restore(collection: Collection, tmp_path: Path) -> None:
    collection.backup(tmp_path / "saved.lookalike")
    again = lookalike.restore(tmp_path / "saved.lookalike", tmp_path / "again.collection")
    assert [hit.id for hit in again.search("id:picture-0002.png")] == [
        hit.id for hit in collection.search("id:picture-0002.png")
    ]
    assert list(again) == list(collection)
    with pytest.raises(BadInput, match="is not overwritten"):
        lookalike.restore(tmp_path / "saved.lookalike", tmp_path / "again.collection")
    with pytest.raises(NoSuchFile, match="no backup at"):
        lookalike.restore(tmp_path / "nothing", tmp_path / "third.collection")
    assert not (tmp_path / "third.collection").exists()


def test_a_run_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    for path in write_pictures(tmp_path / "images", 30):
        os.utime(path, ns=(10**18, 10**18))  # old enough for its time to be believed
    with lookalike.open(tmp_path / "c") as photos:
        photos.add(tmp_path / "images")
        expected, version = photos.store.setting("expected_best:builtin-2"), photos.store.version
        photos.add(tmp_path / "images")
        assert photos.store.version == version
        write_pictures(tmp_path / "images", 5, start=30)
        photos.add(tmp_path / "images")
        assert photos.store.version > version
        assert expected
        assert photos.store.setting("expected_best:builtin-2") != expected
