"""Every error that a user can meet. Each says what was wrong, where, and what to do.

::

    LookalikeError
    ├── BadInput (ValueError)            the caller's mistake
    │   ├── BadShape                     an array of the wrong shape, type or range
    │   ├── BadQuery                     a search that cannot be understood
    │   ├── NoSuchFile (FileNotFoundError)
    │   └── UnknownName (LookupError)    a name that no table has
    ├── MissingExtra (ImportError)       an optional part that is not installed
    ├── ImageError                       one picture that cannot be used; never stops a batch
    │   ├── BrokenImage                  bytes that no decoder takes
    │   ├── ImageTooLarge                over the limit of megapixels or bytes
    │   └── FetchFailed (OSError)        a file or URL that could not be read
    ├── ModelError                       weights or a model file that cannot be used
    ├── CollectionError
    │   ├── NoCollection                 no collection there
    │   ├── CollectionBusy               another process is writing
    │   ├── OtherEmbedder                the collection was made with another embedder
    │   ├── NewerFormat                  the collection was made by a newer version
    │   └── StorageFailed (OSError)      full disk, read-only folder, damaged file
    └── ServiceError                     what a server refuses, or cannot do now
        ├── NotFound (LookupError)       no such collection, record or job on the server
        ├── NotAllowed (PermissionError) no key, a wrong one, or one that may not do this
        ├── OverLimit (ValueError)       a request larger than the server takes
        ├── TooManyRequests              a key's rate is used up for the moment
        ├── Overloaded                   the server has as much to do as it can queue
        ├── TimedOut (TimeoutError)      the time limit of a request has passed
        ├── Unreachable (ConnectionError) no answer from a server
        └── ServerFailed                 a server that failed, or that is no lookalike server
"""

from __future__ import annotations

__all__ = [
    "BadInput",
    "BadQuery",
    "BadShape",
    "BrokenImage",
    "CollectionBusy",
    "CollectionError",
    "FetchFailed",
    "ImageError",
    "ImageTooLarge",
    "LookalikeError",
    "MissingExtra",
    "ModelError",
    "NewerFormat",
    "NoCollection",
    "NoSuchFile",
    "NotAllowed",
    "NotFound",
    "OtherEmbedder",
    "OverLimit",
    "Overloaded",
    "ServerFailed",
    "ServiceError",
    "StorageFailed",
    "TimedOut",
    "TooManyRequests",
    "UnknownName",
    "Unreachable",
]


class LookalikeError(Exception):
    """The base of all errors of lookalike.

    Args:
        message: one sentence: what was wrong, and where.
        hint: one sentence: what to do about it; empty when nothing can be said.
    """

    code = "error"  # stable and machine-readable; part of the JSON contract
    exit_code = 2  # 2: the caller can mend it; 3: our own failure

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class BadInput(LookalikeError, ValueError):
    """An argument that cannot be used."""

    code = "bad_input"


class BadShape(BadInput):
    """An array of the wrong shape, type or range."""

    code = "bad_shape"


class BadQuery(BadInput):
    """A search that cannot be understood."""

    code = "bad_query"


class NoSuchFile(BadInput, FileNotFoundError):
    """A path that does not exist."""

    code = "no_such_file"


class UnknownName(BadInput, LookupError):
    """A name that no table has."""

    code = "unknown_name"


class MissingExtra(LookalikeError, ImportError):
    """An optional part that is not installed."""

    code = "missing_extra"


class ImageError(LookalikeError):
    """One picture that cannot be used; never stops a batch."""

    code = "image_error"


class BrokenImage(ImageError, ValueError):
    """Bytes that no decoder takes."""

    code = "broken_image"


class ImageTooLarge(ImageError, ValueError):
    """A picture over the limit of megapixels or bytes."""

    code = "image_too_large"


class FetchFailed(ImageError, OSError):
    """A file or URL that could not be read."""

    code = "fetch_failed"


class ModelError(LookalikeError):
    """Weights or a model file that cannot be used."""

    code = "model_error"


class CollectionError(LookalikeError):
    """The base of errors about a collection."""

    code = "collection_error"


class NoCollection(CollectionError):
    """There is no collection at the place named."""

    code = "no_collection"


class CollectionBusy(CollectionError):
    """Another process is writing to the collection."""

    code = "collection_busy"


class OtherEmbedder(CollectionError):
    """The collection was made with another embedder."""

    code = "other_embedder"


class NewerFormat(CollectionError):
    """The collection was made by a newer version of lookalike."""

    code = "newer_format"


class StorageFailed(CollectionError, OSError):
    """A full disk, a read-only folder or a damaged file."""

    code = "storage_failed"
    exit_code = 3


class ServiceError(LookalikeError):
    """What a server refuses, or cannot do now.

    Args:
        message: one sentence: what was wrong.
        hint: one sentence: what to do about it.
        retry_after_s: seconds after which the same request may succeed; None: it will not by waiting.
    """

    code = "service_error"

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class NotFound(ServiceError, LookupError):
    """No such collection, record or job on the server."""

    code = "not_found"


class NotAllowed(ServiceError, PermissionError):
    """No key, a wrong one, or one that may not do this."""

    code = "not_allowed"


class OverLimit(ServiceError, ValueError):
    """A request larger than the server takes."""

    code = "over_limit"


class TooManyRequests(ServiceError):
    """The rate of a key is used up for the moment."""

    code = "too_many_requests"


class Overloaded(ServiceError):
    """The server has as much to do as it can queue."""

    code = "overloaded"


class TimedOut(ServiceError, TimeoutError):
    """The time limit of a request has passed."""

    code = "timed_out"


class Unreachable(ServiceError, ConnectionError):
    """No answer from a server: nothing listens there, or the connection broke."""

    code = "unreachable"


class ServerFailed(ServiceError):
    """A server that failed, or one that is no lookalike server."""

    code = "server_failed"
    exit_code = 3
