"""A layer that gives, beside its output, the values of layers within it."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from tensorem.errors import LayerError

from ._layer import Layer
from ._specs import Tree


class Watched(Layer):
    """A layer, with the outputs of layers at some paths: see `Model.with_outputs`.

    Shapes:
        x  ->  (what the layer gives, {path: what the layer there gives})
    """

    layer: Layer = field(metadata={"path": ""})
    paths: tuple[str, ...]

    @property
    def stated_input(self) -> Tree:
        return self.layer.stated_input

    def forward(self, *xs: Any, **kw: Any) -> tuple[Any, dict[str, Any]]:
        seen = self._frame("`Watched` works inside a pass only.").within.watch(self.paths)
        y = self.layer(*xs, **kw)
        for path in self.paths:
            if path not in seen:
                raise LayerError(
                    f"with_outputs takes paths of layers that forward calls, got {path!r}.",
                    because="it is not called, or within a transform of JAX such as a loop.",
                )
        return y, seen
