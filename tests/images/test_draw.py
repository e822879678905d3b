"""The picture of a search: where things are, what they show, how it is written."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from lookalike.errors import BadInput, StorageFailed
from lookalike.images.draw import Row, Tile, draw, save_picture
from lookalike.images.typeset import drawable, shortened, text_width
from lookalike.types import Region

from .awkward import Pixels, scene

RED, BLUE = (250, 10, 20), (10, 20, 250)
FRAME_GREEN, FRAME_RED = (24, 128, 56), (197, 57, 41)


def flat(colour: tuple[int, int, int], width: int = 60, height: int = 60) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def box_of(picture: Pillow.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of all pixels near one colour."""
    near = np.abs(np.asarray(picture, np.int16) - colour).max(axis=2) <= 2
    y, x = np.nonzero(near)
    assert len(y), f"nothing of colour {colour}"
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def count_of(picture: Pillow.Image, colour: tuple[int, int, int]) -> int:
    return int((np.abs(np.asarray(picture, np.int16) - colour).max(axis=2) <= 2).sum())


def test_tiles_stand_in_a_line_at_double_density() -> None:
    picture = draw([Row("Results", [Tile(flat(RED), "a"), Tile(flat(BLUE), "b")])], tile_px=100)
    left, right = box_of(picture, RED), box_of(picture, BLUE)
    assert left[1] == right[1]
    assert left[3] == right[3]
    assert left[2] < right[0]
    side = left[2] - left[0]
    assert 180 <= side <= 200
    assert side == left[3] - left[1]


def test_a_box_frames_its_place() -> None:
    pixels = flat(BLUE, 200, 100)
    tile = Tile(pixels, "", box=Region(50, 25, 150, 75))
    picture = draw([Row("", [tile])], tile_px=100)
    blue, frame = box_of(picture, BLUE), box_of(picture, (232, 0, 138))
    scale = (blue[2] - blue[0]) / 200
    expected = (blue[0] + 50 * scale, blue[1] + 25 * scale, blue[0] + 150 * scale, blue[1] + 75 * scale)
    assert frame == pytest.approx(expected, abs=2)
    middle = (frame[0] + frame[2]) // 2, (frame[1] + frame[3]) // 2
    assert picture.getpixel(middle) == BLUE


def test_pictures_are_letter_boxed_not_cropped() -> None:
    pixels = flat(RED, 300, 100)
    pixels[:, :100] = BLUE
    picture = draw([Row("", [Tile(pixels, "")])], tile_px=100)
    blue, red = box_of(picture, BLUE), box_of(picture, RED)
    height = red[3] - red[1]
    assert (red[2] - blue[0]) / height == pytest.approx(3, rel=0.05)
    assert (blue[2] - blue[0]) / (red[2] - red[0]) == pytest.approx(0.5, rel=0.1)


def test_query_stands_left_of_the_results() -> None:
    picture = draw([Row("Results", [Tile(flat(BLUE), "b")] * 7, query=[Tile(flat(RED), "q")])], columns=3, tile_px=60)
    query, results = box_of(picture, RED), box_of(picture, BLUE)
    assert query[2] < results[0]
    assert query[1] == results[1]
    assert results[3] - results[1] > 3 * (query[3] - query[1])  # three lines


def test_more_tiles_than_columns_go_on_below() -> None:
    narrow = draw([Row("", [Tile(flat(RED), "")] * 6)], columns=2, tile_px=50)
    wide = draw([Row("", [Tile(flat(RED), "")] * 6)], columns=6, tile_px=50)
    assert narrow.width < wide.width
    assert narrow.height > wide.height
    assert count_of(narrow, RED) == count_of(wide, RED)


