"""Models at lower precision: ``int8:SPEC`` and ``bf16:SPEC``, of any embedder that is an ONNX model.

Only the image network changes. Preprocessing, the text tower and the meaning of the components stay, so the vectors are
near those of the full precision; they are a space of their own all the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import BadInput, ModelError
from ...protocols import Embedder, TextEmbedder
from ...types import Image, Vectors, VectorSpace
from .onnx import OnnxEmbedder, Session, open_session
from .openvino import OpenVino
from .quantise import VERSION, Ranges, calibrate, is_convolutional, quantised_dynamic, quantised_static

__all__ = ["Calibrated", "CalibratedAndText", "open_bf16", "open_int8", "open_int8_dynamic", "open_int8_static"]

ENOUGH = 256  # images that calibrate: more hardly widen the ranges
FEWEST = 2
BATCH = 8
SHARE = 4  # images: a ViT-B/32 takes 1.3 times as many a second as in batches of 8 on all cores, 1.6 times as of 32


def open_int8(spec: str, *, device: str = "auto") -> Embedder:
    """Compute a network in int8: ``int8:SPEC``, 3 to 4 times as many images a second, for a little quality.

    Networks of convolutions become ``int8-static:SPEC``, all others ``int8-dynamic:SPEC``, and are stored so. Needs the
    extra ``int8``. The int8 model is made once and kept in ``$LOOKALIKE_CACHE/int8``, or the usual place for caches.

    Args:
        spec: a name or specification of an ONNX model: ``onnx:PATH``, ``hf:ORG/NAME``, ``dinov2-small``, ...
        device: as ``create`` takes it.

    Raises:
        BadInput: not an ONNX model, or one without float32 weights.
    """
    full = _full(spec, "int8", device)
    return _static(full) if is_convolutional(full.session) else _dynamic(full, device)


def open_int8_dynamic(spec: str, *, device: str = "auto") -> OnnxEmbedder:
    """The products of a transformer in int8, scaled anew for each image: ``int8-dynamic:SPEC``.

    It learns nothing and works at once. Images run one by one, one on each core: ONNX Runtime scales a batch as a
    whole, and an image's vector would depend on its neighbours.

    Args:
        spec, device: as ``open_int8`` takes them; it does not run on OpenVINO, which has no quick way for it.

    Raises:
        BadInput: as ``open_int8``, or the device is ``openvino``, or the layers are convolutions.
    """
    return _dynamic(_full(spec, "int8-dynamic", device), device)


def open_int8_static(spec: str, *, device: str = "auto") -> Calibrated:
    """A network in int8 with scales learned from the collection's own images: ``int8-static:SPEC``.

    The quickest, and the one for networks of convolutions; in transformers few large values cost it more quality than
    ``int8-dynamic`` loses. What it learns, the range of each activation, lives in the collection.

    Args:
        spec, device: as ``open_int8`` takes them.

    Raises:
        BadInput: as ``open_int8``.
    """
    return _static(_full(spec, "int8-static", device))


def open_bf16(spec: str, *, device: str = "auto") -> OnnxEmbedder:
    """Compute a network in bfloat16 where the processor can: ``bf16:SPEC``, on OpenVINO.

    On processors with AMX it is 2 to 4 times as quick; elsewhere it is computed in float32. Between the two, vectors of
    a ViT-B/32 of random weights have a cosine of 0.9999, of trained MobileNets 0.99 to 0.999. Needs the extra
    ``openvino``.

    Args:
        spec: as ``open_int8`` takes it.
        device: ``auto``, ``cpu`` or ``openvino``.

    Raises:
        BadInput: not an ONNX model, or another device.
    """
    if device not in ("auto", "cpu", "openvino"):
        raise BadInput(f"bf16: runs on the processor, not on {device!r}.", hint="Leave out --device.")
    return _full(spec, "bf16", "cpu").at(_Bf16())


class Calibrated:
    """An int8 network whose scales are learned from images; keeps the ``Learns`` protocol.

    Attributes:
        spec: what makes the same again, before it learned.
        space: the network's, of a name of its own; its fingerprint names the ranges.
        input_size: the network's.
        enough: images that are worth showing it.

    Args:
        full: the network at full precision.
        ranges: what was learned; None: nothing yet.
    """

    enough = ENOUGH

    def __init__(self, full: OnnxEmbedder, ranges: Ranges | None = None) -> None:
        self.full = full
        self.ranges = None if ranges is None else dict(ranges)
        self._int8 = None if ranges is None else full.at(_Static(ranges, one_core=_on_cores(full.session)))
        made = self._int8
        self.spec = f"int8-static:{full.spec}"
        self.fingerprint = made.fingerprint if made else f"{full.fingerprint}/int8-static-{VERSION}"
        self.space = VectorSpace(f"{full.space.name}+int8-static", full.space.dim, self.fingerprint)
        self.input_size = full.input_size

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.full!r}, {'fitted' if self.fitted else 'not fitted'})"

    @property
    def fitted(self) -> bool:
        """Return whether it has learned, and so can embed."""
        return self._int8 is not None

    def fit(self, images: Sequence[Image], seed: int) -> Calibrated:
        """Return an embedder with the ranges of these images, or of 256 of them that the seed chooses.

        Raises:
            BadInput: fewer than two images.
        """
        if len(images) < FEWEST:
            raise BadInput(
                f"{self.spec!r} learns from at least {FEWEST} images, got {len(images)}.",
                hint="Index a folder of many images.",
            )
        chosen: Sequence[int] = range(len(images))
        if len(images) > ENOUGH:
            chosen = sorted(np.random.default_rng(seed).choice(len(images), ENOUGH, replace=False).tolist())
        prepared = [self.prepare(images[place]) for place in chosen]
        return type(self)(self.full, calibrate(self.full.session, self._feeds(prepared)))

    def state(self) -> bytes:
        """Return what was learned, as JSON.

        Raises:
            BadInput: nothing was learned yet.
        """
        self._fitted()
        return json.dumps({"ranges": self.ranges}).encode()

    def from_state(self, state: bytes) -> Calibrated:
        """Return the embedder that ``state`` was taken of.

        Raises:
            ModelError: the bytes are not a state.
        """
        try:
            ranges = {str(name): (float(low), float(high)) for name, (low, high) in json.loads(state)["ranges"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as broken:
            raise ModelError(f"what {self.spec!r} learned cannot be read: {broken}") from broken
        return type(self)(self.full, ranges)

    def prepare(self, image: Image) -> npt.NDArray[Any]:
        """Return the image resized and cropped, as the network at full precision takes it."""
        return self.full.prepare(image)

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) unit rows of prepared images."""
        return self._fitted().embed_prepared(prepared)

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D) unit rows.

        Raises:
            BadInput: nothing was learned yet.
        """
        return self._fitted().embed(images)

    def _feeds(self, prepared: Sequence[npt.NDArray[Any]]) -> Iterator[Mapping[str, npt.NDArray[Any]]]:
        step = self.full.batch or BATCH
        for images in self.full.by_size(prepared):
            for start in range(0, len(images), step):
                part = list(images[start : start + step])
                yield self.full.feed(part + part[-1:] * ((self.full.batch or len(part)) - len(part)))

    def _fitted(self) -> OnnxEmbedder:
        if self._int8 is None:
            raise BadInput(
                f"{self.spec!r} has not learned from any images yet.",
                hint="Call fit(images, seed), or index a folder with it.",
            )
        return self._int8


class CalibratedAndText(Calibrated):
    """The same of a network with a text tower, which stays at full precision."""

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Return (B, D) unit rows in the space of the images."""
        if not isinstance(self.full, TextEmbedder):
            raise BadInput(f"{self.full.space.name!r} does not understand words.")
        return self.full.embed_text(texts)


