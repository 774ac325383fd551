"""Adapters of a model: added by pattern, switched, scaled, removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from tensorem import nn
from tensorem.calls import named, number
from tensorem.errors import ArgumentError, PathError
from tensorem.layer import declarations, join, near, rebuilt, walk

from ._adapted import Adapted, places, targets
from ._kinds import Delta, Kind, Prefix

Chosen = dict[str, dict[str, nn.Layer]]
"""Path of a layer -> name of a weight -> the adapter that it gets."""


def add(
    model: nn.Model,
    patterns: str | tuple[str, ...],
    kind: Kind,
    name: str = "default",
    seed: int = 0,
) -> nn.Model:
    """The model with an adapter, which alone is trained; it computes what it did before.

    Only a `Prefix` counts from the start. The other parameters are frozen, but for adapters that
    were there. An adapter that is added is on, beside those that are on.

    Args:
        patterns: Which weights get one, with * and ? as in `model.freeze`: paths of layers
            ("*.self_attn") or of weights in them ("*.q_proj_weight"). Linear, Conv, ConvTranspose,
            Embedding and their kin have one, attention has projections of queries, keys, values and
            of what comes out.
        kind: What is added to a weight, such as `LoRA(8, 16.0)`.
        name: The adapter's.
        seed: Where its initial values come from.

    Raises:
        PathError: A pattern matches no weight; those nearby are listed.
        ArgumentError: The name is no word or was given before, or kind is no kind of adapter.

    Example:
        >>> from tensorem.adapters import LoRA
        >>> layer = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> model = add(nn.build(layer, input=("N", 4)), "0", LoRA(2, 4.0))
        >>> [name for name in model.params if name not in model.frozen]
        ['0.adapters.default.weight.A', '0.adapters.default.weight.B']
    """
    if not isinstance(kind, Delta | Prefix):
        raise ArgumentError(f"add takes a kind such as LoRA(8, 16.0), got {kind!r}.")
    shapes = {
        join(path, weight): (path, weight, target.shape)
        for path, part in _candidates(model.layer)
        for weight, target in places(part, kind).items()
    }
    chosen: Chosen = {}
    for found in _matched(patterns, list(shapes)):
        path, weight, shape = shapes[found]
        chosen.setdefault(path, {})[weight] = replace(kind, shape=shape)
    return with_adapter(model, chosen, name, seed)


def with_adapter(model: nn.Model, chosen: Chosen, name: str, seed: int = 0) -> nn.Model:
    """The model with these parts of an adapter."""
    if not isinstance(name, str) or not re.fullmatch(r"\w+", name) or name in _names(model):
        raise ArgumentError(
            f"An adapter takes a name of letters and digits that no other has, got {name!r}."
        )

    def put(path: str, part: nn.Layer) -> nn.Layer:
        if path not in chosen or not (isinstance(part, Adapted) or targets(part)):
            return part
        old = part if isinstance(part, Adapted) else Adapted(part, {}, {})
        adapters = {**old.adapters, name: chosen[path]}
        return Adapted(old.layer, adapters, {**old.factors, name: 1.0})

    whole = _rebuilt(model, put, seed)
    ours = {p for n in _names(whole) for p in parameters(whole, n)}
    return replace(whole, frozen=model.frozen | (whole.params.keys() - ours))


def factors(model: nn.Model) -> dict[str, float]:
    """The adapters of a model by name, each with its factor: 1 as it was added, 0 where it is off.

    Example:
        >>> from tensorem.adapters import LoRA
        >>> model = add(nn.build(nn.Linear(4, 8), input=("N", 4)), "*", LoRA(2, 4.0), "fr")
        >>> factors(model)
        {'fr': 1.0}
    """
    found = (layer for _, layer in adapted(model.layer))
    return {n: layer.factors.get(n, 0.0) for layer in found for n in layer.adapters}


def use(model: nn.Model, wanted: Mapping[str, float]) -> nn.Model:
    """The model with these adapters on, each by a factor, and all others off.

    What is on is trained, what is off is frozen. Without any, the model computes what it did before
    it got adapters.

    Raises:
        ArgumentError: There is no adapter of a name, or a factor is no number.

    Example:
        >>> from tensorem.adapters import LoRA
        >>> model = add(nn.build(nn.Linear(4, 8), input=("N", 4)), "*", LoRA(2, 4.0), "fr")
        >>> factors(use(add(model, "*", LoRA(1, 1.0), "de"), {"fr": 0.5}))
        {'fr': 0.5, 'de': 0.0}
    """
    names = _names(model)
    if not isinstance(wanted, Mapping) or not wanted.keys() <= set(names):
        raise ArgumentError(
            f"use takes a dict from names of adapters to factors, got {wanted!r}.",
            help=f"the model has {', '.join(names) or 'none'}.",
        )
    with named("use"):
        wanted = {name: number(name, factor) for name, factor in wanted.items()}

    def switched(path: str, part: nn.Layer) -> nn.Layer:
        if not isinstance(part, Adapted):
            return part
        return replace(part, factors={n: wanted[n] for n in part.adapters if n in wanted})

    whole = _rebuilt(model, switched)
    on, off = ({p for n in group for p in parameters(whole, n)} for group in _apart(names, wanted))
    return replace(whole, frozen=(whole.frozen - on) | off)


def _apart(names: list[str], wanted: Mapping[str, float]) -> tuple[list[str], list[str]]:
    return [n for n in names if n in wanted], [n for n in names if n not in wanted]


def remove(model: nn.Model, name: str) -> nn.Model:
    """The model without an adapter; what is frozen stays so.

    Raises:
        ArgumentError: There is none of this name.

    Example:
        >>> from tensorem.adapters import LoRA
        >>> model = nn.build(nn.Linear(4, 8), input=("N", 4))
        >>> remove(add(model, "*", LoRA(2, 4.0)), "default").layer == model.layer
        True
    """
    require(model, name, "remove")

    def without(path: str, part: nn.Layer) -> nn.Layer:
        if not isinstance(part, Adapted):
            return part
        left = {n: deltas for n, deltas in part.adapters.items() if n != name}
        on = {n: factor for n, factor in part.factors.items() if n != name}
        return Adapted(part.layer, left, on) if left else part.layer

    return _rebuilt(model, without)


def require(model: nn.Model, name: str, who: str) -> None:
    """Raise unless the model has an adapter of this name."""
    if name not in _names(model):
        raise ArgumentError(
            f"{who} takes the name of an adapter, got {name!r}.",
            help=f"the model has {', '.join(_names(model)) or 'none'}.",
        )


def adapted(layer: nn.Layer) -> Iterator[tuple[str, Adapted]]:
    """The layers that have adapters, each with its path; a shared one once."""
    found = {id(part): (path, part) for path, part in reversed(list(walk(layer)))}
    for path, part in reversed(list(found.values())):
        if isinstance(part, Adapted):
            yield path, part


def parameters(model: nn.Model, name: str) -> dict[str, str]:
    """The parameters of an adapter: path in the model -> path without the adapter's name."""
    return {
        join(path, f"adapters.{name}.{weight}.{n}"): join(path, f"{weight}.{n}")
        for path, layer in adapted(model.layer)
        for weight, delta in layer.adapters.get(name, {}).items()
        for n in delta.parameters()
    }


