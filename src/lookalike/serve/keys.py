"""API keys: who may search, write and administer. The file holds hashes only; a key is shown once, when it is made."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from ..errors import BadInput, NoSuchFile, NotAllowed, UnknownName
from ..nearest_name import choices

__all__ = ["ROLES", "Key", "Keys", "Role", "add_key", "read_keys", "remove_key"]

Role = Literal["search", "write", "admin"]
ROLES: tuple[Role, ...] = ("search", "write", "admin")  # each may do what those before it may

_PREFIX = "lk_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key.

    Attributes:
        name: what logs call it.
        role: what it may do.
        sha256: of the key, 64 hex digits. Keys are 256 random bits: a slow hash would protect nothing more.
        created: UTC, ISO 8601.
    """

    name: str
    role: Role
    sha256: str
    created: str = ""

    def may(self, role: Role) -> bool:
        """Return whether it may do what ``role`` may."""
        return ROLES.index(self.role) >= ROLES.index(role)


def digest(key: str) -> str:
    """Return the hash of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def read_keys(file: Path) -> dict[str, Key]:
    """Return the keys of a file by name.

    Raises:
        NoSuchFile: there is none. BadInput: it cannot be understood.
    """
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NoSuchFile(f"there is no file of keys {str(file)!r}.", hint="`lookalike keys FILE --add NAME`.") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"the keys in {str(file)!r} cannot be read: {error}.") from error
    keys = {}
    for name, value in found.items():
        wrong = not isinstance(value, dict) or set(value) - {"role", "sha256", "created"}
        if wrong or value.get("role") not in ROLES or not _HASH.fullmatch(str(value.get("sha256"))):
            raise BadInput(
                f"the key {name!r} in {str(file)!r} is not as `lookalike keys` writes it.",
                hint='It has role = "search", "write" or "admin", and sha256 = "64 hex digits".',
            )
        keys[name] = Key(name, value["role"], value["sha256"], str(value.get("created", "")))
    return keys


def add_key(file: Path, name: str, role: Role) -> str:
    """Make a key, keep its hash in the file, and return the key itself: nothing can show it again.

    Raises:
        BadInput: the name is taken or odd.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot name a key.", hint="Take letters, digits, '.', '_' and '-'.")
    with _locked(file):
        keys = read_keys(file) if file.exists() else {}
        if name in keys:
            raise BadInput(
                f"{str(file)!r} has a key {name!r} already.", hint="--remove it first, or take another name."
            )
        made = _PREFIX + secrets.token_urlsafe(32)
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        _write(file, {**keys, name: Key(name, role, digest(made), created)})
    return made


def remove_key(file: Path, name: str) -> None:
    """Take a key away; running servers refuse it within a second.

    Raises:
        UnknownName: there is none of this name.
    """
    with _locked(file):
        keys = read_keys(file)
        if name not in keys:
            raise UnknownName(f"{str(file)!r} has no key {name!r}.", hint=choices(name, keys))
        del keys[name]
        _write(file, keys)


def _locked(file: Path) -> FileLock:
    file.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{file}.lock")


def _write(file: Path, keys: Mapping[str, Key]) -> None:
    lines = ["# Written by `lookalike keys`. Hashes of keys; the keys themselves are nowhere.\n"]
    for key in keys.values():
        name = f'"{key.name}"' if "." in key.name else key.name
        lines.append(f'\n[{name}]\nrole = "{key.role}"\nsha256 = "{key.sha256}"\ncreated = "{key.created}"\n')
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write("".join(lines))
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)


class Keys:
    """The keys of a file, read again when it changes.

    Args:
        file: None: there are no keys, and everybody may do everything.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._stamp: tuple[int, int, int] | None = None
        self._looked = -1.0
        self._by_hash: dict[str, Key] = {}
        if file is not None:
            self._load()

    @property
    def needed(self) -> bool:
        """Return whether requests need a key."""
        return self._file is not None

    def find(self, given: str) -> Key:
        """Return what is known of a key that a request gives.

        Raises:
            NotAllowed: it is none of them.
        """
        if self._file is not None and time.monotonic() - self._looked > 1.0:
            self._load()
        # A look-up by hash: how long it takes says nothing of the key.
        found = self._by_hash.get(digest(given))
        if found is None:
            raise no_key("the key is not one of this server's.")
        return found

    def _load(self) -> None:
        assert self._file is not None
        self._looked = time.monotonic()
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = None
        if stamp is not None and stamp == self._stamp:
            return
        # A file that is gone or broken while the server runs lets nobody in; at the start it is an error.
        try:
            self._by_hash = {key.sha256: key for key in read_keys(self._file).values()}
        except BadInput:
            if self._stamp is None and not self._by_hash:
                raise
            self._by_hash = {}
        self._stamp = stamp


def no_key(message: str) -> NotAllowed:
    """Return the error of a request that must first say who it is."""
    error = NotAllowed(message, hint="Send a key: Authorization: Bearer KEY.")
    error.code = "no_key"
    return error
