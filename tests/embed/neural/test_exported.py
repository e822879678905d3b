"""Models of timm, open_clip and torchvision by name: their own vectors, exported once, then served without torch.

Random weights, saved as the libraries publish theirs and served by a hub on loopback; the pictures are of many sizes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from hub_stand_in import Hub, serve_hub
from lookalike.embed import create
from lookalike.embed.neural.exported import exported_folder
from lookalike.errors import BadInput, ModelError, NoSuchFile, UnknownName
from lookalike.protocols import Embedder, TextEmbedder
from lookalike.testing.embedder import check_embedder
from pictures import picture, write_pictures
from without import run_without

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

PICTURES = [picture(1, side=301)[:, :200], picture(2, side=90)[:37], picture(3, side=240), picture(4, side=160)]
TEXTS = ["a cat", "the RED dog's 2 balls!", "one very long text " * 20, "naïve_café – déjà vu"]
TORCH = {"torch", "timm", "open_clip", "torchvision", "transformers", "safetensors"}

Rows = npt.NDArray[np.float32]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path / "cache"))
    with serve_hub(tmp_path / "hub") as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def save(state: dict[str, Any], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        import_module("safetensors.torch").save_file({k: v.contiguous() for k, v in state.items()}, str(path))
    else:
        import_module("torch").save(state, path)
    return path


def alike(found: Rows, expected: Any) -> None:
    """Each row is the one expected, and the rows differ enough for that to mean something."""
    rows = expected.detach().numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = found @ rows.T
    assert cosines.diagonal().min() >= 0.9999
    assert (cosines - 2 * np.eye(len(rows))).max() < 0.9995


def prepared(transform: Any) -> Any:
    return import_module("torch").stack([transform(Pillow.fromarray(pixels)) for pixels in PICTURES])


def timm_model(name: str, seed: int = 0, **options: Any) -> Any:
    import_module("torch").manual_seed(seed)
    return import_module("timm").create_model(name, **options).eval()


def timm_vectors(name: str, state: dict[str, Any]) -> Any:
    """What timm gives: its model without classes, its own transform."""
    timm, data = import_module("timm"), import_module("timm.data")
    model = timm.create_model(name, num_classes=0).eval()
    model.load_state_dict(state, strict=False)
    return model(prepared(data.create_transform(**data.resolve_model_data_config(model))))


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "test_convnext", "test_efficientnet"])
def test_timm_by_name(hub: Hub, name: str) -> None:
    state = timm_model(name).state_dict()
    save(state, hub.root / "timm" / f"{name}.r160_in1k" / "model.safetensors")
    embedder = create(f"timm:{name}")
    alike(embedder.embed(PICTURES), timm_vectors(name, state))
    assert getattr(embedder, "spec") == f"timm:{name}.r160_in1k"  # noqa: B009  # not in the protocol
    assert embedder.space.name.startswith(f"timm:{name}.r160_in1k@")
    assert not isinstance(embedder, TextEmbedder)


def test_timm_of_a_repository_that_timm_saved(hub: Hub) -> None:
    model = timm_model("test_vit", num_classes=3)
    import_module("timm.models").save_for_hf(model, hub.root / "me" / "birds", safe_serialization=True)
    embedder = create("timm:hf-hub:me/birds")
    alike(embedder.embed(PICTURES), timm_vectors("test_vit", model.state_dict()))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return save(timm_model("test_resnet", num_classes=7).state_dict(), tmp_path / "own.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_timm_of_a_checkpoint(hub: Hub, tmp_path: Path, suffix: str) -> None:
    state = timm_model("test_resnet", num_classes=7).state_dict()
    path = save(state, tmp_path / f"own{suffix}")
    embedder = create(f"timm:test_resnet?checkpoint={path}")
    alike(embedder.embed(PICTURES), timm_vectors("test_resnet", state))
    assert hub.asked == []
    check_embedder(lambda: create(f"timm:test_resnet?checkpoint={path}"))


def test_the_same_weights_are_the_same_model_whatever_holds_them(
    hub: Hub, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = create(f"timm:test_resnet?checkpoint={own}")
    training = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in read(own).items()}}
    other = save(training, tmp_path / "other.ckpt")
    assert create(f"timm:test_resnet?checkpoint={other}").fingerprint == first.fingerprint
    (folder,) = exported_folder().glob("timm-*")
    assert create(f"onnx:{folder}").fingerprint == first.fingerprint
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path / "again"))
    assert create(f"timm:test_resnet?checkpoint={own}").fingerprint == first.fingerprint
    assert create(f"timm:test_resnet?checkpoint={own}").fingerprint != create_other(tmp_path).fingerprint


def read(path: Path) -> dict[str, Any]:
    return dict(import_module("safetensors.torch").load_file(str(path)))


def create_other(tmp_path: Path) -> Embedder:
    path = save(timm_model("test_resnet", seed=1).state_dict(), tmp_path / "seed1.pth")
    return create(f"timm:test_resnet?checkpoint={path}")


def test_a_checkpoint_that_changes_and_one_that_is_gone(hub: Hub, own: Path) -> None:
    spec = f"timm:test_resnet?checkpoint={own}"
    first = create(spec).fingerprint
    content = own.read_bytes()
    save(timm_model("test_resnet", seed=1).state_dict(), own)
    second = create(spec).fingerprint
    assert second != first
    own.write_bytes(content)
    assert create(spec).fingerprint == first
    own.unlink()
    assert create(spec).fingerprint in (first, second)  # its export is there still


def test_a_damaged_export_is_made_again(hub: Hub, own: Path) -> None:
    spec = f"timm:test_resnet?checkpoint={own}"
    first = create(spec)
    (model,) = exported_folder().glob("*/model.onnx")
    model.write_bytes(model.read_bytes()[:-100])
    again = create(spec)
    assert again.fingerprint == first.fingerprint
    assert again.embed(PICTURES) == pytest.approx(first.embed(PICTURES), abs=1e-6)
    assert [path.name for path in exported_folder().iterdir() if path.name.startswith(".new")] == []


def test_once_exported_nothing_of_torch_is_needed(hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="lookalike.models")
    save(timm_model("test_vit").state_dict(), hub.root / "timm" / "test_vit.r160_in1k" / "model.safetensors")
    create("timm:test_vit")
    assert caplog.messages == ["Exporting timm:test_vit to ONNX, once; this can take a minute."]
    create("timm:test_vit")
    assert len(caplog.messages) == 1
    hub.answer = 500
    asked = len(hub.asked)
    paths = write_pictures(tmp_path / "pictures", 3)
    for name in ("timm:test_vit", "timm:test_vit.r160_in1k"):
        made = run_without(TORCH, "index", "pictures", "--embedder", name, cwd=tmp_path)
        assert made.returncode == 0, made.stderr
    done = run_without(TORCH, "search", str(paths[1]), "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["hits"][0]["id"] == paths[1].name
    assert len(hub.asked) == asked
    words = run_without(TORCH, "search", "text:a red car", cwd=tmp_path)
    assert "does not understand words" in words.stderr
    assert "Traceback" not in words.stderr


# -- open_clip --------------------------------------------------------------------------------------------------------

TINY: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
CONFIGS: dict[str, dict[str, Any]] = {
    "clip": {"model_cfg": TINY, "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}},
    "quick-gelu": {"model_cfg": {**TINY, "quick_gelu": True}, "preprocess_cfg": {"interpolation": "bilinear"}},
    "mobileclip": {
        "model_cfg": {
            "embed_dim": 24,
            "custom_text": True,
            "vision_cfg": {
                "timm_model_name": "test_efficientnet",
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "image_size": 64,
            },
            "text_cfg": {**TINY["text_cfg"], "no_causal_mask": True},
        },
        "preprocess_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bilinear"},
    },
    "siglip": {
        "model_cfg": {
            "embed_dim": 32,
            "custom_text": True,
            "init_logit_bias": -10,
            "vision_cfg": {**TINY["vision_cfg"], "pool_type": "avg"},
            "text_cfg": {
                "context_length": 12,
                "vocab_size": 40,
                "width": 32,
                "heads": 2,
                "layers": 2,
                "no_causal_mask": True,
                "proj_bias": True,
                "pool_type": "last",
                "hf_tokenizer_name": "org/words",
                "tokenizer_kwargs": {"clean": "canonicalize"},
            },
        },
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"},
    },
}


def open_clip_model(config: dict[str, Any], folder: Path) -> tuple[Any, Any]:
    """Save a model as open_clip does for the hub, and return the library's own reading of it: model and transform."""
    torch, library = import_module("torch"), import_module("open_clip")
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    random = library.create_model(f"local-dir:{folder}")
    for weight in random.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.3)  # so that pictures, and texts, differ
    save(random.state_dict(), folder / "open_clip_model.safetensors")
    model, _, transform = library.create_model_and_transforms(f"local-dir:{folder}")
    return model.eval(), transform


