"""Models made and saved by transformers, served as a hub would, give the vectors that transformers gives.

Random weights; the pictures are of many sizes, so that resizing and cropping count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from hub_stand_in import Hub, serve_hub
from lookalike.embed import create
from lookalike.protocols import TextEmbedder
from pictures import picture

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

torch: Any = None  # imported when the first test runs: seconds that no other run should pay
transformers: Any = None

SIDE = 32
TOWER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
EYE = {**TOWER, "image_size": SIDE, "patch_size": 8}
SIZE = {"height": SIDE, "width": SIDE}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXTS = ["a cat", "the red dog", "one very long text that has to be cut off somewhere", "Zebra"]
PICTURES = [picture(1, side=48)[:, :40], picture(2, side=33), picture(3, side=64)[:37]]

Rows = npt.NDArray[np.float32]


@pytest.fixture(autouse=True, scope="module")
def libraries() -> None:
    global torch, transformers
    torch = import_module("torch")
    transformers = import_module("transformers")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("LOOKALIKE_CACHE", str(tmp_path / "cache"))
    with serve_hub(tmp_path / "hub") as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def save(
    forward: Callable[[Any], dict[str, Any]], model: Any, inputs: dict[str, Any], path: Path, *, external: bool = False
) -> None:
    """Export what ``forward`` gives of the one input; the batch is open."""

    class Exported(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, given: Any) -> Any:
            return tuple(forward(given).values())

    ((name, example),) = inputs.items()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        Exported().eval(),
        (example,),
        str(path),
        input_names=[name],
        output_names=list(forward(example)),
        dynamic_shapes={"given": {0: torch.export.Dim("batch")}},
        dynamo=True,
        external_data=external,
        verbose=False,
    )


def tensor(given: Any) -> Any:
    """Newer versions give an object with the pooled rows where older ones give the rows."""
    return given if torch.is_tensor(given) else given.pooler_output


def alike(found: Rows, expected: Any) -> None:
    """Each row is the one expected, and the rows differ enough for that to mean something."""
    rows = expected.detach().numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    every = found @ rows.T
    assert every.diagonal().min() >= 0.9999
    assert (every - 2 * np.eye(len(rows))).max() < 0.999


def loud(model: Any) -> Any:
    """Weights and statistics as large as trained ones: as they are made, all pictures are nearly the same."""
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=(2 / weight[0].numel()) ** 0.5)
        elif name.endswith(("lambda1", "layer_scale_parameter")):
            torch.nn.init.ones_(weight)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean over all batches so far, of which there is one
        norm.train()
    if norms:
        model(torch.randn(16, 3, SIDE, SIDE))
    return model.eval()


def prepared(processor: Any) -> Any:
    pictures = [Pillow.fromarray(pixels) for pixels in PICTURES]
    return torch.cat([processor(each, return_tensors="pt")["pixel_values"] for each in pictures])


def save_two_towers(
    folder: Path, model: Any, processor: Any, tokenizer: Any, length: int, names: tuple[str, str]
) -> None:
    model.config.save_pretrained(folder)
    processor.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save(
        lambda pixels: {names[0]: tensor(model.get_image_features(pixel_values=pixels))},
        model,
        {"pixel_values": torch.zeros(2, 3, SIDE, SIDE)},
        folder / "onnx" / "vision_model.onnx",
    )
    save(
        lambda ids: {names[1]: tensor(model.get_text_features(input_ids=ids))},
        model,
        {"input_ids": torch.ones(2, length, dtype=torch.int64)},
        folder / "onnx" / "text_model.onnx",
    )


def clip() -> tuple[Any, Any, Any]:
    """A model, its processor of pictures and its tokenizer, which has letters only."""
    tokens = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = transformers.CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)}, merges=[], model_max_length=16
    )
    text = {"vocab_size": len(tokens), "max_position_embeddings": 16, "bos_token_id": 52, "eos_token_id": 53}
    config = transformers.CLIPConfig(
        text_config={**TOWER, **text, "pad_token_id": 53}, vision_config=EYE, projection_dim=24
    )
    model = loud(transformers.CLIPModel(config).eval())
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SIZE)
    return model, processor, tokenizer


def test_clip(hub: Hub) -> None:
    torch.manual_seed(0)
    model, processor, tokenizer = clip()
    save_two_towers(hub.root / "org" / "clip", model, processor, tokenizer, 16, ("image_embeds", "text_embeds"))
    embedder = create("hf:org/clip")
    expected = tensor(model.get_image_features(pixel_values=prepared(processor)))
    alike(embedder.embed(PICTURES), expected)
    assert isinstance(embedder, TextEmbedder)
    words = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    expected = tensor(model.get_text_features(**words))
    alike(embedder.embed_text(TEXTS), expected)


def test_clip_exported_in_one_piece(hub: Hub) -> None:
    """As optimum exports it: pictures and texts in, both vectors and their products out."""
    torch.manual_seed(6)
    model, processor, tokenizer = clip()
    folder = hub.root / "org" / "clip"
    for part in (model.config, processor, tokenizer):
        part.save_pretrained(folder)

    class Exported(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, pixel_values: Any, attention_mask: Any) -> Any:
            out = self.model(input_ids=input_ids, pixel_values=pixel_values, attention_mask=attention_mask)
            return out.logits_per_image, out.logits_per_text, out.text_embeds, out.image_embeds

    (folder / "onnx").mkdir()
    ids = torch.arange(3 * 16).reshape(3, 16)
    texts, images = torch.export.Dim("texts"), torch.export.Dim("images")
    length = torch.export.Dim("length", max=16)
    torch.onnx.export(
        Exported().eval(),
        (ids, torch.zeros(2, 3, SIDE, SIDE), (ids % 16 < 9).to(torch.int64)),
        str(folder / "onnx" / "model.onnx"),
        input_names=["input_ids", "pixel_values", "attention_mask"],
        output_names=["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"],
        dynamic_shapes=({0: texts, 1: length}, {0: images}, {0: texts, 1: length}),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    embedder = create("hf:org/clip")
    expected = tensor(model.get_image_features(pixel_values=prepared(processor)))
    alike(embedder.embed(PICTURES), expected)
    assert isinstance(embedder, TextEmbedder)
    words = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    alike(embedder.embed_text(TEXTS), tensor(model.get_text_features(**words)))


def test_siglip_2(hub: Hub) -> None:
    torch.manual_seed(1)
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *LETTERS]
    tokenizer = transformers.Siglip2Tokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[],
        model_max_length=12,
        padding_side="right",
    )
    config = transformers.SiglipConfig(
        text_config={**TOWER, "vocab_size": len(tokens), "max_position_embeddings": 12, "projection_size": 32},
        vision_config=EYE,
    )
    model = loud(transformers.SiglipModel(config).eval())
    processor = transformers.SiglipImageProcessor(size=SIZE)
    save_two_towers(hub.root / "org" / "siglip", model, processor, tokenizer, 12, ("pooler_output", "pooler_output"))
    embedder = create("hf:org/siglip")
    expected = tensor(model.get_image_features(pixel_values=prepared(processor)))
    alike(embedder.embed(PICTURES), expected)
    assert isinstance(embedder, TextEmbedder)
    words = tokenizer(TEXTS, padding="max_length", truncation=True, return_tensors="pt")["input_ids"]
    expected = tensor(model.get_text_features(input_ids=words))
    alike(embedder.embed_text(TEXTS), expected)


def one_tower(hub: Hub, model: Any, processor: Any, names: list[str], *, external: bool = False) -> Any:
    """Save a model of images, and return what transformers gives of the pictures."""
    folder = hub.root / "org" / "net"
    model.config.save_pretrained(folder)
    processor.save_pretrained(folder)
    save(
        lambda pixels: {name: getattr(model(pixel_values=pixels), name) for name in names},
        model,
        {"pixel_values": torch.zeros(2, 3, SIDE, SIDE)},
        folder / "onnx" / "model.onnx",
        external=external,
    )
    return model(pixel_values=prepared(processor))


def test_dinov2(hub: Hub) -> None:
    torch.manual_seed(2)
    model = loud(transformers.Dinov2Model(transformers.Dinov2Config(**EYE)).eval())
    processor = transformers.BitImageProcessor(size={"shortest_edge": 36}, crop_size=SIZE)
    expected = one_tower(hub, model, processor, ["last_hidden_state"])
    alike(create("hf:org/net").embed(PICTURES), expected.last_hidden_state[:, 0])


def test_dinov3(hub: Hub) -> None:
    """With registers behind the class token, and the weights in a second file, as the hub has them."""
    torch.manual_seed(7)
    config = transformers.DINOv3ViTConfig(**EYE, num_register_tokens=4)
    model = loud(transformers.DINOv3ViTModel(config).eval())
    processor = transformers.DINOv3ViTImageProcessor(size=SIZE)
    expected = one_tower(hub, model, processor, ["last_hidden_state", "pooler_output"], external=True)
    assert (hub.root / "org" / "net" / "onnx" / "model.onnx.data").is_file()
    alike(create("hf:org/net").embed(PICTURES), expected.pooler_output)


@pytest.mark.parametrize("kind", ["convnext", "efficientnet", "dinov3-convnext"])
def test_convolutional_models_without_classes(hub: Hub, kind: str) -> None:
    torch.manual_seed(8)
    models: dict[str, Callable[[], Any]] = {
        "convnext": lambda: transformers.ConvNextModel(
            transformers.ConvNextConfig(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2)
        ),
        "efficientnet": lambda: transformers.EfficientNetModel(
            transformers.EfficientNetConfig(width_coefficient=0.25, depth_coefficient=0.25, hidden_dim=320)
        ),
        "dinov3-convnext": lambda: transformers.DINOv3ConvNextModel(
            transformers.DINOv3ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1])
        ),
    }
    model = loud(models[kind]().eval())
    expected = one_tower(hub, model, transformers.ViTImageProcessor(size=SIZE), ["last_hidden_state", "pooler_output"])
    alike(create("hf:org/net").embed(PICTURES), expected.pooler_output.flatten(1))


def test_mobileclip(hub: Hub) -> None:
    """Apple's model as the hub has it: no normalising, texts attended to as a whole and padded by token 0."""
    library = import_module("open_clip")
    torch.manual_seed(9)
    text = {"context_length": 16, "vocab_size": 54, "width": 32, "heads": 4, "layers": 2, "no_causal_mask": True}
    eye = {"timm_model_name": "test_efficientnet", "timm_model_pretrained": False, "timm_pool": "avg"}
    eye |= {"timm_proj": "linear", "image_size": SIDE}
    model = library.model.CustomTextCLIP(embed_dim=24, vision_cfg=eye, text_cfg=text).eval()
    loud(model.text)
    loud(model.visual)
    folder = hub.root / "org" / "mobileclip"
    (_, _, tokenizer), crop = clip(), {"do_center_crop": True, "crop_size": SIZE}
    tokenizer.pad_token = "a"  # token 0, as "!" is of CLIP's own words
    tokenizer.save_pretrained(folder)
    processor = transformers.CLIPImageProcessor(
        size={"shortest_edge": SIDE}, resample=2, do_normalize=False, image_mean=None, image_std=None, **crop
    )
    processor.save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "clip"}')
    onnx = folder / "onnx"
    pixels = {"pixel_values": torch.zeros(2, 3, SIDE, SIDE)}
    save(lambda given: {"image_embeds": model.encode_image(given)}, model, pixels, onnx / "vision_model.onnx")
    ids = {"input_ids": torch.ones(2, 16, dtype=torch.int64)}
    save(lambda given: {"text_embeds": model.encode_text(given)}, model, ids, onnx / "text_model.onnx")
    embedder = create("hf:org/mobileclip")
    alike(embedder.embed(PICTURES), model.encode_image(prepared(processor)))
    assert isinstance(embedder, TextEmbedder)
    words = tokenizer(TEXTS, padding="max_length", truncation=True, return_tensors="pt")["input_ids"]
    alike(embedder.embed_text(TEXTS), model.encode_text(words))


