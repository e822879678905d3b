"""ONNX models made here, with known answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lookalike.embed import create
from lookalike.embed.neural.onnx import OnnxEmbedder, open_onnx
from lookalike.embed.neural.onnx_file import external_data
from lookalike.embed.neural.preprocess import IMAGENET_MEAN, IMAGENET_STD
from lookalike.errors import BadInput, ModelError, NoSuchFile
from lookalike.testing.embedder import check_embedder
from lookalike.types import Image

FLOAT = TensorProto.FLOAT
WEIGHTS = np.random.default_rng(0).normal(size=(5, 3, 1, 1)).astype(np.float32)


def write(
    path: Path,
    nodes: list[Any],
    *,
    shape: list[int | str],
    outputs: list[tuple[str, list[int | str] | None]],
    kind: int = FLOAT,
    output_kind: int = FLOAT,
    inputs: int = 1,
    external: str | None = None,
) -> Path:
    ins = [helper.make_tensor_value_info(f"image{i or ''}", kind, shape) for i in range(inputs)]
    outs = [helper.make_tensor_value_info(name, output_kind, dims) for name, dims in outputs]
    graph = helper.make_graph(nodes, "test", ins, outs, [numpy_helper.from_array(WEIGHTS, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    if external:
        onnx.save(model, str(path), save_as_external_data=True, location=external, size_threshold=0)
    else:
        onnx.save(model, str(path))
    return path


CONV = helper.make_node("Conv", ["image", "w"], ["map"])
MEAN = helper.make_node("GlobalAveragePool", ["map"], ["pooled"])
FLAT = helper.make_node("Flatten", ["pooled"], ["vector"])


def plain(path: Path, batch: int | str = "b", size: int | str = 16, **options: Any) -> Path:
    return write(path, [CONV, MEAN, FLAT], shape=[batch, 3, size, size], outputs=[("vector", [batch, 5])], **options)


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def expected(pixels: npt.NDArray[Any], mean: Any = IMAGENET_MEAN, std: Any = IMAGENET_STD) -> npt.NDArray[np.float64]:
    """The 1 x 1 convolution of the mean colour, by hand."""
    colour = (pixels.astype(np.float64).mean(axis=(0, 1)) / 255 - mean) / std
    row = WEIGHTS[:, :, 0, 0].astype(np.float64) @ colour
    return np.asarray(row / np.linalg.norm(row))


@pytest.mark.parametrize("batch", ["b", 1, 4])
def test_the_contract_with_open_and_fixed_batches(tmp_path: Path, batch: int | str) -> None:
    path = plain(tmp_path / "net.onnx", batch)
    check_embedder(lambda: open_onnx(str(path), threads=1))


def test_known_vectors_without_a_configuration(tmp_path: Path) -> None:
    embedder = open_onnx(str(plain(tmp_path / "net.onnx")))
    image = noise(16, 16)
    assert embedder.embed([image])[0] == pytest.approx(expected(image), abs=1e-5)
    assert embedder.input_size == 16
    assert embedder.space.dim == 5


def test_an_open_input_size_is_taken_as_224(tmp_path: Path) -> None:
    assert open_onnx(str(plain(tmp_path / "net.onnx", size="side"))).input_size == 224


def test_a_folder_with_its_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "My net"
    plain(folder / "model.onnx")
    config = {"size": {"height": 16, "width": 16}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3, "resample": 0}
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    embedder = open_onnx(str(folder))
    image = noise(16, 16, seed=1)
    assert embedder.embed([image])[0] == pytest.approx(expected(image, 0.5, 0.25), abs=1e-5)
    assert embedder.space.name.startswith("onnx:My net@")
    (folder / "lookalike.json").write_text('{"name": "birds"}')
    assert open_onnx(str(folder)).space.name.startswith("onnx:birds@")


def test_channels_last_float16_and_uint8(tmp_path: Path) -> None:
    image = noise(16, 16, seed=2)
    turn = helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 3, 1, 2])
    conv = helper.make_node("Conv", ["turned", "w"], ["map"])
    last = write(
        tmp_path / "last.onnx", [turn, conv, MEAN, FLAT], shape=["b", 16, 16, 3], outputs=[("vector", ["b", 5])]
    )
    assert open_onnx(str(last)).embed([image])[0] == pytest.approx(expected(image), abs=1e-5)
    cast = helper.make_node("Cast", ["image"], ["cast"], to=FLOAT)
    conv = helper.make_node("Conv", ["cast", "w"], ["map"])
    shape: list[int | str] = ["b", 3, 16, 16]
    for kind, pixels in ((TensorProto.FLOAT16, None), (TensorProto.UINT8, image)):
        path = write(
            tmp_path / f"{kind}.onnx", [cast, conv, MEAN, FLAT], shape=shape, outputs=[("vector", ["b", 5])], kind=kind
        )
        right = expected(image) if pixels is None else expected(pixels, 0, 1)
        assert open_onnx(str(path)).embed([image])[0] == pytest.approx(right, abs=2e-3)


def test_tokens_and_feature_maps_are_pooled(tmp_path: Path) -> None:
    image = noise(16, 16, seed=3)
    shape: list[int | str] = ["b", 3, 16, 16]
    maps = write(tmp_path / "map.onnx", [CONV], shape=shape, outputs=[("map", ["b", 5, 16, 16])])
    assert open_onnx(str(maps)).embed([image])[0] == pytest.approx(expected(image), abs=1e-5)
    tokens = [CONV, helper.make_node("Constant", [], ["dims"], value_ints=[0, 5, 256])]
    tokens += [
        helper.make_node("Reshape", ["map", "dims"], ["sequence"]),
        helper.make_node("Transpose", ["sequence"], ["last_hidden_state"], perm=[0, 2, 1]),
    ]
    path = write(tmp_path / "tokens.onnx", tokens, shape=shape, outputs=[("last_hidden_state", ["b", 256, 5])])
    first = expected(image[:1, :1])
    assert open_onnx(str(path)).embed([image])[0] == pytest.approx(first, abs=1e-5)
    both = write(
        tmp_path / "both.onnx",
        [*tokens, MEAN, helper.make_node("Flatten", ["pooled"], ["pooler_output"])],
        shape=shape,
        outputs=[("last_hidden_state", ["b", 256, 5]), ("pooler_output", ["b", 5])],
    )
    assert open_onnx(str(both)).embed([image])[0] == pytest.approx(expected(image), abs=1e-5)


def test_the_fingerprint_names_weights_and_preprocessing(tmp_path: Path) -> None:
    one = plain(tmp_path / "a" / "model.onnx")
    fingerprint = open_onnx(str(one)).fingerprint
    copy = tmp_path / "b" / "model.onnx"
    copy.parent.mkdir()
    shutil.copy(one, copy)
    assert open_onnx(str(copy)).fingerprint == fingerprint
    config = copy.with_name("preprocessor_config.json")
    config.write_text('{"size": 16, "resample": 3}')
    assert open_onnx(str(copy)).fingerprint != fingerprint
    config.unlink()
    plain(copy, batch=2)
    assert open_onnx(str(copy)).fingerprint != fingerprint


def test_external_weights_are_found_hashed_and_missed(tmp_path: Path) -> None:
    path = plain(tmp_path / "model.onnx", external="model.onnx_data")
    assert external_data(path) == ["model.onnx_data"]
    assert external_data(plain(tmp_path / "inside.onnx")) == []
    image = noise(16, 16)
    embedder = open_onnx(str(path))
    assert embedder.embed([image])[0] == pytest.approx(expected(image), abs=1e-5)
    data = tmp_path / "model.onnx_data"
    changed = bytearray(data.read_bytes())
    changed[0] ^= 1
    data.write_bytes(changed)
    assert open_onnx(str(path)).fingerprint != embedder.fingerprint
    data.unlink()
    with pytest.raises(ModelError, match=r"keeps weights in 'model\.onnx_data', which is not beside it"):
        open_onnx(str(path))


def test_the_spec_opens_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    made = create("onnx:net.onnx", device="cpu")
    assert isinstance(made, OnnxEmbedder)
    monkeypatch.chdir(tmp_path.parent)
    assert create(made.spec).space == made.space


def test_devices(tmp_path: Path) -> None:
    path = str(plain(tmp_path / "net.onnx"))
    assert open_onnx(path, device="cpu").providers == ["CPUExecutionProvider"]
    assert "CPUExecutionProvider" in open_onnx(path, device="auto").providers
    import onnxruntime

    there = onnxruntime.get_available_providers()
    for device, provider in (("cuda", "CUDAExecutionProvider"), ("coreml", "CoreMLExecutionProvider")):
        if provider not in there:
            with pytest.raises(BadInput, match=rf"'{device}' is not available; .*offers: .*cpu"):
                open_onnx(path, device=device)
    with pytest.raises(BadInput, match="threads should be at least 1"):
        open_onnx(path, threads=0)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    for name, data in (("empty", b""), ("text", b"hello, this is not a model"), ("zeros", bytes(100))):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(data)
        with pytest.raises(ModelError, match=f"{name}.onnx"):
            open_onnx(str(path))
    whole = plain(tmp_path / "net.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"cut\.onnx is not an ONNX file"):
        open_onnx(str(tmp_path / "cut.onnx"))


def test_folders_without_one_clear_model(tmp_path: Path) -> None:
    plain(tmp_path / "a.onnx")
    assert open_onnx(str(tmp_path)).space.name.startswith("onnx:a@")
    plain(tmp_path / "b.onnx")
    with pytest.raises(NoSuchFile, match=r"no model\.onnx; it has a\.onnx, b\.onnx"):
        open_onnx(str(tmp_path))


def test_models_that_are_not_of_one_image(tmp_path: Path) -> None:
    shape: list[int | str] = ["b", 3, 16, 16]
    add = helper.make_node("Add", ["image", "image1"], ["map"])
    two = write(tmp_path / "two.onnx", [add], shape=shape, outputs=[("map", shape)], inputs=2)
    with pytest.raises(ModelError, match="one input, the image; it has 2: image, image1"):
        open_onnx(str(two))
    same = helper.make_node("Identity", ["image"], ["vector"])
    flat = write(tmp_path / "flat.onnx", [same], shape=["b", 7], outputs=[("vector", ["b", 7])])
    with pytest.raises(ModelError, match=r"has shape \['b', 7\]"):
        open_onnx(str(flat))
    ints = write(
        tmp_path / "ints.onnx",
        [same],
        shape=shape,
        outputs=[("vector", shape)],
        kind=TensorProto.INT64,
        output_kind=TensorProto.INT64,
    )
    with pytest.raises(ModelError, match="float32, float16 or uint8 is needed"):
        open_onnx(str(ints))
    total = helper.make_node("ReduceMean", ["image"], ["vector"], keepdims=0)
    scalar = write(tmp_path / "scalar.onnx", [total], shape=shape, outputs=[("vector", [])])
    with pytest.raises(ModelError, match=r"output of shape \(\) for 1 images"):
        open_onnx(str(scalar))


def test_a_detector_is_refused(shared_weights: Path) -> None:
    with pytest.raises(ModelError, match="that is no embedding"):
        open_onnx(str(shared_weights / "yunet_n_dynamic.onnx"))


def test_values_that_are_not_finite(tmp_path: Path) -> None:
    log = helper.make_node("Log", ["vector"], ["bad"])
    path = write(tmp_path / "nan.onnx", [CONV, MEAN, FLAT, log], shape=["b", 3, 16, 16], outputs=[("bad", ["b", 5])])
    embedder = open_onnx(str(path))
    with pytest.raises(ModelError, match=r"nan\.onnx gave NaN or infinity for 2 of 2 images"):
        embedder.embed([noise(16, 16), noise(9, 9)])


def test_a_configuration_that_contradicts_the_graph(tmp_path: Path) -> None:
    plain(tmp_path / "model.onnx")
    config = tmp_path / "preprocessor_config.json"
    config.write_text('{"size": 20}')
    with pytest.raises(ModelError, match=r"gives images of \(20, 20\), but .* takes \(16, 16\)"):
        open_onnx(str(tmp_path))
    config.write_text('{"size": {"shortest_edge": 16}}')
    with pytest.raises(ModelError, match="images of differing sizes"):
        open_onnx(str(tmp_path))
    config.write_text("[]")
    with pytest.raises(ModelError, match="should hold a JSON object, not a list"):
        open_onnx(str(tmp_path))
    config.write_text("{")
    with pytest.raises(ModelError, match="is not a JSON file"):
        open_onnx(str(tmp_path))