def letters(folder: Path) -> None:
    transformers = import_module("transformers")
    tokens = ["<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz0123456789"]
    vocabulary = [(token, -float(number)) for number, token in enumerate(tokens)]
    transformers.T5TokenizerFast(vocab=vocabulary, extra_ids=0, model_max_length=12).save_pretrained(folder)


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_open_clip_images_and_words(hub: Hub, kind: str) -> None:
    library = import_module("open_clip")
    folder = hub.root / "org" / kind
    model, transform = open_clip_model(CONFIGS[kind], folder)
    if kind == "siglip":
        letters(hub.root / "org" / "words")
        letters(folder)  # where the library looks for it when it is told a folder
    tokenizer = library.get_tokenizer(f"local-dir:{folder}")
    embedder = create(f"open_clip:hf-hub:org/{kind}")
    alike(embedder.embed(PICTURES), model.encode_image(prepared(transform)))
    assert isinstance(embedder, TextEmbedder)
    alike(embedder.embed_text(TEXTS), model.encode_text(tokenizer(TEXTS)))


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """open_clip with one more architecture, of which one tag is published."""
    library = import_module("open_clip")
    factory, pretrained = import_module("open_clip.factory"), import_module("open_clip.pretrained")
    published = {"hf_hub": "org/tiny/", "mean": (0.3, 0.4, 0.5), "std": (0.2, 0.2, 0.2), "resize_mode": "squash"}
    monkeypatch.setitem(factory._MODEL_CONFIGS, "Tiny-8", TINY)
    monkeypatch.setitem(pretrained._PRETRAINED, "Tiny-8", {"web_1k": {**published, "quick_gelu": True}})
    return library


