"""What one writes in an afternoon: an image search of FastAPI, FAISS, Pillow and ONNX Runtime in 40 lines.

Usage: plain_app.py FOLDER MODEL PORT, with `vectors.npy` in the folder and open_clip's preprocessing written out.
"""

import io
import sys
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image
from pydantic import BaseModel

folder, model, port = sys.argv[1:]
session = onnxruntime.InferenceSession(model)
vectors = np.load(Path(folder) / "vectors.npy")
index = faiss.IndexFlatIP(vectors.shape[1])
index.add(vectors)
app = FastAPI()
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


class Query(BaseModel):
    id: int | None = None
    vector: list[float] | None = None
    k: int = 20


def best(vector: Any, k: int) -> list[dict[str, Any]]:
    scores, rows = index.search(np.asarray(vector, np.float32).reshape(1, -1), k)
    return [
        {"id": int(r), "url": f"https://pictures.example/{r}.jpg", "score": float(s)}
        for r, s in zip(rows[0], scores[0], strict=True)
    ]


@app.post("/search")
def search(query: Query) -> list[dict[str, Any]]:
    return best(vectors[query.id] if query.id is not None else query.vector, query.k)


@app.post("/image")
def by_image(image: UploadFile) -> list[dict[str, Any]]:
    with Image.open(io.BytesIO(image.file.read())) as opened:
        picture = opened.convert("RGB")
    scale = 256 / min(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)
    left, top = (picture.width - 256) // 2, (picture.height - 256) // 2
    pixels = np.asarray(picture.crop((left, top, left + 256, top + 256)), np.float32) / 255
    (found,) = session.run(None, {"input": ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)[None]})
    return best(found[0] / np.linalg.norm(found[0]), 20)


uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")
