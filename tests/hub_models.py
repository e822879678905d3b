"""Tiny models in the layouts of the hub, and what they compute in plain numpy.

Pictures of 16 x 16 pixels meet no resizing, so that what is compared is the reading of the files and the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from lookalike.types import Image

__all__ = ["HALF", "SIDE", "WORDS", "Clip", "Dino", "ResNet", "Siglip", "normalised", "save_onnx", "write_words"]

Floats = npt.NDArray[np.float64]

SIDE, PATCH, WIDTH, DIM = 16, 8, 10, 6
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
WORDS = ["a", "red", "cat", "dog", "on", "the", "mat"]


def weights(*shape: int, seed: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def save_onnx(
    path: Path,
    nodes: Sequence[Any],
    inputs: dict[str, tuple[int, list[int | str]]],
    outputs: dict[str, list[int | str]],
    tensors: dict[str, npt.NDArray[Any]],
    **options: Any,
) -> None:
    ins = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
    outs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    held = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(list(nodes), "tiny", ins, outs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path), **options)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def normalised(image: Image, mean: Any, std: Any) -> Floats:
    """(3, H, W) of an image that already has the input's size."""
    return np.asarray(((image.astype(np.float64) / 255 - mean) / std).transpose(2, 0, 1))


def unit(row: Floats) -> Floats:
    return np.asarray(row / np.linalg.norm(row))


def patches(pixels: Floats, kernel: npt.NDArray[np.float32]) -> Floats:
    """(N, WIDTH): each patch times the kernel, by loops over patches."""
    rows = [
        [float((pixels[:, y : y + PATCH, x : x + PATCH] * filter_).sum()) for filter_ in kernel]
        for y in range(0, SIDE, PATCH)
        for x in range(0, SIDE, PATCH)
    ]
    return np.array(rows)


PIXELS: tuple[int, list[int | str]] = (TensorProto.FLOAT, ["batch_size", 3, "height", "width"])
IDS: tuple[int, list[int | str]] = (TensorProto.INT64, ["batch_size", "sequence_length"])


