"""Statistics of batches for parameters that no step has seen, such as an average of weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from tensorem import nn, rand
from tensorem.calls import called
from tensorem.layer import rebuilt

from ._checks import checked_inputs
from ._feed import Data, examples, feed, taken

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@called
def update_bn(model: nn.Model, data: Data, batch_size: int = 256, seed: int = 0) -> nn.Model:
    """The model with running statistics that are the plain mean over the batches of data.

    Args:
        model: Its parameters stay as they are; it is run as in training.
        data: A `Dataset`, or a pair (x, y), of which x is used.
        batch_size: Examples in a batch.
        seed: Where the order and the draws of dropout come from.

    Raises:
        ShapeError: The inputs are not what the model takes.
        DataError: A value is not finite, or there is no example.

    Example:
        >>> from tensorem import data, nn
        >>> model = nn.build(nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3)), input=("N", 4))
        >>> x = data.iris().train.x
        >>> after = update_bn(model, (x, x), batch_size=len(x))
        >>> bool(jnp.allclose(after.buffers["0.running_mean"], x.mean(axis=0), rtol=1e-5))
        True

    Source:
        torch.optim.swa_utils.update_bn.
    """
    found = examples(data)
    with model.precision():
        inputs = checked_inputs(model, found.inputs)
        batches = feed((inputs, found.targets), batch_size, seed)
        buffers = {name: _restarted(name, array) for name, array in model.buffers.items()}
        run, key = _statistics(model), rand.jax_key(seed)
        for number, rows in enumerate(row for block in batches.blocks(0) for row in block):
            xs = taken(batches.inputs, rows)
            buffers = run(dict(model.params), buffers, jax.random.fold_in(key, number), xs)
    return model.replace(buffers=buffers)


def _restarted(name: str, array: jax.Array) -> jax.Array:
    """The first batch after a count of 0 is all that a plain mean knows."""
    return jnp.zeros_like(array) if name.split(".")[-1] == "num_batches_tracked" else array


def _statistics(model: nn.Model) -> Any:
    """(params, buffers, key, inputs) -> the buffers after a batch, with plain means."""

    def plain(path: str, part: Any) -> Any:
        return replace(part, momentum=None) if isinstance(part, NORMS) else part

    layer: Any = rebuilt(model.layer, plain)

    def run(params: Any, buffers: Any, key: Any, xs: Any) -> Any:
        return layer.call((params, buffers), *xs, ctx=nn.Context(training=True, key=key))[1]

    return jax.jit(run)
