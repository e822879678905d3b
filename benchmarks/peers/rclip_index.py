"""Run rclip's indexing on a folder, again for each line of standard input. Runs in its environment.

Usage: rclip_index.py IMAGES DATA BATCH, where DATA is rclip's data folder with the model in it. Each line names a new
database; the answer is the seconds that `RClip.ensure_index` took, which the command calls. The model object stays
loaded between the lines. Nothing of rclip is changed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time


def main() -> None:
    images, data, batch = sys.argv[1:]
    os.environ["RCLIP_DATADIR"] = data
    from rclip import db, model
    from rclip.main import RClip

    loaded = model.Model()
    for line in sys.stdin:
        begin = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr):
            database = db.DB(line.strip())
            rclip = RClip(loaded, database, int(batch), None)
            rclip.ensure_index(images)
            rclip.close()
            database.close()
        print(time.perf_counter() - begin, flush=True)


if __name__ == "__main__":
    main()
