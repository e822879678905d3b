"""Stanford Cars 196: ``cars_annos.mat``, ``cars_test_annos_withlabels.mat``, or a CSV of theirs.

``cars_annos.mat`` lists all images: the second half of the classes, which training has not seen, each image against the
others (Oh Song et al., CVPR 2016); the first half is trained on. The annotations of the test part are taken whole.
MATLAB files need scipy.
Source: Krause, Stark, Deng and Fei-Fei, 3D Object Representations for Fine-Grained Categorization, 2013.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import BadInput, MissingExtra, NoSuchFile
from .base import Reader, Truth
from .building import Labelled, taken

__all__ = ["READER", "read"]

FILES = ("cars_annos.mat", "cars_test_annos_withlabels.mat", "devkit/cars_test_annos_withlabels.mat")


def looks(path: Path) -> bool:
    """Whether it is a ``cars_*.mat``, or a folder with one."""
    where = _file(path)
    return where.is_file() and where.suffix == ".mat" and where.name.startswith("cars_")


def read(path: Path) -> Truth:
    """Read what is measured on.

    Raises:
        NoSuchFile, BadInput: no MATLAB file with annotations, or without classes.
        MissingExtra: scipy is not installed.
    """
    return _half(path, second=True)


def read_training(path: Path) -> Truth:
    """Read the first half of the classes of ``cars_annos.mat``.

    Raises:
        As ``read``; BadInput: the file holds the test part alone.
    """
    return _half(path, second=False)


def _half(path: Path, *, second: bool) -> Truth:
    where = _file(path)
    annotations = _annotations(where)
    fields = annotations.dtype.names or ()
    name_at = next((name for name in ("relative_im_path", "fname") if name in fields), None)
    if name_at is None or "class" not in fields:
        raise BadInput(
            f"the annotations of {where} have {', '.join(fields) or 'no fields'}; file names and classes are needed.",
            hint="cars_test_annos.mat has no classes: use cars_test_annos_withlabels.mat or cars_annos.mat.",
        )
    whole = name_at == "relative_im_path"
    if not whole and not second and "test" in where.name:
        raise BadInput(f"{where} holds the test part, which is not trained on.", hint="Name cars_annos.mat.")
    labels = [int(entry["class"].item()) for entry in annotations]
    first = max(labels, default=0) // 2
    items = Labelled(where)
    for number, (entry, label) in enumerate(zip(annotations, labels, strict=True), start=1):
        if not whole or (label > first) == second:
            items.add(number, str(entry[name_at].item()), [str(label)])
    truth = Truth(
        path=where, format="cars", names=items.names(), labels=items.sets(), folders=(where.parent, where.parent.parent)
    )
    return truth if second else taken(truth, "the first half of the classes" if whole else "all annotations")


def _annotations(path: Path) -> Any:
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "reading MATLAB files needs the package 'scipy', which is not installed.",
            hint="Try: pip install scipy; or write a CSV with the columns file,label",
        ) from error
    try:
        found = loadmat(path)
    except FileNotFoundError:
        raise NoSuchFile(f"no such truth file: {path}.") from None
    except (MatReadError, ValueError, TypeError, OSError, NotImplementedError) as error:
        raise BadInput(f"{path} cannot be read as a MATLAB file: {error}.") from error
    if "annotations" not in found:
        raise BadInput(f"{path} holds no 'annotations'.")
    return found["annotations"].reshape(-1)


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    return next((path / name for name in FILES if (path / name).is_file()), path / FILES[0])


READER = Reader("cars", "Cars196: cars_annos.mat or cars_test_annos_withlabels.mat", looks, read, read_training)
