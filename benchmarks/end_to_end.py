"""Files on disk to stored vectors, ViT-B/32: quicker than clip-retrieval and rclip, with the same images and weights.

One CLIP of random weights, ViT-B/32 at 256 pixels as rclip ships it, is built by open_clip. clip-retrieval loads it as
a checkpoint, rclip and lookalike run the ONNX file that was exported of it. Each indexes the folder anew, in turn, with
its model loaded before. clip-retrieval gets batches of 32 and a loader a core (its default, batches of 256, would leave
nothing to overlap here); rclip its default batch of 8. What decoding alone and each model alone take, on all cores, is
measured in the same turns. Cosines are those of our vectors with theirs, image by image, the lowest.
What int8 costs in quality cannot be said of random weights: see quantised.py.

The peers have environments of their own, so that nothing of ours depends on them: one with clip-retrieval,
open_clip_torch and onnx beside a CPU build of torch, which also makes the model, and one with rclip.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

import lookalike
from harness import RESULTS, ratios, row, spread, write_result
from lookalike.collection import Options, learn
from lookalike.embed import create
from lookalike.images.decode import decode
from lookalike.protocols import Learns
from photographs import ONE_MEGAPIXEL, TWELVE_MEGAPIXELS, write_photographs

HERE = Path(__file__).resolve().parent
BATCH = Options().batch_size
CORES = os.cpu_count() or 1
RCLIP_FOLDER = "ViT-B-32-256-datacomp_s34b_b86k"
# The preprocessing of open_clip, and of rclip, which repeats it.
PREPROCESSOR = {
    "size": {"shortest_edge": 256},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 256, "width": 256},
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
OURS = {  # specification and device
    "fp32": ("onnx:{}", "auto"),
    "fp32, OpenVINO": ("onnx:{}", "openvino"),
    "bf16": ("bf16:onnx:{}", "auto"),
    "int8": ("int8:onnx:{}", "auto"),
    "int8-static": ("int8-static:onnx:{}", "auto"),
    "int8-static, OpenVINO": ("int8-static:onnx:{}", "openvino"),
}
Rows = dict[str, npt.NDArray[np.float32]]  # file name -> unit row


class Peer:
    """Another program, kept running: each line that it is sent makes it index once more."""

    def __init__(self, name: str, words: Sequence[str], read: Callable[[Path], Rows]) -> None:
        self.name = name
        self.read = read
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the program; shown when it fails
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._said}
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._process = subprocess.Popen(list(words), text=True, env=environment, **pipes)

    def run(self, target: Path) -> float:
        """Index into ``target`` and return the seconds that it took, by the peer's own clock."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{target}\n")
        stdin.flush()
        answer = stdout.readline().strip()
        if not answer:
            self._said.seek(0)
            raise SystemExit(f"{self.name} ended without an answer:\n{self._said.read()[-2000:].decode()}")
        return float(answer)

    def close(self) -> None:
        """End the program."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(timeout=60)


def main() -> None:
    given = _arguments()
    print((__doc__ or "").splitlines()[0], flush=True)
    rounds = 1 if given.quick else given.rounds
    plans = {
        "0.8 MP": (ONE_MEGAPIXEL, 32 if given.quick else 96),
        "12 MP": (TWELVE_MEGAPIXELS, 8 if given.quick else 48),
    }
    rows, figures = _measured_before(
        [] if given.quick else [name for name in plans if name not in (given.only or plans)]
    )
    peers = {"clip-retrieval": given.clip_retrieval, "rclip": given.rclip}
    figures |= {"cores": CORES, "batch": BATCH, "peers": {key: _version(key, python) for key, python in peers.items()}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = _weights(folder, given.clip_retrieval)
        for name in given.only or plans:
            size, count = plans[name]
            made, figures[name] = _compare(name, model, folder / "work", size, count, rounds, given)
            rows += made
            n = sum(plan[1] for key, plan in plans.items() if key in figures)
            write_result("end_to_end", __doc__ or "", figures, n=n, seed=given.seed, rows=rows, quick=given.quick)


def _measured_before(sizes: Sequence[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows and figures of these sizes from the file of results, so that sizes can be measured in turn."""
    path = RESULTS / "end_to_end.json"
    if not sizes or not path.is_file():
        return [], {}
    before = json.loads(path.read_text(encoding="utf-8"))
    rows = [row for row in before["rows"] if any(f", {size}, " in row["what"] for size in sizes)]
    return rows, {size: before["figures"][size] for size in sizes if size in before["figures"]}


