"""The files of one model repository on a hub, by way of its cache on this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ...errors import BadInput, LookalikeError, ModelError
from .model_file import WITHOUT_NETWORK, digest

__all__ = ["Repository", "Unreachable", "cache_folder"]


class Unreachable(ModelError):
    """The hub does not answer."""


def cache_folder() -> str | None:
    """Return where downloads are kept; None: where the client of the hub keeps them (``$HF_HOME``)."""
    own = os.environ.get("LOOKALIKE_CACHE")
    return str(Path(own).expanduser() / "models") if own else None


class Repository:
    """One repository at one revision.

    What is in the cache is taken from there, without asking the network: a collection's vectors are of the weights
    that they were made with, so the same files must come for ever. All files come from one commit.

    Args:
        name: ``org/name``.
        revision: a branch, tag or commit.

    Attributes:
        commit: 40 hex digits once a file was found; before that the revision.
    """

    def __init__(self, name: str, revision: str = "main") -> None:
        self.name = name
        self.commit = revision
        self.endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
        self._cache = cache_folder()
        self._offline: Unreachable | None = None

    def __str__(self) -> str:
        return f"{self.name} at {self.endpoint}"

    def first(self, names: list[str]) -> Path | None:
        """Return the first of these files that the repository has, None when it has none of them.

        Raises:
            Unreachable: none is in the cache, and the hub does not answer.
        """
        offline: Unreachable | None = None
        for name in names:
            try:
                found = self.file(name)
            except Unreachable as error:
                offline = error
                continue
            if found is not None:
                return found
        if offline is not None:
            raise offline
        return None

    def file(self, name: str) -> Path | None:
        """Return the local path of a file, downloaded where it is not yet; None when the repository has none such.

        Raises:
            Unreachable: the hub does not answer. ModelError: no such repository, or the download failed.
        """
        cached = try_to_load_from_cache(self.name, name, cache_dir=self._cache, revision=self.commit)
        if isinstance(cached, str):
            return self._found(cached, name)
        if cached is not None:
            return None  # the cache remembers that there is no such file
        if self._offline is not None:
            raise self._offline
        try:
            # Asked without retries, so that a machine without a network hears so at once.
            get_hf_file_metadata(hf_hub_url(self.name, name, revision=self.commit, endpoint=self.endpoint), timeout=10)
        except EntryNotFoundError:
            pass  # the download below finds the same, and the cache remembers it
        except Exception as failed:
            raise self._explained(failed, name) from failed
        try:
            path = hf_hub_download(self.name, name, revision=self.commit, endpoint=self.endpoint, cache_dir=self._cache)
        except EntryNotFoundError as missing:
            if isinstance(missing, FileNotFoundError):  # "not in the cache either": the connection broke just now
                raise self._explained(missing, name) from missing
            return None
        except Exception as failed:
            raise self._explained(failed, name) from failed
        return self._found(path, name)

    def listing(self) -> list[str]:
        """Return the names of all files; empty when the hub cannot say."""
        try:
            about = HfApi(endpoint=self.endpoint).model_info(self.name, revision=self.commit, timeout=10)
        except Exception:  # only ever asked to explain a failure better
            return []
        return [file.rfilename for file in about.siblings or []]

    def _found(self, path: str, name: str) -> Path:
        snapshot = Path(path).parents[len(Path(name).parts) - 1]
        if re.fullmatch(r"[0-9a-f]{40}", snapshot.name):
            self.commit = snapshot.name
        return Path(path)

    def check(self, weights: Path) -> None:
        """Compare downloaded weights with the hash that the hub announced, where it announced one.

        Raises:
            ModelError: the bytes are not those that were announced.
        """
        announced = weights.resolve().name  # the cache names its blobs by ETag: sha256 for large files
        if weights.is_symlink() and re.fullmatch(r"[0-9a-f]{64}", announced) and digest([weights]) != announced:
            raise ModelError(
                f"the download of {self.name}, {weights.name}, is damaged: its hash is not the one announced.",
                hint=f"Delete {weights.resolve()} and try again.",
            )

    def _explained(self, failed: Exception, name: str) -> LookalikeError:
        reason = (str(failed).strip() or type(failed).__name__).splitlines()[0][:200]
        status = getattr(getattr(failed, "response", None), "status_code", None)
        if isinstance(failed, GatedRepoError):
            return ModelError(
                f"{self.name} is given only to those who accept its licence.",
                hint=f"Accept it at {self.endpoint}/{self.name} and sign in with `hf auth login`. {WITHOUT_NETWORK}",
            )
        if isinstance(failed, RevisionNotFoundError):
            return BadInput(f"{self} has no revision {self.commit!r}.", hint="Leave @REVISION out for the newest.")
        if isinstance(failed, RepositoryNotFoundError) or status in (401, 403):
            return ModelError(
                f"there is no repository {self}, or it is not open to you{f' (status {status})' if status else ''}.",
                hint="Check the spelling; for a private one sign in with `hf auth login`.",
            )
        if isinstance(failed, HfHubHTTPError) and status:
            return ModelError(f"{self} answered with status {status} when asked for {name}.", hint=WITHOUT_NETWORK)
        if isinstance(failed, OSError) and failed.errno and failed.filename:
            return ModelError(f"the download of {name} from {self} cannot be stored: {failed.strerror}.")
        self._offline = Unreachable(
            f"{name} of {self} could not be fetched: {reason.rstrip('.')}.", hint=WITHOUT_NETWORK
        )
        return self._offline
