"""builtin-2: a network beside the parts of builtin-1. Its file, too, must never change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from lookalike.embed import create
from lookalike.embed.builtin import builtin_1
from lookalike.embed.handcrafted.canvas import Views
from lookalike.embed.handcrafted.network import Network, network_input
from lookalike.embed.hybrid import Shares, builtin_2, hybrid, read_shares
from lookalike.errors import ModelError

from .test_builtin import golden_images

HERE = Path(__file__).parent
FOLDER = Path(sys.modules["lookalike.embed.hybrid"].__file__ or "").parent / "weights" / "builtin-2"


def test_the_vectors_are_those_of_the_first_release() -> None:
    found = builtin_2().embed(golden_images())
    golden = np.load(HERE / "golden" / "builtin-2.npy").astype(np.float32)
    assert found.shape == golden.shape
    # Processors without the instructions for int8 add up in another order, and round some numbers the other way.
    assert ((found * golden).sum(axis=1) > 0.995).all()


def test_the_fingerprint_knows_the_network_and_the_shares() -> None:
    made = builtin_2()
    model, shares = FOLDER / "model.onnx", read_shares(FOLDER)
    assert hybrid(model, shares, name="builtin-2").fingerprint == made.fingerprint
    others = {
        hybrid(model, Shares(0.3, 0.3, 0.1, 0.1), name="builtin-2").fingerprint,
        hybrid(FOLDER / "model.onnx", shares, name="other").fingerprint,
    }
    assert made.fingerprint not in others


def test_a_vector_is_the_parts_by_their_shares() -> None:
    """The network's rows beside a session of its own; what is left, times the root of the rest, is builtin-1's."""
    made = builtin_2()
    shares = read_shares(FOLDER)
    prepared = [made.prepare(image) for image in golden_images()]
    views = Views(prepared)
    session = onnxruntime.InferenceSession(FOLDER / "model.onnx", providers=["CPUExecutionProvider"])
    (rows,) = session.run(None, {session.get_inputs()[0].name: network_input(views)})
    lengths = json.loads((FOLDER / "lookalike.json").read_text(encoding="utf-8"))["shape"]
    first = builtin_1()
    found = made.embed(golden_images())
    for at, flat in enumerate(views.flatness):
        ends = zip(
            (shares.shape_in_photographs, shares.meaning_in_photographs, shares.rest()[0]),
            (shares.shape_in_pictograms, shares.meaning_in_pictograms, shares.rest()[1]),
            strict=True,
        )
        shape, meaning, rest = (low + flat * (high - low) for low, high in ends)
        one, other = rows[at, : lengths["shape"]], rows[at, lengths["shape"] :]
        hand = first.describe(prepared[at : at + 1])[0] * np.sqrt(rest)
        whole = np.concatenate(
            [hand, one / np.linalg.norm(one) * np.sqrt(shape), other / np.linalg.norm(other) * np.sqrt(meaning)]
        )
        assert float(found[at] @ whole / np.linalg.norm(whole)) > 0.999


def test_how_large_it_is() -> None:
    assert (FOLDER / "model.onnx").stat().st_size <= 10e6
    assert (FOLDER / "README.md").read_text(encoding="utf-8").count("##") >= 3
    assert builtin_2().space.dim == builtin_1().space.dim + sum(
        json.loads((FOLDER / "lookalike.json").read_text(encoding="utf-8"))["shape"][key]
        for key in ("shape", "meaning")
    )


def test_batches_and_single_pictures_give_the_same() -> None:
    made = create("builtin-2")
    images = golden_images() * 4
    together = made.embed(images)
    alone = np.concatenate([made.embed([image]) for image in images])
    assert np.abs(together - alone).max() < 1e-4


def test_a_package_without_its_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lookalike\.json cannot be read"):
        read_shares(tmp_path)
    with pytest.raises(ModelError, match=r"the network .* cannot be read"):
        Network(tmp_path / "model.onnx")


def test_making_it_does_not_load_the_runtime() -> None:
    """A command that embeds nothing, as `lookalike info`, must not pay for it."""
    code = "import sys; from lookalike.embed import create; create('builtin'); print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=os.environ)
    assert done.stdout.strip() == "False", done.stderr
