"""Blocks, heads and branches: what they are made of, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensorem import files, nn
from tensorem.errors import ArgumentError, LayerError, ShapeError
from tensorem.nn import blocks, heads


def test_blocks_are_sequences_of_layers() -> None:
    conv = nn.Conv2d(1, 8, 3, bias=False)
    expected = {
        "Sequential(Linear(4, 3))": blocks.mlp(4, 3),
        "Sequential(Linear(4, 8), Tanh(), Dropout(p=0.1), Linear(8, 2), Tanh(), Dropout(p=0.1), "
        "Linear(2, 3))": blocks.mlp(4, 3, (8, 2), "tanh", 0.1),
        f"Sequential({conv!r}, GELU(), Dropout(p=0.2))": blocks.conv_act(conv, "gelu", 0.2),
        f"Sequential({conv!r}, BatchNorm2d(8, eps=1e-06), ReLU(), MaxPool2d(3, stride=1))": (
            blocks.conv_norm_act_pool(conv, nn.MaxPool2d(3, stride=1), eps=1e-6)
        ),
    }
    for text, layer in expected.items():
        assert repr(layer) == text


@pytest.mark.parametrize("shape", [(5, 4, 7, 8), (4, 7, 8)])
@pytest.mark.parametrize("make", [blocks.conv3x3, blocks.conv1x1])
def test_convolutions_keep_the_size_or_halve_it(make: Any, shape: tuple[int, ...]) -> None:
    batch = shape[:-3]
    assert make(4, 6).output_shape(shape) == (*batch, 6, 7, 8)
    halved = (blocks.down2(7), blocks.down2(8))
    assert make(4, 6, 2).output_shape(shape) == (*batch, 6, *halved) == (*batch, 6, 4, 4)


def test_a_stage_changes_the_size_once() -> None:
    stage = blocks.resnet_stage(nn.Bottleneck, 8, 4, count=3, stride=2)
    assert stage.output_shape((5, 8, 7, 8)) == (5, 16, 4, 4)
    paths = list(nn.build(stage, ("N", 8, 7, 8)).params)
    assert "0.downsample.0.weight" in paths and "1.conv3.weight" in paths
    assert "1.downsample.0.weight" not in paths


def test_the_pages_blocks_by_option(tmp_path: Any) -> None:
    block = nn.BasicBlock(2, 4, 2, "silu", bias=True, eps=1e-6)
    assert block.bn2.eps == 1e-6 and block.act == nn.SiLU()
    model = nn.build(nn.Seeded(block, {"conv1.weight": 5}), ("N", 2, 4, 4), init=nn.original)
    uniform = nn.init.original_uniform(-0.1, 0.1)
    for path, k in (("conv1", 0), ("conv2", 6), ("downsample.0", 12)):  # reference notes, section 3
        weight = model.params[f"{path}.weight"]
        assert np.array_equal(weight, np.float32(uniform(weight.shape, 5 + k)))
        assert not np.any(model.params[f"{path}.bias"])
    again = files.load(files.save(model, tmp_path))
    assert getattr(again, "layer") == model.layer  # noqa: B009


def test_heads_take_all_features() -> None:
    assert repr(heads.classifier(12, 3)) == "Sequential(Flatten(), Linear(12, 3))"
    assert heads.regressor(12).output_shape((5, 3, 4)) == (5, 1)
    assert heads.regressor(12, 2, start_dim=0).output_shape((3, 4)) == (2,)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ArgumentError, match="down2 takes size as an integer of at least 1, got 0"):
        blocks.down2(0)
    with pytest.raises(ArgumentError, match=r"activation takes name as one of relu, .* got 'elu'"):
        blocks.mlp(3, 2, (4,), "elu")
    with pytest.raises(ArgumentError, match=r"mlp takes hidden as a tuple of integers .* got 8"):
        blocks.mlp(3, 2, 8)  # type: ignore[arg-type]
    with pytest.raises(LayerError, match=r"conv_norm_act takes an nn.Conv2d, got Linear\(3, 2\)"):
        blocks.conv_norm_act(nn.Linear(3, 2))  # type: ignore[arg-type]
    with pytest.raises(LayerError, match=r"Concat takes a tuple of layers, got Linear\(3, 2\)"):
        nn.Concat(nn.Linear(3, 2))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="resnet_stage takes count as an integer of at least 1"):
        blocks.resnet_stage(nn.BasicBlock, 2, 2, 0)
    with pytest.raises(ArgumentError, match="BasicBlock takes activation as one of relu, gelu"):
        nn.BasicBlock(2, 4, activation="elu")
    with pytest.raises(ArgumentError, match="Bottleneck takes stride as an integer of at least 1"):
        nn.Bottleneck(2, 4, 0)
    with pytest.raises(ShapeError, match=r"BasicBlock takes \(N, 2, H, W\)"):
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.BasicBlock(2, 4))
    branches = nn.AddBranches(nn.Linear(4, 3), nn.Linear(4, 2))
    with pytest.raises(ShapeError, match=r"give one shape, got \(5, 3\) and \(5, 2\)"):
        branches.output_shape((5, 4))
    with pytest.raises(ShapeError, match="give one shape"):
        nn.build(branches, ("N", 4))
    with pytest.raises(LayerError, match=r"takes a tuple of layers, got \(\)"):
        nn.Concat(())
    with pytest.raises(
        ShapeError, match=r"F.cat takes operands of equal shapes, got \(3,\) and \(4,\)"
    ):
        nn.build(nn.Concat((nn.Linear(4, 3), nn.Flatten()), 0), ("N", 4))
