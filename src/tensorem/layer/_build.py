"""`build`: a layer and an input become a model."""

from __future__ import annotations

import inspect
from typing import Any

from tensorem.calls import called
from tensorem.dtypes import executable
from tensorem.errors import LayerError, ShapeError
from tensorem.shapes import spec_of

from ._built import float_dtype, read
from ._declared import Buffer, Parameter
from ._layer import Layer
from ._model import Model
from ._sizes import settled
from ._specs import Tree, leaves, precision, text
from ._start import Inits, Scheme, declared_by, started


@called
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
        ArgumentError: An argument is unknown, seed is out of range, or init is no scheme.
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
    layer = settled(layer, inputs)
    declared = declared_by(layer, seed, init or {})
    built = read(layer, inputs)
    with precision(inputs):
        arrays = started(declared, seed, float_dtype(inputs))
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