def _arguments() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a minute's smoke test, whose figures mean nothing")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--rounds", type=int, default=3, help="after a warm-up")
    options.add_argument("--only", nargs="+", choices=["0.8 MP", "12 MP"], metavar="SIZE")
    options.add_argument("--clip-retrieval", type=Path, help="the python of an environment with clip-retrieval")
    options.add_argument("--rclip", type=Path, help="the python of an environment with rclip")
    given = options.parse_args()
    if given.clip_retrieval is None:
        raise SystemExit("left out: --clip-retrieval PYTHON names the python of an environment with clip-retrieval")
    if given.rclip is None:
        print("rclip is left out: no --rclip PYTHON")
    return given


def _version(package: str, python: Path | None) -> str | None:
    if python is None:
        return None
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([str(python), "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


def _weights(folder: Path, python: Path) -> Path:
    """Make the model in the peers' environment; return the folder that we open."""
    subprocess.run([str(python), str(HERE / "peers" / "make_clip.py"), str(folder)], check=True, capture_output=True)
    ours = folder / "clip"
    ours.mkdir()
    os.link(folder / "visual.onnx", ours / "model.onnx")
    (ours / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR), encoding="utf-8")
    data = folder / "rclip" / RCLIP_FOLDER
    data.mkdir(parents=True)
    os.link(folder / "visual.onnx", data / "visual.onnx")
    return ours


def _compare(
    name: str, model: Path, folder: Path, size: tuple[int, int], count: int, rounds: int, given: argparse.Namespace
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    photographs = folder / "photographs"
    files = write_photographs(photographs, count, size, seed=given.seed)
    ours: dict[str, Any] = {}
    for key, (spec, device) in OURS.items():
        ours[key] = create(spec.format(model), device=device)
        if isinstance(ours[key], Learns):
            taught = learn(spec.format(model), photographs, collection=folder / "none.collection", seed=given.seed)
            assert isinstance(taught, Learns)
            ours[key] = ours[key].from_state(taught.state())
    peers = _peers(photographs, model.parent, given)
    number = iter(range(10**6))
    vectors: dict[str, Rows] = {}
    seconds: dict[str, list[float]] = {}

    def index(key: str) -> float:
        target = folder / f"{next(number)}.collection"
        begin = time.perf_counter()
        with lookalike.open(target, embedder=ours[key]) as photos:
            report = photos.add(photographs)
            taken = time.perf_counter() - begin
            if report.added != count or report.reused:
                raise SystemExit(f"{report.added} of {count} were added: nothing was measured")
            records = list(photos)
            rows = photos.store.vectors(photos.space.name, [record.row for record in records])
            vectors[key] = {Path(record.source).name: v for record, v in zip(records, rows, strict=True)}
        shutil.rmtree(target)
        return taken

    def peer(which: Peer) -> float:
        target = folder / f"{next(number)}.{which.name}"
        taken = which.run(target)
        vectors[which.name] = which.read(target)
        return taken

    runs: dict[str, Callable[[], float]] = {key: lambda key=key: index(key) for key in ours}  # type: ignore[misc]
    runs |= {each.name: lambda each=each: peer(each) for each in peers}  # type: ignore[misc]
    runs |= {key: lambda each=each: _timed(each) for key, each in _bounds(files, ours).items()}  # type: ignore[misc]
    for turn in range(rounds + 1):  # the first is a warm-up
        for key, run in runs.items():
            gc.collect()
            taken = run()
            if turn:
                seconds.setdefault(key, []).append(taken)
    for each in peers:
        each.close()
    shutil.rmtree(folder)
    return _rows(name, seconds, vectors, count, [each.name for each in peers])


def _peers(photographs: Path, folder: Path, given: argparse.Namespace) -> list[Peer]:
    def scripted(name: str, python: Path, *words: str) -> list[str]:
        return [str(python), str(HERE / "peers" / f"{name}.py"), str(photographs), *words]

    words = scripted("clip_retrieval_inference", given.clip_retrieval, str(folder / "clip.pt"), str(BATCH), str(CORES))
    peers = [Peer("clip-retrieval", words, _read_clip_retrieval)]
    if given.rclip is not None:
        peers.append(Peer("rclip", scripted("rclip_index", given.rclip, str(folder / "rclip"), "8"), _read_rclip))
    return peers


def _read_clip_retrieval(target: Path) -> Rows:
    import pyarrow.parquet

    names = pyarrow.parquet.read_table(target / "metadata" / "metadata_0.parquet")["image_path"].to_pylist()
    rows = np.load(target / "img_emb" / "img_emb_0.npy").astype(np.float32)  # stored as float16
    return {Path(name).name: row for name, row in zip(names, rows, strict=True)}


def _read_rclip(target: Path) -> Rows:
    with sqlite3.connect(target) as database:
        found = database.execute("SELECT filepath, vector FROM images").fetchall()
    return {Path(name).name: np.frombuffer(vector, np.float32) for name, vector in found}


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _bounds(files: Sequence[Path], ours: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """Return what decodes alone, and what runs each model alone, on all cores."""
    full = ours["fp32"]

    def decoded() -> list[Any]:
        with ThreadPoolExecutor(CORES) as pool:
            return list(
                pool.map(lambda f: full.prepare(decode(f.read_bytes(), input_size=full.input_size).pixels), files)
            )

    prepared = decoded()
    batches = [prepared[start : start + BATCH] for start in range(0, len(prepared), BATCH)]

    def one_batch_a_core(embedder: Any) -> None:
        # Two levels of threads would wait for each other.
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(CORES) as pool:
            list(pool.map(embedder.embed_prepared, batches))

    contenders: dict[str, Callable[[], object]] = {"decode": decoded}
    for key, made in ours.items():
        contenders[f"model {key}"] = lambda made=made: [made.embed_prepared(batch) for batch in batches]  # type: ignore[misc]
    contenders["model fp32, one batch a core"] = lambda: one_batch_a_core(full)
    return contenders


def _rows(
    name: str, seconds: dict[str, list[float]], vectors: dict[str, Rows], count: int, peers: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    pace = {key: spread([count / taken for taken in some]) for key, some in seconds.items()}
    cosines: dict[str, float] = {}
    rows = []
    for peer in peers:
        for key in OURS:
            cosine = min(_cosine(vectors[key][file], row_) for file, row_ in vectors[peer].items())
            cosines[f"{key} with {peer}"] = round(cosine, 5)
            least = 1.5 if key.startswith("fp32") else 3.0 if key.startswith("int8") else None
            rows.append(
                row(
                    f"Files to vectors, ViT-B/32, {name}, {key}: images/s against {peer} in fp32",
                    ratios(seconds, peer, key),
                    unit="x",
                    at_least=least,
                    beside=f"{pace[key]['median']:.1f} against {pace[peer]['median']:.1f} images/s; "
                    f"least cosine to its vectors {cosine:.4f}",
                )
            )
    for key in OURS:
        models = [seconds[f"model {key}"]]
        if key == "fp32":
            models.append(seconds["model fp32, one batch a core"])
        best = [min(each) for each in zip(*models, strict=True)]
        possible = [a + b for a, b in zip(seconds["decode"], best, strict=True)]
        rows.append(
            row(
                f"Files to vectors, ViT-B/32, {name}, {key}: share of what decoding and the model allow",
                [100 * ours / mine for ours, mine in zip(possible, seconds[key], strict=True)],
                unit="%",
                at_least=95,
                beside=f"decoding alone {pace['decode']['median']:.0f}, the model alone "
                f"{count / statistics.median(best):.1f} images/s",
            )
        )
    detail = {"images": count, "images_per_s": pace, "seconds": seconds, "least_cosine": cosines}
    return rows, detail


def _cosine(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


if __name__ == "__main__":
    main()
