"""A name → factory table for each extension point. Imports nothing heavy: a module is loaded on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from .errors import BadInput, MissingExtra, UnknownName
from .nearest_name import choices

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps a public name to ``"module:factory"``.

    Names that end in ``:`` are schemes: ``onnx:`` takes ``onnx:path/to/model.onnx`` and passes what follows the colon
    as the factory's first argument. Other packages add names through the entry-point group ``lookalike.<kind>s``.

    Args:
        kind: what the table holds, in the singular, for messages: ``"embedder"``.
        table: name -> ``"package.module:factory"``.
        extras: name -> the extra of lookalike that installs what the module needs.
    """

    def __init__(self, kind: str, table: Mapping[str, str], *, extras: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self._table = dict(table)
        self._extras = dict(extras or {})
        self._plugins_loaded = False

    def names(self) -> list[str]:
        """Return all names, plug-ins included, sorted."""
        self._load_plugins()
        return sorted(self._table)

    def add(self, name: str, target: str) -> None:
        """Add one name; a name that is taken is an error, so that no plug-in changes a result in silence."""
        if name in self._table:
            raise BadInput(f"the {self.kind} {name!r} is registered already, as {self._table[name]}")
        self._table[name] = target

    def create(self, name: str, /, **options: Any) -> T:
        """Return what the name's factory makes of the options.

        Raises:
            UnknownName: no such name; the nearest one is offered.
            MissingExtra: the module needs a package that is not installed.
        """
        scheme, colon, rest = name.partition(":")
        if colon and self._has(scheme + colon):
            return self.factory(scheme + colon)(rest, **options)
        return self.factory(name)(**options)

    def _has(self, name: str) -> bool:
        if name not in self._table:
            self._load_plugins()
        return name in self._table

    def factory(self, name: str) -> Callable[..., T]:
        """Return what makes the thing of a name, its module loaded.

        Raises:
            UnknownName, MissingExtra: as in ``create``.
        """
        if not self._has(name):
            scheme, colon, _ = name.partition(":")
            raise UnknownName(f"unknown {self.kind} {name!r}.", hint=choices(scheme + colon, self.names()))
        module, _, attribute = self._table[name].partition(":")
        try:
            factory: Callable[..., T] = getattr(import_module(module), attribute)
        except ModuleNotFoundError as missing:
            if missing.name is None or missing.name.split(".")[0] == "lookalike":
                raise  # our own bug, not a missing extra
            extra = self._extras.get(name)
            what = f"lookalike[{extra}]" if extra else missing.name
            raise MissingExtra(
                f"the {self.kind} {name!r} needs the package {missing.name!r}, which is not installed.",
                hint=f"Try: pip install '{what}'",
            ) from missing
        return factory

    def _load_plugins(self) -> None:
        if self._plugins_loaded:
            return
        self._plugins_loaded = True
        for entry in entry_points(group=f"lookalike.{self.kind}s"):
            self.add(entry.name, entry.value)