@pytest.mark.parametrize(
    ("relevant", "frame", "other"), [(True, FRAME_GREEN, FRAME_RED), (False, FRAME_RED, FRAME_GREEN)]
)
def test_relevance_is_told_by_a_frame_and_by_a_sign(
    relevant: bool, frame: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    picture = draw([Row("", [Tile(flat(BLUE), "x", 0.5, relevant)])])
    inside = box_of(picture, BLUE)
    around = box_of(picture, frame)
    assert around[0] < inside[0]
    assert around[2] > inside[2]
    below = picture.crop((0, inside[3] + 30, picture.width, picture.height))
    assert count_of(below, frame) > 20, "no tick or cross under the tile"
    assert count_of(picture, other) == 0


def test_tick_and_cross_differ_in_shape_not_only_in_colour() -> None:
    shapes = []
    for relevant in (True, False):
        picture = draw([Row("", [Tile(None, "", None, relevant, note=" ")])])
        frame = FRAME_GREEN if relevant else FRAME_RED
        below = np.asarray(picture.crop((0, 480, picture.width, picture.height)), np.int16)
        shapes.append(np.abs(below - frame).max(axis=2) <= 60)
    assert (shapes[0] != shapes[1]).sum() > 0.3 * shapes[0].sum()


def test_missing_picture_shows_its_reason() -> None:
    silent = draw([Row("", [Tile(None, "a", note=" ")])])
    spoken = draw([Row("", [Tile(None, "a", note="the JPEG picture is damaged: image file is truncated.")])])
    assert silent.size == spoken.size
    assert (np.asarray(silent) != np.asarray(spoken)).any()


def test_score_and_rank_change_only_what_is_under_the_tile() -> None:
    plain, other = (np.asarray(draw([Row("R", [Tile(flat(RED), "a", score)], ranked=True)])) for score in (0.25, 0.75))
    changed = np.nonzero((plain != other).any(axis=(1, 2)))[0]
    assert len(changed)
    assert changed.min() > box_of(Pillow.fromarray(plain), RED)[3]


@pytest.mark.parametrize("rows", [[], [Row("Nothing", [])], [Row("", [])], [Row("R", [], query=[Tile(None, "q")])]])
def test_nothing_to_draw_is_still_a_picture(rows: list[Row]) -> None:
    picture = draw(rows, title="empty")
    assert picture.mode == "RGB"
    assert min(picture.size) > 100


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1), (16, 16)])
def test_extreme_shapes(size: tuple[int, int]) -> None:
    picture = draw([Row("", [Tile(flat(RED, *size), "")])], tile_px=40)
    assert picture.height < 300
    assert count_of(picture, RED) > 0


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=30), st.floats(), st.sampled_from([None, True, False]))
def test_any_text_and_score_can_be_drawn(caption: str, title: str, score: float, relevant: bool | None) -> None:
    row = Row(title, [Tile(None, caption, score, relevant, note=caption)], ranked=True)
    assert draw([row], title=title, tile_px=40).width == draw([Row("", [Tile(None, "")])], tile_px=40).width


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain name.jpg", "plain name.jpg"),
        ("two\nlines\tand  spaces", "two lines and spaces"),
        ("déjà vu", "deja vu"),
        ("cat 😀😀 here", "cat · here"),
        ("日本語.png", "·.png"),
        ("\u202egnp.exe", "·gnp.exe"),  # a right-to-left override must not turn a name round
        ("\udcff.jpg", "·.jpg"),  # an undecodable byte of a file name
    ],
)
def test_what_the_font_lacks(text: str, expected: str) -> None:
    assert drawable(text) == expected


@given(st.text(alphabet="abcdefghij /._-", min_size=1, max_size=200), st.integers(30, 400))
def test_shortened_text_fits_and_keeps_both_ends(text: str, width: int) -> None:
    line = drawable(text)
    short = shortened(line, width, 14)
    assert text_width(short, 14) <= width
    if short != line:
        head, dots, tail = short.partition("…")
        assert dots
        assert line.startswith(head)
        assert line.endswith(tail)
        # One more character would not have fitted.
        assert text_width(line[: len(head) + 2] + dots + tail, 14) > width - 14


@pytest.mark.parametrize("arguments", [{"tile_px": 39}, {"tile_px": 1001}, {"columns": 0}])
def test_impossible_measures(arguments: dict[str, int]) -> None:
    with pytest.raises(BadInput, match=next(iter(arguments))):
        draw([], **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(("suffix", "kind"), [("png", "PNG"), ("JPG", "JPEG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_suffix_decides_the_format(tmp_path: Path, suffix: str, kind: str) -> None:
    picture = Pillow.fromarray(scene(40, 30))
    path = tmp_path / f"out.{suffix}"
    path.write_bytes(b"an older picture")
    save_picture(picture, path)
    with Pillow.open(path) as read:
        assert read.format == kind
        assert np.abs(np.asarray(read.convert("RGB"), np.int16) - np.asarray(picture)).mean() < 6
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "something was left beside it"


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_picture_is_as_readable_as_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    save_picture(Pillow.new("RGB", (2, 2)), tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("name", ["out", "out.gif", "out.pdf"])
def test_unknown_suffix_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="unknown suffix") as caught:
        save_picture(Pillow.new("RGB", (2, 2)), tmp_path / name)
    assert ".png" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="could not be written"):
        save_picture(Pillow.new("RGB", (2, 2)), tmp_path / "nowhere" / "out.png")


def test_a_failed_write_leaves_the_old_picture_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    target.mkdir()  # cannot be replaced by a file
    with pytest.raises(StorageFailed):
        save_picture(Pillow.new("RGB", (2, 2)), target)
    assert [p.name for p in tmp_path.iterdir()] == ["out.png"]
