"""Embeds with any ONNX model of one image input, on ONNX Runtime."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ...errors import BadInput, ModelError
from ...types import Image, Vectors, VectorSpace
from ..unit import unit
from .model_file import ModelFile, digest, find_model, made_hash, read_json
from .onnx_file import external_data
from .pooled import Output, Plan, choose_pooling, split_pooling
from .preprocess import Preprocess, from_config, imagenet
from .runs import Runs

__all__ = [
    "ImageInput",
    "OnnxEmbedder",
    "Precision",
    "Session",
    "external_files",
    "external_names",
    "first_line",
    "open_folder",
    "open_onnx",
    "open_session",
    "read_input",
    "read_preprocess",
]

DEFAULT_SIZE = 224  # of a model whose graph leaves the size open and that says nothing beside it

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "coreml": "CoreMLExecutionProvider"}
_INPUT_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")

_WANTED_OUTPUTS = ("image_embeds", "pooler_output", "image_features", "sentence_embedding", "embedding")


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The model's input for the image: (batch, height, width) are None where the graph leaves them open.

    ``fillers`` holds what a graph with both towers in it, CLIP as it is exported in one piece, reads for its texts: the
    image's vector does not depend on them.
    """

    name: str
    dtype: type[np.generic]
    layout: Literal["nchw", "nhwc"]
    batch: int | None
    size: tuple[int | None, int | None]
    fillers: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


class Session:
    """A runtime's session, and the model that it runs.

    Args:
        runtime: what runs it: ONNX Runtime's session, or what has its methods.
        path: the model's file.
        data: the model itself, where it is not what the file holds.
        device: where it was asked to run.
        threads: of one run; None: the runtime chooses.
    """

    def __init__(self, runtime: Any, path: Path, data: bytes | None, device: str, threads: int | None) -> None:
        self.path = path
        self.data = data
        self.device = device
        self.threads = threads
        self.get_inputs = runtime.get_inputs
        self.get_outputs = runtime.get_outputs
        self.get_providers = runtime.get_providers
        self.run = runtime.run


class Precision(Protocol):
    """Another way to compute a network: in int8, in bfloat16."""

    @property
    def name(self) -> str:
        """Return what stands before a specification, and in the name of the vector space."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return what names all that decides over the vectors."""
        ...

    @property
    def share(self) -> int | None:
        """Return the most images of one run, where every core has its own; None: a batch has all cores. See ``Runs``.

        It is 1 where images that run together change one another's vectors.
        """
        ...

    def open(self, session: Session) -> Session:
        """Return a session of the same model, with the same inputs and outputs."""
        ...


