"""Adapters that become part of the weights, and weights that are again what they were."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from tensorem import nn, runtime
from tensorem.errors import ArgumentError
from tensorem.layer import join, rebuilt

from ._adapted import Adapted, changed
from ._models import adapted

Array = jax.Array


def merge(model: nn.Model) -> nn.Model:
    """The model without adapters whose weights have in them what those that are on add.

    A weight is computed in float64 and rounded once, to its dtype. Over the rationals merged and
    adapted are equal. At run time a weight of an adapted model is computed in its own dtype, of
    unit roundoff u; for LoRA of rank r with s = |factor · alpha / rank| the two differ by at most
    g (|W| + s |B| |A|) entry by entry, g = (r + 4) u / (1 - (r + 4) u), before the layer itself is
    computed.

    Raises:
        ArgumentError: The model has no adapters.

    Example:
        >>> from tensorem import adapters
        >>> plain = nn.build(nn.Linear(4, 8), input=("N", 4))
        >>> merged = merge(adapters.add(plain, "*", adapters.LoRA(2, 4.0)))
        >>> merged.layer, bool((merged.params["weight"] == plain.params["weight"]).all())
        (Linear(4, 8), True)
    """
    _require_adapted(model, "merge")
    layer = rebuilt(model.layer, lambda _, part: part.layer if isinstance(part, Adapted) else part)
    assert isinstance(layer, nn.Layer)
    return model.with_layer(layer).replace(params=_merged(model))


def unmerge(merged: nn.Model, model: nn.Model) -> nn.Model:
    """The adapted model again: the old bits of what was merged, all else of the merged model.

    Args:
        merged: What `merge(model)` gave, of which other parameters may have been trained since.
        model: The adapted model.

    Raises:
        ArgumentError: model has no adapters, or a weight of merged is not what merge gives.

    Example:
        >>> from tensorem import adapters
        >>> plain = nn.build(nn.Linear(4, 8), input=("N", 4))
        >>> adapted = adapters.add(plain, "*", adapters.LoRA(2, 4.0))
        >>> again = unmerge(merge(adapted), adapted)
        >>> bool((again.params["weight"] == plain.params["weight"]).all())
        True
    """
    _require_adapted(model, "unmerge")
    names = {join(p, array) for p, a in adapted(model.layer) for array in a.arrays()}
    expected = _merged(model)
    for name in sorted(names):
        if not _alike(merged.params.get(name), expected[name]):
            raise ArgumentError(
                f"unmerge takes what merge gave, got another {name}.",
                because="what was merged is lost where the sum was changed since.",
            )
    kept = {n: a for n, a in merged.params.items() if n in model.params and n not in names}
    return model.replace(params={**model.params, **kept}, buffers=dict(merged.buffers))


def _alike(one: Array | None, other: Array) -> bool:
    return one is not None and one.shape == other.shape and bool((one == other).all())


def _merged(model: nn.Model) -> dict[str, Array]:
    """The parameters of the model without adapters."""
    params = dict(model.params)
    for path, layer in adapted(model.layer):
        params |= _weights(model, path, layer)
    kept = model.params.keys() - {n for p, a in adapted(model.layer) for n in _inner(p, a)}
    return {name: array for name, array in params.items() if name in kept}


def _inner(path: str, layer: Adapted) -> list[str]:
    """The paths of the parameters of all adapters of a layer."""
    return [
        join(path, f"adapters.{name}.{weight}.{n}")
        for name, deltas in layer.adapters.items()
        for weight, delta in deltas.items()
        for n in delta.parameters()
    ]


def _weights(model: nn.Model, path: str, layer: Adapted) -> dict[str, Array]:
    """The weights of an adapted layer with everything that is added, in float64, rounded once."""

    def of(adapter: str, name: str) -> Callable[[Array], Array]:
        delta = layer.adapters[adapter][name]
        start = join(path, f"adapters.{adapter}.{name}")
        arrays = {n: _wide(model.params[f"{start}.{n}"]) for n in delta.parameters()}
        return lambda weight: delta.call((arrays, {}), weight)[0]

    found = {}
    for array in layer.arrays():
        own = model.params[join(path, array)]
        with runtime.precision(["float64"]):
            new = changed(_wide(own), layer.changes(array, of)).astype(own.dtype)
        found[join(path, array)] = new
    return found


def _wide(array: Array) -> Array:
    return jnp.asarray(array, jnp.float64)


def _require_adapted(model: nn.Model, who: str) -> None:
    if next(adapted(model.layer), None) is None:
        raise ArgumentError(f"{who} takes a model with adapters, got {model!r}.")