def test_open_clip_by_architecture_and_tag(hub: Hub, tiny: Any) -> None:
    config = {"model_cfg": {**TINY, "quick_gelu": True}}
    config["preprocess_cfg"] = {"mean": [0.3, 0.4, 0.5], "std": [0.2, 0.2, 0.2], "resize_mode": "squash"}
    model, transform = open_clip_model(config, hub.root / "org" / "tiny")
    embedder = create("open_clip:Tiny-8/web_1k")
    alike(embedder.embed(PICTURES), model.encode_image(prepared(transform)))
    assert isinstance(embedder, TextEmbedder)
    alike(embedder.embed_text(TEXTS), model.encode_text(tiny.get_tokenizer("Tiny-8")(TEXTS)))


def test_open_clip_of_a_checkpoint(hub: Hub, tiny: Any, tmp_path: Path) -> None:
    model, transform = open_clip_model({"model_cfg": TINY, "preprocess_cfg": {}}, tmp_path / "made")
    path = save(model.state_dict(), tmp_path / "own.pt")
    first = create(f"open_clip:Tiny-8/{path}")
    alike(first.embed(PICTURES), model.encode_image(prepared(transform)))
    assert getattr(first, "spec") == f"open_clip:Tiny-8?checkpoint={path}"  # noqa: B009  # not in the protocol
    assert create(f"open_clip:Tiny-8?checkpoint={path}").fingerprint == first.fingerprint


