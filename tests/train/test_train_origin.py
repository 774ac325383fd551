"""A run that leaves the finite numbers says which layer did it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from small import fit, mlp, rows

from tensorem import functional as F
from tensorem import nn, optim, train
from tensorem.errors import DataError


class Odds(nn.Layer):
    def forward(self, x: Any) -> Any:
        return F.log(x)


def logs() -> nn.Model:
    return nn.build(nn.Sequential(nn.Linear(4, 3), Odds(), nn.Linear(3, 3)), ("N", 4), seed=1)


def because(**given: Any) -> str:
    with pytest.raises(DataError, match="takes steps with finite values") as caught:
        fit(**given)
    return caught.value.because


def test_a_layer_that_gives_nan_is_named_with_what_went_in() -> None:
    said = because(model=logs())
    assert said.startswith("Odds at 1 gives what is not finite: x from -")
    assert "of 24 not finite)" in said


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("every", [1, None])
def test_the_step_is_reached_again(tmp_path: Path, folder: bool, every: int | None) -> None:
    saving = {"path": tmp_path, "checkpoint_every": every} if folder else {}
    given = {"optimizer": optim.sgd(1e30), "loss": "mse", "metrics": ()}
    data = rows(mlp())
    with pytest.raises(DataError, match="at epoch 1, step 2") as caught:
        train.fit(
            nn.build(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3)), ("N", 4), seed=1),
            (data.x, np.eye(3, dtype=np.float32)[data.y]),
            batch_size=8,
            progress="none",
            **given,
            **saving,
        )
    assert "Linear(8 -> 3) at 1 gives what is not finite: x from -" in caught.value.because
    assert "e+30" in caught.value.because


def test_the_loss_is_named_where_the_output_is_finite() -> None:
    def broken(output: Any, targets: Any) -> Any:
        return jnp.log(-jnp.abs(output) - 1).sum(), output.size

    assert because(model=mlp(), loss=broken).startswith("the output is finite, from -")


def test_what_is_computed_between_layers_is_said() -> None:
    class Around(nn.Layer):
        inner: nn.Linear

        def forward(self, x: Any) -> Any:
            return self.inner(F.log(x - 100))

    said = because(model=nn.build(Around(nn.Linear(4, 3)), ("N", 4), seed=1))
    assert said.startswith("Linear(4 -> 3) at inner is the first layer that takes what is not fin")


def test_layers_within_a_transform_are_not_looked_into() -> None:
    inside = nn.Checkpoint(nn.Sequential(nn.Linear(4, 3), Odds()))
    said = because(model=nn.build(nn.Sequential(inside, nn.Linear(3, 3)), ("N", 4), seed=1))
    assert said.startswith("Linear(3 -> 3) at 1 is the first layer that takes what is not finite")
    said = because(model=nn.build(inside, ("N", 4), seed=1))
    assert said.startswith("every layer alone gives finite numbers")


def test_a_stream_does_not_say_where() -> None:
    data = rows(mlp())
    stream = train.Stream(lambda k: iter([(data.x[:8], data.y[:8])]), 1)
    with pytest.raises(DataError, match="takes steps with finite values") as caught:
        train.fit(logs(), stream, batch_size=8, progress="none")
    assert caught.value.because == ""
