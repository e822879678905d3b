"""Names, aliases and devices; what is loaded when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lookalike.embed import ALIASES, EMBEDDERS, create, resolve
from lookalike.errors import BadInput, NoSuchFile, UnknownName


def test_aliases_lead_to_names_of_the_table() -> None:
    assert set(ALIASES.values()) <= set(EMBEDDERS.names())
    assert not set(ALIASES) & set(EMBEDDERS.names())
    assert resolve("builtin") == "builtin-2"
    assert resolve("onnx:models/x.onnx") == "onnx:models/x.onnx"


def test_the_alias_makes_the_versioned_embedder() -> None:
    assert create("builtin").space == create("builtin-2").space
    assert create("builtin").space.name == "builtin-2"


@pytest.mark.parametrize("name", [name for name in EMBEDDERS.names() if not name.endswith(":")])
def test_the_spec_makes_the_same_embedder_again(name: str) -> None:
    made = create(name)
    spec = getattr(made, "spec")  # noqa: B009  # not in the protocol
    assert create(spec).space == made.space


def test_fingerprints_differ() -> None:
    prints = [create(name).fingerprint for name in EMBEDDERS.names() if not name.endswith(":")]
    assert len(set(prints)) == len(prints)


def test_a_misspelt_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'color-histogram'"):
        create("colour-histogram")


def test_an_unknown_device_is_refused_for_every_embedder() -> None:
    with pytest.raises(BadInput, match=r"unknown device 'tpu'.*cuda"):
        create("builtin", device="tpu")


def test_embedders_without_a_device_ignore_it() -> None:
    assert create("builtin", device="cuda").space == create("builtin").space


@pytest.mark.parametrize("scheme", ["onnx", "tflite"])
def test_a_scheme_without_a_path(scheme: str) -> None:
    with pytest.raises(BadInput, match=rf"{scheme}: needs a path"):
        create(f"{scheme}:")


@pytest.mark.parametrize("scheme", ["onnx", "tflite"])
def test_a_path_that_is_not_there(scheme: str, tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile, match=r"no such model file: .*gone"):
        create(f"{scheme}:{tmp_path / 'gone'}")
    with pytest.raises(NoSuchFile, match=f"no model.{scheme}"):
        create(f"{scheme}:{tmp_path}")


def test_the_table_loads_nothing_heavy() -> None:
    code = (
        "import sys; from lookalike.embed import create; create('builtin').space; "
        "print(*{'PIL', 'onnxruntime', 'ai_edge_litert', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