def _names(model: nn.Model) -> list[str]:
    return list(dict.fromkeys(n for _, layer in adapted(model.layer) for n in layer.adapters))


def _candidates(layer: nn.Layer) -> Iterator[tuple[str, nn.Layer]]:
    """The layers whose weights are parameters of the model: none is computed, or shared before."""
    declared = declarations(layer)
    for path, part in walk(layer):
        arrays = {join(path, target.array) for target in targets(part).values()}
        if arrays and arrays <= declared.keys():
            assert isinstance(part, nn.Layer)
            yield path, part


def _matched(patterns: str | tuple[str, ...], names: list[str]) -> list[str]:
    """The weights that a pattern matches, by their own paths or by those of their layers."""
    patterns = (patterns,) if isinstance(patterns, str) else patterns
    for pattern in patterns:
        if not any(_fits(name, pattern) for name in names):
            raise PathError(
                f"add takes patterns of layers or weights, got {pattern!r}, which matches none.",
                help=near(pattern, names),
            )
    return [name for name in names if any(_fits(name, pattern) for pattern in patterns)]


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _rebuilt(model: nn.Model, new: Callable[[str, nn.Layer], nn.Layer], seed: int = 0) -> nn.Model:
    layer = rebuilt(model.layer, new)  # type: ignore[arg-type]
    assert isinstance(layer, nn.Layer)
    return model.with_layer(layer, seed)
