"""Layers that get their sizes from the shapes that flow in."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from ._bind import Arrays, Context
from ._built import arguments, float_dtype
from ._declare import declarations
from ._declared import Buffer
from ._layer import Layer
from ._log import Log
from ._specs import Tree, precision
from ._tree import Part, join, rebuilt, walk


def settled(layer: Layer, inputs: tuple[Tree, ...]) -> Layer:
    """A layer with the sizes that its parts take from these inputs.

    Raises:
        ShapeError: A size is a name, or two layers do not fit.
    """
    if all(type(part).sized is Layer.sized for _, part in walk(layer)):
        return layer
    made, log = _Settled(float_dtype(inputs)), Log()

    def forward(params: Arrays, buffers: Arrays, *xs: Tree) -> Tree:
        log.begin(xs)
        return layer.call((params, buffers), *xs, ctx=Context(log=log, settle=made))[0]

    with precision(inputs):
        jax.eval_shape(forward, *arguments(layer, inputs))
    log.finish()
    whole = rebuilt(layer, lambda _, part: made.found.get(id(part), part))
    assert isinstance(whole, Layer)
    # Copies of a layer in a loop are called once they are unlike the first, which has its sizes.
    return settled(whole, inputs) if made.found else whole


@dataclass(eq=False)
class _Settled:
    """What was found of layers by their identity, and zeros for what they declare."""

    dtype: str
    found: dict[int, Part] = field(default_factory=dict)

    def __call__(self, layer: Part, now: Part, home: str) -> tuple[Arrays, Arrays]:
        """Zeros for the parameters and buffers of what a layer is."""
        self.found[id(layer)] = now
        params: Arrays = {}
        buffers: Arrays = {}
        for name, d in declarations(now).items():
            kind, dtype = (buffers, d.dtype) if isinstance(d, Buffer) else (params, None)
            kind[join(home, name)] = jnp.zeros(d.shape, dtype or self.dtype)
        return params, buffers
