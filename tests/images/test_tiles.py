"""Many small pictures in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lookalike.errors import StorageFailed
from lookalike.images.tiles import save_tiles, tiled


def test_pictures_lie_in_rows_and_are_enlarged_whole() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (5, 6, 12, 3), dtype=np.uint8)
    sheet = tiled(pictures)
    assert sheet.shape == (4 + 2 * (24 + 4), 4 + 3 * (48 + 4), 3)  # 3 columns, 2 rows, four times as large
    assert (sheet[4:28:4, 56:104:4] == pictures[1]).all()
    assert (sheet[35:56:4, 7:52:4] == pictures[3]).all()
    assert (sheet[32:, 108:] == 255).all()


def test_the_file_holds_the_sheet(tmp_path: Path) -> None:
    pictures = np.zeros((1, 50, 50, 3), np.uint8)
    save_tiles(pictures, tmp_path / "x.png")
    assert np.array_equal(np.asarray(Pillow.open(tmp_path / "x.png")), tiled(pictures))
    with pytest.raises(StorageFailed, match="could not be written"):
        save_tiles(pictures, tmp_path / "no" / "x.png")
