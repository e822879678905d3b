"""Build a ViT-B/32 CLIP with random weights by open_clip, and its image tower as ONNX. Runs in the peers' environment.

Usage: make_clip.py FOLDER. Writes ``clip.pt`` (a state dict, which clip-retrieval loads) and ``visual.onnx`` (which
rclip and lookalike run). The architecture is the one that rclip ships: patches of 32 pixels at 256.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import torch_libraries

ARCHITECTURE, SIDE = "ViT-B-32-256", 256


def main() -> None:
    torch_libraries.declare_operators()
    import open_clip
    import torch

    folder = Path(sys.argv[1])
    torch.manual_seed(0)
    model, _, _ = open_clip.create_model_and_transforms(ARCHITECTURE, pretrained=None)
    model.eval()
    torch.save(model.state_dict(), folder / "clip.pt")
    torch.backends.mha.set_fastpath_enabled(False)  # the fused operator has no counterpart in ONNX
    torch.onnx.export(
        model.visual,
        (torch.zeros(2, 3, SIDE, SIDE),),
        str(folder / "visual.onnx"),
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


if __name__ == "__main__":
    main()
