"""Poolings that are trained equal their definitions in numpy, and pass a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lookalike.errors import BadInput, UnknownName
from lookalike.train.heads import HEADS, create_pooling

pytestmark = pytest.mark.torch

MAPS = [
    "average",
    "max",
    "gem",
    "gem?p=4.5&each=true",
    "r-mac",
    "r-mac?levels=2&whole=true",
    "netvlad?centres=3",
    "cgd",
]
MAPS += ["cgd?branches=SMG&part=5", "drop-block"]
TOKENS = ["cls", "patch-mean"]


@pytest.mark.parametrize("name", [*MAPS, *TOKENS])
def test_it_equals_its_definition(name: str) -> None:
    import torch

    torch.manual_seed(1)
    tokens = name in TOKENS
    pooling = create_pooling(name, gives="tokens" if tokens else "map", channels=8, skip=1).eval()
    features = torch.rand(3, 10, 8) if tokens else torch.rand(3, 8, 5, 7)
    if not tokens:
        features[0, 0] = 0  # a channel that is silent
    rows = pooling(features)
    assert rows.shape == (3, pooling.dimension)
    np.testing.assert_allclose(rows.detach().numpy(), pooling.definition()(features.numpy()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [*MAPS, *TOKENS])
def test_a_gradient_reaches_features_and_weights(name: str) -> None:
    import torch

    tokens = name in TOKENS
    pooling = create_pooling(name, gives="tokens" if tokens else "map", channels=8, skip=1)
    shape = (2, 10, 8) if tokens else (2, 8, 6, 6)
    features = torch.rand(shape, requires_grad=True)
    (pooling(features) ** 3).sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
    assert features.grad.abs().sum() > 0
    for weights in pooling.parameters():
        if weights.requires_grad:
            assert weights.grad is not None
            assert torch.isfinite(weights.grad).all()


def test_the_drop_block_takes_one_rectangle_from_the_whole_batch() -> None:
    import torch

    torch.manual_seed(0)
    pooling = create_pooling("drop-block?height=0.5&width=0.5", gives="map", channels=1).train()
    # The value says where it is: the maximum tells what was left.
    features = torch.arange(16.0).view(1, 1, 4, 4).repeat(5, 1, 1, 1)
    seen = set()
    for _ in range(60):
        top = pooling(features)[:, 1]
        assert len(set(top.tolist())) == 1  # the same for all images
        seen.add(float(top[0]))
    assert seen == {15.0, 13.0}  # of a 4 x 4 map the lower right quarter is dropped (13 is left of it), or is not
    assert pooling.eval()(features)[0, 1] == 15


def test_every_pooling_of_the_table_is_tested() -> None:
    assert {name.partition("?")[0] for name in [*MAPS, *TOKENS]} == set(HEADS.names())


@pytest.mark.parametrize(
    ("options", "kind"),
    [({"gives": "map", "channels": 4}, "GeMPool"), ({"gives": "tokens", "channels": 4, "skip": 1}, "ClassTokenPool")],
)
def test_auto_fits_what_the_backbone_gives(options: dict[str, Any], kind: str) -> None:
    assert type(create_pooling("auto", **options)).__name__ == kind


def test_auto_of_tokens_without_a_class_token_is_the_patches_mean() -> None:
    assert type(create_pooling("auto", gives="tokens", channels=4, skip=0)).__name__ == "PatchMeanPool"


def test_what_does_not_fit_is_refused_with_what_does() -> None:
    with pytest.raises(BadInput, match="takes map, but the backbone gives tokens") as failed:
        create_pooling("gem", gives="tokens", channels=4)
    assert "cls" in failed.value.hint
    with pytest.raises(UnknownName, match="gemm"):
        create_pooling("gemm", gives="map", channels=4)
    with pytest.raises(BadInput, match="power"):
        create_pooling("gem?power=3", gives="map", channels=4)


def test_bnneck_is_normalisation_without_a_shift_behind_the_projection() -> None:
    import torch

    from lookalike.train.network import _head

    torch.manual_seed(3)
    head = _head("bnneck", 7, 4, fixed=False).train()
    projection, neck = head
    rows = torch.randn(9, 7)
    weights, shift = projection.weight.detach().numpy(), projection.bias.detach().numpy()
    projected = rows.numpy() @ weights.T + shift
    wanted = (projected - projected.mean(axis=0)) / np.sqrt(projected.var(axis=0) + neck.eps)
    np.testing.assert_allclose(head(rows).detach().numpy(), wanted, atol=1e-5)
    assert not neck.bias.requires_grad
    assert neck.weight.requires_grad


def test_the_other_heads_project_by_one_layer_or_by_two() -> None:
    import torch

    from lookalike.train.network import _head

    torch.manual_seed(4)
    rows = torch.randn(5, 7)
    linear, mlp = _head("linear", 7, 4, fixed=False), _head("mlp", 7, 4, fixed=False).eval()
    weights, shift = linear.weight.detach().numpy(), linear.bias.detach().numpy()
    np.testing.assert_allclose(linear(rows).detach().numpy(), rows.numpy() @ weights.T + shift, atol=1e-5)
    first, last = mlp[0], mlp[3]
    hidden = rows.numpy() @ first.weight.detach().numpy().T + first.bias.detach().numpy()
    hidden = np.maximum(hidden / np.sqrt(1 + mlp[1].eps), 0)  # of a normalisation that has seen nothing
    wanted = hidden @ last.weight.detach().numpy().T + last.bias.detach().numpy()
    np.testing.assert_allclose(mlp(rows).detach().numpy(), wanted, atol=1e-5)
    assert torch.equal(_head("linear", 7, 7, fixed=True)(rows), rows)  # dimensions 0: what the pooling gives
