"""A bound layer as a pure function: what a layer hands to a transform of JAX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax

from tensorem.errors import LayerError, ShapeError
from tensorem.shapes import format_shape

from ._bind import Arrays, Frame, Pass
from ._declare import declarations
from ._declared import Buffer
from ._layer import Layer
from ._tree import join

Array = jax.Array


@dataclass(frozen=True, eq=False)
class Carried:
    """A bound layer as a pure function of its arrays, made by `carry`.

    Args:
        params: Its parameters, by their names within it.
        buffers: Its buffers as they are now.
        key: The random key of this call; None where nothing is drawn.
        frame: Where the layer stands.
    """

    params: Arrays
    buffers: Arrays
    key: Array | None
    frame: Frame

    def __call__(
        self, params: Arrays, buffers: Arrays, *xs: Any, key: Array | None = None
    ) -> tuple[Any, Arrays]:
        """(parameters, buffers, inputs, key) -> (output, buffers), and nothing besides."""
        ctx = replace(self.frame.within.ctx, key=key)
        own = Pass(params, buffers, ctx, root=self.frame.path)
        y = own.bind(self.frame.path, self.frame.layer, home="")(*xs)
        return y, own.buffers

    def keep(self, buffers: Arrays) -> None:
        """Make these the buffers of the layer, in a training step."""
        if self.frame.training:
            for name, value in buffers.items():
                self.frame.within.set_buffer(join(self.frame.home, name), value)


def supply(layer: Layer, **arrays: Array) -> None:
    """Give a sub-layer, within `forward`, arrays in place of parameters that it would have.

    The layer above says by `supplies` which these are; they are then no parameters of the model.

    Raises:
        LayerError: The layer is not bound, or nothing says that this array is supplied.
        ShapeError: An array has another shape than the layer declares.

    Example:
        >>> from tensorem import nn
        >>> class Even(nn.Layer):
        ...     inner: nn.Linear
        ...     def parameters(self):
        ...         return {"half": self.inner.parameters()["weight"]}
        ...     def supplies(self):
        ...         return ("inner.weight",)
        ...     def forward(self, x):
        ...         nn.supply(self.inner, weight=2 * self.half)
        ...         return self.inner(x)
        >>> list(nn.build(Even(nn.Linear(3, 2)), input=("N", 3)).params)
        ['half', 'inner.bias']
    """
    frame: Frame | None = layer.__dict__.get("_bound")
    for name, array in arrays.items():
        if frame is None or join(frame.home, name) not in frame.within.supplied:
            raise LayerError(
                f"supply takes a sub-layer and names that supplies says, got {name!r}.",
                help="write def supplies(self): return ('inner.weight',) in the layer above.",
            )
        declared = frame.layer.parameters()[name]
        assert declared is not None
        _put(layer, name, array, declared.shape)


def adjust(layer: Layer, name: str, change: Callable[[Array], Array]) -> None:
    """Let a sub-layer, within `forward`, compute with a change of one of its parameters.

    It stays a parameter of that layer, whose own value is what changes, at every call anew.

    Args:
        change: (the parameter) -> what stands in its place, of the same shape.

    Raises:
        LayerError: The layer is not bound, or has no such parameter of its own.
        ShapeError: The change has another shape.

    Example:
        >>> from tensorem import nn
        >>> class Twice(nn.Layer):
        ...     inner: nn.Linear
        ...     def forward(self, x):
        ...         nn.adjust(self.inner, "weight", lambda weight: 2 * weight)
        ...         return self.inner(x)
        >>> model = nn.build(Twice(nn.Linear(3, 1, bias=False)), input=("N", 3))
        >>> list(model.params), bool(model([[1, 0, 0]]) == 2 * model.params["inner.weight"][0, 0])
        (['inner.weight'], True)
    """
    frame: Frame | None = layer.__dict__.get("_bound")
    own = None if frame is None else frame.within.params.get(join(frame.home, name))
    if own is None:
        raise LayerError(
            f"adjust takes a sub-layer within forward and a parameter of its own, got {name!r}.",
        )
    _put(layer, name, change(own), own.shape)


def _put(layer: Layer, name: str, array: Array, shape: tuple[int, ...]) -> None:
    """What a bound layer computes with, under the name of one of its arrays."""
    if array.shape != shape:
        told: Layer = layer.__dict__["_bound"].layer  # its fields are no arrays
        raise ShapeError(
            f"The {name} of {told.label()} takes {format_shape(shape)}, got "
            f"{format_shape(array.shape)}."
        )
    layer.__dict__[name] = array


def carry(layer: Layer) -> Carried:
    """A sub-layer within `forward` as a pure function, for scan, vmap, remat and grad.

    A layer that draws or keeps statistics cannot be called inside of a transform: what it does
    would be lost, or done once for all iterations. This one takes its arrays and its key and gives
    its buffers back; `keep` makes them its own.

    Raises:
        LayerError: The layer is not bound: this is for a forward.

    Example:
        >>> import jax
        >>> from tensorem import nn
        >>> class Rows(nn.Layer):
        ...     inner: nn.Layer
        ...     def forward(self, x):
        ...         each = nn.carry(self.inner)
        ...         return jax.vmap(lambda row: each(each.params, each.buffers, row)[0])(x)
        >>> nn.build(Rows(nn.Linear(3, 2)), input=("N", 3)).output
        float32 (N, 2)
    """
    frame: Frame | None = layer.__dict__.get("_bound")
    if frame is None:
        raise LayerError(
            f"carry takes a layer within forward, got {layer!r}.",
            help="call it on a sub-layer in forward: nn.carry(self.inner).",
        )
    frame.begin()
    declared, within = declarations(frame.layer), frame.within
    held = {True: within.buffers, False: within.params}
    arrays = {p: held[isinstance(d, Buffer)][join(frame.home, p)] for p, d in declared.items()}
    buffers = {p: a for p, a in arrays.items() if isinstance(declared[p], Buffer)}
    params = {p: a for p, a in arrays.items() if p not in buffers}
    step = within.ctx.key
    _ = frame.training  # whether there is a key tells a training step from an evaluation
    return Carried(params, buffers, None if step is None else frame.key(step), frame)
