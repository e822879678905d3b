"""Each kind of classifier gives what an independent computation gives, and says what is wrong with a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

from lookalike.classify import CLASSIFIERS, create_classifier
from lookalike.classify.files import probability
from lookalike.errors import BadInput, ModelError, NoSuchFile, UnknownName
from pictures import picture

DIM = 8


def save(path: Path, nodes: list[Any], shape: list[Any], outputs: dict[str, list[Any]], **held: Any) -> Path:
    """Write a model with one input ``given`` of this shape."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()]
    outs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()]
    given = helper.make_tensor_value_info("given", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "tiny", [given], outs, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def trained() -> tuple[LogisticRegression, Any]:
    """A head that scikit-learn trains on vectors, and vectors to try it on."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, DIM)).astype(np.float32)
    labels = vectors[:, 0] + 0.5 * vectors[:, 3] + 0.2 * rng.normal(size=200) > 0.3
    return LogisticRegression().fit(vectors[:150], labels[:150]), vectors[150:]


def head(path: Path, coef: Any, bias: Any) -> Path:
    """Write logits (B, 2) of two classes: 0 and v . w + b, whose softmax is the logistic function."""
    weights = np.stack([np.zeros(DIM), np.ravel(coef)], axis=1).astype(np.float32)
    node = helper.make_node("Gemm", ["given", "weights", "bias"], ["logits"])
    return save(
        path,
        [node],
        ["batch", DIM],
        {"logits": ["batch", 2]},
        weights=weights,
        bias=np.array([0, float(np.ravel(bias)[0])], np.float32),
    )


def test_a_column() -> None:
    column = create_classifier("column:nsfw")
    given: list[dict[str, Any]] = [{"nsfw": value} for value in (0.25, 1, True, "0.5", "UNLIKELY", "Unsure", "NSFW")]
    given += [{"nsfw": value} for value in (None, "maybe", [1])] + [{}]
    expected = [0.25, 1, 1, 0.5, 0, 0.5, 1, *[np.nan] * 4]
    np.testing.assert_array_equal(column.scores(given), expected)


@pytest.mark.parametrize("kind", ["npz", "onnx"])
def test_a_head_gives_what_scikit_learn_gives(tmp_path: Path, kind: str) -> None:
    model, vectors = trained()
    if kind == "npz":
        np.savez(tmp_path / "unsafe.npz", coef=model.coef_, intercept=model.intercept_)
    else:
        head(tmp_path / "unsafe.onnx", model.coef_, model.intercept_)
    classifier = create_classifier(f"head:unsafe.{kind}", folder=tmp_path)
    assert classifier.sees == "vector"
    np.testing.assert_allclose(classifier.scores(vectors), model.predict_proba(vectors)[:, 1], atol=1e-5)
    with pytest.raises(ModelError, match="vectors"):
        classifier.scores(vectors[:, :5])


def test_a_named_class_of_several(tmp_path: Path) -> None:
    logits = np.array([[2.0, 0.0, 1.0]], np.float32)
    node = helper.make_node("Constant", [], ["logits"], value=numpy_helper.from_array(logits))
    path = save(tmp_path / "three.onnx", [node], [1, 3, 16, 16], {"logits": [1, 3]})
    (tmp_path / "config.json").write_text('{"id2label": {"0": "drawing", "1": "neutral", "2": "Unsafe"}}')
    expected = np.exp(1) / (np.exp(2) + 1 + np.exp(1))
    for wanted in ("unsafe", "2"):
        assert create_classifier(f"image:{path}?class={wanted}").scores([picture(0)]) == pytest.approx([expected])
    with pytest.raises(UnknownName, match="Did you mean 'unsafe'") as wrong:
        create_classifier(f"image:{path}?class=unsfe")
    assert "unsfe" in wrong.value.message
    with pytest.raises(BadInput, match="3 classes"):
        create_classifier(f"image:{path}").scores([picture(0)])


def test_a_network_over_pictures_sees_them_as_its_configuration_says(tmp_path: Path) -> None:
    """It gives the mean of its input, which is worked out here by Pillow and numpy."""
    from PIL import Image as Pillow

    nodes = [
        helper.make_node("ReduceMean", ["given"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sigmoid", ["mean"], ["scores"]),
    ]
    path = save(tmp_path / "light.onnx", nodes, ["batch", 3, 16, 16], {"scores": ["batch"]})
    (tmp_path / "preprocessor_config.json").write_text(
        '{"size": {"height": 16, "width": 16}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}'
    )
    expected = []
    for seed in range(4):
        small = np.asarray(Pillow.fromarray(picture(seed)).resize((16, 16), Pillow.Resampling.BILINEAR), np.float64)
        expected.append(1 / (1 + np.exp(-((small / 255 - 0.5) / 0.25).mean())))
    classifier = create_classifier(f"image:{path}")
    np.testing.assert_allclose(classifier.scores([picture(seed) for seed in range(4)]), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("output", "number", "expected"),
    [
        ([0.2, 0.9], None, [0.2, 0.9]),
        ([[0.2], [0.9]], None, [0.2, 0.9]),
        ([[0.8, 0.2]], None, [0.2]),
        ([[0.8, 0.2]], 0, [0.8]),
        ([[0.0, 0.0]], None, [0.5]),  # logits: exp(0) / (exp(0) + exp(0))
        ([[-1.0, 2.0]], None, [1 / (1 + np.exp(-3))]),
    ],
)
def test_probabilities_of_what_models_give(output: Any, number: int | None, expected: list[float]) -> None:
    np.testing.assert_allclose(probability(np.array(output), number, Path("model.onnx")), expected)


@pytest.mark.parametrize("output", [[[[0.5]]], [np.nan], 0.5, np.zeros((2, 0))])
def test_outputs_that_are_none(output: Any) -> None:
    with pytest.raises(ModelError, match="finite numbers"):
        probability(np.array(output), None, Path("model.onnx"))


def test_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "text.npz").write_text("no arrays")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    with pytest.raises(NoSuchFile, match=r"classifier.*missing\.onnx"):
        create_classifier("head:missing.onnx", folder=tmp_path)
    for spec, said in (
        ("head:text.onnx", "no ONNX model"),
        ("head:text.npz", "cannot be read"),
        ("head:other.npz", "cannot be read"),
        ("image:text.onnx", "cannot open"),
    ):
        with pytest.raises(ModelError, match=said):
            create_classifier(spec, folder=tmp_path)
    for spec in ("column:", "head:", "image:"):
        with pytest.raises(BadInput, match="needs"):
            create_classifier(spec)
    with pytest.raises(UnknownName, match="Did you mean 'column:'"):
        create_classifier("columx:nsfw")


def test_a_relative_file_is_looked_for_in_the_folder_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, bias in ((tmp_path / "here", -50.0), (tmp_path / "there", 50.0)):
        folder.mkdir()
        np.savez(folder / "a.npz", coef=np.zeros(DIM), intercept=bias)
    monkeypatch.chdir(tmp_path / "here")
    zero = np.zeros((1, DIM), np.float32)
    assert create_classifier("head:a.npz", folder=tmp_path / "there").scores(zero) == pytest.approx([1])
    assert create_classifier("head:a.npz", folder=tmp_path / "nowhere").scores(zero) == pytest.approx([0])


def test_every_kind_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    for name in CLASSIFIERS.names():
        assert f"| `{name}" in text
