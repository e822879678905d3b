"""Runs ONNX models on OpenVINO, behind the methods of ONNX Runtime's session. Needs the extra ``openvino``."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import MissingExtra, ModelError
from .onnx_file import declared_outputs

__all__ = ["OpenVino", "computes_bfloat16"]

_TYPES = {"f32": "tensor(float)", "f16": "tensor(float16)", "u8": "tensor(uint8)", "i64": "tensor(int64)"}


@dataclass(frozen=True, slots=True)
class _Port:
    """An input or output, as ONNX Runtime describes one."""

    name: str
    type: str
    shape: list[int | None] | None


class OpenVino:
    """A model compiled for this machine's processor; thread-safe.

    Args:
        path: an ONNX file.
        threads: of one run; None: all cores.
        data: the model, where it is not what the file holds.
        bfloat16: compute in bfloat16, where the processor can. Otherwise in float32, which OpenVINO by itself would not
            do everywhere: the same model would give other vectors on another machine.

    Raises:
        MissingExtra: OpenVINO is not installed.
        ModelError: it cannot open the model.
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, data: bytes | None = None, bfloat16: bool = False
    ) -> None:
        core = _core()
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 and computes_bfloat16() else "f32",
            "PERFORMANCE_HINT": "LATENCY",  # one batch at a time on all cores, as batches come
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            model = core.read_model(data) if data else core.read_model(str(path))
            self._compiled = core.compile_model(model, "CPU", options)
        except Exception as failed:  # its exceptions share no public base
            reason = (str(failed).strip() or type(failed).__name__).splitlines()[-1][:300]
            raise ModelError(f"OpenVINO cannot open {path}: {reason}") from failed
        self._own = threading.local()
        self._declared = declared_outputs(data or path.read_bytes())

    def get_inputs(self) -> list[_Port]:
        """Return the inputs."""
        return [_port(port, port.get_any_name()) for port in self._compiled.inputs]

    def get_outputs(self) -> list[_Port]:
        """Return the outputs, under the names that the file gives them: OpenVINO may know one by several."""
        named = [(port, sorted(port.get_names())) for port in self._compiled.outputs]
        return [_port(port, next((n for n in names if n in self._declared), names[0])) for port, names in named]

    def get_providers(self) -> list[str]:
        """Return what ONNX Runtime would call the processor by OpenVINO."""
        return ["OpenVINOExecutionProvider"]

    def run(self, outputs: Sequence[str], feed: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Return the outputs of these names."""
        if not hasattr(self._own, "request"):  # a request is of one thread; the compiled model is everybody's
            self._own.request = self._compiled.create_infer_request()
        request = self._own.request
        request.infer(dict(feed))
        return [np.array(request.get_tensor(name).data) for name in outputs]


def computes_bfloat16() -> bool:
    """Return whether the processor itself computes in bfloat16; where it does not, that is many times slower."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _core() -> Any:
    try:
        import openvino
    except ModuleNotFoundError as missing:
        raise MissingExtra(
            "running a model on OpenVINO needs the package 'openvino', which is not installed.",
            hint="Try: pip install 'lookalike[openvino]'",
        ) from missing
    return openvino.Core()


def _port(port: Any, name: str) -> _Port:
    sides = port.get_partial_shape()
    shape = None if sides.rank.is_dynamic else [side.get_length() if side.is_static else None for side in sides]
    kind = port.get_element_type().get_type_name()
    return _Port(name, _TYPES.get(kind, f"tensor({kind})"), shape)
