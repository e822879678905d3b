"""The public benchmarks that a person points at their own copy, in the layout that they are published in.

Each is read by its format's reader in ``truth``; what stands here is which protocol and which figures its papers quote.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import NoSuchFile
from ...images import Item, scan
from ..truth import cars, cub, disc, in_shop, landmarks, market, revisited, sop
from ..truth.base import Truth
from ..truth.joining import match
from .base import Benchmark, Material, Part, Run

__all__ = ["BENCHMARKS"]

_REVISITED = ("map_revisited", "precision@1", "precision@5", "precision@10")
_HARDNESS = ("medium", "easy", "hard")


def _simple(
    read_truth: Callable[[Path], Truth], protocol: str, metrics: tuple[str, ...], *images: str, cut: int | None = None
) -> Callable[[Path, Part], Material]:
    """Return what reads one truth and searches nothing but its images, which lie in some of the folders named."""

    def read(data: Path, part: Part) -> Material:
        truth = read_truth(data)
        return Material(
            sources=_folders(data, *images), runs=(Run(truth=truth, protocol=protocol, metrics=metrics, cut=cut),)
        )

    return read


def _revisited(data: Path, part: Part) -> Material:
    truth = revisited.read(data)
    return Material(
        sources=_folders(data, "jpg"),
        runs=tuple(Run(name=kind, truth=truth, protocol=f"revisited-{kind}", metrics=_REVISITED) for kind in _HARDNESS),
    )


def _landmarks(data: Path, part: Part) -> Material:
    path = _first(data, "retrieval_solution*.csv", "recognition_solution*.csv")
    index = "index" if path.name.startswith("retrieval") else "train"
    truth = landmarks.read(path)
    if index == "index":
        truth = _with_distractors(truth, data / index)
    run = Run(truth=truth, protocol="query-gallery", metrics=("map@100", "precision@1", "hit_rate@1"), cut=100)
    return Material(sources=_folders(data, "test", index), runs=(run,))


def _disc(data: Path, part: Part) -> Material:
    path = _first(data, "*ground_truth*.csv", "*groundtruth*.csv")
    truth = _with_distractors(disc.read(path), data / "references")
    run = Run(
        truth=truth,
        protocol="query-gallery",
        metrics=("micro_ap", "recall_at_p90", "hit_rate@1"),
        cut=100,
        notes=("Queries without a reference count in micro_ap: what they return is wrong.",),
    )
    folders = ("references", "queries", "dev_queries", "final_queries")
    return Material(sources=_folders(data, *folders), runs=(run,), copies=True)


def _first(data: Path, *patterns: str) -> Path:
    found = next((path for pattern in patterns for path in sorted(data.glob(pattern))), None)
    if found is None:
        raise NoSuchFile(f"{data} holds no {' or '.join(patterns)}.", hint="Name the folder of the benchmark.")
    return found


def _folders(data: Path, *names: str) -> tuple[Path, ...]:
    """Return those of the folders that are there; the whole folder where none is."""
    return tuple(data / name for name in names if (data / name).is_dir()) or (data,)


def _with_distractors(truth: Truth, folder: Path) -> Truth:
    """Return a truth whose base are all images of a folder, of which it names only those that are relevant."""
    if not folder.is_dir():
        raise NoSuchFile(f"there is no folder {folder}.", hint="The images that are searched belong there.")
    items = [entry for entry in scan(folder) if isinstance(entry, Item)]
    named = {item.source for item in match(truth.names, items)[0].values()}
    more = tuple(f"{folder.name}/{item.id}" for item in items if item.source not in named)
    names = (*truth.names, *more)
    asking = np.empty(0, np.int64) if truth.queries is None else truth.queries
    return replace(truth, names=names, base=np.setdiff1d(np.arange(len(names)), asking))


BENCHMARKS = (
    Benchmark(
        "sop",
        "Stanford Online Products: each test image searches the other test images",
        "Ebay_test.txt, *_final/*.JPG",
        "Oh Song, Xiang, Jegelka and Savarese, CVPR 2016",
        ("Stanford_Online_Products", "sop"),
        _simple(
            sop.read,
            "leave-one-out",
            ("hit_rate@1", "hit_rate@10", "hit_rate@100", "hit_rate@1000", "map_at_r", "r_precision"),
        ),
    ),
    Benchmark(
        "inshop",
        "In-Shop Clothes: query photographs search the gallery",
        "list_eval_partition.txt (or Eval/), img/",
        "Liu, Luo, Qiu, Wang and Tang, DeepFashion, CVPR 2016",
        ("In-shop Clothes Retrieval Benchmark", "inshop"),
        _simple(
            in_shop.read,
            "query-gallery",
            ("hit_rate@1", "hit_rate@10", "hit_rate@20", "hit_rate@30", "map_at_r"),
            "img",
            "Img/img",
        ),
    ),
    Benchmark(
        "cub",
        "CUB-200-2011: images of the 100 classes that training has not seen search one another",
        "images.txt, image_class_labels.txt, images/",
        "Wah et al., CNS-TR-2011-001; the split of Oh Song et al., CVPR 2016",
        ("CUB_200_2011", "cub"),
        _simple(
            cub.read,
            "leave-one-out",
            ("hit_rate@1", "hit_rate@2", "hit_rate@4", "hit_rate@8", "map_at_r", "r_precision"),
            "images",
        ),
    ),
    Benchmark(
        "cars",
        "Cars196: images of the 98 classes that training has not seen search one another",
        "cars_annos.mat, car_ims/",
        "Krause et al., 2013; the split of Oh Song et al., CVPR 2016",
        ("cars196", "cars"),
        _simple(
            cars.read,
            "leave-one-out",
            ("hit_rate@1", "hit_rate@2", "hit_rate@4", "hit_rate@8", "map_at_r", "r_precision"),
            "car_ims",
            "cars_test",
        ),
    ),
    Benchmark(
        "market1501",
        "Market-1501: a person seen by other cameras; junk and the query's own camera are ignored",
        "query/, bounding_box_test/",
        "Zheng et al., ICCV 2015",
        ("Market-1501-v15.09.15", "market1501"),
        _simple(
            market.read,
            "query-gallery",
            ("map", "cmc@1", "cmc@5", "cmc@10", "minp"),
            "query",
            "bounding_box_test",
        ),
    ),
    Benchmark(
        "roxford5k",
        "Revisited Oxford: medium, easy and hard",
        "gnd_roxford5k.pkl, jpg/",
        "Radenović et al., CVPR 2018",
        ("roxford5k",),
        _revisited,
    ),
    Benchmark(
        "rparis6k",
        "Revisited Paris: medium, easy and hard",
        "gnd_rparis6k.pkl, jpg/",
        "Radenović et al., CVPR 2018",
        ("rparis6k",),
        _revisited,
    ),
    Benchmark(
        "gldv2",
        "Google Landmarks v2, retrieval: test images search the index",
        "retrieval_solution_v2.1.csv, test/, index/",
        "Weyand, Araujo, Cao and Sim, CVPR 2020",
        ("gldv2",),
        _landmarks,
    ),
    Benchmark(
        "disc21",
        "DISC21: edited copies among a million references; most queries have none",
        "dev_ground_truth.csv, references/, queries/",
        "Douze et al., 2021",
        ("disc21",),
        _disc,
    ),
)
