"""The arrays that a model holds: a dict that JAX can transform and nobody can assign to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, ValuesView
from typing import Any, NoReturn, Self

import jax
from jax.tree_util import DictKey

from tensorem.errors import LayerError

Names = tuple[str, ...]
CHANGES = (
    "__setitem__",
    "__delitem__",
    "__ior__",
    "clear",
    "pop",
    "popitem",
    "setdefault",
    "update",
)
"""The methods of a dict that change it in place."""


def _refused(self: Held, *args: object, **kwargs: object) -> NoReturn:
    raise LayerError(
        "The arrays of a model cannot be assigned or removed.",
        because="a model does not change; the same one may be used elsewhere.",
        help="make another: model.replace(params={**model.params, name: array}).",
    )


class Held(dict[str, Any]):
    """Arrays by name, read-only: `model.params`, `model.buffers`, and what JAX maps from them.

    For JAX this is a container of its own: beside a tree of plain dicts write `dict(params)`.

    Raises:
        LayerError: An array is assigned or removed.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(3, 2), input=("N", 3))
        >>> model.params["bias"] = model.params["bias"] + 1
        Traceback (most recent call last):
        tensorem.errors.LayerError: The arrays of a model cannot be assigned or removed.
          because: a model does not change; the same one may be used elsewhere.
          help:    make another: model.replace(params={**model.params, name: array}).
    """

    def __call__(self) -> ValuesView[Any]:
        """The arrays one after another: `model.buffers()`, as in PyTorch."""
        return self.values()

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[dict[str, Any]]]:
        return type(self), (dict(self),)


for _name in CHANGES:
    setattr(Held, _name, _refused)


def _keyed(held: Held) -> tuple[list[tuple[Any, Any]], Names]:
    return [(DictKey(name), held[name]) for name in sorted(held)], tuple(sorted(held))


def _flat(held: Held) -> tuple[list[Any], Names]:
    return [held[name] for name in sorted(held)], tuple(sorted(held))


def _again(names: Names, values: Iterable[Any]) -> Held:
    return Held(zip(names, values, strict=True))


jax.tree_util.register_pytree_with_keys(Held, _keyed, _again, _flat)
