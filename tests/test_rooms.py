"""The house rules that a machine can check: rooms import left to right, nothing heavy at start, no grab-bags."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lookalike

SOURCE = Path(lookalike.__file__).parent

# Left to right; rooms of one step may not import each other unless listed in the same entry's order.
ORDER = [
    ["errors"],
    ["types"],
    ["protocols"],
    ["nearest_name"],
    ["registry", "config"],
    ["images"],
    ["detect"],
    ["local"],
    ["embed"],
    ["store", "index"],
    ["rerank", "classify"],
    ["collection"],
    ["evaluate"],
    ["train", "curate"],
    ["serve"],
    ["client"],
    ["cli", "testing"],
]
PLACE = {room: step for step, rooms in enumerate(ORDER) for room in rooms}


def room_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[tuple[str, int]]:
    package = ["lookalike", *path.relative_to(SOURCE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            names = [".".join(module)]
            if module == ["lookalike"]:
                names = [f"lookalike.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "lookalike" and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1], node.lineno


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_rooms_import_left_to_right_only(path: Path) -> None:
    room = room_of(path)
    if room == "__init__" or room == "__main__":
        return  # the front door names every room
    for other, line in imported_rooms(path):
        allowed = other == room or PLACE[other] < PLACE[room]
        assert allowed, f"{path.name}:{line}: {room} may not import {other}, which is not to its left"


@pytest.mark.parametrize("path", sorted((SOURCE / "client").glob("*.py")), ids=lambda path: str(path.name))
def test_the_client_knows_of_the_server_only_what_travels(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "serve":
            assert (node.module, [alias.name for alias in node.names]) == ("serve", ["wire"]), node.lineno


def test_every_room_has_a_place() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__", "__main__"}
    assert rooms <= set(PLACE)


def test_no_grab_bags() -> None:
    names = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py", "core.py"}
    assert [str(path) for path in FILES if path.name in names] == []


HEAVY = {"torch", "onnxruntime", "faiss", "fastapi", "starlette", "uvicorn", "PIL", "pyarrow", "httpx", "rich", "scipy"}


@pytest.mark.parametrize(
    "code",
    [
        "import lookalike",
        "import lookalike; lookalike.LookalikeError",
        "from lookalike.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
    ],
)
def test_nothing_heavy_is_loaded_at_start(code: str) -> None:
    probe = f"{code}\nimport sys\nprint('LOADED', *sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("LOADED"), done.stdout


def test_a_client_loads_http_with_its_first_request() -> None:
    probe = "import lookalike, sys; lookalike.Client('http://h/x')\nprint({'httpx', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_all_names_are_public_and_exist() -> None:
    for name in lookalike.__all__:
        assert getattr(lookalike, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        lookalike.nothing  # noqa: B018
