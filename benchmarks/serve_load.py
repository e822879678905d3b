"""Queries a second and their times at 1, 8 and 64 clients, beside clip-retrieval's back and a plain app of FAISS.

One CLIP of random weights, ViT-B/32 at 256 pixels, is built by open_clip: clip-retrieval loads the checkpoint, the
others run the ONNX file that was exported of it. All have the same 100,000 vectors and answer with the 20 best of an
exact search; that the three find the same images is checked before anything is measured. clip-retrieval has a FAISS
flat index, as the plain app has (and, for information, the index that its own `autofaiss` chooses, which is not exact).
By id: clip-retrieval, which has no such query, gets the vector of that image. By image: photographs of 0.8 megapixels;
a multipart upload to ours and the plain app, base64 in JSON to clip-retrieval, as its client sends it.

All servers run at once and idle in turn; the load comes from a process of its own, on the same two cores, which takes
its share: the CPU time of the generator is in the figures. clip-retrieval is started as its command starts it, by
Flask's own server; ours with its defaults, its log to a file.

Then, of ours alone, 80% of the most that it could do, three times at random moments (a Poisson process): p99 against
p50.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import httpx
import numpy as np
import numpy.typing as npt
import orjson

import load
import lookalike
from first_search import BLOCK, Known
from harness import row, spread, write_result
from load import Answers, Sent, percentile
from photographs import ONE_MEGAPIXEL, encoded
from serving_of import another, free_port, serving

HERE = Path(__file__).resolve().parent
CLIENTS = (1, 8, 64)
DIM, K = 512, 20
SHARE = 0.8
_TIMES = 3  # at that share
PHOTOGRAPHS = 24
# The preprocessing of open_clip.
PREPROCESSOR = {
    "size": {"shortest_edge": 256},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 256, "width": 256},
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
TARGETS = {"id": 2.0, "vector": 2.0, "image": 1.2, "image, int8": 2.0}
Vectors = npt.NDArray[np.float32]
Ids = Callable[[Any], list[int]]


@dataclass(frozen=True, slots=True)
class Contender:
    """A server, the queries of each kind as it takes them, and how the row numbers are read out of its answer."""

    name: str
    url: str
    queries: Mapping[str, Sequence[Sent]]
    ids: Ids


def main() -> None:
    given = _arguments()
    print((__doc__ or "").splitlines()[0], flush=True)
    n = 5_000 if given.quick else given.n
    seconds = 1.0 if given.quick else given.seconds
    rounds = 1 if given.quick else given.rounds
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        model = _weights(folder, given.clip_retrieval)
        vectors = _vectors(n, given.seed)
        contenders = _contenders(stack, folder, model, vectors, given)
        _check(contenders, n)
        found = _measured(contenders, rounds, seconds, given.kinds)
        steady = {} if given.quick else _at_share(contenders, found, 4 * seconds, given.seed, given.kinds)
    rows = [*_ratios(found), *_steady_rows(steady)]
    figures = {
        "cores": os.cpu_count(),
        "clip_retrieval": _version(given.clip_retrieval),
        "closed_loop": {
            name: {kind: {str(count): _figures(each) for count, each in some.items()} for kind, some in kinds.items()}
            for name, kinds in found.items()
        },
        "at_80_percent": {name: _figures(came) | {"sent_per_s": rate} for name, (rate, came) in steady.items()},
    }
    name = "serve_load_images" if given.images else "serve_load"
    write_result(name, __doc__ or "", figures, n=n, seed=given.seed, rows=rows, quick=given.quick)


def _arguments() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a minute's smoke test, whose figures mean nothing")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--n", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    options.add_argument("--images", action="store_true", help="queries by photographs; else by ids and vectors")
    options.add_argument("--clip-retrieval", type=Path, help="the python of an environment with clip-retrieval")
    given = options.parse_args()
    if given.clip_retrieval is None:
        raise SystemExit("left out: --clip-retrieval PYTHON names the python of an environment with clip-retrieval")
    given.kinds = ["image"] if given.images else ["id", "vector"]
    return given


def _version(python: Path) -> str:
    ask = "from importlib.metadata import version; print(version('clip-retrieval'))"
    return subprocess.run([str(python), "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


def _outside() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def _weights(folder: Path, python: Path) -> Path:
    """Make the model in the peer's environment; return the folder that we open."""
    made = subprocess.run(
        [str(python), str(HERE / "peers" / "make_clip.py"), str(folder)], capture_output=True, text=True, env=_outside()
    )
    if made.returncode:
        raise SystemExit(f"the model could not be made: {made.stderr[-2000:]}")
    ours = folder / "clip"
    ours.mkdir()
    shutil.move(folder / "visual.onnx", ours / "model.onnx")
    (ours / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR), encoding="utf-8")
    return ours


