"""Arrays from outside: inputs of a model, and state dicts."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from operator import is_
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from numpy.typing import NDArray

from tensorem import functional as F
from tensorem.calls import named
from tensorem.dtypes import as_numbers, exactly, taken
from tensorem.errors import ArgumentError, PathError, ShapeError
from tensorem.shapes import Size, Spec, format_shape, solve

from ._bind import Array, Arrays
from ._specs import Tree
from ._tree import Part, join, parts


class Given:
    """The inputs of a model as arrays of its specs; names have one value throughout.

    Arrays of these specs pass as they are, and each form of them is looked at once.

    Args:
        specs: One tree of specs for each input.
    """

    def __init__(self, specs: tuple[Tree, ...]) -> None:
        self._specs = specs
        self._kinds: set[type] = set()
        self._passed: set[Hashable] = set()

    def __call__(self, xs: tuple[Tree, ...]) -> tuple[Tree, ...]:
        leaves, tree = jax.tree.flatten(xs)
        if self._kinds.issuperset(map(type, leaves)) and _form(leaves, tree) in self._passed:
            return xs
        inputs = _given(self._specs, xs)
        if all(map(_is_array, leaves)) and _is_same(inputs, xs):
            self._kinds.update(map(type, leaves))
            self._passed.add(_form(leaves, tree))
        return inputs


def _form(leaves: list[Any], tree: object) -> Hashable:
    """What tells trees of arrays from those of another kind, shape or dtype."""
    return tree, *[(type(x), x.shape, x.dtype) for x in leaves]


def _is_array(x: object) -> bool:
    """Not a tracer: a shape in a trace may hold names, and those of two cannot be compared."""
    return isinstance(x, jax.Array | np.ndarray) and not isinstance(x, Tracer)


def _is_same(one: Tree, other: Tree) -> bool:
    """Whether two trees are one, with the very same arrays."""
    form: Any = jax.tree.structure(one)
    alike = form == jax.tree.structure(other)
    return alike and all(map(is_, jax.tree.leaves(one), jax.tree.leaves(other)))


def _given(specs: tuple[Tree, ...], xs: tuple[Tree, ...]) -> tuple[Tree, ...]:
    if len(xs) != len(specs):
        raise ShapeError(
            f"The model takes {len(specs)} inputs, got {len(xs)}.",
            help="they are those of nn.build(layer, input=(...)).",
        )
    values: dict[str, int] = {}
    return tuple(_tree(spec, x, values) for spec, x in zip(specs, xs, strict=True))


def _tree(spec: Tree, x: Tree, values: dict[str, int]) -> Tree:
    if isinstance(spec, Spec):
        return _input(spec, x, values)
    if isinstance(spec, Mapping):
        if not isinstance(x, Mapping) or x.keys() != spec.keys():
            raise ShapeError(f"The model takes a dict of {sorted(spec)}, got {_kind(x)}.")
        return {k: _tree(s, x[k], values) for k, s in spec.items()}
    if not isinstance(x, (tuple, list)) or len(x) != len(spec):
        raise ShapeError(f"The model takes a tuple of {len(spec)}, got {_kind(x)}.")
    return tuple(_tree(s, v, values) for s, v in zip(spec, x, strict=True))


def _kind(x: object) -> str:
    return str(sorted(x)) if isinstance(x, Mapping) else type(x).__name__


def _input(spec: Spec, x: Tree, values: dict[str, int]) -> Array | NDArray[Any]:
    with named("The model"):
        array = taken(x, spec.dtype)
        _require_shape(spec.bind(values).shape, F.shape(array), values)
    return array


def _require_shape(wanted: tuple[Size, ...], got: tuple[Size, ...], values: dict[str, int]) -> None:
    if len(wanted) == len(got) + 1:
        raise ShapeError(
            f"takes {format_shape(wanted)}, got {format_shape(got)}.",
            help="one example is a batch of one: x[None].",
        )
    sizes = tuple(n for n in got if isinstance(n, int))
    if len(sizes) == len(got):
        values |= solve(wanted, sizes)
    elif len(wanted) != len(got):  # inside a trace with names of its own
        raise ShapeError(f"takes {format_shape(wanted)}, got {format_shape(got)}.")


def loaded(layer: Part, own: Arrays, state: Mapping[str, Any], strict: bool = True) -> Arrays:
    """The arrays of a state dict in place of a model's own, checked name by name.

    Where that is not strict, what is missing stays, and what has no place is left out.
    """
    if not isinstance(state, Mapping):
        raise ArgumentError(
            f"load_state_dict takes arrays by name, got {type(state).__name__}.",
            help="read a file first: safetensors.numpy.load_file(path).",
        )
    names = aliases(layer)
    state = {k: v for k, v in state.items() if names.get(k, k) == k or names[k] not in state}
    state = {names.get(k, k): v for k, v in state.items()}
    found = {path: _entry(path, state[path]) for path in own if path in state}
    lines, other = _unmatched(own, state), _other_shapes(own, found)
    if lines and (strict or not found):
        raise PathError(
            f"The state dict takes {len(own)} arrays, got {len(state)} that do not match by name.",
            because=_few(lines + other),
        )
    if other:
        raise ShapeError(f"{other[0]}.", because=_few(other[1:]))
    if lines:
        said = f"{len(found)} of {len(own)} arrays are loaded"
        warnings.warn(f"load_state_dict: {said}; {_few(lines)}.", stacklevel=3)
    return {p: _held(p, a, found[p]) if p in found else a for p, a in own.items()}


def _entry(path: str, value: object) -> NDArray[Any]:
    with named(path):
        return as_numbers(value)


def _held(path: str, own: Array, value: NDArray[Any]) -> Array:
    """An entry in the dtype of the model's own."""
    with named(path):
        return jnp.asarray(exactly(value, own.dtype.name))


def _other_shapes(own: Arrays, found: Mapping[str, NDArray[Any]]) -> list[str]:
    """What is said of each array of another shape."""
    return [
        f"{path} takes {format_shape(own[path].shape)}, got {format_shape(array.shape)}"
        for path, array in found.items()
        if array.shape != own[path].shape
    ]


def _unmatched(own: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
    """What is said of each name that only one side has."""
    missing = [path for path in own if path not in state]
    extra = [path for path in state if path not in own]
    lines = [f"{path} is missing{_nearest(path, extra)}" for path in missing]
    return lines + [f"{path} has no place here{_nearest(path, missing)}" for path in extra]


def _few(lines: list[str]) -> str:
    return "; ".join(lines[:8]) + (f"; and {len(lines) - 8} more" if len(lines) > 8 else "")


def _nearest(path: str, among: list[str]) -> str:
    near = get_close_matches(path, among, 1, 0.5)
    return f" (nearest: {near[0]})" if near else ""


def aliases(layer: Part) -> dict[str, str]:
    """The names of arrays below later places of shared layers -> the names that are kept."""
    found: dict[str, str] = {}
    _alias(layer, "", "", {}, found)
    return found


def _alias(layer: Part, path: str, home: str, homes: dict[int, str], found: dict[str, str]) -> None:
    if layer.shares:
        home = homes.setdefault(id(layer), home)
    if path != home:
        found |= {join(path, n): join(home, n) for n in (*layer.parameters(), *layer.buffers())}
    for name, part in parts(layer):
        _alias(part, join(path, name), join(home, name), homes, found)
