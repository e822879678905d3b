"""One thread for numpy's linear algebra while other threads work beside it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

__all__ = ["one_blas_thread"]


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep matrix products to the thread that asks for them, in the whole process, as long as the context lasts.

    OpenBLAS shares even small products among all cores, and each share waits, spinning, for the slowest. Where every
    core is decoding the built-in embedder was measured up to 7 times as slow by it, and no faster where none was.
    Model runtimes have threads of their own and are not touched.
    """
    limit: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limit


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # looks through the loaded libraries, which takes milliseconds: once