class OnnxEmbedder:
    """A network in an ONNX file; made by ``open_onnx`` or ``open_hub``.

    Attributes:
        spec: what ``create`` makes the same embedder of again: ``onnx:`` and the absolute path, or ``hf:`` and a name.
        space: float rows of unit norm; named after the model and the first digits of its hash.
        input_size: pixels of the longer side of the network's input, after resizing and before cropping.
        providers: the execution providers that ONNX Runtime uses, first one first.
    """

    def __init__(
        self,
        session: Session,
        spec: str,
        name: str,
        weights_hash: str,
        preprocess: Preprocess,
        *,
        output: str | None = None,
        pooling: Plan | None = None,
    ) -> None:
        self.spec = spec
        self.preprocess = preprocess
        self._session = session
        self._input = read_input(session, self.spec)
        self._runs = Runs(self._input.batch)
        self._outputs = _known_outputs(session, pooling, spec) or [output or _choose_output(session)]
        self._pooled = Output(self._input.layout, pooling, self.spec)
        named = "+".join(self._outputs)
        self.fingerprint = f"onnx/{weights_hash}/{named}/{preprocess!r}{self._pooled.fingerprint}"
        self._sizes = [preprocess.scaled(scale) if scale != 1 else preprocess for scale in _scales(pooling)]
        if len({each.output for each in self._sizes} | {preprocess.output}) > 1 and None not in self._input.size:
            raise BadInput(
                f"{spec} takes pictures of {self._input.size} only, so it cannot look at several sizes.",
                hint="Export it with a height and width that are open, or leave the scales out.",
            )
        self.input_size = max(each.side for each in self._sizes)
        self.providers: list[str] = list(session.get_providers())
        grey = np.full((1, 1, 3), 128, np.uint8)
        dim = self._forward([self.prepare(grey)]).shape[1]
        if dim < 2:
            raise ModelError(
                f"{self.spec} gives one number an image, at its output {named!r}; that is no embedding.",
                hint="This may be a detector or a scorer.",
            )
        self.space = VectorSpace(f"{name}@{weights_hash[:8]}", dim, self.fingerprint)

    def __repr__(self) -> str:
        return f"OnnxEmbedder({self.spec!r}, dim={self.space.dim}, providers={self.providers})"

    def at(self, precision: Precision) -> OnnxEmbedder:
        """Return the same embedder, text tower included, with its image network computed in another precision.

        Raises:
            MissingExtra: a package for it is not installed. BadInput: the network has nothing to compute so.
        """
        other = copy.copy(self)
        other._session = precision.open(self._session)
        other._runs = Runs(self._input.batch, precision.share)
        other.providers = list(other._session.get_providers())
        other.spec = f"{precision.name}:{self.spec}"
        other.fingerprint = f"{self.fingerprint}/{precision.fingerprint}"
        other.space = VectorSpace(f"{self.space.name}+{precision.name}", self.space.dim, other.fingerprint)
        return other

    @property
    def session(self) -> Session:
        """Return what runs the network."""
        return self._session

    @property
    def batch(self) -> int | None:
        """Return the batch that the graph fixes; None where it leaves it open."""
        return self._input.batch

    def feed(self, prepared: Sequence[npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Return what the network is given for prepared images of one size."""
        pixels: npt.NDArray[Any]
        if self._input.dtype is np.uint8:
            pixels = np.stack(prepared)
            if self._input.layout == "nchw":
                pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        else:
            floats = self.preprocess.planes(prepared)
            pixels = floats if self._input.layout == "nchw" else np.ascontiguousarray(floats.transpose(0, 2, 3, 1))
            pixels = pixels.astype(self._input.dtype, copy=False)
        return {self._input.name: pixels, **self._input.fillers}

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return the image resized and cropped, (height, width, 3) uint8; of several sizes, (S,) objects of these."""
        if len(self._sizes) == 1:
            return self._sizes[0].pixels(image)
        sizes = np.empty(len(self._sizes), object)
        for place, size in enumerate(self._sizes):
            sizes[place] = size.pixels(image)
        return sizes

    def by_size(self, prepared: Sequence[npt.NDArray[Any]]) -> list[Sequence[npt.NDArray[Any]]]:
        """Return the prepared images of each size at which the network looks, (height, width, 3) uint8 each."""
        if len(self._sizes) == 1:
            return [prepared]
        return [[each[place] for each in prepared] for place in range(len(self._sizes))]

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) unit rows of prepared images.

        Raises:
            ModelError: the network fails, or gives NaN, infinity or an unexpected shape.
        """
        if not prepared:
            return np.zeros((0, self.space.dim), np.float32)
        return unit(self._forward(prepared), source=self.spec)

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D) unit rows."""
        return self.embed_prepared([self.prepare(image) for image in images])

    def _forward(self, prepared: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        plan = self._pooled.plan
        rows = [self._runs.rows(self._run, size) for size in self.by_size(prepared)]
        return rows[0] if plan is None or len(rows) == 1 else plan.over(rows)

    def _run(self, prepared: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the pooled rows of a batch, not normalised."""
        feed = self.feed(prepared)
        try:
            outputs = self._session.run(self._outputs, feed)
        except Exception as failed:
            raise ModelError(
                f"{self.spec} failed on an input of shape {feed[self._input.name].shape}: {first_line(failed)}",
                hint="Its weights may be of the wrong shape, or damaged: export or download it again.",
            ) from failed
        return self._pooled.rows([np.asarray(output) for output in outputs], len(prepared))


def open_onnx(path: str, *, device: str = "auto", threads: int | None = None) -> OnnxEmbedder:
    """Open an ONNX file, or a folder with ``model.onnx`` in it.

    A folder may also have the layout of the hub: the models in ``onnx/``, the configuration beside that folder, and
    for image and text in one space ``vision_model.onnx``, ``text_model.onnx`` and ``tokenizer.json``.

    Preprocessing comes from ``preprocessor_config.json`` next to the file. Without one: the shorter side resized to
    the input size of the graph (224 when the graph leaves it open), the middle cut out, bilinear, RGB, scaled to
    [0, 1], ImageNet's mean and deviation; a uint8 input gets the raw pixels. A ``name`` in ``lookalike.json`` names
    the space.

    The output taken is the one named ``image_embeds``, ``pooler_output``, ``image_features``, ``sentence_embedding``
    or ``embedding``, else the first. (B, D) is taken as it is; of (B, tokens, D) the first token, the class token; of a
    feature map the mean over all positions, unless a pooling is named: ``PATH?pooling=gem&p=4``, or ``{"pooling":
    "gem", "pooling_options": {"p": 4}}`` in ``lookalike.json``; the former wins. Rows are then scaled to unit norm.
    ``choose_pooling`` says what else goes there: several outputs, several sizes of the picture, learned parameters.

    Args:
        path: the file or folder, perhaps with a pooling.
        device: ``cpu``, ``cuda``, ``coreml`` or ``openvino``; ``auto`` takes the best that is there of the first three.
        threads: threads of one run; None leaves it to ONNX Runtime, which takes all physical cores.

    Raises:
        NoSuchFile: no such file or folder.
        BadInput: the device is not there, or the pooling cannot be used.
        ModelError: not an ONNX model, not an image model, missing weights, a contradictory preprocessing, or an output
            that the pooling does not take.
    """
    path, query = split_pooling(path)
    model = find_model(path, scheme="onnx", suffix=".onnx")
    about = model.beside("lookalike.json") or {}
    return open_folder(
        model,
        f"onnx:{model.given}{query}",
        f"onnx:{about.get('name') or model.name}",
        about=about,
        pooling=choose_pooling(query, about, source=model.weights.with_name("lookalike.json")),
        device=device,
        threads=threads,
    )


def open_folder(
    model: ModelFile,
    spec: str,
    label: str,
    *,
    about: Mapping[str, Any],
    pooling: Plan | None = None,
    device: str,
    threads: int | None,
) -> OnnxEmbedder:
    """Open a model and what lies beside it, as ``open_onnx`` does.

    Args:
        model: the files.
        spec: what the embedder is asked for by.
        label: what its space is called, before the first digits of the hash.
        about: what its ``lookalike.json`` says.
        pooling: of a feature map or tokens.
        device: as ``open_onnx`` takes it.
        threads: as ``open_onnx`` takes it.
    """
    weights = [model.weights, *external_files(model.weights)]
    session = open_session(model.weights, device=device, threads=threads)
    preprocess = _choose_preprocess(model, read_input(session, spec))
    parts = (session, spec, label, made_hash(model, about) or digest(weights), preprocess)
    words = model.beside_path("tokenizer.json")
    text = model.weights.with_name(model.weights.name.replace("vision_model", "text_model"))
    both = bool(read_input(session, spec).fillers)
    if both:
        text = model.weights
    if words is None or not text.is_file() or (text == model.weights and not both) or pooling is not None:
        return OnnxEmbedder(*parts, pooling=pooling)  # what is pooled here is not in the texts' space
    from .towers import TwoTowers

    return TwoTowers(*parts, towers=lambda: (text, words.parent), device=device)


def external_files(weights: Path) -> list[Path]:
    """Return the other files that hold weights of an ONNX file; all of them are there.

    Raises:
        ModelError: one is missing, or the file is not ONNX.
    """
    files = [weights.parent / name for name in external_names(weights)]
    for file in files:
        if not file.is_file():
            raise ModelError(
                f"{weights} keeps weights in {file.name!r}, which is not beside it.",
                hint=f"Put that file into {file.parent}.",
            )
    return files


def external_names(weights: Path) -> list[str]:
    """Return the names of the other files that hold weights of an ONNX file.

    Raises:
        ModelError: the file is not ONNX.
    """
    try:
        return external_data(weights)
    except ValueError as broken:
        raise ModelError(f"{weights} is not an ONNX file: {broken}.") from broken


def open_session(path: Path, *, device: str, threads: int | None = None, data: bytes | None = None) -> Session:
    """Return the session of a file, or of ``data`` in its place: OpenVINO's for that device, else ONNX Runtime's.

    Raises:
        BadInput: the device is not there. ModelError: the file cannot be opened. MissingExtra: no OpenVINO.
    """
    if threads is not None and threads < 1:
        raise BadInput(f"threads should be at least 1, got {threads}")
    if device == "openvino":
        from .openvino import OpenVino

        runtime: Any = OpenVino(path, threads=threads, data=data)
    else:
        runtime = _open_session(path, _choose_providers(device), device, threads, data)
    return Session(runtime, path, data, device, threads)


def _choose_providers(device: str) -> list[str]:
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if device == "auto":
        return [_PROVIDERS[d] for d in ("cuda", "coreml", "cpu") if _PROVIDERS[d] in available]
    if _PROVIDERS.get(device) not in available:
        known = ", ".join(d for d, provider in _PROVIDERS.items() if provider in available)
        raise BadInput(
            f"the device {device!r} is not available; this ONNX Runtime offers: {known}.",
            hint="For NVIDIA GPUs: pip install onnxruntime-gpu, in place of onnxruntime." if device == "cuda" else "",
        )
    return list(dict.fromkeys([_PROVIDERS[device], _PROVIDERS["cpu"]]))


def _open_session(path: Path, providers: list[str], device: str, threads: int | None, data: bytes | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: its warnings name graph nodes, which no user can act upon
    # Its threads sleep between two runs. Spinning, they take a core from what decodes, searches and answers meanwhile:
    # on two cores with other work, one image took 1.6 times as long.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(data or str(path), options, providers=providers)
    except Exception as failed:  # its exceptions share no public base
        if device == "auto" and providers != [_PROVIDERS["cpu"]]:
            return _open_session(path, [_PROVIDERS["cpu"]], "cpu", threads, data)
        raise ModelError(f"ONNX Runtime cannot open {path}: {first_line(failed)}") from failed
    if device != "auto" and providers[0] not in session.get_providers():
        raise BadInput(f"the device {device!r} is installed but could not be started; see the message of ONNX Runtime.")
    return session


def read_input(session: Any, spec: str) -> ImageInput:
    """Return the model's one input.

    Raises:
        ModelError: there is not one, or it is no image.
    """
    inputs = session.get_inputs()
    fillers = _text_fillers(session)
    if fillers:
        inputs = [given for given in inputs if given.name not in fillers]
    if len(inputs) != 1:
        names = ", ".join(i.name for i in inputs) or "none"
        raise ModelError(
            f"{spec} should have one input, the image; it has {len(inputs)}: {names}.",
            hint="Export the image tower alone." if len(inputs) > 1 else "",
        )
    only = inputs[0]
    if only.type not in _INPUT_TYPES:
        raise ModelError(f"{spec}: the input {only.name!r} is {only.type}; float32, float16 or uint8 is needed.")
    shape = list(only.shape)
    if len(shape) != 4 or (3 not in (shape[1], shape[3]) and isinstance(shape[1], int) and isinstance(shape[3], int)):
        raise ModelError(f"{spec}: the input {only.name!r} has shape {shape}; (B, 3, H, W) or (B, H, W, 3) is needed.")
    fixed = [side if isinstance(side, int) and side > 0 else None for side in shape]
    layout: Literal["nchw", "nhwc"] = "nhwc" if shape[3] == 3 and shape[1] != 3 else "nchw"
    size = (fixed[1], fixed[2]) if layout == "nhwc" else (fixed[2], fixed[3])
    return ImageInput(only.name, _INPUT_TYPES[only.type], layout, fixed[0], size, fillers)


def _text_fillers(session: Any) -> dict[str, npt.NDArray[Any]]:
    """Return a text of one token for a graph with both towers in it; empty for every other graph."""
    if "image_embeds" not in [output.name for output in session.get_outputs()]:
        return {}
    texts = [given for given in session.get_inputs() if given.name in TEXT_INPUTS]
    return {
        given.name: np.ones([n if isinstance(n, int) else 1 for n in given.shape], text_dtype(given)) for given in texts
    }


def text_dtype(given: Any) -> type[np.generic]:
    """Return the type of a text model's input."""
    return np.int32 if given.type == "tensor(int32)" else np.int64


def _choose_preprocess(model: ModelFile, wanted: ImageInput) -> Preprocess:
    config = model.beside_path("preprocessor_config.json")
    if config is None:
        return imagenet((wanted.size[0] or DEFAULT_SIZE, wanted.size[1] or DEFAULT_SIZE))
    return read_preprocess(config, model.weights, wanted)


def read_preprocess(config: Path, weights: Path, wanted: ImageInput) -> Preprocess:
    """Read a ``preprocessor_config.json`` for a model that takes this input.

    Raises:
        ModelError: it cannot be understood, or contradicts the model.
    """
    found = from_config(read_json(config), source=str(config))
    if found.output is None:
        raise ModelError(
            f"{config} gives images of differing sizes.", hint="It needs a crop_size, or height and width."
        )
    for given, fixed in zip(found.output, wanted.size, strict=True):
        if fixed is not None and given != fixed:
            raise ModelError(f"{config} gives images of {found.output}, but {weights} takes {wanted.size}.")
    return found


def _scales(pooling: Plan | None) -> tuple[float, ...]:
    return (1.0,) if pooling is None else pooling.scales


def _known_outputs(session: Any, pooling: Plan | None, spec: str) -> list[str]:
    wanted = [] if pooling is None else list(pooling.outputs)
    known = [output.name for output in session.get_outputs()]
    for name in wanted:
        if name not in known:
            raise ModelError(f"{spec} has no output {name!r}.", hint=f"Its outputs: {', '.join(known)}.")
    return wanted


def _choose_output(session: Any) -> str:
    outputs = session.get_outputs()
    names = [output.name for output in outputs]
    named = next((name for name in _WANTED_OUTPUTS if name in names), None)
    if named is not None:
        return named
    flat = next((o.name for o in outputs if isinstance(o.shape, list) and len(o.shape) == 2), None)
    return str(flat or names[0])


def first_line(error: Exception) -> str:
    """Return what an error says, on one line of at most 300 characters."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