class _Dynamic:
    name = "int8-dynamic"
    fingerprint = f"int8-dynamic-{VERSION}"
    share = 1

    def open(self, session: Session) -> Session:
        return open_session(quantised_dynamic(session), device=session.device, threads=1)


class _Static:
    name = "int8-static"

    def __init__(self, ranges: Ranges, *, one_core: bool) -> None:
        self._ranges = ranges
        self.share = SHARE if one_core else None
        digest = hashlib.sha256(repr(sorted(ranges.items())).encode()).hexdigest()[:12]
        self.fingerprint = f"int8-static-{VERSION}-{digest}"

    def open(self, session: Session) -> Session:
        threads = session.threads if self.share is None else 1
        return open_session(quantised_static(session, self._ranges), device=session.device, threads=threads)


class _Bf16:
    name = "bf16"
    fingerprint = "bf16-1"
    share = None

    def open(self, session: Session) -> Session:
        runtime = OpenVino(session.path, threads=session.threads, data=session.data, bfloat16=True)
        return Session(runtime, session.path, session.data, "openvino", session.threads)


def _dynamic(full: OnnxEmbedder, device: str) -> OnnxEmbedder:
    if device == "openvino":
        raise BadInput(
            f"'int8-dynamic:{full.spec}' does not run on OpenVINO, which is slower at it than in float32.",
            hint=f"Write int8-static:{full.spec}, or leave out --device.",
        )
    return full.at(_Dynamic())


def _on_cores(session: Session) -> bool:
    """Return whether ONNX Runtime computes on the processor, with threads of its own choice."""
    return session.threads is None and session.get_providers()[0] == "CPUExecutionProvider"


def _static(full: OnnxEmbedder) -> Calibrated:
    return (CalibratedAndText if isinstance(full, TextEmbedder) else Calibrated)(full)


def _full(spec: str, precision: str, device: str) -> OnnxEmbedder:
    from .. import create

    if not spec:
        raise BadInput(
            f"{precision}: needs a model.", hint=f"Write {precision}:SPEC, such as {precision}:dinov2-small."
        )
    made = create(spec, device=device)
    if not isinstance(made, OnnxEmbedder):
        raise BadInput(
            f"{spec!r} is not an ONNX model at full precision, so it cannot be computed as {precision}.",
            hint="onnx:PATH and hf:ORG/NAME can.",
        )
    if ":" in made.spec and made.spec.partition(":")[0] in ("int8-dynamic", "bf16"):
        raise BadInput(f"'{precision}:{spec}' asks for two precisions.", hint="Name one.")
    return made
