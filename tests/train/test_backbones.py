"""Networks of transformers and torchvision, made here and read from files, give what their library gives, and train."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.embed import create
from lookalike.errors import ModelError
from lookalike.train import Settings, read_samples, train
from lookalike.train.backbones import open_backbone
from pictures import picture
from training_command import write_classes

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

TOWER: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
CONVOLUTIONS: dict[str, Any] = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}

# class of the configuration, of the model, what it is made of, what it gives, tokens before the 16 patches
NETWORKS = [
    ("ViTConfig", "ViTModel", TOWER, "tokens", 1),
    ("Dinov2Config", "Dinov2Model", TOWER, "tokens", 1),
    ("Dinov2WithRegistersConfig", "Dinov2WithRegistersModel", {**TOWER, "num_register_tokens": 3}, "tokens", 4),
    ("SiglipVisionConfig", "SiglipVisionModel", TOWER, "tokens", 0),
    ("CLIPVisionConfig", "CLIPVisionModel", TOWER, "tokens", 1),
    ("ResNetConfig", "ResNetModel", {**CONVOLUTIONS, "embedding_size": 8, "layer_type": "basic"}, "map", 0),
    ("ConvNextConfig", "ConvNextModel", CONVOLUTIONS, "map", 0),
]


def saved(folder: Path, config: str, model: str, options: dict[str, Any], *, safe: bool = True) -> tuple[str, Any]:
    """Save a network of random weights in the hub's own layout, and return its backbone's name and itself."""
    transformers, torch = import_module("transformers"), import_module("torch")
    torch.manual_seed(3)
    network = getattr(transformers, model)(getattr(transformers, config)(**options)).eval()
    network.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    if not safe:
        torch.save(network.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    return f"hf:{folder}", network


@pytest.mark.parametrize(("config", "model", "options", "gives", "skip"), NETWORKS, ids=[line[1] for line in NETWORKS])
def test_transformers_give_their_last_hidden_state(
    tmp_path: Path, config: str, model: str, options: dict[str, Any], gives: str, skip: int
) -> None:
    torch = import_module("torch")
    name, network = saved(tmp_path / "net", config, model, options)
    backbone = open_backbone(name)
    assert (backbone.gives, backbone.skip, backbone.side, backbone.pretrained) == (gives, skip, 32, True)
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = network(pixel_values=pixels).last_hidden_state
        found = backbone.network.eval()(pixels)
    torch.testing.assert_close(found, expected)
    assert backbone.channels == found.shape[-1 if gives == "tokens" else 1] == 16


@pytest.mark.parametrize("side", [24, 48])
def test_a_transformer_takes_another_side_than_its_own(tmp_path: Path, side: int) -> None:
    torch = import_module("torch")
    name, _ = saved(tmp_path / "net", "ViTConfig", "ViTModel", TOWER)
    backbone = open_backbone(name, side=side)
    assert (backbone.side, backbone.skip) == (side, 1)
    assert backbone.network(torch.zeros(1, 3, side, side)).shape == (1, 1 + (side // 8) ** 2, 16)


def test_without_weights_only_the_configuration_is_read(tmp_path: Path) -> None:
    name, network = saved(tmp_path / "net", "ViTConfig", "ViTModel", TOWER)
    (tmp_path / "net" / "model.safetensors").unlink()
    backbone = open_backbone(f"{name}?weights=none")
    assert not backbone.pretrained
    ours, theirs = (dict(each.named_parameters()) for each in (backbone.network.network, network))
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}


def test_a_pickle_of_transformers_is_refused(tmp_path: Path) -> None:
    name, _ = saved(tmp_path / "net", "ViTConfig", "ViTModel", TOWER, safe=False)
    with pytest.raises(ModelError, match=r"pickled checkpoint, which is refused.* Save it as safetensors"):
        open_backbone(name)


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenet_v3_small", "regnet_y_400mf", "vit_b_16"])
def test_torchvision_gives_its_last_features(tmp_path: Path, architecture: str) -> None:
    torch, models = import_module("torch"), import_module("torchvision").models
    torch.manual_seed(4)
    side = 224 if architecture == "vit_b_16" else 64
    options: dict[str, Any] = {"num_classes": 3} if architecture != "vit_b_16" else {}
    network = models.get_model(architecture, weights=None, **options).eval()
    torch.save(network.state_dict(), tmp_path / "own.pth")
    name = f"torchvision:{architecture}?checkpoint={tmp_path / 'own.pth'}"
    backbone = open_backbone(name, side=side)
    seen: dict[str, Any] = {}
    last = {"resnet18": "layer4", "regnet_y_400mf": "trunk_output", "mobilenet_v3_small": "features"}
    if architecture in last:
        getattr(network, last[architecture]).register_forward_hook(lambda *a: seen.update(map=a[2]))
    else:
        network.heads.register_forward_hook(lambda *a: seen.update(map=a[1][0][:, :, None, None]))
    pixels = torch.randn(2, 3, side, side)
    with torch.no_grad():
        network(pixels)
        found = backbone.network.eval()(pixels)
    expected = seen["map"]
    if found.shape != expected.shape:  # a network that is taken whole gives rows: its pooled features
        expected = expected.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (backbone.gives, backbone.channels) == ("map", found.shape[1])


@pytest.mark.parametrize("source", ["hf", "torchvision"])
def test_a_pretrained_backbone_trains_and_its_model_opens(tmp_path: Path, source: str) -> None:
    images = write_classes(tmp_path / "images", classes=12, views=3)
    if source == "hf":
        name, _ = saved(tmp_path / "net", "Dinov2Config", "Dinov2Model", TOWER)
    else:
        torch = import_module("torch")
        state = import_module("torchvision").models.get_model("mobilenet_v3_small", weights=None).state_dict()
        torch.save(state, tmp_path / "own.pth")
        name = f"torchvision:mobilenet_v3_small?checkpoint={tmp_path / 'own.pth'}"
    settings = Settings(backbone=name, side=32, batch=8, per_class=2, epochs=1, dimensions=8, validation=0.25)
    made = train(read_samples([images]), tmp_path / "m", settings)
    rows = create(str(made.folder)).embed([picture(1), picture(2)])
    assert rows.shape == (2, 8)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert "(pretrained" in (made.folder / "README.md").read_text()


@pytest.mark.parametrize("name", ["hf:org/nothing", "timm:test_vit", "torchvision:resnet18"])
def test_weights_that_cannot_be_fetched_are_said_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    import_module("torchvision")
    constants = import_module("huggingface_hub.constants")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    api = import_module("torchvision.models._api")
    nowhere = property(lambda given: given.value.url.replace("https://download.", "http://no.invalid/"))
    monkeypatch.setattr(api.WeightsEnum, "url", nowhere)
    with pytest.raises(ModelError, match="could not be fetched") as failed:
        open_backbone(name)
    assert f"{name}?weights=none" in failed.value.hint
