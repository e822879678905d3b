"""``lookalike index --watch`` follows a folder until Ctrl-C."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import lookalike
from pictures import write_pictures


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")
def test_a_followed_folder(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_pictures(photos, 2)
    # The collection lies in the folder that is followed: what is written to it must not count as a change.
    command = [sys.executable, "-m", "lookalike", "index", str(photos), "--watch", "--prune"]
    command += ["--collection", str(photos / "c.collection")]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as child:
        lines: queue.Queue[str] = queue.Queue()
        assert child.stderr is not None
        stream = child.stderr

        def read() -> None:
            for line in stream:
                lines.put(line)

        threading.Thread(target=read, daemon=True).start()

        def wait_for(text: str) -> str:
            while text not in (line := lines.get(timeout=60)):
                pass
            return line

        try:
            wait_for("Following ")
            write_pictures(photos, 1, start=7)
            assert "1 added" in wait_for("Done: 1 added")
            (photos / "picture-0000.png").unlink()
            assert "1 removed" in wait_for("removed")
            child.send_signal(signal.SIGINT)
            wait_for("No longer following.")
            assert child.wait(timeout=30) == 0
        finally:
            child.kill()  # or a failure above would wait for it for ever
    with lookalike.open(photos / "c.collection") as left:
        assert sorted(record.id for record in left) == ["picture-0001.png", "picture-0007.png"]
