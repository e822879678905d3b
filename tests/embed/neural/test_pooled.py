"""Poolings of a network's output, named beside the model or in the specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image as Pillow

from lookalike.embed import create
from lookalike.embed.neural.onnx import OnnxEmbedder, open_onnx
from lookalike.embed.neural.preprocess import IMAGENET_MEAN, IMAGENET_STD
from lookalike.embed.pooling.gem import GeM
from lookalike.embed.pooling.netvlad import NetVLAD
from lookalike.embed.pooling.tokens import PatchMean
from lookalike.errors import BadInput, ModelError, NoSuchFile, UnknownName
from lookalike.testing.embedder import check_embedder
from lookalike.types import Image

WEIGHTS = np.random.default_rng(0).normal(size=(5, 3, 1, 1)).astype(np.float32)
IMAGE: Image = np.random.default_rng(1).integers(0, 256, (6, 6, 3), dtype=np.uint8)

KINDS = {
    "map": [helper.make_node("Conv", ["image", "w"], ["out"])],
    "tokens": [
        helper.make_node("Conv", ["image", "w"], ["map"]),
        helper.make_node("Constant", [], ["dims"], value_ints=[0, 5, 36]),
        helper.make_node("Reshape", ["map", "dims"], ["sequence"]),
        helper.make_node("Transpose", ["sequence"], ["out"], perm=[0, 2, 1]),
    ],
    "rows": [
        helper.make_node("Conv", ["image", "w"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["out"]),
    ],
    "nhwc": [
        helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["turned", "w"], ["map"]),
        helper.make_node("Transpose", ["map"], ["out"], perm=[0, 2, 3, 1]),
    ],
}


def write(folder: Path, kind: str, about: object = None) -> Path:
    sides: list[int | str] = ["b", 6, 6, 3] if kind == "nhwc" else ["b", 3, 6, 6]
    graph = helper.make_graph(
        KINDS[kind],
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(folder / "model.onnx")
    )
    if about is not None:
        (folder / "lookalike.json").write_text(json.dumps(about))
    return folder


def feature_map() -> npt.NDArray[np.float32]:
    """The network's 1 x 1 convolution of the normalised picture, by hand."""
    colours = (IMAGE.astype(np.float64) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    return (colours @ WEIGHTS[:, :, 0, 0].T.astype(np.float64)).transpose(2, 0, 1)[None].astype(np.float32)


def unit(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.mark.parametrize("kind", ["map", "nhwc"])
def test_a_pooling_in_the_specification(tmp_path: Path, kind: str) -> None:
    folder = write(tmp_path, kind)
    embedder = create(f"onnx:{folder}?pooling=gem&p=4")
    assert embedder.embed([IMAGE]) == pytest.approx(unit(GeM(p=4)(feature_map())), abs=1e-5)
    assert isinstance(embedder, OnnxEmbedder)
    again = create(embedder.spec)
    assert again.fingerprint == embedder.fingerprint
    assert np.array_equal(again.embed([IMAGE]), embedder.embed([IMAGE]))


def test_a_pooling_beside_the_model(tmp_path: Path) -> None:
    folder = write(tmp_path, "map", {"name": "net", "pooling": "gem", "pooling_options": {"p": [1, 2, 3, 4, 5]}})
    embedder = open_onnx(str(folder))
    assert embedder.embed([IMAGE]) == pytest.approx(unit(GeM(p=np.arange(1, 6))(feature_map())), abs=1e-5)
    assert "?" not in embedder.spec
    other = open_onnx(f"{folder}?pooling=max")  # the specification wins
    assert other.embed([IMAGE]) == pytest.approx(unit(feature_map().max(axis=(2, 3))), abs=1e-5)


def test_tokens_are_pooled_by_what_takes_tokens(tmp_path: Path) -> None:
    folder = write(tmp_path, "tokens")
    tokens = feature_map().reshape(1, 5, 36).transpose(0, 2, 1)
    found = open_onnx(f"{folder}?pooling=patch-mean&skip=3").embed([IMAGE])
    assert found == pytest.approx(unit(PatchMean(skip=3)(tokens)), abs=1e-5)


def test_the_contract_holds_with_a_pooling(tmp_path: Path) -> None:
    folder = write(tmp_path, "map")
    check_embedder(lambda: open_onnx(f"{folder}?pooling=r-mac&levels=2", threads=1))


def test_the_pooling_enters_the_fingerprint_and_nothing_else_does(tmp_path: Path) -> None:
    plain, folder = open_onnx(str(write(tmp_path, "map"))), tmp_path
    assert plain.fingerprint.endswith(f"/out/{plain.preprocess!r}")
    prints = {
        open_onnx(f"{folder}?{query}").fingerprint
        for query in ("pooling=gem", "pooling=gem&p=4", "pooling=max", "pooling=average")
    }
    assert len(prints | {plain.fingerprint}) == 5
    named = open_onnx(f"{folder}?pooling=gem&p=3").fingerprint
    assert named == f"{plain.fingerprint}/GeM(p=3.0, eps=1e-06)" == open_onnx(f"{folder}?pooling=gem").fingerprint
    folder = write(tmp_path, "map", {"pooling": "gem"})
    assert open_onnx(str(folder)).fingerprint == named
    average = open_onnx(f"{folder}?pooling=average").embed([IMAGE])
    assert average == pytest.approx(plain.embed([IMAGE]), abs=1e-6)


def test_a_path_with_a_question_mark(tmp_path: Path) -> None:
    folder = write(tmp_path / "is it?pooling=gem", "map")
    assert "GeM" not in open_onnx(str(folder)).fingerprint
    assert "Max()" in open_onnx(f"{folder}?pooling=max").fingerprint


@pytest.mark.parametrize(
    ("kind", "query", "message"),
    [
        (
            "rows",
            "pooling=gem",
            r"gives rows, which need no pooling; the pooling GeM.* takes map\. Leave the pooling out",
        ),
        ("tokens", "pooling=gem", r"gives tokens; the pooling GeM.* takes map\. Name one that takes tokens"),
        (
            "map",
            "pooling=cls",
            r"gives a feature map; the pooling ClassToken\(\) takes tokens\. Name one that takes map",
        ),
        ("map", "pooling=netvlad&centres=[[1,2]]", "centres are of 2 channels, but the feature map has 5"),
    ],
)
def test_an_output_that_the_pooling_does_not_take(tmp_path: Path, kind: str, query: str, message: str) -> None:
    with pytest.raises((ModelError, BadInput), match=message):
        open_onnx(f"{write(tmp_path, kind)}?{query}")


def test_poolings_that_cannot_be_used(tmp_path: Path) -> None:
    folder = write(tmp_path, "map")
    with pytest.raises(UnknownName, match="Did you mean 'crow'"):
        open_onnx(f"{folder}?pooling=crown")
    with pytest.raises(BadInput, match="unexpected keyword argument 'power'"):
        open_onnx(f"{folder}?pooling=gem&power=3")
    with pytest.raises(BadInput, match="p should be a number, got 'three'"):
        open_onnx(f"{folder}?pooling=gem&p=three")
    with pytest.raises(BadInput, match="joins several rows"):
        open_onnx(f"{folder}?pooling=scales")
    with pytest.raises(BadInput, match="joins several maps"):
        open_onnx(f"{folder}?pooling=layers")
    with pytest.raises(BadInput, match="pools one output, got out, w"):
        open_onnx(f"{folder}?pooling=gem&outputs=out,w")
    with pytest.raises(ModelError, match="has no output 'deep'"):
        open_onnx(f"{folder}?pooling=gem&outputs=deep")
    for scales in ("0,1", "big", "[]", "1,99"):
        with pytest.raises(BadInput, match=r"scales should be sizes from 0\.1 to 4"):
            open_onnx(f"{folder}?pooling=gem&scales={scales}")
    with pytest.raises(BadInput, match="cannot look at several sizes"):
        open_onnx(f"{folder}?pooling=gem&scales=1,2")
    with pytest.raises(NoSuchFile, match=r"no such file of parameters: .*none\.npz"):
        open_onnx(f"{folder}?pooling=netvlad&parameters=none.npz")
    (folder / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(BadInput, match=r"bad\.npz is no \.npz file"):
        open_onnx(f"{folder}?pooling=netvlad&parameters=bad.npz")
    for about in ({"pooling": 3}, {"pooling_options": {"p": 3}}, {"pooling": "gem", "pooling_options": [3]}):
        with pytest.raises(ModelError, match=r"lookalike\.json: pooling should be a name"):
            open_onnx(str(write(tmp_path, "map", about)))


def deep(folder: Path) -> Path:
    """Write a network of two maps: 5 channels at its size (any), and their 2 x 2 means times another matrix."""
    second = np.random.default_rng(4).normal(size=(7, 5, 1, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w"], ["shallow"]),
            helper.make_node("AveragePool", ["shallow"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Conv", ["half", "v"], ["deep"]),
        ],
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["b", 3, "h", "w"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("shallow", "deep")],
        [numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(second, "v")],
    )
    folder.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    config = {"size": {"height": 12, "width": 12}}
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return folder


LARGE: Image = np.random.default_rng(2).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def maps_of(folder: Path, image: Image) -> dict[str, npt.NDArray[Any]]:
    """The network's outputs of an image that is of its size already, by ONNX Runtime itself."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    colours = ((image.astype(np.float64) / 255 - IMAGENET_MEAN) / IMAGENET_STD).astype(np.float32)
    return dict(zip(("shallow", "deep"), session.run(None, {"image": colours.transpose(2, 0, 1)[None]}), strict=True))


def test_several_outputs_are_joined_by_layers(tmp_path: Path) -> None:
    folder = deep(tmp_path)
    embedder = create(f"onnx:{folder}?pooling=layers&of=max&outputs=shallow,deep&weights=[1,2]")
    parts = [unit(maps_of(folder, LARGE)[name].max(axis=(2, 3))) for name in ("shallow", "deep")]
    wanted = unit(np.concatenate([parts[0], 2 * parts[1]], axis=1))
    assert embedder.embed([LARGE]) == pytest.approx(wanted, abs=1e-5)
    one = create(f"onnx:{folder}?pooling=max&outputs=deep")
    assert one.embed([LARGE]) == pytest.approx(parts[1], abs=1e-5)
    assert len({embedder.fingerprint, one.fingerprint, create(f"onnx:{folder}?pooling=max").fingerprint}) == 3


@pytest.mark.parametrize("over", ["max", "mean", "gem"])
def test_several_sizes_of_the_picture(tmp_path: Path, over: str) -> None:
    """As SuperGlobal: GeM of each size, unit rows, their maximum (or mean, or generalised mean)."""
    folder = deep(tmp_path)
    embedder = create(f"onnx:{folder}?pooling=gem&outputs=deep&scales=0.5,1,2&over={over}")
    assert embedder.input_size == 24
    rows = []
    for side in (6, 12, 24):
        picture = np.asarray(Pillow.fromarray(LARGE).resize((side, side), Pillow.Resampling.BILINEAR))
        maps = maps_of(folder, picture)["deep"].astype(np.float64)
        rows.append((np.maximum(maps, 1e-6) ** 3).mean(axis=(2, 3)) ** (1 / 3))
    units = np.stack([unit(row) for row in rows])
    if over == "gem":
        stack = np.stack(rows)
        least = stack.min()
        wanted = ((stack - least) ** 10).mean(axis=0) ** (1 / 10) + least
    else:
        wanted = units.max(axis=0) if over == "max" else units.mean(axis=0)
    assert embedder.embed([LARGE]) == pytest.approx(unit(wanted), abs=1e-5)
    assert create(str(embedder.spec)).fingerprint == embedder.fingerprint  # type: ignore[attr-defined]


def test_the_contract_holds_with_several_sizes(tmp_path: Path) -> None:
    folder = deep(tmp_path)
    check_embedder(lambda: open_onnx(f"{folder}?pooling=spoc&outputs=shallow&scales=0.7,1.4", threads=1))


def test_learned_parameters_lie_beside_the_model(tmp_path: Path) -> None:
    folder = write(tmp_path, "map")
    rng = np.random.default_rng(7)
    arrays = {"centres": rng.normal(size=(3, 5)), "weights": rng.normal(size=(3, 5)), "biases": rng.normal(size=3)}
    np.savez(folder / "vlad.npz", **arrays, unit_input=np.array(False))  # type: ignore[arg-type]
    embedder = create(f"onnx:{folder}?pooling=netvlad&parameters=vlad.npz")
    wanted = NetVLAD(unit_input=False, **arrays)(feature_map())  # type: ignore[arg-type]
    assert embedder.embed([IMAGE]) == pytest.approx(wanted, abs=1e-5)
    before = embedder.fingerprint
    np.savez(folder / "vlad.npz", **{**arrays, "biases": arrays["biases"] + 1})  # type: ignore[arg-type]
    assert create(f"onnx:{folder}?pooling=netvlad&parameters=vlad.npz").fingerprint != before
    about = {"pooling": "gem", "pooling_options": {"parameters": "p.npz"}}
    np.savez(folder / "p.npz", p=np.arange(1, 6))
    found = open_onnx(str(write(tmp_path, "map", about)))
    assert found.embed([IMAGE]) == pytest.approx(unit(GeM(p=np.arange(1, 6))(feature_map())), abs=1e-5)
