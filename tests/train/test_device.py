"""The precision that ``auto`` takes is the one that the processor says it computes in."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.torch

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPUINFO.is_file(), reason="the processor is asked by /proc/cpuinfo, which is Linux's")
def test_auto_is_bfloat16_where_the_processor_has_units_for_it() -> None:
    import torch

    from lookalike.train.device import autocast

    flags = next((line for line in CPUINFO.read_text().splitlines() if line.startswith("flags")), "").split()
    context, scaler = autocast("cpu", "auto")
    assert scaler is None
    layer = torch.nn.Linear(4, 4)
    with context:
        made = layer(torch.ones(2, 4))
    quick = not {"avx512_bf16", "amx_tile"}.isdisjoint(flags)
    assert made.dtype == (torch.bfloat16 if quick else torch.float32)


def test_float32_is_float32_everywhere() -> None:
    import torch

    from lookalike.train.device import autocast

    with autocast("cpu", "float32")[0]:
        assert torch.nn.Linear(4, 4)(torch.ones(2, 4)).dtype == torch.float32
