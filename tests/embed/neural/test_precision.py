"""int8 and bfloat16 of ONNX models, against what the same arithmetic gives in numpy, and through a collection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import lookalike
from hub_models import Clip
from lookalike.cli import main
from lookalike.collection import learn
from lookalike.embed import create
from lookalike.embed.neural.onnx import OnnxEmbedder
from lookalike.embed.neural.precision import Calibrated
from lookalike.embed.neural.quantise import quantised_folder
from lookalike.errors import BadInput, ModelError, OtherEmbedder
from lookalike.protocols import Learns, TextEmbedder
from lookalike.testing.embedder import check_embedder
from lookalike.types import Image
from pictures import write_pictures

SIDE, HIDDEN, OUT = 16, 32, 24
RNG = np.random.default_rng(0)
FIRST = RNG.normal(size=(SIDE * SIDE * 3, HIDDEN)).astype(np.float32)
SECOND = RNG.normal(size=(HIDDEN, OUT)).astype(np.float32)
KERNELS = [RNG.normal(size=shape).astype(np.float32) for shape in ((8, 3, 3, 3), (16, 8, 3, 3), (OUT, 16, 3, 3))]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "int8"


def save(path: Path, nodes: list[Any], weights: dict[str, npt.NDArray[Any]], batch: int | str = "b") -> Path:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, [batch, OUT])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


def products(path: Path, batch: int | str = "b") -> Path:
    """Two products with a ReLU between: what int8-dynamic is for."""
    nodes = [
        helper.make_node("Flatten", ["pixel_values"], ["flat"]),
        helper.make_node("MatMul", ["flat", "first"], ["hidden"], "one"),
        helper.make_node("Relu", ["hidden"], ["positive"]),
        helper.make_node("MatMul", ["positive", "second"], ["image_embeds"], "two"),
    ]
    return save(path, nodes, {"first": FIRST, "second": SECOND}, batch)


def convolutions(path: Path, batch: int | str = "b") -> Path:
    nodes, x = [], "pixel_values"
    for place in range(3):
        pads = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        nodes.append(helper.make_node("Conv", [x, f"kernel_{place}"], [f"sum_{place}"], f"conv_{place}", **pads))
        nodes.append(helper.make_node("Relu", [f"sum_{place}"], [f"map_{place}"], f"relu_{place}"))
        x = f"map_{place}"
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["image_embeds"]))
    return save(path, nodes, {f"kernel_{place}": kernel for place, kernel in enumerate(KERNELS)}, batch)


def pictures(count: int, seed: int = 0) -> list[Image]:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, 6, 6, 3)).astype(np.uint8)
    return [np.asarray(np.repeat(np.repeat(each, 8, 0), 8, 1)) for each in small]


def by_hand(images: list[Image], full: OnnxEmbedder) -> npt.NDArray[np.float64]:
    """Dynamic int8 in numpy: uint8 activations of one scale a tensor, int8 weights of one scale a column."""

    def quantised(x: npt.NDArray[np.float64], weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        low, high = min(0.0, float(x.min())), max(0.0, float(x.max()))  # the range must hold 0
        scale = (high - low) / 255
        zero = np.clip(np.rint(-low / scale), 0, 255)
        codes = np.clip(np.rint(x / scale) + zero, 0, 255)
        steps = np.abs(weights).max(axis=0) / 127
        small = np.clip(np.rint(weights / steps), -128, 127)
        return np.asarray((codes - zero) @ small * scale * steps)

    rows = []
    for image in images:
        pixels = full.preprocess.normalise(full.prepare(image)[None]).transpose(0, 3, 1, 2)
        hidden = np.maximum(quantised(pixels.reshape(1, -1).astype(np.float64), FIRST), 0)
        row = quantised(hidden, SECOND)[0]
        rows.append(row / np.linalg.norm(row))
    return np.array(rows)


def test_dynamic_int8_is_what_numpy_computes(tmp_path: Path) -> None:
    path = products(tmp_path / "model.onnx")
    full, int8 = create(f"onnx:{path}"), create(f"int8:onnx:{path}")
    assert isinstance(full, OnnxEmbedder)
    images = pictures(5)
    assert np.abs(int8.embed(images) - by_hand(images, full)).max() < 2e-3  # a rounded code may go either way
    assert np.einsum("bd,bd->b", int8.embed(images), full.embed(images)).min() > 0.999


def test_int8_keeps_the_contract(tmp_path: Path) -> None:
    path = products(tmp_path / "model.onnx")
    check_embedder(lambda: create(f"int8:onnx:{path}"))  # an image's vector does not depend on the batch, above all


def test_calibrated_int8_keeps_the_contract(tmp_path: Path) -> None:
    path = convolutions(tmp_path / "model.onnx")

    def taught() -> Any:
        made = create(f"int8:onnx:{path}")
        assert isinstance(made, Learns)
        return made.fit(pictures(20), 0)

    check_embedder(taught)


@pytest.mark.parametrize("write", [products, convolutions])
def test_a_fixed_batch(write: Any, tmp_path: Path) -> None:
    images = pictures(5)
    vectors = []
    for name, batch in (("open", "b"), ("fixed", 3)):
        made = create(f"int8:onnx:{write(tmp_path / name / 'model.onnx', batch)}")
        vectors.append((made.fit(images, 0) if isinstance(made, Learns) else made).embed(images))
    assert np.abs(vectors[0] - vectors[1]).max() < 1e-5


def test_what_runs_alone_has_a_batch_of_one(tmp_path: Path, cache: Path) -> None:
    create(f"int8:onnx:{products(tmp_path / 'model.onnx')}")
    (file,) = cache.glob("*.onnx")
    session = onnxruntime.InferenceSession(file)
    assert [each.shape for each in (*session.get_inputs(), *session.get_outputs())] == [[1, 3, SIDE, SIDE], [1, OUT]]


def test_names(tmp_path: Path) -> None:
    linear, conv = products(tmp_path / "linear.onnx"), convolutions(tmp_path / "conv.onnx")
    full, dynamic, static = create(f"onnx:{linear}"), create(f"int8:onnx:{linear}"), create(f"int8:onnx:{conv}")
    assert getattr(dynamic, "spec", "") == f"int8-dynamic:onnx:{linear}"
    assert getattr(static, "spec", "") == f"int8-static:onnx:{conv}"
    assert dynamic.space.name == f"{full.space.name}+int8-dynamic"
    assert dynamic.fingerprint != full.fingerprint
    assert dynamic.fingerprint.startswith(full.fingerprint)
    assert isinstance(static, Calibrated)
    one, other = static.fit(pictures(8), 0), static.fit(pictures(8, seed=1), 0)
    assert one.fingerprint != other.fingerprint  # what was learned is in it
    assert one.fingerprint == static.fit(pictures(8), 0).fingerprint
    assert static.from_state(one.state()).fingerprint == one.fingerprint


def test_ranges_are_the_extremes_of_what_was_shown(tmp_path: Path) -> None:
    path = convolutions(tmp_path / "model.onnx")
    made = create(f"int8:onnx:{path}")
    assert isinstance(made, Calibrated)
    images = pictures(20)  # more than one batch
    ranges = made.fit(images, 0).ranges or {}
    feed = made.full.feed([made.prepare(image) for image in images])
    model = onnx.load(str(path))
    inner = [name for name in ranges if name.startswith("map_")]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inner)
    shown = onnxruntime.InferenceSession(model.SerializeToString()).run(inner, feed)
    assert len(inner) == 3
    for name, values in zip(inner, shown, strict=True):
        np.testing.assert_allclose(ranges[name], (values.min(), values.max()), rtol=1e-4, atol=1e-5)
    pixels = feed["pixel_values"]
    np.testing.assert_allclose(ranges["pixel_values"], (pixels.min(), pixels.max()), rtol=1e-6)


def test_the_int8_file_is_made_once(tmp_path: Path, cache: Path) -> None:
    path = products(tmp_path / "model.onnx")
    first = create(f"int8:onnx:{path}")
    assert quantised_folder() == cache
    (kept,) = cache.iterdir()
    before = kept.stat()
    again = create(f"int8:onnx:{path}")
    assert kept.stat().st_mtime_ns == before.st_mtime_ns
    assert kept.stat().st_ino == before.st_ino
    assert np.array_equal(first.embed(pictures(2)), again.embed(pictures(2)))
    assert kept.stat().st_size < 0.4 * path.stat().st_size


def test_other_weights_are_another_file(tmp_path: Path, cache: Path) -> None:
    path = products(tmp_path / "model.onnx")
    create(f"int8:onnx:{path}")
    model = onnx.load(str(path))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(-FIRST, "first"))
    onnx.save(model, str(path))
    create(f"int8:onnx:{path}")
    assert len(list(cache.iterdir())) == 2


def run(words: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(str(ended.value.code))


def test_a_collection_keeps_its_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = convolutions(tmp_path / "model.onnx")
    photos = tmp_path / "photos"
    write_pictures(photos, 12)
    path = tmp_path / "c.collection"
    words = ["index", str(photos), "--collection", str(path), "--quiet", "--embedder", f"int8:onnx:{model}"]
    assert run(words) == 0
    with lookalike.open(path) as collection:
        before = collection.space
        assert before.name.endswith("+int8-static")
        found = collection.search(photos / "picture-0003.png", k=1)
        assert [hit.id for hit in found] == ["picture-0003.png"]
        assert found[0].score == pytest.approx(1, abs=1e-5)
    write_pictures(photos, 4, start=12)
    assert run(words) == 0
    with lookalike.open(path) as collection:
        assert len(collection) == 16
        assert collection.space == before  # new pictures change nothing of what was learned
    capsys.readouterr()
    assert run(["info", "--collection", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["spaces"][before.name]["embedder"] == f"int8-static:onnx:{model}"


def test_another_precision_is_another_space(tmp_path: Path) -> None:
    model = products(tmp_path / "model.onnx")
    write_pictures(tmp_path / "photos", 3)
    with lookalike.open(tmp_path / "c.collection", embedder=f"onnx:{model}") as collection:
        collection.add(tmp_path / "photos")
    with pytest.raises(OtherEmbedder, match="int8-dynamic"):
        lookalike.open(tmp_path / "c.collection", embedder=f"int8:onnx:{model}")
    with lookalike.open(tmp_path / "c.collection", embedder=f"int8:onnx:{model}", add_space=True) as collection:
        assert len(collection.store.spaces()) == 2


def test_learning_takes_no_more_images_than_it_needs(tmp_path: Path) -> None:
    model = convolutions(tmp_path / "model.onnx")
    write_pictures(tmp_path / "photos", 6)
    taught = learn(f"int8:onnx:{model}", tmp_path / "photos", collection=tmp_path / "c.collection")
    assert isinstance(taught, Calibrated)
    assert taught.fitted
    with pytest.raises(BadInput, match=r"at least 2 images, got 1"):
        Calibrated(taught.full).fit(pictures(1), 0)
    with pytest.raises(BadInput, match="has not learned"):
        Calibrated(taught.full).embed(pictures(1))
    with pytest.raises(ModelError, match="cannot be read"):
        Calibrated(taught.full).from_state(b"[]")


def test_words_stay_at_full_precision(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    Clip().save(folder)
    full, static = create(f"onnx:{folder}"), create(f"int8-static:onnx:{folder}")
    assert isinstance(full, TextEmbedder)
    assert isinstance(static, TextEmbedder)
    assert np.array_equal(static.embed_text(["a red cat"]), full.embed_text(["a red cat"]))
    assert isinstance(static, Calibrated)
    images = pictures(6)
    assert np.einsum("bd,bd->b", static.fit(images, 0).embed(images), full.embed(images)).min() > 0.98


def test_what_cannot_be_int8(tmp_path: Path) -> None:
    path = products(tmp_path / "model.onnx")
    conv = convolutions(tmp_path / "conv.onnx")
    create(f"int8:onnx:{path}")
    (kept,) = quantised_folder().iterdir()
    for spec, message in {
        "int8:": "needs a model",
        "int8:builtin": "is not an ONNX model",
        f"int8:onnx:{kept}": "no layers with float32 weights",
        f"int8-dynamic:onnx:{conv}": "network of convolutions",
        f"int8:int8-dynamic:onnx:{path}": "two precisions",
        f"int8:int8-static:onnx:{path}": "not an ONNX model at full precision",
    }.items():
        with pytest.raises(BadInput, match=message):
            create(spec)


def test_openvino_gives_the_same_vectors(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    path, conv = products(tmp_path / "model.onnx"), convolutions(tmp_path / "conv.onnx")
    images = pictures(4)
    for each in (path, conv):
        ours, theirs = create(f"onnx:{each}"), create(f"onnx:{each}", device="openvino")
        assert ours.fingerprint == theirs.fingerprint  # where a model runs is not in it
        assert np.abs(ours.embed(images) - theirs.embed(images)).max() < 1e-5
    check_embedder(lambda: create(f"onnx:{conv}", device="openvino"))
    taught = create(f"int8:onnx:{conv}")
    assert isinstance(taught, Calibrated)
    taught = taught.fit(images, 0)
    there = create(f"int8:onnx:{conv}", device="openvino")
    assert isinstance(there, Calibrated)
    there = there.from_state(taught.state())
    assert there.fingerprint == taught.fingerprint
    assert np.einsum("bd,bd->b", there.embed(images), taught.embed(images)).min() > 0.999
    with pytest.raises(BadInput, match="does not run on OpenVINO"):
        create(f"int8:onnx:{path}", device="openvino")


def test_bfloat16(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    path = products(tmp_path / "model.onnx")
    images = pictures(4)
    full, half = create(f"onnx:{path}"), create(f"bf16:onnx:{path}")
    assert half.space.name == f"{full.space.name}+bf16"
    assert np.einsum("bd,bd->b", half.embed(images), full.embed(images)).min() > 0.999
    with pytest.raises(BadInput, match="not on 'cuda'"):
        create(f"bf16:onnx:{path}", device="cuda")
