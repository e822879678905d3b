"""Configuration as a typed dataclass: defaults < a TOML file < the environment < flags; unknown keys are refused."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .errors import BadInput, NoSuchFile
from .nearest_name import did_you_mean

__all__ = ["resolve_config"]

T = TypeVar("T")


def resolve_config(
    kind: type[T],
    *,
    file: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    prefix: str = "",
    flags: Mapping[str, Any] | None = None,
) -> T:
    """Return a ``kind`` whose fields have the values of the strongest layer that names them.

    Args:
        kind: a dataclass; its field names are the keys of every layer.
        file: a TOML file; None: no such layer.
        environment: variables; ``prefix`` and a field's name in capitals is its variable. Lists are written with
            commas between, mappings as ``a=1,b=2``.
        prefix: of the variables that are ours; one that has it and names no field is refused.
        flags: field -> value; a value of None is one that was not given.

    Raises:
        NoSuchFile: the file is not there. BadInput: it is no TOML, a key is unknown (the nearest is named), or a value
            is of the wrong type or out of its range.
    """
    from pydantic import TypeAdapter, ValidationError

    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    layers = [
        (_from_file(file), f"{file}"),
        (_from_environment(environment or {}, prefix, fields), "the environment"),
        ({key: value for key, value in (flags or {}).items() if value is not None}, "the options"),
    ]
    for layer, origin in layers:
        for key, value in layer.items():
            if key not in fields:
                raise _unknown(key, origin, list(fields))
            values[key], origins[key] = value, origin
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        if "error" in first.get("ctx", {}) and isinstance(first["ctx"]["error"], BadInput):
            raise first["ctx"]["error"] from None
        where = ".".join(str(part) for part in first["loc"])
        key = str(first["loc"][0]) if first["loc"] else ""
        raise BadInput(
            f"{where or 'the configuration'} from {origins.get(key, 'the configuration')} cannot be used: "
            f"{first['msg'][:1].lower()}{first['msg'][1:]}, got {first['input']!r}."
        ) from None


def _from_file(file: str | os.PathLike[str] | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(Path(file).expanduser().read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NoSuchFile(f"there is no configuration file {str(file)!r}.") from None
    except OSError as error:
        raise BadInput(f"cannot read the configuration file {str(file)!r}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{str(file)!r} is no TOML: {error}.", hint="See https://toml.io for the format.") from None


def _from_environment(environment: Mapping[str, str], prefix: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, text in environment.items():
        if not prefix or not variable.startswith(prefix):
            continue
        key = variable.removeprefix(prefix).lower()
        if key not in fields:
            raise _unknown(variable, "the environment", [prefix + name.upper() for name in fields])
        declared = str(fields[key].type)
        if "Mapping" in declared:
            pairs = [part.partition("=") for part in text.split(",") if part.strip()]
            found[key] = {name.strip(): value.strip() for name, _, value in pairs}
        elif "tuple" in declared:
            found[key] = [part.strip() for part in text.split(",") if part.strip()]
        else:
            found[key] = text
    return found


def _unknown(key: str, origin: str, known: Sequence[str]) -> BadInput:
    hint = did_you_mean(key, known) or f"Known: {', '.join(known)}."
    return BadInput(f"unknown key {key!r} in {origin}.", hint=hint)
