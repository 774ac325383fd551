"""Layers that carry another one across a transform of JAX: scan, vmap, remat; and functions."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import field
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax import lax

from tensorem import functional as F
from tensorem import ops
from tensorem.calls import integer
from tensorem.errors import ArgumentError, ShapeError
from tensorem.layer import Carried, Layer, Tree, carry, ruled
from tensorem.shapes import UNKNOWN_RANK, OpenShape, Shape

from ._combine import require_kept

Array = jax.Array
Arrays = dict[str, Array]

UNROLLED = 4
"""Copies up to which a stack is written out: that runs faster than a loop, and compiles as soon."""


class Repeat(Layer):
    """Copies of a layer one after another, each with arrays of its own, as one loop.

    The program does not grow with the number of copies: they are compiled once. A stack of at most
    4 is written out, which runs faster. The names are those of a `Sequential`: `0.weight`, ...

    Shapes:
        (...)  ->  the same

    Args:
        layer: What is repeated; it keeps shape and dtype.
        times: How often.

    Raises:
        ArgumentError: times is below 1.
        ShapeError: The layer changes the shape.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Repeat(nn.Linear(3, 3), 12), input=("N", 3))
        >>> list(model.params)[-2:]
        ['11.weight', '11.bias']
    """

    layers: tuple[Layer, ...] = field(metadata={"path": ""})

    def __init__(self, layer: Layer, times: int) -> None:
        copies = tuple(deepcopy(layer) for _ in range(integer("times", times, 1)))
        object.__setattr__(self, "layers", copies)

    @classmethod
    def of_fields(cls, **values: Any) -> Self:
        layer, *others = values["layers"]
        return cls(layer, 1 + len(others))

    def output_shape(self, x: Shape = UNKNOWN_RANK) -> Shape:
        y = ruled(self.layers[0], "0", (x,), (), None)
        require_kept(x, y, "takes a layer")
        return x

    def forward(self, x: Array) -> Array:
        copies = [carry(layer) for layer in self.layers]
        alike = len({copy.frame.layer for copy in copies}) == 1  # or one of them was replaced
        if alike and len(copies) > UNROLLED:
            return _looped(copies, x)
        for copy in copies:
            y, buffers = copy(copy.params, copy.buffers, x, key=copy.key)
            require_kept(F.shape(x), F.shape(y), "Repeat takes a layer")
            copy.keep(buffers)
            x = y
        return x

    def __repr__(self) -> str:
        return f"Repeat({self.layers[0]!r}, {len(self.layers)})"


class MapBatch(Layer):
    """A layer of one example, applied to each of a batch (`jax.vmap`), with one set of arrays.

    Each example draws with a key of its own. Buffers follow the mean of what the examples make of
    them; those of integers follow the first.

    Shapes:
        (N, *example)  ->  (N, *result)

    Args:
        inner: A layer (*example)  ->  (*result).

    Raises:
        ShapeError: The input has no batch axis.

    Example:
        >>> from tensorem import nn
        >>> nn.build(nn.MapBatch(nn.Flatten(0)), input=("N", 2, 3)).output
        float32 (N, 6)
    """

    inner: Layer

    def output_shape(self, x: Shape = UNKNOWN_RANK) -> Shape:
        if isinstance(x, OpenShape):
            return UNKNOWN_RANK
        if not x:
            raise ShapeError("takes (N, ...), got ().")
        y = ruled(self.inner, "inner", (x[1:],), (), None)
        return UNKNOWN_RANK if isinstance(y, OpenShape) else (x[0], *y)

    def forward(self, x: Array) -> Tree:
        one = carry(self.inner)
        number = jnp.arange(x.shape[0]) if one.key is not None else None

        def call(x: Array, i: Array | None) -> tuple[Tree, Arrays]:
            key = None if one.key is None or i is None else jax.random.fold_in(one.key, i)
            return one(one.params, one.buffers, x, key=key)

        y, buffers = jax.vmap(call, in_axes=(0, None if number is None else 0))(x, number)
        one.keep({name: _followed(values) for name, values in buffers.items()})
        return y


class Checkpoint(Layer):
    """A layer whose inner values are not kept for the gradient but computed again.

    Value and gradient are those of the layer, and so are its random draws; memory falls to its
    input and output, for one more forward pass (`jax.checkpoint`).

    Shapes:
        as the inner layer

    Example:
        >>> from tensorem import nn
        >>> block = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 3))
        >>> nn.build(nn.Checkpoint(block), input=("N", 3)).output
        float32 (N, 3)

    Source:
        Chen et al. 2016, section 4.
    """

    inner: Layer

    def output_shape(self, *shapes: Tree) -> Tree:
        return ruled(self.inner, "inner", shapes or (UNKNOWN_RANK,), (), None)

    def forward(self, *xs: Tree) -> Tree:
        one = carry(self.inner)

        def call(
            params: Arrays, buffers: Arrays, key: Array | None, *xs: Tree
        ) -> tuple[Tree, Arrays]:
            return one(params, buffers, *xs, key=key)

        y, buffers = jax.checkpoint(call)(one.params, one.buffers, one.key, *xs)
        one.keep(buffers)
        return y


class Lambda(Layer):
    """A pure function of arrays as a layer; its shapes are known when it is built.

    Args:
        function: Takes and gives JAX arrays; of `tensorem.functional` or `jax.numpy`.

    Raises:
        ArgumentError: function is none.

    Example:
        >>> from tensorem import functional as F, nn
        >>> nn.build(nn.Lambda(F.exp), input=("N", 3)).output
        float32 (N, 3)
    """

    function: Callable[..., Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise ArgumentError(f"takes a function, got {self.function!r}.")

    def forward(self, *xs: Tree) -> Tree:
        return self.function(*xs)


def _looped(copies: list[Carried], x: Array) -> Array:
    """One scan over the stacked arrays of all copies."""
    first = copies[0]
    keys = None if first.key is None else jnp.stack([k for c in copies if (k := c.key) is not None])
    params, buffers = (
        jax.tree.map(_stacked, *trees)
        for trees in ([c.params for c in copies], [c.buffers for c in copies])
    )

    def body(x: Array, given: tuple[Arrays, Arrays, Array | None]) -> tuple[Array, Arrays]:
        params, buffers, key = given
        y, after = first(params, buffers, x, key=key)
        require_kept(F.shape(x), F.shape(y), "Repeat takes a layer")
        return y, after

    y, after = lax.scan(body, x, (params, buffers, keys), len(copies))
    for i, copy in enumerate(copies):
        copy.keep({name: values[i] for name, values in after.items()})
    return y


def _stacked(*arrays: jax.Array) -> jax.Array:
    """Kept on both sides: fused into the optimizer, each part would be compiled again with it."""
    return ops.kept(jnp.stack([ops.kept(array) for array in arrays]))


def _followed(values: jax.Array) -> jax.Array:
    """What a buffer becomes of those that the examples of a batch give."""
    return values.mean(0) if jnp.issubdtype(values.dtype, jnp.floating) else values[0]
