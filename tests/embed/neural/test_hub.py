"""Models by name from a hub on loopback, in the layouts of the hub, against what numpy computes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from hub_models import HALF, SIDE, Clip, Dino, ResNet, Siglip, save_onnx, write_json
from hub_stand_in import Hub, serve_hub
from lookalike.embed import RECOMMENDED, create, resolve
from lookalike.embed.neural.hub import parse_hub_name
from lookalike.errors import BadInput, LookalikeError, ModelError, UnknownName
from lookalike.protocols import TextEmbedder
from lookalike.testing.embedder import check_embedder
from lookalike.types import Image

TEXTS = ["a red cat", "dog", "the cat on the mat on the red dog on a mat", "zebra cat"]


def noise(seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def equals(found: Any, expected: list[Any]) -> None:
    assert found == pytest.approx(np.stack(expected), abs=2e-6)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path / "cache"))
    with serve_hub(tmp_path / "hub") as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def test_clip_by_name_images_and_words(hub: Hub) -> None:
    model = Clip()
    model.save(hub.root / "org" / "clip")
    embedder = create("hf:org/clip")
    images = [noise(1), noise(2)]
    equals(embedder.embed(images), [model.image(image) for image in images])
    assert not any("text_model" in asked for asked in hub.asked)
    assert isinstance(embedder, TextEmbedder)
    equals(embedder.embed_text(TEXTS), [model.text(text) for text in TEXTS])
    equals(embedder.embed_text(TEXTS[1:2]), [model.text(TEXTS[1])])
    assert embedder.embed_text([]).shape == (0, 6)
    assert embedder.space.name.startswith("hf:org/clip@")


@pytest.mark.parametrize("local", [False, True])
def test_clip_in_one_file(hub: Hub, local: bool) -> None:
    model = Clip()
    model.save(hub.root / "org" / "clip", joint=True)
    embedder = create(f"onnx:{hub.root / 'org' / 'clip'}" if local else "hf:org/clip")
    images = [noise(1), noise(2)]
    equals(embedder.embed(images), [model.image(image) for image in images])
    assert isinstance(embedder, TextEmbedder)
    equals(embedder.embed_text(TEXTS), [model.text(text) for text in TEXTS])


def test_siglip_counts_padding_and_ignores_case(hub: Hub) -> None:
    model = Siglip()
    model.save(hub.root / "org" / "siglip")
    embedder = create("hf:org/siglip")
    equals(embedder.embed([noise(3)]), [model.image(noise(3))])
    assert isinstance(embedder, TextEmbedder)
    texts = [*TEXTS, "A Red CAT"]
    equals(embedder.embed_text(texts), [model.text(text) for text in texts])


def test_dinov2_takes_the_class_token(hub: Hub) -> None:
    model = Dino()
    model.save(hub.root / "org" / "dino")
    embedder = create("hf:org/dino")
    equals(embedder.embed([noise(4), noise(5)]), [model.image(noise(4)), model.image(noise(5))])
    assert not isinstance(embedder, TextEmbedder)


def quantised_head() -> list[Any]:
    """A last layer as dynamic quantisation writes it, with integer weights made of the float ones in the graph."""
    return [
        helper.make_node("DynamicQuantizeLinear", ["features"], ["q", "q_scale", "q_zero"]),
        helper.make_node("DynamicQuantizeLinear", ["turned"], ["w", "w_scale", "w_zero"]),
        helper.make_node("MatMulInteger", ["q", "w", "q_zero", "w_zero"], ["product"]),
        helper.make_node("Cast", ["product"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["q_scale", "w_scale"], ["scale"]),
        helper.make_node("Mul", ["scale", "float"], ["scaled"]),
        helper.make_node("Add", ["bias", "scaled"], ["logits"]),
    ]


HEADS = {
    "features": None,
    "gemm": lambda: [helper.make_node("Gemm", ["features", "classes", "bias"], ["logits"], transB=1)],
    "matmul": lambda: [
        helper.make_node("MatMul", ["features", "turned"], ["product"]),
        helper.make_node("Add", ["bias", "product"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["logits"]),
    ],
    "quantised": quantised_head,
}


@pytest.mark.parametrize("head", list(HEADS))
def test_resnet_gives_its_features_not_its_classes(hub: Hub, head: str) -> None:
    model = ResNet()
    model.save(hub.root / "org" / "resnet", HEADS[head])
    images = [noise(6), noise(7)]
    equals(create("hf:org/resnet").embed(images), [model.image(image) for image in images])


@pytest.mark.parametrize("model", [Clip, Siglip, Dino])
def test_the_contract(hub: Hub, model: type[Clip] | type[Siglip] | type[Dino]) -> None:
    model().save(hub.root / "org" / "net")
    check_embedder(lambda: create("hf:org/net"))


def test_a_downloaded_folder_is_the_same_model(hub: Hub, tmp_path: Path) -> None:
    model = Clip()
    model.save(hub.root / "org" / "clip")
    shutil.copytree(hub.root / "org" / "clip", tmp_path / "copied")
    local, named = create(f"onnx:{tmp_path / 'copied'}"), create("hf:org/clip")
    assert local.fingerprint == named.fingerprint
    assert local.space.name.startswith("onnx:copied@")
    assert isinstance(local, TextEmbedder)
    equals(local.embed_text(TEXTS), [model.text(text) for text in TEXTS])


def test_the_second_time_nothing_is_asked(hub: Hub) -> None:
    Dino().save(hub.root / "org" / "dino")
    first = create("hf:org/dino").fingerprint
    asked = len(hub.asked)
    assert asked > 0
    hub.answer = 500
    assert create("hf:org/dino").fingerprint == first
    assert len(hub.asked) == asked


def test_what_the_cache_has_stays_when_the_hub_changes(hub: Hub) -> None:
    Dino().save(hub.root / "org" / "dino")
    old = create("hf:org/dino").fingerprint
    Dino(seed=50).save(hub.root / "org" / "dino")
    assert create("hf:org/dino").fingerprint == old
    changed = create("hf:org/dino@v2")
    assert changed.fingerprint != old
    assert getattr(changed, "spec") == "hf:org/dino@v2"  # noqa: B009  # not in the protocol
    equals(changed.embed([noise(8)]), [Dino(seed=50).image(noise(8))])


def test_variants_and_files_without_the_folder(hub: Hub) -> None:
    Clip(seed=1).save(hub.root / "org" / "clip", within="")
    Clip(seed=9).save(hub.root / "org" / "clip", within="", suffix="_quantized")
    plain, small = create("hf:org/clip"), create("hf:org/clip?variant=quantized")
    assert plain.fingerprint != small.fingerprint
    assert isinstance(small, TextEmbedder)
    equals(small.embed([noise(9)]), [Clip(seed=9).image(noise(9))])
    equals(small.embed_text(TEXTS), [Clip(seed=9).text(text) for text in TEXTS])
    with pytest.raises(ModelError, match=r"no.* variant 'fp16' of its model.*vision_model\.onnx.*variants: quantized"):
        create("hf:org/clip?variant=fp16")


def test_weights_in_a_second_file_are_fetched(hub: Hub) -> None:
    folder = hub.root / "org" / "dino"
    external = {"save_as_external_data": True, "location": "model.onnx_data", "size_threshold": 100}
    Dino().save(folder, **external)
    equals(create("hf:org/dino").embed([noise(1)]), [Dino().image(noise(1))])
    shutil.copytree(folder, hub.root / "org" / "less")
    (hub.root / "org" / "less" / "onnx" / "model.onnx_data").unlink()
    with pytest.raises(
        ModelError, match=r"org/less .* lacks onnx/model\.onnx_data, which holds weights of model\.onnx"
    ):
        create("hf:org/less")


def test_without_a_network(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"org/dino at http://127\.0\.0\.1:9 could not be fetched.*--embedder builtin"):
        create("hf:org/dino")


def test_without_a_network_words_of_a_model_whose_images_are_here(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    Clip().save(hub.root / "org" / "clip")
    create("hf:org/clip")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    embedder = create("hf:org/clip")
    assert isinstance(embedder, TextEmbedder)
    with pytest.raises(ModelError, match=r"text_model\.onnx of org/clip .* could not be fetched"):
        embedder.embed_text(["cat"])


def test_a_repository_that_is_not_there(hub: Hub) -> None:
    with pytest.raises(ModelError, match="there is no repository org/none at"):
        create("hf:org/none")


@pytest.mark.parametrize(("status", "message"), [(401, "not open to you"), (403, "not open"), (503, "status 503")])
def test_refusals_of_the_hub(hub: Hub, status: int, message: str) -> None:
    hub.answer = status
    with pytest.raises(ModelError, match=message):
        create("hf:org/dino")
    assert len(hub.asked) <= 4  # each name once, without long retries


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "GatedRepo", "given only to those who accept its licence.*hf auth login"),
        (404, "RevisionNotFound", "has no revision 'main'"),
    ],
)
def test_refusals_with_a_reason(hub: Hub, status: int, code: str, message: str) -> None:
    hub.answer, hub.code = status, code
    with pytest.raises(LookalikeError, match=message):
        create("hf:org/dino")


def test_a_download_that_breaks_off_and_the_next_try(hub: Hub) -> None:
    Dino().save(hub.root / "org" / "dino")
    hub.truncate.add("model.onnx")
    with pytest.raises(ModelError, match=r"onnx/model\.onnx of org/dino .* could not be fetched: peer closed"):
        create("hf:org/dino")
    hub.truncate.clear()
    equals(create("hf:org/dino").embed([noise(1)]), [Dino().image(noise(1))])


def test_a_download_with_other_bytes_than_announced(hub: Hub) -> None:
    Dino().save(hub.root / "org" / "dino")
    hub.corrupt.add("model.onnx")
    with pytest.raises(ModelError, match=r"download of org/dino, model\.onnx, is damaged.*"):
        create("hf:org/dino")


def test_no_preprocessing_file(hub: Hub) -> None:
    Dino().save(hub.root / "org" / "dino")
    (hub.root / "org" / "dino" / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"org/dino .* has no preprocessor_config\.json.*onnx:FOLDER"):
        create("hf:org/dino")


def test_pickles_are_refused(hub: Hub, tmp_path: Path) -> None:
    write_json(hub.root / "org" / "old" / "config.json", {})
    (hub.root / "org" / "old" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(
        ModelError, match=r"'pytorch_model\.bin' in org/old .* is a pickled checkpoint, which is refused"
    ):
        create("hf:org/old")
    for name in (hub.root / "org" / "old", tmp_path / "net.pt"):
        (tmp_path / "net.pt").write_bytes(b"\x80\x04.")
        with pytest.raises(ModelError, match="pickled checkpoint, which is refused"):
            create(f"onnx:{name}")


def test_a_repository_without_onnx_files(hub: Hub) -> None:
    write_json(hub.root / "org" / "other" / "config.json", {})
    with pytest.raises(ModelError, match=r"org/other .* does not have a model as ONNX.*onnx-community"):
        create("hf:org/other")


def test_an_onnx_file_of_two_inputs_and_one_that_is_none(hub: Hub) -> None:
    folder = hub.root / "org" / "both"
    write_json(folder / "preprocessor_config.json", {"size": SIDE, **HALF})
    pixels: tuple[int, list[int | str]] = (TensorProto.FLOAT, ["b", 3, SIDE, SIDE])
    add = helper.make_node("Add", ["pixel_values", "input_ids"], ["map"])
    inputs = {"pixel_values": pixels, "input_ids": pixels}
    save_onnx(folder / "onnx" / "model.onnx", [add], inputs, {"map": ["b", 3, SIDE, SIDE]}, {})
    with pytest.raises(
        ModelError, match="hf:org/both should have one input, the image; it has 2: pixel_values, input_ids"
    ):
        create("hf:org/both")
    broken = hub.root / "org" / "broken"
    write_json(broken / "preprocessor_config.json", {})
    (broken / "model.onnx").write_text("<html>Sorry</html>")
    with pytest.raises(ModelError, match=r"model\.onnx is not an ONNX file"):
        create("hf:org/broken")


def test_weights_of_the_wrong_shape(hub: Hub) -> None:
    model = Dino()
    model.kernel = model.kernel[:, :2]
    model.save(hub.root / "org" / "wrong")
    with pytest.raises(ModelError, match=r"hf:org/wrong failed on an input of shape \(1, 3, 16, 16\)|cannot open"):
        create("hf:org/wrong")


def test_values_that_are_not_finite(hub: Hub) -> None:
    model = Clip()
    model.text_project[:] = np.nan
    model.project[0] = np.inf
    model.save(hub.root / "org" / "nan")
    embedder = create("hf:org/nan")
    with pytest.raises(ModelError, match="hf:org/nan gave NaN or infinity for 1 of 1"):
        embedder.embed([noise()])
    assert isinstance(embedder, TextEmbedder)
    with pytest.raises(ModelError, match=r"text_model\.onnx gave NaN or infinity"):
        embedder.embed_text(["cat"])


def test_text_towers_that_cannot_be_used(hub: Hub) -> None:
    Clip().save(hub.root / "org" / "uneven", text_dim=5)
    uneven = create("hf:org/uneven")
    assert isinstance(uneven, TextEmbedder)
    with pytest.raises(ModelError, match="gives 5 numbers a text, and the image tower 6"):
        uneven.embed_text(["cat"])
    with pytest.raises(BadInput, match="an empty text has no vector"):
        uneven.embed_text(["cat", " "])
    Clip().save(hub.root / "org" / "mute")
    (hub.root / "org" / "mute" / "tokenizer.json").unlink()
    mute = create("hf:org/mute")
    assert isinstance(mute, TextEmbedder)
    with pytest.raises(ModelError, match=r"org/mute .* has no tokenizer\.json, so words cannot be searched"):
        mute.embed_text(["cat"])


@pytest.mark.parametrize("name", ["", "dino", "org/", "/dino", "org/dino/x", "../x", "org/dino@", "org/dino@ x"])
def test_names_that_cannot_be_understood(name: str) -> None:
    with pytest.raises(BadInput, match=r"does not name a repository of the hub.*hf:ORG/NAME"):
        create(f"hf:{name}")


@pytest.mark.parametrize("query", ["fp16", "variant=", "variant=../x", "size=3", "variant=int8&x=1"])
def test_options_that_are_not_known(query: str) -> None:
    with pytest.raises(BadInput, match="has an option that is not known"):
        create(f"hf:org/dino?{query}")


@pytest.mark.parametrize("name", ["o/n", "o/n@v1", "o/n?variant=int8", "o-1/n.x_y@refs/pr/3?variant=q4f16"])
def test_a_name_written_again_is_the_same(name: str) -> None:
    assert str(parse_hub_name(name)) == f"hf:{name}"
    assert str(parse_hub_name("o/n@main")) == "hf:o/n"


def test_recommended_names_and_misspelt_ones() -> None:
    assert {resolve(name) for name in RECOMMENDED} == {model.spec for model in RECOMMENDED.values()}
    for model in RECOMMENDED.values():
        parse_hub_name(model.repository)
    with pytest.raises(UnknownName, match="Did you mean 'dinov2-small'"):
        create("dinov2-smal")


def test_auto_takes_what_is_in_the_cache(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve("auto") == "builtin-2"
    Dino().save(hub.root / RECOMMENDED["dinov2-small"].repository)
    create("dinov2-small")
    assert resolve("auto") == RECOMMENDED["dinov2-small"].spec
    Clip().save(hub.root / RECOMMENDED["clip-vit-base-patch32"].repository)
    create("clip-vit-base-patch32")
    assert resolve("auto") == RECOMMENDED["clip-vit-base-patch32"].spec
    monkeypatch.setattr("os.sysconf", lambda name: 1 if "PAGES" in name else 500_000_000)
    assert resolve("auto") == RECOMMENDED["dinov2-small"].spec
    monkeypatch.setattr("os.sysconf", lambda name: 1)
    assert resolve("auto") == "builtin-2"