def _vectors(n: int, seed: int) -> Vectors:
    drawn = np.random.default_rng(seed).standard_normal((n, DIM), dtype=np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn


def _collection(path: Path, spec: str, vectors: Vectors) -> Path:
    with lookalike.open(path, embedder=spec) as photos:
        with photos.store.writing():
            for start in range(0, len(vectors), BLOCK):
                stop = min(start + BLOCK, len(vectors))
                records = [
                    Known(f"{i}.jpg", f"{path}/{i}.jpg", metadata={"url": f"https://pictures.example/{i}.jpg"})
                    for i in range(start, stop)
                ]
                photos.store.put(records, {photos.space.name: vectors[start:stop]})
        photos.settle()
    return path


def _contenders(
    stack: ExitStack, folder: Path, model: Path, vectors: Vectors, given: argparse.Namespace
) -> dict[str, Contender]:
    """Start them all."""
    ours = stack.enter_context(serving(_collection(folder / "fp32.collection", f"onnx:{model}", vectors)))
    peer = folder / "clip-retrieval"
    _write_index(peer, vectors)
    np.save(folder / "vectors.npy", vectors)
    made = [
        _ours("lookalike", ours.url, vectors, given.seed),
        _theirs("clip-retrieval", stack, peer, folder / "clip.pt", vectors, given),
        _plain(stack, folder, model, vectors, given.seed),
    ]
    if given.images:
        int8 = _collection(folder / "int8.collection", f"int8:onnx:{model}", vectors)
        made.append(_ours("lookalike, int8", stack.enter_context(serving(int8)).url, vectors, given.seed))
    if not given.images and not given.quick:
        chosen = folder / "autofaiss"
        if _autofaiss(chosen, vectors, given.clip_retrieval):
            made.append(_theirs("clip-retrieval, autofaiss", stack, chosen, folder / "clip.pt", vectors, given))
    return {each.name: each for each in made}


def _chosen(n: int, seed: int) -> list[int]:
    return [int(each) for each in np.random.default_rng(seed + 1).integers(0, n, 64)]


def _queries(n: int, seed: int) -> Vectors:
    return _vectors(64, seed + 2)


def _ours(name: str, url: str, vectors: Vectors, seed: int) -> Contender:
    def item(**more: Any) -> Sent:
        return Sent("/v1/collections/large/search", orjson.dumps({"query": {"items": [more]}, "k": K}))

    queries = {
        "id": [item(kind="id", value=f"{i}.jpg") for i in _chosen(len(vectors), seed)],
        "vector": [item(kind="vector", vector=each.tolist()) for each in _queries(len(vectors), seed)],
        "image": [
            _form("/v1/collections/large/search", each) for each in encoded(PHOTOGRAPHS, ONE_MEGAPIXEL, seed=seed)
        ],
    }
    return Contender(name, url, queries, lambda answer: [int(hit["id"].partition(".")[0]) for hit in answer["hits"]])


def _form(path: str, picture: bytes) -> Sent:
    head = (
        b'--limit\r\nContent-Disposition: form-data; name="image"; filename="q.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    return Sent(path, head + picture + b"\r\n--limit--\r\n", "multipart/form-data; boundary=limit")


def _write_index(folder: Path, vectors: Vectors) -> None:
    """Write what `clip-retrieval index` leaves, with an exact index."""
    index = faiss.IndexFlatIP(DIM)
    index.add(vectors)
    _write_metadata(folder, len(vectors))
    faiss.write_index(index, str(folder / "image.index"))


def _write_metadata(folder: Path, n: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "metadata").mkdir(parents=True)
    table = pa.table({"url": [f"https://pictures.example/{i}.jpg" for i in range(n)]})
    pq.write_table(table, folder / "metadata" / "metadata_0.parquet")


def _autofaiss(folder: Path, vectors: Vectors, python: Path) -> bool:
    """Let autofaiss choose the index, by the call that `clip-retrieval index` makes; False where it cannot."""
    _write_metadata(folder, len(vectors))
    (folder / "embeddings").mkdir()
    np.save(folder / "embeddings" / "img_emb_0.npy", vectors)
    script = (
        "import sys; from autofaiss import build_index; build_index(embeddings=sys.argv[1] + '/embeddings', "
        "index_path=sys.argv[1] + '/image.index', index_infos_path=sys.argv[1] + '/infos.json', "
        "max_index_memory_usage='4G', current_memory_available='16G')"
    )
    words = [str(python), "-c", script, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, env=_outside())
    index = folder / "image.index"
    if not index.exists():  # what it writes after the index fails beside numpy 2, and is of no use here
        print(f"without autofaiss: {done.stderr[-300:]}", flush=True)
        return False
    print(f"autofaiss chose {type(faiss.downcast_index(faiss.read_index(str(index)))).__name__}", flush=True)
    return True


def _theirs(
    name: str, stack: ExitStack, folder: Path, checkpoint: Path, vectors: Vectors, given: argparse.Namespace
) -> Contender:
    port = free_port()
    script = str(HERE / "peers" / "clip_back.py")
    words = [str(given.clip_retrieval), script, str(folder), str(checkpoint), str(port)]
    server = stack.enter_context(another(words, port, environment={"PYTHONPATH": ""}))

    def ask(**more: Any) -> Sent:
        body = {"modality": "image", "num_images": K, "num_result_ids": K, "indice_name": "large", **more}
        return Sent("/knn-service", orjson.dumps(body))

    queries = {
        "id": [ask(embedding_input=vectors[i].tolist()) for i in _chosen(len(vectors), given.seed)],
        "vector": [ask(embedding_input=each.tolist()) for each in _queries(len(vectors), given.seed)],
        "image": [
            ask(image=base64.b64encode(each).decode()) for each in encoded(PHOTOGRAPHS, ONE_MEGAPIXEL, seed=given.seed)
        ],
    }
    return Contender(name, server.url, queries, lambda answer: [hit["id"] for hit in answer])


def _plain(stack: ExitStack, folder: Path, model: Path, vectors: Vectors, seed: int) -> Contender:
    port = free_port()
    script = str(HERE / "peers" / "plain_app.py")
    words = [sys.executable, script, str(folder), str(model / "model.onnx"), str(port)]
    server = stack.enter_context(another(words, port))
    queries = {
        "id": [Sent("/search", orjson.dumps({"id": i, "k": K})) for i in _chosen(len(vectors), seed)],
        "vector": [
            Sent("/search", orjson.dumps({"vector": each.tolist(), "k": K})) for each in _queries(len(vectors), seed)
        ],
        "image": [_form("/image", each) for each in encoded(PHOTOGRAPHS, ONE_MEGAPIXEL, seed=seed)],
    }
    return Contender("FastAPI and FAISS", server.url, queries, lambda answer: [hit["id"] for hit in answer])


def _check(contenders: Mapping[str, Contender], n: int) -> None:
    """All find the same images; by a photograph, the plain app's resize and int8 may move a few of random vectors."""
    for kind, least in (("id", K), ("vector", K), ("image", K // 2)):
        answers = {}
        for name, each in contenders.items():
            sent = each.queries[kind][0]
            answer = httpx.post(
                each.url + sent.path,
                content=sent.body,
                headers={"Content-Type": sent.kind},
                timeout=60,
                trust_env=False,
            )
            answers[name] = each.ids(answer.raise_for_status().json())
        for name, ids in answers.items():
            alike = len(set(ids) & set(answers["lookalike"]))
            print(f"by {kind}, {name}: {alike} of {K} as ours", flush=True)
            if alike < least and name in ("clip-retrieval", "FastAPI and FAISS"):
                raise SystemExit(f"by {kind}, {name} finds other images: nothing was measured")


Found = dict[str, dict[str, dict[int, list[Answers]]]]  # server -> kind -> clients -> rounds


def _measured(contenders: Mapping[str, Contender], rounds: int, seconds: float, kinds: Sequence[str]) -> Found:
    found: Found = {}
    for turn in range(rounds + 1):  # the first is a warm-up
        for kind in kinds:
            for count in CLIENTS:
                for name, each in contenders.items():
                    gc.collect()
                    answers = load.run(each.url, each.queries[kind], clients=count, seconds=seconds if turn else 0.5)
                    if answers.bad:
                        print(f"{name}, {kind}, {count} clients: {answers.bad}", flush=True)
                    if turn:
                        found.setdefault(name, {}).setdefault(kind, {}).setdefault(count, []).append(answers)
    return found


def _at_share(
    contenders: Mapping[str, Contender], found: Found, seconds: float, seed: int, kinds: Sequence[str]
) -> dict[str, tuple[float, list[Answers]]]:
    """Return the rate and what came, three times at other moments: how long a queue grows is a matter of chance."""
    answers = {}
    for kind in kinds:
        for name in ("lookalike", *(["lookalike, int8"] if kind == "image" else [])):
            most = max(statistics.median(each.rate for each in some) for some in found[name][kind].values())
            rate = SHARE * most
            came = [
                load.run(
                    contenders[name].url,
                    contenders[name].queries[kind],
                    rate=rate,
                    seconds=max(seconds, 300 / rate),
                    seed=seed + turn,
                )
                for turn in range(_TIMES)
            ]
            answers[f"{kind}, int8" if name.endswith("int8") else kind] = (rate, came)
    return answers


def _figures(rounds: Sequence[Answers]) -> dict[str, Any]:
    together = [time for each in rounds for time in each.times]
    return {
        "per_s": spread([each.rate for each in rounds]),
        **{f"p{share:.0f}_ms": round(1e3 * percentile(together, share / 100), 2) for share in (50, 95, 99)},
        "failed": sum(sum(each.bad.values()) for each in rounds),
        "generator_cores": round(statistics.mean(each.own / each.seconds for each in rounds), 3),
    }


def _ratios(found: Found) -> list[dict[str, Any]]:
    rows = []
    for name, kinds in found.items():
        if not name.startswith("lookalike"):
            continue
        for kind, counts in kinds.items():
            what = f"{kind}, int8" if name.endswith("int8") else kind
            for count, rounds in counts.items():
                for peer in ("clip-retrieval", "FastAPI and FAISS", "clip-retrieval, autofaiss"):
                    if kind not in found.get(peer, {}):
                        continue
                    theirs = found[peer][kind][count]
                    mine, other = _figures(rounds), _figures(theirs)
                    rows.append(
                        row(
                            f"Queries by {what}, {count} clients: throughput against {peer}",
                            [one.rate / two.rate for one, two in zip(rounds, theirs, strict=True)],
                            unit="x",
                            at_least=TARGETS[what] if peer == "clip-retrieval" else None,
                            beside=f"{mine['per_s']['median']:.0f} against {other['per_s']['median']:.0f} a second; "
                            + "p50/p95/p99 {p50_ms:.0f}/{p95_ms:.0f}/{p99_ms:.0f} ms".format(**mine)
                            + " against {p50_ms:.0f}/{p95_ms:.0f}/{p99_ms:.0f} ms".format(**other),
                        )
                    )
    return rows


def _steady_rows(steady: Mapping[str, tuple[float, list[Answers]]]) -> Iterator[dict[str, Any]]:
    for kind, (rate, came) in steady.items():
        middle, most = ([percentile(each.times, share) for each in came] for share in (0.5, 0.99))
        sent = sum(len(each.times) for each in came)
        yield row(
            f"Queries by {kind} at 80% of the most: p99 against p50",
            [one / other for one, other in zip(most, middle, strict=True)],
            unit="x",
            at_most=3.0,
            beside=f"{1e3 * statistics.median(most):.0f} against {1e3 * statistics.median(middle):.0f} ms "
            f"at {rate:.0f} a second, {sent} queries",
        )


if __name__ == "__main__":
    main()
