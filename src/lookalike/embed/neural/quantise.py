"""Makes int8 models of ONNX models, by ONNX Runtime's own tools, and keeps them. Needs the extra ``int8``.

Weights become int8 with a scale for each output channel, activations uint8 with one scale for the whole tensor, as ONNX
Runtime advises for x86 processors with VNNI: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
*Dynamic*: the scale of an activation is found anew in each run. *Static*: it is known beforehand, from images that the
model was shown; that is quicker, and what convolutions need.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import BadInput, MissingExtra, ModelError
from .model_file import digest
from .onnx import Session, external_files, first_line

__all__ = ["Ranges", "calibrate", "is_convolutional", "quantised_dynamic", "quantised_static"]

Ranges = Mapping[str, tuple[float, float]]  # of a tensor: its least and greatest value

VERSION = "2"  # of the choices below, which decide over the vectors
_LINEAR = ("MatMul", "Gemm")
# What stays int8 between layers.
_AROUND = ("Add", "AveragePool", "Clip", "Concat", "MaxPool", "Mul", "Relu", "Sigmoid")
_FEW = 200  # weights; MobileNet v1 0.25, with three such layers: mean cosine to float32 0.986, all in int8 0.963
_OPTIONS = {"MatMulConstBOnly": True}  # the products within attention stay float: they have no weights


def is_convolutional(session: Session) -> bool:
    """Return whether convolutions are at least half of the layers with weights; depthwise ones, which are cheap, aside.

    Raises:
        BadInput: no layer has float32 weights. MissingExtra: the package ``onnx`` is not installed.
    """
    convolutions, linear = _layers(_load(session))
    if not convolutions + linear:
        raise BadInput(
            f"{session.path} has no layers with float32 weights, which is what becomes int8.",
            hint="It may be quantised already: use it as it is.",
        )
    return convolutions >= linear


def quantised_dynamic(session: Session) -> Path:
    """Return the int8 model whose activations are scaled in each run; made once, then kept.

    Raises:
        BadInput: a network of convolutions, or without float32 weights.
    """

    def make(target: Path, folder: Path) -> None:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        if is_convolutional(session):
            raise BadInput(
                f"{session.path} is a network of convolutions, which int8-dynamic leaves as they are.",
                hint="Write int8: in its place: it is calibrated on the images that are indexed.",
            )

        quantize_dynamic(
            _prepared(session, folder),
            target,
            op_types_to_quantize=list(_LINEAR),
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options=_OPTIONS,
        )
        _fix_batch(target)

    return _kept(session, "dynamic", make)


def _fix_batch(path: Path) -> None:
    """Write into a model that an open batch is 1, which it will be: the runtime then computes no shapes, 5% quicker."""
    import onnx

    model = onnx.load(str(path))
    firsts = [each.type.tensor_type.shape.dim[:1] for each in (*model.graph.input, *model.graph.output)]
    opened = {dim.dim_param for dims in firsts[: len(model.graph.input)] for dim in dims if dim.dim_param}
    for dims in firsts:
        for dim in dims:
            if dim.dim_param in opened:
                dim.dim_value = 1
    del model.graph.value_info[:]  # shapes of what is between; the runtime finds them anew
    onnx.save(model, str(path))


def calibrate(session: Session, feeds: Iterable[Mapping[str, npt.NDArray[Any]]]) -> Ranges:
    """Return the range of every tensor that becomes int8, over what the model is given.

    Args:
        session: of the float model.
        feeds: what it is given, one batch after another.
    """
    with _quietly(session), tempfile.TemporaryDirectory() as temporary:
        from onnxruntime.quantization import CalibrationMethod
        from onnxruntime.quantization.calibrate import CalibrationDataReader, create_calibrator

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def __init__(self, feed: Mapping[str, npt.NDArray[Any]]) -> None:
                self._left = [feed]

            def get_next(self) -> Any:
                return self._left.pop() if self._left else None

        folder = Path(temporary)
        model = _prepared(session, folder)
        found: dict[str, tuple[float, float]] = {}
        calibrator = create_calibrator(
            model, _static_layers(session), str(folder / "augmented.onnx"), CalibrationMethod.MinMax
        )
        for feed in feeds:  # one by one: the calibrator would keep what all of them give
            calibrator.collect_data(Reader(feed))
            for name, data in calibrator.compute_data().items():
                low, high = (float(np.min(value)) for value in data.range_value)
                before = found.get(name, (low, high))
                found[name] = min(low, before[0]), max(high, before[1])
        return found


def quantised_static(session: Session, ranges: Ranges) -> Path:
    """Return the int8 model whose activations have these ranges; made once, then kept.

    Raises:
        ModelError: the ranges are not of this model.
    """

    def make(target: Path, folder: Path) -> None:
        import onnx
        from onnxruntime.quantization import CalibrationMethod, QuantType
        from onnxruntime.quantization.calibrate import TensorsData
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        known = {name: tuple(np.array(side, np.float32) for side in range_) for name, range_ in ranges.items()}
        model = onnx.load(str(_prepared(session, folder)))
        quantizer = QDQQuantizer(
            onnx.shape_inference.infer_shapes(model),
            True,
            False,
            QuantType.QInt8,
            QuantType.QUInt8,
            TensorsData(CalibrationMethod.MinMax, known),
            [],
            _small_kernels(model),
            _static_layers(session),
            dict(_OPTIONS),
        )
        quantizer.quantize_model()
        quantizer.model.save_model_to_file(str(target))

    text = repr(sorted(ranges.items()))
    return _kept(session, f"static {hashlib.sha256(text.encode()).hexdigest()}", make)


def _small_kernels(model: Any) -> list[str]:
    """Return the convolutions that stay float: those of few weights, whose rounding errors no long sum evens out."""
    sizes = {weight.name: math.prod(weight.dims) for weight in model.graph.initializer}
    return [n.name for n in model.graph.node if n.op_type == "Conv" and sizes.get(n.input[1], _FEW) < _FEW]


def _static_layers(session: Session) -> list[str]:
    # A transformer is full of Add and Mul: its normalisations and activations, whose values do not bear 8 bits.
    return ["Conv", *_LINEAR, *(_AROUND if is_convolutional(session) else ())]


def _prepared(session: Session, folder: Path) -> Path:
    """Write the model with constants folded and batch normalisation in the convolutions before it."""
    from onnxruntime.quantization import quant_pre_process

    source, target = session.path, folder / "prepared.onnx"
    if session.data is not None:
        source = folder / "given.onnx"
        source.write_bytes(session.data)
    if not target.exists():
        quant_pre_process(source, target, skip_symbolic_shape=True)
    return target


def _load(session: Session) -> Any:
    with _quietly(session):
        import onnx

        if session.data is not None:
            return onnx.load_from_string(session.data)
        return onnx.load(str(session.path), load_external_data=False)


def _layers(model: Any) -> tuple[int, int]:
    """Return how many convolutions over all channels, and how many products, have float32 weights."""
    weights = {w.name for w in model.graph.initializer if w.data_type == 1}  # TensorProto.FLOAT
    weights |= {node.output[0] for node in model.graph.node if node.op_type in ("Constant", "Identity", "Transpose")}
    layers = [node for node in model.graph.node if len(node.input) > 1 and node.input[1] in weights]
    dense = [n for n in layers if n.op_type == "Conv" and all(a.i == 1 for a in n.attribute if a.name == "group")]
    return len(dense), sum(node.op_type in _LINEAR for node in layers)


def _kept(session: Session, what: str, make: Any) -> Path:
    """Return the file that ``make`` writes, from the cache where it is there."""
    import onnxruntime

    weights = digest([session.path, *external_files(session.path)])
    given = "" if session.data is None else hashlib.sha256(session.data).hexdigest()
    key = hashlib.sha256(f"{VERSION} {weights} {given} {what} {onnxruntime.__version__}".encode()).hexdigest()
    target = quantised_folder() / f"{session.path.stem}-{key[:24]}.onnx"
    if target.is_file():
        return target
    with _quietly(session), tempfile.TemporaryDirectory() as temporary:
        new = Path(temporary) / "quantised.onnx"
        make(new, Path(temporary))
        aside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new, aside)
            aside.replace(target)
        except OSError as failed:
            aside.unlink(missing_ok=True)
            raise BadInput(
                f"the int8 model cannot be kept in {target.parent}: {failed.strerror}.",
                hint="Set LOOKALIKE_CACHE to a folder that can be written.",
            ) from failed
    return target


def quantised_folder() -> Path:
    """Return where int8 models are kept: in ``$LOOKALIKE_CACHE``, else in the usual place for caches."""
    own = os.environ.get("LOOKALIKE_CACHE")
    if own:
        return Path(own).expanduser() / "int8"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lookalike" / "int8"


@contextmanager
def _quietly(session: Session) -> Iterator[None]:
    """Silence the tools' advice to the user, and say what fails in one sentence."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    except ModuleNotFoundError as missing:
        raise MissingExtra(
            f"making an int8 model needs the package {missing.name!r}, which is not installed.",
            hint="Try: pip install 'lookalike[int8]'",
        ) from missing
    except (BadInput, ModelError, OSError):
        raise
    except Exception as failed:  # the tools raise whatever they meet
        raise ModelError(f"{session.path} cannot be made int8: {first_line(failed)}") from failed
    finally:
        logging.disable(before)
