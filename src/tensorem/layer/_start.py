"""How the arrays of a layer start: from a seed and their paths."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from tensorem import rand
from tensorem.errors import ArgumentError, LayerError, PathError, ShapeError
from tensorem.shapes import format_shape

from ._bind import Array, Arrays
from ._declare import declarations
from ._declared import Buffer, Derived, Initialiser, Parameter
from ._layer import Layer

Inits = Mapping[str, Initialiser]
Declared = Mapping[str, Parameter | Buffer]
_ADDRESSABLE = 2**47


@dataclass(frozen=True)
class Scheme:
    """How the arrays of any layer start: (layer, seed) -> what is declared, by path."""

    declared: Callable[[Layer, int], Declared]


def started(declared: Declared, seed: int, dtype: str) -> Arrays:
    """The initial value of every array that is declared."""
    first = {p: d for p, d in declared.items() if not isinstance(d.init, Derived)}
    found = {path: _start(d, path, seed, dtype) for path, d in first.items()}
    for path, d in declared.items():
        if isinstance(d.init, Derived):
            source = np.asarray(found[d.init.source], np.float64)
            found[path] = _start(replace(d, init=partial(d.init.of, source)), path, seed, dtype)
    return {path: found[path] for path in declared}


def declared_by(layer: Layer, seed: int, init: Inits | Scheme) -> Declared:
    """How every array starts."""
    if isinstance(init, Scheme):
        return init.declared(layer, seed)
    _require_initialisers(init)
    declared = declarations(layer)
    _require_matches(init, declared)
    found = {path: _chosen(d, path, init) for path, d in declared.items()}
    _require_apart(found)
    return found


def _chosen(declared: Parameter | Buffer, path: str, init: Inits) -> Parameter | Buffer:
    """What is declared, with the initialiser of the last pattern that matches its path."""
    chosen = [f for pattern, f in init.items() if fnmatchcase(path, pattern)]
    return replace(declared, init=chosen[-1]) if chosen else declared


def _require_apart(declared: Declared) -> None:
    """Raise where two parameters carry one seed: they would start with the same draws."""
    first: dict[int, str] = {}
    for path, d in declared.items():
        seed = d.seed if isinstance(d, Parameter) else None
        if seed is not None and first.setdefault(seed, path) != path:
            raise LayerError(
                f"{first[seed]} and {path} carry one seed, {seed}.",
                because="they would start with the same draws.",
                help="give each its own, or none: build makes one of its seed and the path.",
            )


def _start(declared: Parameter | Buffer, path: str, seed: int, dtype: str) -> Array:
    """The initial value of one array, from the seed and its path, or its own seed."""
    own = declared.dtype if isinstance(declared, Buffer) else None
    carried = declared.seed if isinstance(declared, Parameter) else None
    drawn = rand.fold(seed, path) if carried is None else carried
    try:
        init: Any = declared.init
        value = np.asarray(init(_held(declared.shape), drawn))
        _require_shape(path, value.shape, declared.shape)
        return jnp.asarray(value.astype(jnp.dtype(own or dtype)))
    except MemoryError as error:
        raise LayerError(
            f"{path} takes {format_shape(declared.shape)}, more numbers than the memory holds."
        ) from error


def _held(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape, if an array of it could be addressed at all."""
    if math.prod(shape) >= _ADDRESSABLE:
        raise MemoryError
    return shape


def _require_shape(path: str, got: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if got != shape:
        raise ShapeError(
            f"The initialiser of {path} takes the shape {format_shape(shape)}, gave "
            f"{format_shape(got)}."
        )


def _require_initialisers(init: object) -> None:
    if not isinstance(init, Mapping) or not all(map(callable, init.values())):
        raise ArgumentError(
            f"init takes a dict from patterns of paths to initialisers, got {init!r}.",
            help='for example init={"*.weight": nn.init.xavier_uniform()}, or init=nn.original.',
        )


def _require_matches(init: Inits, declared: Mapping[str, Any]) -> None:
    for pattern in init:
        if not any(fnmatchcase(path, pattern) for path in declared):
            raise PathError(
                f"init takes patterns of paths, got {pattern!r}, which matches none.",
                help=f"the paths are {', '.join(declared)}.",
            )
