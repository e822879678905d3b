"""The collection: images, their vectors, and the search among them."""

from .facade import Collection
from .ingest import Options
from .learning import learn
from .locate import default_path
from .opening import open, restore
from .queries import parse
from .reports import AddReport, Estimate
from .results import Results

__all__ = [
    "AddReport",
    "Collection",
    "Estimate",
    "Options",
    "Results",
    "default_path",
    "learn",
    "open",
    "parse",
    "restore",
]
