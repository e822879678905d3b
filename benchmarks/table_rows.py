"""The rows of the table of embedders: every name of the package, and published weights beside them.

To add a row, add a line to ``FURTHER``. A row whose weights are not on this disk is left out, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import SHARED
from lookalike.embed import ALIASES, EMBEDDERS

__all__ = ["Row", "chosen_rows"]

WEIGHTS = SHARED / "weights"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: what the table calls it.
        spec: what ``--embedder`` takes; ``{weights}`` stands for the folder of published weights.
    """

    name: str
    spec: str

    @property
    def embedder(self) -> str:
        """Return the specification with the folder put in."""
        return self.spec.replace("{weights}", str(WEIGHTS))

    @property
    def files(self) -> list[Path]:
        """Return the files of weights that it needs."""
        return [WEIGHTS / name for name in re.findall(r"\{weights\}/([\w.-]+)", self.spec)]


_V1 = "tflite:{weights}/mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
_V2 = "tflite:{weights}/tf2_mobilenet_v2_1.0_224_ptq.tflite"
FURTHER = (
    Row("MobileNet v1 0.25 128", "tflite:{weights}/mobilenet_v1_0.25_128_quant.tflite"),
    Row("MobileNet v1 0.25 224, float", "tflite:{weights}/mobilenet_v1_0.25_224_1_default_1.tflite"),
    Row("MobileNet v1 0.5 160", "tflite:{weights}/mobilenet_v1_0.5_160_quant.tflite"),
    Row("MobileNet v1 1.0 224", _V1),
    Row("MobileNet v2 1.0 224", _V2),
    Row("builtin-1 twice, with MobileNet v1 1.0 and v2", f"ensemble:builtin-1:2+{_V1}+{_V2}"),
    Row("the same in 64 components", f"reduce:64:(ensemble:builtin-1:2+{_V1}+{_V2})"),
    Row("builtin-1 in 64 components", "reduce:64:builtin-1"),
)


def chosen_rows(only: Sequence[str] = ()) -> list[Row]:
    """Return the rows that can be measured here, the default embedder first; with ``only``, those so named.

    Raises:
        SystemExit: no row of such a name.
    """
    known = list(_known())
    if unknown := sorted(set(only) - {row.name for row in known}):
        raise SystemExit(f"no row is called {unknown[0]!r}; known: {', '.join(row.name for row in known)}")
    rows = []
    for row in known:
        if only and row.name not in only:
            continue
        if lacking := [file.name for file in row.files if not file.is_file()]:
            print(f"{row.name}: left out, {lacking[0]} is not in the folder of weights", flush=True)
            continue
        rows.append(row)
    return rows


def _known() -> Iterator[Row]:
    names = [name for name in EMBEDDERS.names() if not name.endswith(":")]
    default = ALIASES["builtin"]
    for name in [default, *(name for name in names if name != default)]:
        yield Row(name, name)
    yield from FURTHER
