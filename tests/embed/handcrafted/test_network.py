"""A network's components beside the descriptors by formula, on the same framed content."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lookalike.embed.builtin import builtin_1
from lookalike.embed.handcrafted.canvas import SIDE, Views, prepare
from lookalike.embed.handcrafted.embedder import Handcrafted, Part
from lookalike.embed.handcrafted.network import Network, NetworkPart, network_input
from lookalike.embed.hybrid import Shares, hybrid, read_shares
from lookalike.errors import ModelError
from lookalike.protocols import TextEmbedder
from lookalike.testing.embedder import check_embedder
from pictures import picture

DIM = 6


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that gives weighted means of the three channels, 6 of them."""
    return write(tmp_path / "model.onnx", np.random.default_rng(0).normal(size=(3, DIM)).astype(np.float32))


def write(path: Path, weights: np.ndarray) -> Path:
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["rows"]),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", DIM])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def views(count: int = 5) -> Views:
    return Views([prepare(picture(seed)) for seed in range(count)])


def test_a_part_is_its_components_scaled(model: Path) -> None:
    seen = views()
    weights = np.random.default_rng(0).normal(size=(3, DIM)).astype(np.float32)
    rows = network_input(seen).mean(axis=(2, 3)) @ weights
    found = NetworkPart(Network(model), 2, 3).describe(seen)
    wanted = rows[:, 2:5] / np.linalg.norm(rows[:, 2:5], axis=1, keepdims=True)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_the_network_reads_the_framed_content() -> None:
    seen = views()
    made = network_input(seen)
    assert made.shape == (5, 3, SIDE, SIDE)
    np.testing.assert_allclose(made, (seen.framed(SIDE).transpose(0, 3, 1, 2) / 255 - 0.5) * 4, atol=1e-5)
    np.testing.assert_array_equal(seen.framed(64), seen.content)


def test_content_fills_the_frame_at_any_size() -> None:
    image = np.full((120, 200, 3), 255, np.uint8)
    image[20:60, 140:180] = 0  # a square of 40, in a corner
    seen = Views([prepare(image)])
    for side in (32, 64, 128):
        rows, columns = np.nonzero(seen.framed(side)[0].mean(axis=2) < 128)
        # With a margin of 6% on each side it takes 1 / 1.12 = 0.89 of the frame; the canvas blurs its edges.
        assert abs((np.ptp(rows) + 1) / side - 0.89) < 0.08
        assert abs((np.ptp(columns) + 1) / side - 0.89) < 0.08


def test_it_joins_the_descriptors(model: Path) -> None:
    network = Network(model)
    parts = [
        *(Part(each.descriptor, each.in_photographs / 2, each.in_pictograms / 2) for each in builtin_1().parts),
        Part(NetworkPart(network, 0, 4), 0.3, 0.1),
        Part(NetworkPart(network, 4, 2), 0.2, 0.4),
    ]
    check_embedder(lambda: Handcrafted("joined", parts))


def test_other_weights_are_another_space(model: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.onnx", np.ones((3, DIM), np.float32))
    one, two = (Handcrafted("x", [Part(NetworkPart(Network(path), 0, DIM), 1, 1)]) for path in (model, other))
    again = Handcrafted("x", [Part(NetworkPart(Network(model), 0, DIM), 1, 1)])
    assert one.fingerprint == again.fingerprint != two.fingerprint


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.onnx cannot be read"):
        Network(tmp_path / "nowhere.onnx")


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match=r"broken\.onnx failed"):
        Network(tmp_path / "broken.onnx").rows(views(1))


def test_a_hybrid_is_the_weighted_mean_of_its_parts(tmp_path: Path, model: Path) -> None:
    """Of two pictures: each part's own cosine, times the geometric mean of the shares that both ask for."""
    (model.parent / "lookalike.json").write_text(json.dumps({"shape": {"shape": 4, "meaning": 2}}), encoding="utf-8")
    shares = Shares(0.3, 0.1, 0.2, 0.2)
    images = [picture(seed) for seed in range(4)]
    made = hybrid(model, shares, name="x")
    found = made.embed(images).astype(np.float64)
    seen = Views([prepare(image) for image in images])
    rows = Network(model).rows(seen).astype(np.float64)
    shape, meaning = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (rows[:, :4], rows[:, 4:]))
    hand = builtin_1().describe([prepare(image) for image in images]).astype(np.float64)
    ends = ((0.3, 0.1, shape), (0.2, 0.2, meaning), (0.5, 0.7, hand))
    whole = np.concatenate(
        [part * np.sqrt(low + seen.flatness * (high - low))[:, None] for low, high, part in ends], axis=1
    )
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    np.testing.assert_allclose(found @ found.T, whole @ whole.T, atol=1e-5)
    assert made.fingerprint != hybrid(model, Shares(0.3, 0.1, 0.2, 0.1), name="x").fingerprint
    assert not isinstance(made, TextEmbedder)  # there are no words beside this model


def test_a_folder_that_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lookalike\.json cannot be read"):
        read_shares(tmp_path)
