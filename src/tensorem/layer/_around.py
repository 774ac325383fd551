"""A layer in the place of the one in it."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from ._layer import Layer


class Around(Layer):
    """What stands around one layer and under its paths: shapes, input and call are that layer's.

    Shapes:
        those of the layer

    Example:
        >>> from tensorem import nn
        >>> class Doubled(Around):
        ...     def forward(self, x):
        ...         return 2 * self.layer(x)
        >>> list(nn.build(Doubled(nn.Linear(3, 2)), input=("N", 3)).params)
        ['weight', 'bias']
    """

    layer: Layer = field(metadata={"path": ""})

    def output_shape(self, *shapes: Any) -> Any:
        return self.layer.output_shape(*shapes)

    @property
    def stated_input(self) -> Any:
        return self.layer.stated_input

    def forward(self, *xs: Any, **kw: Any) -> Any:
        return self.layer(*xs, **kw)
