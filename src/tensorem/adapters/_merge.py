"""Adapters that become part of the weights, and weights that are again what they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem import nn, runtime
from tensorem.errors import ArgumentError
from tensorem.layer import join, rebuilt

from ._adapted import PREFIX, Adapted, changed, targets
from ._kinds import LoRA
from ._models import adapted

Array = jax.Array


def merge(model: nn.Model) -> nn.Model:
    """The model without adapters whose weights have in them what those that are on add.

    A weight is computed in float64 and rounded once, to its dtype. Over the rationals merged and
    adapted are equal. At run time a weight of an adapted model is computed in its own dtype, of
    unit roundoff u; for LoRA of rank r with s = |factor · alpha / rank| the two differ by at most
    g (|W| + s |B| |A|) entry by entry, g = (r + 4) u / (1 - (r + 4) u), before the layer itself is
    computed.

    `difference` measures it, and says the bound.

    Raises:
        ArgumentError: The model has no adapters, or a prefix that is on.

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
    with runtime.precision(["float64"]):
        return {
            name: new.astype(model.params[name].dtype)
            for name, new in _sums(model, path, layer, _wide).items()
        }


def _sums(
    model: nn.Model, path: str, layer: Adapted, read: Callable[[Array], Array]
) -> dict[str, Array]:
    """The weights with everything that is added, computed of arrays as they are read."""

    def of(adapter: str, name: str) -> Callable[[Array], Array]:
        delta = layer.adapters[adapter][name]
        start = join(path, f"adapters.{adapter}.{name}")
        arrays = {n: read(model.params[f"{start}.{n}"]) for n in delta.parameters()}
        return lambda weight: delta.call((arrays, {}), weight)[0]

    return {
        join(path, array): changed(read(model.params[join(path, array)]), layer.changes(array, of))
        for array in layer.arrays()
    }


@dataclass(frozen=True)
class Difference:
    """What merging rounds: of each weight, how far merged and adapted are apart.

    Args:
        rows: Name of a weight -> (its dtype, the greatest difference found, its bound); the bound
            is None where an adapter is no LoRA.
    """

    rows: Mapping[str, tuple[str, float, float | None]]

    def __str__(self) -> str:
        head = ("weight", "dtype", "difference", "bound")
        lines = [head, *((name, *map(_shown, row)) for name, row in self.rows.items())]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _shown(value: str | float | None) -> str:
    return value if isinstance(value, str) else "not stated" if value is None else f"{value:.1e}"


def difference(model: nn.Model) -> Difference:
    """How far the weights that `merge` gives are from those of the adapted model as it runs.

    The bound is that of `merge`, its greatest entry, for LoRA of any number and factors: with k
    adapters on and the greatest rank r it counts r + k + 3 roundings of the weight's own dtype, and
    one more where a factor is not 1.

    Raises:
        ArgumentError: The model has no adapters, or one that is not merged.

    Example:
        >>> from tensorem import adapters
        >>> plain = nn.build(nn.Linear(4, 8), input=("N", 4))
        >>> print(difference(adapters.add(plain, "*", adapters.LoRA(2, 4.0))))
        weight  dtype    difference  bound
        weight  float32  0.0e+00     1.8e-07
    """
    merged, rows = merge(model).params, {}
    for path, layer in adapted(model.layer):
        run = jax.jit(lambda path=path, layer=layer: _sums(model, path, layer, jnp.asarray))()
        for name, now in run.items():
            apart = np.abs(_float64(now) - _float64(merged[name])).max()
            rows[name] = (now.dtype.name, float(apart), _bound(model, path, layer, name))
    return Difference(rows)


def _bound(model: nn.Model, path: str, layer: Adapted, name: str) -> float | None:
    """The greatest entry of g (|W| + Σ |factor · alpha / rank| |B| |A|); None without a rule."""
    weight = model.params[name]
    size, roundings = np.abs(_float64(weight)), 3
    ranks = [0]
    for place, target in targets(layer.layer).items():
        on = [a for a in layer.factors if place in layer.adapters[a]]
        for adapter in on if join(path, target.array) == name else ():
            delta, factor = layer.adapters[adapter][place], layer.factors[adapter]
            if type(delta) is not LoRA:
                return None
            start = join(path, f"adapters.{adapter}.{place}")
            a, b = (np.abs(_float64(model.params[f"{start}.{n}"])) for n in "AB")
            rows = slice(target.start, target.start + target.shape[0])
            size[rows] += abs(factor * delta.alpha / delta.rank) * (b @ a).reshape(target.shape)
            ranks.append(delta.rank)
            roundings += 1 + 2 * (factor != 1)
    error = (max(ranks) + roundings) * _unit(weight)
    return float(error / (1 - error) * size.max())


def _unit(array: Array) -> float:
    """The unit roundoff of a dtype."""
    return float(jnp.finfo(array.dtype).eps) / 2  # type: ignore[no-untyped-call]


def _float64(array: Array) -> NDArray[np.float64]:
    return np.asarray(array).astype(np.float64)


def _wide(array: Array) -> Array:
    return jnp.asarray(array, jnp.float64)


def _require_adapted(model: nn.Model, who: str) -> None:
    layers = [layer for _, layer in adapted(model.layer)]
    if not layers:
        raise ArgumentError(f"{who} takes a model with adapters, got {model!r}.")
    deltas = (d for layer in layers for name in layer.factors for d in layer.adapters[name])
    if PREFIX in deltas:
        raise ArgumentError(
            f"{who} takes adapters of weights, got a prefix.",
            because="what stands in front of keys is no part of a weight.",
        )
