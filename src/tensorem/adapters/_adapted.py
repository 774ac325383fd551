"""A layer with adapters: which of its weights can have one, and how they are added up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax

from tensorem import functional as F
from tensorem import nn
from tensorem.layer import Around

from ._kinds import Prefix

Array = jax.Array
Change = Callable[[Array], Array]
"""A weight -> what is added to it."""

_KINDS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Embedding,
    nn.OneHotEmbedding,
    nn.EmbeddingBag,
)


PREFIX = "prefix"
"""The name of what stands in front of the keys and values of an attention."""


@dataclass(frozen=True)
class Target:
    """Rows of a parameter that an adapter changes: all of them, or those of one projection."""

    array: str
    start: int
    shape: tuple[int, ...]


def targets(layer: Any) -> dict[str, Target]:
    """What of a layer itself an adapter can change, by name; nothing of layers of other kinds.

    Example:
        >>> list(targets(nn.MultiheadAttention(8, 2)))
        ['q_proj_weight', 'k_proj_weight', 'v_proj_weight', 'out_proj.weight']
    """
    if not isinstance(layer, (*_KINDS, nn.MultiheadAttention)):
        return {}
    shapes = {n: d.shape for n, d in layer.parameters().items() if d is not None}
    whole = {n: Target(n, 0, shape) for n, shape in shapes.items() if n.endswith("weight")}
    packed = whole.pop("in_proj_weight", None)
    return {**({} if packed is None else _projections(packed, layer)), **whole}


def places(layer: Any, kind: Any) -> dict[str, Target]:
    """What of a layer itself an adapter of a kind can change: weights, or what is in front of keys.

    Example:
        >>> from tensorem.adapters import Prefix
        >>> places(nn.MultiheadAttention(8, 2, num_kv_heads=1), Prefix(3))
        {'prefix': Target(array='prefix', start=0, shape=(4,))}
    """
    if not isinstance(kind, Prefix):
        return targets(layer)
    found = targets(layer).get("k_proj_weight")
    return {} if found is None else {PREFIX: Target(PREFIX, 0, found.shape[:1])}


def _projections(packed: Target, layer: Any) -> dict[str, Target]:
    """The three parts of a weight that projects queries, keys and values at once."""
    rows, columns = packed.shape
    queries = layer.num_heads * (layer.head_dim or layer.embed_dim // layer.num_heads)
    few = (rows - queries) // 2
    starts = {"q": (0, queries), "k": (queries, few), "v": (queries + few, few)}
    return {
        f"{name}_proj_weight": Target(packed.array, start, (size, columns))
        for name, (start, size) in starts.items()
    }


class Adapted(Around):
    """A layer with adapters; its weights are W + Σ factor · delta(W). Made by `adapters.add`.

    Shapes:
        those of the layer

    Args:
        layer: The layer; its arrays keep their paths.
        adapters: Name of the adapter -> name of a weight -> what is added to it.
        factors: Name of an adapter -> its factor; those without one are off.
    """

    adapters: Mapping[str, Mapping[str, nn.Layer]]
    factors: Mapping[str, float]

    def init_cache(self, *args: Any, **kwargs: Any) -> Any:
        """The cache of an attention."""
        return self.layer.init_cache(*args, **kwargs)

    def forward(self, *xs: Any, **kw: Any) -> Any:
        told = self._frame("forward is called by a model.").layer  # here fields are arrays
        assert isinstance(told, Adapted)
        for array in told.arrays():
            if changes := told.changes(array, lambda adapter, name: self.adapters[adapter][name]):
                nn.adjust(self.layer, array, partial(changed, changes=changes))
        if given := [(a, f) for a, f in told.factors.items() if PREFIX in told.adapters[a]]:
            kw["prefix"] = _joined([(self.adapters[a][PREFIX](), f) for a, f in given])
        return self.layer(*xs, **kw)

    def arrays(self) -> list[str]:
        """The parameters of the layer that adapters can change."""
        return list(dict.fromkeys(target.array for target in targets(self.layer).values()))

    def changes(
        self, array: str, of: Callable[[str, str], Change]
    ) -> list[tuple[Target, float, Change]]:
        """What changes a parameter: the rows, a factor, what is added.

        Args:
            of: (adapter, name of the weight) -> what is added to it.
        """
        return [
            (target, factor, of(adapter, name))
            for name, target in targets(self.layer).items()
            for adapter, factor in self.factors.items()
            if target.array == array and name in self.adapters[adapter]
        ]

    def label(self) -> str:
        return f"Adapted {self.layer.label()}"


def _joined(prefixes: list[tuple[tuple[Array, Array], float]]) -> tuple[Array, Array]:
    """Prefixes side by side, each with its values times a factor."""
    keys = [key for (key, _), _ in prefixes]
    values = [value if factor == 1 else F.mul(value, factor) for (_, value), factor in prefixes]
    return F.cat(keys), F.cat(values)


def changed(weight: Array, changes: Iterable[tuple[Target, float, Change]]) -> Array:
    """A parameter with everything that is added to it; each is computed of the weight itself."""
    rows = weight.shape[0]
    new = weight
    for target, factor, change in changes:
        size = target.shape[0]
        part = change(weight if size == rows else F.narrow(weight, 0, target.start, size))
        part = part if factor == 1 else F.mul(part, factor)
        new = F.add(new, part if size == rows else _placed(part, target.start, rows))
    return new


def _placed(part: Array, start: int, rows: int) -> Array:
    """Rows at their place, among rows of 0."""
    frame = (*(0, 0) * (part.ndim - 1), start, rows - start - part.shape[0])
    return F.pad(part, frame)
