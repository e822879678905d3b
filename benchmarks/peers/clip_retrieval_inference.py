"""Run clip-retrieval's `inference` on a folder, again for each line of standard input. Runs in its environment.

Usage: clip_retrieval_inference.py IMAGES CHECKPOINT BATCH WORKERS. Each line names an output folder; the answer is the
seconds that `clip_retrieval.clip_inference.worker.worker` took, which the command calls: its reader, mapper and writer.
The model is loaded by the first call and remembered by clip-retrieval itself. Left out, in its favour, is the process
that writes statistics, which starts a Python and imports torch anew each time.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import torch_libraries

torch_libraries.declare_operators()


class NoStatistics:
    """Stands in for the logger of the worker."""

    def __init__(self, **given: object) -> None: ...

    def start(self) -> None: ...

    def end(self) -> None: ...

    def __call__(self, statistics: object) -> None: ...


def main() -> None:
    from clip_retrieval.clip_inference import worker

    worker.LoggerWriter = NoStatistics
    images, checkpoint, batch, workers = sys.argv[1:]
    for line in sys.stdin:
        begin = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr):
            worker.worker(
                tasks=[0],
                input_dataset=images,
                output_folder=line.strip(),
                output_partition_count=1,
                batch_size=int(batch),
                num_prepro_workers=int(workers),
                enable_text=False,
                clip_model=f"open_clip:ViT-B-32-256/{checkpoint}",
                use_jit=False,  # as the command has it
            )
        print(time.perf_counter() - begin, flush=True)


if __name__ == "__main__":
    main()
