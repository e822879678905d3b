"""TensorFlow Lite embedders on published MobileNet weights."""

from __future__ import annotations

import csv
import io
import tarfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from lookalike.embed import create
from lookalike.embed.neural.tflite import open_tflite
from lookalike.embed.neural.tflite_file import before_classifier
from lookalike.errors import BadInput, ModelError
from lookalike.testing.embedder import check_embedder, sample_images
from lookalike.types import Image

EXTRACTOR = "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
SMALL = "mobilenet_v1_0.25_128_quant.tflite"
FLOAT = "mobilenet_v1_0.25_224_1_default_1.tflite"
V2 = "tf2_mobilenet_v2_1.0_224_ptq.tflite"


@pytest.mark.parametrize("name", [SMALL, FLOAT])
def test_the_contract(shared_weights: Path, name: str) -> None:
    check_embedder(lambda: open_tflite(str(shared_weights / name), threads=1))


@pytest.mark.parametrize(("name", "dim", "side"), [(SMALL, 256, 128), (FLOAT, 256, 224), (V2, 1280, 224)])
def test_a_classifier_gives_what_its_last_layer_reads(shared_weights: Path, name: str, dim: int, side: int) -> None:
    embedder = create(f"tflite:{shared_weights / name}")
    assert (embedder.space.dim, embedder.input_size) == (dim, side)
    images = sample_images()[-3:]
    data = (shared_weights / name).read_bytes()
    kept = [run(data, image, [1, 1, 1, dim]) for image in images]
    assert np.array_equal(kept, [run(before_classifier(data), image, None) for image in images])
    # The embedder runs on faster kernels, which round 8-bit numbers otherwise, layer after layer; 0.98 was measured.
    assert ((embedder.embed(images) * kept).sum(axis=1) > 0.97).all()


def run(data: bytes, image: Image, shape: list[int] | None) -> npt.NDArray[np.float64]:
    """Return the last tensor of this shape, or the output, from an interpreter that keeps all tensors; unit norm."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keeper: Any = Interpreter(
            model_content=data,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    keeper.allocate_tensors()
    (entry,) = keeper.get_input_details()
    _, height, width, _ = entry["shape"]
    pixels = np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BILINEAR))[None]
    keeper.set_tensor(entry["index"], pixels if entry["dtype"] is np.uint8 else (pixels / 127.5 - 1).astype(np.float32))
    keeper.invoke()
    tensors = keeper.get_tensor_details() if shape else keeper.get_output_details()
    wanted = [tensor for tensor in tensors if shape is None or list(tensor["shape"]) == shape][-1]
    scale, zero = wanted["quantization"]
    values = keeper.get_tensor(wanted["index"]).astype(np.float64).ravel()
    values = (values - zero) * scale if scale else values
    return np.asarray(values / np.linalg.norm(values))


def test_the_models_own_output_on_request(shared_weights: Path) -> None:
    classes = open_tflite(str(shared_weights / SMALL), layer="output")
    features = open_tflite(str(shared_weights / SMALL))
    assert classes.space.dim == 1001
    assert classes.fingerprint != features.fingerprint
    with pytest.raises(BadInput, match="layer should be 'auto' or 'output'"):
        open_tflite(str(shared_weights / SMALL), layer="middle")  # type: ignore[arg-type]


def test_an_extractor_is_left_as_it_is(shared_weights: Path) -> None:
    data = (shared_weights / EXTRACTOR).read_bytes()
    assert before_classifier(data) == data
    data = (shared_weights / SMALL).read_bytes()
    patched = before_classifier(data)
    assert len(patched) == len(data)
    assert sum(a != b for a, b in zip(data, patched, strict=True)) <= 4


def test_the_fingerprint_names_the_weights(shared_weights: Path) -> None:
    embedder = open_tflite(str(shared_weights / SMALL))
    # sha256 of the file as the weights' README gives it
    assert "cb273c23ee76374b05b9583177e28aa19744858a7679c56a250e83d0333da785" in embedder.fingerprint
    assert embedder.space.name == "tflite:mobilenet_v1_0.25_128_quant@cb273c23"
    assert create(embedder.spec).space == embedder.space


def test_the_published_figures_are_reproduced(shared_weights: Path, shared_data: Path) -> None:
    folder = shared_data / "scenes"
    with (folder / "labels.csv").open(newline="") as file:
        scenes = {row["file"]: row["scene"] for row in csv.DictReader(file)}
    embedder = open_tflite(str(shared_weights / EXTRACTOR))
    prepared, labels = [], []
    with tarfile.open(folder / "images.tar") as tar:
        for member in tar:
            data = tar.extractfile(member)
            if data is None or member.name.removeprefix("./") not in scenes:
                continue
            pixels = np.asarray(Pillow.open(io.BytesIO(data.read())).convert("RGB"))
            prepared.append(embedder.prepare(pixels))
            labels.append(scenes[member.name.removeprefix("./")])
    vectors = embedder.embed_prepared(prepared)
    precisions, first = [], []
    for query, label in enumerate(labels):
        if label:
            order = [i for i in np.argsort(-(vectors @ vectors[query]), kind="stable") if i != query]
            places = [rank for rank, i in enumerate(order, 1) if labels[i] == label]
            precisions.append(np.mean([n / rank for n, rank in enumerate(places, 1)]))
            first.append(places[0] == 1)
    assert (len(labels), len(first)) == (138, 64)
    assert np.mean(precisions) == pytest.approx(0.891, abs=0.003)
    assert np.mean(first) == pytest.approx(0.906, abs=0.017)  # one query more or less


@pytest.mark.parametrize(
    "data", [b"", b"hello, this is text", bytes(4) + b"TFL3" + bytes(50), b"\xff\xff\xff\x7fTFL3" + bytes(50)]
)
def test_files_that_are_no_models(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"bad\.tflite is not a usable TensorFlow Lite file"):
        open_tflite(str(path))


def test_a_truncated_model(tmp_path: Path, shared_weights: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes((shared_weights / SMALL).read_bytes()[:200_000])
    with pytest.raises(ModelError, match=r"cut\.tflite"):
        open_tflite(str(path))


def test_threads_must_be_positive(shared_weights: Path) -> None:
    with pytest.raises(BadInput, match="threads should be at least 1"):
        open_tflite(str(shared_weights / SMALL), threads=0)
