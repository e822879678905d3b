"""Memory of a long-running server."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")

# Each thread holds memory while the others ask for theirs; glibc then tells how many pools ("heaps") it made.
_THREADS = """
import ctypes, sys, tempfile, threading
from lookalike.serve.memory import give_back_memory, share_memory
if not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
    sys.exit("no glibc")
{first}
all_there = threading.Barrier(8)
def work():
    held = [bytes(5000) for _ in range(100)]
    all_there.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
give_back_memory()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().decode())
"""


def heaps(first: str, **variables: str) -> int:
    environment = {key: value for key, value in os.environ.items() if key != "MALLOC_ARENA_MAX"} | variables
    code = _THREADS.format(first=first)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment)
    if "no glibc" in done.stderr:
        pytest.skip("no glibc")
    assert done.returncode == 0, done.stderr
    return len(re.findall(r"<heap nr=", done.stdout))


def test_threads_share_their_memory() -> None:
    assert heaps("") > 2  # else the next line shows nothing
    assert heaps("share_memory()") <= 2


def test_what_the_operator_says_of_it_stays() -> None:
    assert heaps("share_memory()", MALLOC_ARENA_MAX="4") == 4