def _embed_patches() -> list[Any]:
    """pixel_values -> tokens (B, N, WIDTH)."""
    return [
        helper.make_node("Conv", ["pixel_values", "kernel"], ["map"], strides=[PATCH, PATCH]),
        helper.make_node("Reshape", ["map", "dims"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
    ]


def write_words(folder: Path, *, start: str, end: str, pad: str, length: int, length_key: str = "tokenizer") -> None:
    """A tokenizer of whole words, between a start and an end."""
    specials = list(dict.fromkeys([pad, "<unk>", start, *WORDS, end]))
    vocabulary = {token: number for number, token in enumerate(specials)}
    write_json(
        folder / "tokenizer.json",
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {
                    "id": vocabulary[token],
                    "content": token,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": True,
                }
                for token in dict.fromkeys([pad, "<unk>", start, end])
            ],
            "normalizer": None,
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [
                    {"SpecialToken": {"id": start, "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}},
                    {"SpecialToken": {"id": end, "type_id": 0}},
                ],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {
                    token: {"id": token, "ids": [vocabulary[token]], "tokens": [token]} for token in (start, end)
                },
            },
            "decoder": None,
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
        },
    )
    config: dict[str, object] = {"pad_token": pad, "model_max_length": length if length_key == "tokenizer" else 10**30}
    write_json(folder / "tokenizer_config.json", config)


def token_ids(text: str, *, start: str, end: str, pad: str, length: int) -> list[int]:
    """What the tokenizer above should give, by splitting at blanks."""
    specials = list(dict.fromkeys([pad, "<unk>", start, *WORDS, end]))
    number = {token: i for i, token in enumerate(specials)}
    words = [number.get(word, number["<unk>"]) for word in text.split()][: length - 2]
    ids = [number[start], *words, number[end]]
    return ids + [number[pad]] * (length - len(ids))


class Clip:
    """CLIP's layout: two towers with projections; a text is read off at its end token, which is the padding too."""

    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

    def __init__(self, seed: int = 1) -> None:
        self.kernel = weights(WIDTH, 3, PATCH, PATCH, seed=seed)
        self.project = weights(WIDTH, DIM, seed=seed + 1)
        self.table = weights(len(WORDS) + 3, WIDTH, seed=seed + 2)
        self.text_project = weights(WIDTH, DIM, seed=seed + 3)

    def save(
        self, folder: Path, *, suffix: str = "", within: str = "onnx/", text_dim: int = DIM, joint: bool = False
    ) -> None:
        """Write the towers as two files, or ``joint`` in one."""
        write_json(folder / "config.json", {"model_type": "clip", "text_config": {"max_position_embeddings": 9}})
        write_json(
            folder / "preprocessor_config.json",
            {
                "do_resize": True,
                "size": {"shortest_edge": SIDE},
                "resample": 3,
                "do_center_crop": True,
                "crop_size": {"height": SIDE, "width": SIDE},
                "image_mean": self.mean,
                "image_std": self.std,
            },
        )
        # the length stands in config.json only, and the token of padding is the end's
        write_words(folder, start="<|startoftext|>", end="<|endoftext|>", pad="<|endoftext|>", length=9, length_key="")
        see = [
            *_embed_patches(),
            helper.make_node("ReduceMean", ["tokens"], ["pooled"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["pooled", "project"], ["image_embeds"]),
        ]
        seen: dict[str, list[int | str]] = {"tokens": ["batch_size", 4, WIDTH], "image_embeds": ["batch_size", DIM]}
        eye: dict[str, npt.NDArray[Any]] = {
            "kernel": self.kernel,
            "project": self.project,
            "dims": np.array([0, WIDTH, -1], np.int64),
        }
        # cumulative sums are causal, so that what follows the first end token does not count
        read = [
            helper.make_node("Gather", ["table", "input_ids"], ["words"]),
            helper.make_node("CumSum", ["words", "one"], ["sums"]),
            helper.make_node("Equal", ["input_ids", "end"], ["is_end"]),
            helper.make_node("Cast", ["is_end"], ["ends"], to=TensorProto.FLOAT),
            helper.make_node("ArgMax", ["ends"], ["at"], axis=1, keepdims=1),
            helper.make_node("Unsqueeze", ["at", "minus"], ["at_3"]),
            helper.make_node("Expand", ["at_3", "wide"], ["index"]),
            helper.make_node("GatherElements", ["sums", "index"], ["picked"], axis=1),
            helper.make_node("Squeeze", ["picked", "one_1"], ["last"]),
            helper.make_node("MatMul", ["last", "text_project"], ["text_embeds"]),
        ]
        said: dict[str, list[int | str]] = {
            "words": ["texts", "sequence_length", WIDTH],
            "text_embeds": ["texts", text_dim],
        }
        tongue: dict[str, npt.NDArray[Any]] = {
            "table": self.table,
            "text_project": self.text_project[:, :text_dim],
            "one": np.array(1, np.int64),
            "one_1": np.array([1], np.int64),
            "minus": np.array([2], np.int64),
            "wide": np.array([1, 1, WIDTH], np.int64),
            "end": np.array(self.end, np.int64),
        }
        ids: tuple[int, list[int | str]] = (TensorProto.INT64, ["texts", "sequence_length"])
        if joint:
            compare = [
                helper.make_node("Transpose", ["text_embeds"], ["turned"], perm=[1, 0]),
                helper.make_node("MatMul", ["image_embeds", "turned"], ["logits_per_image"]),
            ]
            inputs = {"input_ids": ids, "pixel_values": PIXELS, "attention_mask": ids}
            outputs: dict[str, list[int | str]] = {"logits_per_image": ["batch_size", "texts"], **said, **seen}
            path = folder / f"{within}model{suffix}.onnx"
            save_onnx(path, [*see, *read, *compare], inputs, outputs, {**eye, **tongue})
            return
        save_onnx(folder / f"{within}vision_model{suffix}.onnx", see, {"pixel_values": PIXELS}, seen, eye)
        save_onnx(folder / f"{within}text_model{suffix}.onnx", read, {"input_ids": ids}, said, tongue)

    @property
    def end(self) -> int:
        return token_ids("", start="<|startoftext|>", end="<|endoftext|>", pad="<|endoftext|>", length=2)[1]

    def image(self, image: Image) -> Floats:
        return unit(patches(normalised(image, self.mean, self.std), self.kernel).mean(axis=0) @ self.project)

    def text(self, text: str) -> Floats:
        ids = token_ids(text, start="<|startoftext|>", end="<|endoftext|>", pad="<|endoftext|>", length=9)
        row = np.zeros(WIDTH)
        for number in ids:
            row += self.table[number]
            if number == self.end:
                break
        return unit(row @ self.text_project)


class Siglip:
    """SigLIP 2's layout: ``pooler_output`` of both towers, 8 tokens always, padding counts, lower case."""

    def __init__(self, seed: int = 10) -> None:
        self.kernel = weights(WIDTH, 3, PATCH, PATCH, seed=seed)
        self.table = weights(len(WORDS) + 4, WIDTH, seed=seed + 1)
        self.places = weights(8, 1, seed=seed + 2)

    def save(self, folder: Path) -> None:
        write_json(
            folder / "config.json", {"model_type": "siglip2", "text_config": {"model_type": "siglip2_text_model"}}
        )
        write_json(
            folder / "preprocessor_config.json", {"size": {"height": SIDE, "width": SIDE}, "resample": 2, **HALF}
        )
        write_words(folder, start="<bos>", end="<eos>", pad="<pad>", length=8)
        nodes = [*_embed_patches(), helper.make_node("ReduceMax", ["tokens"], ["pooler_output"], axes=[1], keepdims=0)]
        save_onnx(
            folder / "onnx/vision_model.onnx",
            nodes,
            {"pixel_values": PIXELS},
            {"tokens": ["batch_size", 4, WIDTH], "pooler_output": ["batch_size", WIDTH]},
            {"kernel": self.kernel, "dims": np.array([0, WIDTH, -1], np.int64)},
        )
        nodes = [
            helper.make_node("Gather", ["table", "input_ids"], ["words"]),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["mask_3"]),
            helper.make_node("Mul", ["words", "mask_3"], ["masked"]),
            helper.make_node("Mul", ["masked", "places"], ["placed"]),
            helper.make_node("ReduceSum", ["placed", "one"], ["pooler_output"], keepdims=0),
        ]
        save_onnx(
            folder / "onnx/text_model.onnx",
            nodes,
            {"input_ids": IDS, "attention_mask": IDS},
            {"words": ["batch_size", "sequence_length", WIDTH], "pooler_output": ["batch_size", WIDTH]},
            {
                "table": self.table,
                "places": self.places,
                "one": np.array([1], np.int64),
                "last": np.array([2], np.int64),
            },
        )

    def image(self, image: Image) -> Floats:
        return unit(patches(normalised(image, 0.5, 0.5), self.kernel).max(axis=0))

    def text(self, text: str) -> Floats:
        ids = token_ids(text.lower(), start="<bos>", end="<eos>", pad="<pad>", length=8)
        row = np.zeros(WIDTH)
        for place, number in enumerate(ids):
            row += self.table[number] * float(self.places[place, 0])
        return unit(row)


class Dino:
    """DINOv2's layout: ``last_hidden_state`` alone, whose first token is the class token."""

    def __init__(self, seed: int = 20) -> None:
        self.kernel = weights(WIDTH, 3, PATCH, PATCH, seed=seed)
        self.token = weights(1, 1, WIDTH, seed=seed + 1)
        self.mix = weights(5, 5, seed=seed + 2)

    def save(self, folder: Path, **options: Any) -> None:
        write_json(folder / "config.json", {"model_type": "dinov2"})
        crop = {"height": SIDE, "width": SIDE}
        size = {"do_resize": True, "size": {"shortest_edge": SIDE}, "do_center_crop": True, "crop_size": crop}
        write_json(folder / "preprocessor_config.json", size | {"resample": 3} | HALF)
        nodes = [
            *_embed_patches(),
            helper.make_node("Shape", ["tokens"], ["batch"], start=0, end=1),
            helper.make_node("Concat", ["batch", "rest"], ["full"], axis=0),
            helper.make_node("Expand", ["token", "full"], ["class"]),
            helper.make_node("Concat", ["class", "tokens"], ["all"], axis=1),
            helper.make_node("MatMul", ["mix", "all"], ["last_hidden_state"]),
        ]
        save_onnx(
            folder / "onnx/model.onnx",
            nodes,
            {"pixel_values": PIXELS},
            {"last_hidden_state": ["batch_size", 5, WIDTH]},
            {
                "kernel": self.kernel,
                "token": self.token,
                "mix": self.mix,
                "dims": np.array([0, WIDTH, -1], np.int64),
                "rest": np.array([1, WIDTH], np.int64),
            },
            **options,
        )

    def image(self, image: Image) -> Floats:
        tokens = np.concatenate([self.token[0], patches(normalised(image, 0.5, 0.5), self.kernel)])
        return unit(self.mix[0] @ tokens)


class ResNet:
    """A convolutional classifier: ``logits`` alone, or the map and its mean as ``ResNetModel`` gives them."""

    def __init__(self, seed: int = 30) -> None:
        self.kernel = weights(WIDTH, 3, PATCH, PATCH, seed=seed)
        self.classes = weights(7, WIDTH, seed=seed + 1)
        self.bias = weights(7, seed=seed + 2)

    def save(self, folder: Path, head: Callable[[], list[Any]] | None) -> None:
        write_json(folder / "config.json", {"model_type": "resnet"})
        write_json(folder / "preprocessor_config.json", {"size": {"height": SIDE, "width": SIDE}, **HALF})
        conv = helper.make_node("Conv", ["pixel_values", "kernel"], ["signed"], strides=[PATCH, PATCH])
        nodes = [conv, helper.make_node("Relu", ["signed"], ["last_hidden_state"])]
        nodes.append(helper.make_node("GlobalAveragePool", ["last_hidden_state"], ["pooler_output"]))
        outputs: dict[str, list[int | str]] = {
            "last_hidden_state": ["batch_size", WIDTH, "h", "w"],
            "pooler_output": ["batch_size", WIDTH, 1, 1],
        }
        if head is not None:
            nodes += [helper.make_node("Flatten", ["pooler_output"], ["features"]), *head()]
            outputs = {"logits": ["batch_size", 7]}
        tensors = {"kernel": self.kernel, "classes": self.classes, "bias": self.bias, "turned": self.classes.T.copy()}
        save_onnx(folder / "onnx/model.onnx", nodes, {"pixel_values": PIXELS}, outputs, tensors)

    def image(self, image: Image) -> Floats:
        return unit(np.maximum(patches(normalised(image, 0.5, 0.5), self.kernel), 0).mean(axis=0))
