"""Opening a collection, making one, or making it again from a backup."""

from __future__ import annotations

import os
from pathlib import Path

from ..embed import create, resolve
from ..errors import BadInput, NoCollection, OtherEmbedder
from ..images.names import is_url
from ..protocols import Embedder
from ..store.sqlite import SqliteStore
from .facade import Collection
from .learning import keep, recalled, taught
from .locate import default_path

__all__ = ["open", "restore"]


def open(
    path: str | os.PathLike[str] | None = None,
    *,
    embedder: str | Embedder | None = None,
    add_space: bool = False,
    create_missing: bool = True,
    device: str = "auto",
) -> Collection:
    """Open the collection at ``path``, or make one.

    Args:
        path: the collection's folder; None: ``$LOOKALIKE_COLLECTION``, or ``lookalike.collection`` in the current
            folder or the nearest parent that has one.
        embedder: a name (``builtin``, ``onnx:model.onnx``, ...) or an object; None: the stored one, and ``builtin``
            for a new collection. ``builtin`` is content with the built-in one of an older version.
        add_space: let a collection that has vectors of another embedder hold these too.
        create_missing: make the collection where there is none; otherwise that is an error.
        device: where a model runs: ``auto``, ``cpu``, ``cuda``, ``coreml`` or ``openvino``.

    Raises:
        NoCollection: there is none, and ``create_missing`` is false; or the path is something else.
        BadInput: it is a URL: ``lookalike.Client`` opens those.
        OtherEmbedder: the collection was made with another embedder, and ``add_space`` is false.
        UnknownName: no such embedder. NewerFormat: a newer version made the collection.
    """
    if path is not None and is_url(os.fspath(path)):
        raise BadInput(
            f"{os.fspath(path)!r} is a collection on a server, and not a folder.", hint="Use lookalike.Client(url)."
        )
    folder = default_path() if path is None else Path(path).expanduser()
    if not create_missing and not folder.exists():
        raise NoCollection(
            f"there is no collection at {folder}.",
            hint="Make one with `lookalike index FOLDER`, or name another with --collection PATH.",
        )
    made, name, spec = _embedder(embedder, device)
    if not folder.exists():
        # A misspelt name or a missing model must not leave an empty collection behind.
        made = taught(made or create(spec or resolve("builtin"), device=device))
    store = SqliteStore.open(folder, create=create_missing)
    try:
        if not create_missing and not store.setting("space"):
            raise NoCollection(
                f"the collection {folder} holds nothing yet: another process is making it, or was stopped at once.",
                hint="Wait for it, or run `lookalike index FOLDER`.",
            )
        if embedder == "builtin" and not add_space and _made_by_a_builtin(store):
            name = ""  # an older one is a built-in one too: its vectors are not made anew by a new version
        space = _choose_space(store, made, name, spec, add_space=add_space, device=device)
    except BaseException:
        store.close()
        raise
    return Collection(store, space[0], embedder=space[1] or made, device=device)


def restore(
    backup: str | os.PathLike[str], path: str | os.PathLike[str] | None = None, *, device: str = "auto"
) -> Collection:
    """Make a collection again from a file that ``Collection.backup`` has written, and open it.

    Args:
        backup: the file; it stays as it is.
        path: the folder to make; None: as in ``open``. It must not exist, or be empty.
        device: where a model runs, as in ``open``.

    Raises:
        NoSuchFile, BadInput: there is no such file, it is no backup, or the folder is in use already.
        NewerFormat: a newer version made the backup. StorageFailed: no room, or the backup is damaged.
    """
    folder = default_path() if path is None else Path(path).expanduser()
    SqliteStore.restore(Path(backup).expanduser(), folder).close()
    return open(folder, create_missing=False, device=device)


def _embedder(embedder: str | Embedder | None, device: str) -> tuple[Embedder | None, str, str]:
    """Return the embedder where there is one to make, and the stored spec that would make it again."""
    if embedder is None:
        return None, "", ""
    if isinstance(embedder, str):
        name = resolve(embedder)
        return None, "" if embedder == "auto" else name, name  # "auto" is content with what is there
    return embedder, embedder.space.name, str(getattr(embedder, "spec", ""))


def _made_by_a_builtin(store: SqliteStore) -> bool:
    return store.setting(f"embedder:{store.setting('space')}").startswith("builtin-")


def _choose_space(
    store: SqliteStore, made: Embedder | None, name: str, spec: str, *, add_space: bool, device: str
) -> tuple[str, Embedder | None]:
    current = store.setting("space")
    if not name and current:
        return current, None
    if not made and spec and spec == store.setting(f"embedder:{current}"):
        return current, None  # the same name: whether its weights are the same is checked when it is loaded
    made = recalled(store, made or create(spec or resolve("builtin"), device=device))
    space = made.space
    same = next((known for known in store.spaces().values() if known.fingerprint == space.fingerprint), None)
    if same is not None:
        return same.name, made
    if current and not add_space:
        theirs = store.spaces()[current]
        raise OtherEmbedder(
            f"the collection {store.path} was made with {theirs.name!r} ({theirs.fingerprint}), not with "
            f"{space.name!r} ({space.fingerprint}); their vectors cannot be compared.",
            hint="Leave out --embedder to use the stored one, give --add-space to hold both, or index into another "
            "collection with --collection PATH.",
        )
    if space.name in store.spaces():
        raise BadInput(
            f"the collection {store.path} has other vectors called {space.name!r} already "
            f"({store.spaces()[space.name].fingerprint}, not {space.fingerprint}).",
            hint="Index into another collection with --collection PATH.",
        )
    with store.writing():
        store.add_space(space)
        keep(store, made)
        store.set_setting(f"embedder:{space.name}", str(getattr(made, "spec", "")) or spec)
        if not current:
            store.set_setting("space", space.name)
    return space.name, made