def test_open_clip_words_without_torch(hub: Hub, tmp_path: Path) -> None:
    open_clip_model(CONFIGS["clip"], hub.root / "org" / "clip")
    create("open_clip:hf-hub:org/clip")
    write_pictures(tmp_path / "pictures", 3)
    made = run_without(TORCH, "index", "pictures", "--embedder", "open_clip:hf-hub:org/clip", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = run_without(TORCH, "search", "text:a red car", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["hits"]) == 3


# -- torchvision ------------------------------------------------------------------------------------------------------


def torchvision_model(name: str) -> Any:
    torch = import_module("torch")
    torch.manual_seed(0)
    model = import_module("torchvision").models.get_model(name, weights=None)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as trained ones do, so that many layers do not fade to nothing
            module.running_var.fill_(0.05)
    return model.eval()


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1"])
def test_torchvision_by_name(hub: Hub, name: str, tmp_path: Path) -> None:
    models = import_module("torchvision").models
    published = models.get_model_weights(name).DEFAULT
    model = torchvision_model(name)
    # Where torch's own download would have put it.
    save(model.state_dict(), tmp_path / "cache" / "models" / "torchvision" / published.url.rpartition("/")[2])
    read: list[Any] = []
    if name == "squeezenet1_1":
        expected = model.features(prepared(published.transforms())).mean(dim=(2, 3))
    else:
        last = [module for module in model.modules() if isinstance(module, import_module("torch").nn.Linear)][-1]
        last.register_forward_hook(lambda module, given, result: read.append(given[0].detach()))
        model(prepared(published.transforms()))
        expected = read[0]
    embedder = create(f"torchvision:{name}")
    alike(embedder.embed(PICTURES), expected)
    assert getattr(embedder, "spec") == f"torchvision:{name}/{published.name}"  # noqa: B009  # not in the protocol


# -- what cannot be used ----------------------------------------------------------------------------------------------


class Other:
    """What a pickle may not hold."""


def test_pickles_with_more_than_weights_are_refused(hub: Hub, tmp_path: Path) -> None:
    for content in ({"weights": Other()}, timm_model("test_resnet")):
        path = save(content, tmp_path / "whole.pth")
        with pytest.raises(
            ModelError, match=r"whole\.pth is a pickle with more than weights.*refused.*it needs .*Save"
        ):
            create(f"timm:test_resnet?checkpoint={path}")
    save({"weights": Other()}, hub.root / "timm" / "test_vit.r160_in1k" / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is a pickle with more than weights"):
        create("timm:test_vit")


def test_weights_that_do_not_fit(hub: Hub, own: Path, tmp_path: Path, tiny: Any) -> None:
    state = read(own)
    with pytest.raises(ModelError, match=r"own\.safetensors does not fit test_vit: Missing key.*architecture"):
        create(f"timm:test_vit?checkpoint={own}")
    wide = save(
        {**state, "layer1.0.conv1.weight": state["layer1.0.conv1.weight"][:, :3]}, tmp_path / "wide.safetensors"
    )
    with pytest.raises(ModelError, match=r"does not fit test_resnet: size mismatch for layer1\.0\.conv1\.weight"):
        create(f"timm:test_resnet?checkpoint={wide}")
    less = save({k: v for k, v in state.items() if k != "layer1.0.conv1.weight"}, tmp_path / "less.safetensors")
    with pytest.raises(ModelError, match=r"does not fit test_resnet: Missing key.*layer1\.0\.conv1\.weight"):
        create(f"timm:test_resnet?checkpoint={less}")
    with pytest.raises(ModelError, match=r"does not fit Tiny-8: .*key"):
        create(f"open_clip:Tiny-8?checkpoint={own}")
    with pytest.raises(ModelError, match=r"does not fit resnet18: "):
        create(f"torchvision:resnet18?checkpoint={own}")
    assert [path.name for path in exported_folder().iterdir() if path.is_dir()] == []


def test_weights_that_are_not_finite(hub: Hub, own: Path, tmp_path: Path) -> None:
    state = read(own)
    state["conv1.0.weight" if "conv1.0.weight" in state else "conv1.weight"][:] = np.nan
    path = save(state, tmp_path / "nan.safetensors")
    with pytest.raises(ModelError, match="gave NaN or infinity for a trial input"):
        create(f"timm:test_resnet?checkpoint={path}")


@pytest.mark.parametrize("name", ["junk.safetensors", "junk.pth"])
def test_files_that_are_no_checkpoints(hub: Hub, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>Sorry</html>")
    with pytest.raises(ModelError, match=name):
        create(f"timm:test_resnet?checkpoint={tmp_path / name}")
    with pytest.raises(NoSuchFile, match="no such checkpoint"):
        create(f"timm:test_resnet?checkpoint={tmp_path}/no-{name}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:resnet1888", "timm has no model 'resnet1888'.*Did you mean 'resnet18'"),
        ("timm:resnet18.a1_in1kk", "no weights 'a1_in1kk' of resnet18.*Did you mean 'resnet18.a1_in1k'"),
        ("torchvision:resnet188", "no model of whole images 'resnet188'.*Did you mean 'resnet18'"),
        ("torchvision:resnet50/V1", "no weights 'V1' of resnet50.*Known: IMAGENET1K_V1"),
        ("open_clip:ViT-B-3/openai", "no architecture 'ViT-B-3'.*Did you mean 'ViT-B-32'"),
        ("open_clip:ViT-B-32/laion2b_s34b", "no weights 'laion2b_s34b' of ViT-B-32.*'ViT-B-32/laion2b_s34b_b79k'"),
        ("tim:resnet18", "unknown embedder 'tim:resnet18'.*Did you mean 'timm:'"),
    ],
)
def test_misspelt_names(hub: Hub, name: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        create(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:", "does not name a model"),
        ("timm:resnet18?checkpoint=", "does not name a model"),
        ("timm:resnet18?variant=int8", "does not name a model"),
        ("timm:org/net", "no name of timm.*hf-hub:ORG/NAME"),
        ("open_clip:ViT-B-32", "does not say which weights.*laion2b"),
    ],
)
def test_names_that_say_too_little(hub: Hub, name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        create(name)


@pytest.mark.parametrize("name", ["timm:test_vit", "open_clip:Tiny-8/web_1k", "torchvision:resnet18"])
def test_without_a_network(hub: Hub, tiny: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    models = import_module("torchvision").models
    api = import_module("torchvision.models._api")
    monkeypatch.setattr(
        api.WeightsEnum,
        "url",
        property(lambda given: given.value.url.replace("https://download.", "http://no.invalid/")),
    )
    assert models.ResNet18_Weights.DEFAULT.url.startswith("http://no.invalid/")
    with pytest.raises(ModelError, match=r"could not be fetched: .*--embedder builtin"):
        create(name)
