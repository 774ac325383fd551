"""A bound layer as a pure function: what a layer hands to a transform of JAX."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax

from tensorem.errors import LayerError

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
