"""Run clip-retrieval's back on a folder with `image.index` and `metadata/`. Runs in its environment.

Usage: clip_back.py FOLDER CHECKPOINT PORT. It is `clip_retrieval.clip_back.clip_back`, which the command calls; nothing
of it is changed but the address that it listens on, the loopback instead of every one. Left out are what needs files
from the network: the aesthetic embeddings and the multilingual text model, which image and vector queries do not use.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import torch_libraries


def main() -> None:
    torch_libraries.declare_operators()
    clip_back = importlib.import_module("clip_retrieval.clip_back")  # the package shows the function by this name

    folder, checkpoint, port = sys.argv[1:]
    run = clip_back.Flask.run

    @functools.wraps(run)
    def on_the_loopback(self: object, host: str, **more: object) -> None:
        run(self, host="127.0.0.1", **more)

    clip_back.Flask.run = on_the_loopback
    with tempfile.NamedTemporaryFile("w", suffix=".json") as paths:
        json.dump({"large": folder}, paths)
        paths.flush()
        clip_back.clip_back(
            indices_paths=paths.name,
            port=int(port),
            clip_model=f"open_clip:ViT-B-32-256/{checkpoint}",
            use_jit=False,  # a checkpoint is no TorchScript
            enable_mclip_option=False,
            provide_aesthetic_embeddings=False,
        )


if __name__ == "__main__":
    main()
