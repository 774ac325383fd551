"""`build`: a layer and an input become a model."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import jax.numpy as jnp
import numpy as np

from tensorem import rand
from tensorem.dtypes import executable
from tensorem.errors import ArgumentError, LayerError, PathError, ShapeError
from tensorem.shapes import format_shape, spec_of

from ._bind import Array
from ._built import float_dtype, read
from ._declare import declarations
from ._declared import Buffer, Initialiser, Parameter
from ._layer import Layer
from ._model import Model
from ._specs import Tree, leaves, precision, text

Inits = Mapping[str, Initialiser]
Declared = Mapping[str, Parameter | Buffer]
_ADDRESSABLE = 2**47


@dataclass(frozen=True)
class Scheme:
    """How the arrays of any layer start: (layer, seed) -> what is declared, by path."""

    declared: Callable[[Layer, int], Declared]


def build(
    layer: Layer, input: Tree = None, seed: int = 0, init: Inits | Scheme | None = None
) -> Model:
    """The model that a layer describes, for an input: shapes checked, arrays initialised.

    A pure function: the initial value of every array follows from the seed and its path, or from
    the seed that it carries (`nn.Seeded`).

    Args:
        layer: What to build.
        input: A shape or `Spec`; a tuple of these where forward takes several. Sizes are integers
            or names ("N"), which stay open.
        seed: Where the initial values come from.
        init: Other initialisers by path pattern, such as {"*.weight": nn.init.xavier_uniform()};
            or a scheme, which says it of all arrays at once: `nn.original`.

    Raises:
        ShapeError: Two layers do not fit; the error says where, what set the size, what to write.
        LayerError: A layer with parameters stands in two places, or two arrays carry one seed.
        PathError: A pattern of `init` matches no array.

    Example:
        >>> from tensorem import nn
        >>> nn.build(nn.Linear(3, 2), input=("N", 3)).output
        float32 (N, 2)
    """
    _require_layer(layer)
    inputs = _inputs(layer, input)
    declared = _declared(layer, seed, init or {})
    dtype = float_dtype(inputs)
    built = read(layer, inputs)
    with precision(inputs):
        arrays = {p: _start(d, p, seed, dtype) for p, d in declared.items()}
    params = {p: arrays[p] for p, d in declared.items() if isinstance(d, Parameter)}
    buffers = {p: arrays[p] for p, d in declared.items() if isinstance(d, Buffer)}
    return Model(built, params, buffers)


def _require_layer(layer: object) -> None:
    if not isinstance(layer, Layer):
        raise LayerError(
            f"build takes a layer, got {layer!r}.",
            help=f"write {layer.__name__}(...)." if isinstance(layer, type) else "",
        )
    hash(layer)  # a field that is no plain value is named here


def _inputs(layer: Layer, given: Tree) -> tuple[Any, ...]:
    """One tree of specs for each input of forward."""
    if given is None:
        given = layer.stated_input
        if given is None:
            raise ShapeError(
                "build takes an input, got none.",
                help='say what goes in: nn.build(layer, input=("N", 1, 8, 8)).',
            )
    specs = spec_of(given)
    inputs = specs if isinstance(specs, tuple) else (specs,)
    for spec in leaves(inputs):
        executable(spec.dtype)
    _require_count(layer, inputs)
    return inputs


def _require_count(layer: Layer, inputs: tuple[Any, ...]) -> None:
    signature = inspect.signature(layer.forward)
    try:
        signature.bind(*inputs)
    except TypeError:
        raise ShapeError(
            f"{layer.label()} takes the inputs {signature}, got {len(inputs)}: {text(inputs)}.",
            help="build takes a tuple of shapes, one for each input of forward.",
        ) from None


def _declared(layer: Layer, seed: int, init: Inits | Scheme) -> Declared:
    """How every array starts."""
    if isinstance(init, Scheme):
        return init.declared(layer, seed)
    _require_initialisers(init)
    declared = declarations(layer)
    _require_matches(init, declared)
    started = {path: _started(d, path, init) for path, d in declared.items()}
    _require_apart(started)
    return started


def _started(declared: Parameter | Buffer, path: str, init: Inits) -> Parameter | Buffer:
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
        value = np.asarray(declared.init(_held(declared.shape), drawn))
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
