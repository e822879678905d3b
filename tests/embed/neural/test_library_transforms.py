"""Every preprocessing that timm, open_clip and torchvision publish, translated, gives their own pixels."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from lookalike.embed.neural import open_clip, timm, torchvision
from lookalike.embed.neural.preprocess import Preprocess
from lookalike.errors import ModelError
from pictures import picture

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

# Sizes whose margins are odd, smaller than any input, and long.
PICTURES = [picture(1, side=301)[:, :200], picture(2, side=50)[:37], picture(3, side=640)[:123]]
LARGEST = 400  # pixels of an input; larger ones differ in nothing but time


def same(ours: Preprocess, theirs: Any) -> None:
    for pixels in PICTURES:
        expected = theirs(Pillow.fromarray(pixels)).numpy()
        found = ours.normalise(ours.pixels(pixels)[None])[0].transpose(2, 0, 1)
        assert found.shape == expected.shape
        assert np.allclose(found, expected, rtol=1e-6, atol=1e-5), ours


def test_timm() -> None:
    library, data = import_module("timm"), import_module("timm.data")
    seen: set[tuple[Any, ...]] = set()
    refused = []
    for name in library.list_models(pretrained=True):
        published = library.models.get_pretrained_cfg(name).to_dict()
        config = data.resolve_data_config(pretrained_cfg=published)
        key = tuple(config.values())
        if key in seen or max(config["input_size"][1:]) > LARGEST:
            continue
        seen.add(key)
        try:
            ours = timm._preprocess(config, name)
        except ModelError:
            refused.append(config["crop_mode"])
            continue
        same(ours, data.create_transform(**config))
    assert len(seen) > 50
    assert set(refused) <= {"border"}


def test_open_clip() -> None:
    library, transform = import_module("open_clip"), import_module("open_clip.transform")
    seen: set[tuple[Any, ...]] = set()
    for architecture, tag in library.list_pretrained():
        published = library.get_pretrained_cfg(architecture, tag)
        config = transform.merge_preprocess_dict(transform.PreprocessCfg(), published)
        vision = (library.get_model_config(architecture.removesuffix("-quickgelu")) or {}).get("vision_cfg", {})
        config["size"] = vision.get("image_size", 224)
        key = tuple(str(value) for value in config.values())
        if key in seen or config["size"] > LARGEST:
            continue
        seen.add(key)
        cfg = transform.PreprocessCfg(**config)
        same(open_clip._preprocess(config, architecture), transform.image_transform_v2(cfg, is_train=False))
    assert len(seen) > 10


def test_torchvision() -> None:
    models = import_module("torchvision").models
    seen: set[str] = set()
    for name in models.list_models(module=models):
        for published in models.get_model_weights(name):
            transforms = published.transforms()
            if repr(transforms) in seen or transforms.crop_size[0] > LARGEST:
                continue
            seen.add(repr(transforms))
            same(torchvision._preprocess(transforms, name), transforms)
    assert len(seen) > 10


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vit_b_32", "squeezenet1_1", "inception_v3"])
def test_the_last_layer_of_a_classifier_is_found(name: str) -> None:
    torch = import_module("torch")
    models = import_module("torchvision").models
    with torch.device("meta"):
        model = models.get_model(name, weights=None).eval()
        read: list[Any] = []
        last = torchvision.cut(models.get_model(name, weights=None), name)
        model.get_submodule(last).register_forward_hook(lambda module, given, result: read.append(given[0].shape))
        side = models.get_model_weights(name).DEFAULT.transforms().crop_size[0]
        model(torch.zeros(2, 3, side, side))
        torchvision.cut(model, name)
        found = model(torch.zeros(2, 3, side, side)).shape
    assert tuple(found) == (2, read[0][1])