def test_vit(hub: Hub) -> None:
    torch.manual_seed(3)
    model = loud(transformers.ViTModel(transformers.ViTConfig(**EYE)).eval())
    processor = transformers.ViTImageProcessor(size=SIZE)
    expected = one_tower(hub, model, processor, ["last_hidden_state", "pooler_output"])
    alike(create("hf:org/net").embed(PICTURES), expected.pooler_output)


RESNET = {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "layer_type": "basic"}


def test_resnet(hub: Hub) -> None:
    torch.manual_seed(4)
    model = loud(transformers.ResNetModel(transformers.ResNetConfig(**RESNET)).eval())
    processor = transformers.ConvNextImageProcessor(size={"shortest_edge": SIDE}, crop_pct=0.875)
    expected = one_tower(hub, model, processor, ["last_hidden_state", "pooler_output"])
    alike(create("hf:org/net").embed(PICTURES), expected.pooler_output.flatten(1))


@pytest.mark.parametrize("kind", ["resnet", "vit", "convnext", "efficientnet"])
def test_classifiers_give_what_their_last_layer_reads(hub: Hub, kind: str) -> None:
    torch.manual_seed(5)
    models: dict[str, Callable[[], Any]] = {
        "resnet": lambda: transformers.ResNetForImageClassification(transformers.ResNetConfig(**RESNET)),
        "vit": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**EYE)),
        "convnext": lambda: transformers.ConvNextForImageClassification(
            transformers.ConvNextConfig(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2)
        ),
        "efficientnet": lambda: transformers.EfficientNetForImageClassification(
            transformers.EfficientNetConfig(width_coefficient=0.25, depth_coefficient=0.25, hidden_dim=320)
        ),
    }
    model = loud(models[kind]().eval())
    read: list[Any] = []
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    layers[-1].register_forward_hook(lambda module, given, result: read.append(given[0].detach()))
    processor = transformers.ViTImageProcessor(size=SIZE)
    one_tower(hub, model, processor, ["logits"])
    alike(create("hf:org/net").embed(PICTURES), read[-1])
