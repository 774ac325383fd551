"""`build`: a layer and an input become a model."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import rand
from tensorem.dtypes import FLOATING, executable
from tensorem.errors import ArgumentError, LayerError, PathError, ShapeError
from tensorem.shapes import Spec, format_shape, require_equal, spec_of

from ._bind import Array, Arrays, Context
from ._layer import Buffer, Initialiser, Layer, Parameter
from ._log import Call, Log
from ._model import Built, Model, Row
from ._specs import abstract, is_shape, leaves, precision, spec_tree, text
from ._tree import is_leaf, join, parts, place, walk

Inits = Mapping[str, Initialiser]
_ADDRESSABLE = 2**47


def build(layer: Layer, input: Any = None, seed: int = 0, init: Inits | None = None) -> Model:
    """The model that a layer describes, for an input: shapes checked, arrays initialised.

    A pure function: the initial value of every array follows from the seed and its path.

    Args:
        layer: What to build.
        input: A shape or `Spec`; a tuple of these where forward takes several. Sizes are integers
            or names ("N"), which stay open.
        seed: Where the initial values come from.
        init: Other initialisers by path pattern, such as {"*.weight": nn.init.xavier_uniform()}.

    Raises:
        ShapeError: Two layers do not fit; the error says where, what set the size, what to write.
        LayerError: A layer with parameters stands in two places.
        PathError: A pattern of `init` matches no array.

    Example:
        >>> from tensorem import nn
        >>> nn.build(nn.Linear(3, 2), input=("N", 3)).output
        float32 (N, 2)
    """
    _require_layer(layer)
    _require_initialisers(init or {})
    inputs = _inputs(layer, input)
    declared = declarations(layer)
    dtype = _float_dtype(inputs)
    with precision(inputs):
        arrays = {p: _start(d, p, seed, init or {}, dtype) for p, d in declared.items()}
        params = {p: arrays[p] for p, d in declared.items() if isinstance(d, Parameter)}
        buffers = {p: arrays[p] for p, d in declared.items() if isinstance(d, Buffer)}
        log, output = _dry_run(layer, params, buffers, inputs)
    _require_matches(init or {}, declared)
    return Model(Built(layer, inputs, output, _rows(layer, log.calls)), params, buffers)


def declarations(layer: Layer) -> dict[str, Parameter | Buffer]:
    """Every parameter and buffer of a layer by its path, in the order of the fields.

    Raises:
        LayerError: A layer with parameters stands in two places, or two arrays have one path.
    """
    found: dict[str, Parameter | Buffer] = {}
    seen: dict[int, str] = {}
    shared: dict[int, str] = {}
    _declare(layer, "", found, seen, shared)
    return found


def _declare(
    layer: Any, path: str, found: dict[str, Any], seen: dict[int, str], shared: dict[int, str]
) -> None:
    if layer.shares:
        if id(layer) in shared:
            return
        shared[id(layer)] = path
    own = {n: d for n, d in {**layer.parameters(), **layer.buffers()}.items() if d is not None}
    _require_once(layer, path, own, seen)
    for name, declared in own.items():
        if join(path, name) in found:
            raise LayerError(f"The path {join(path, name)!r} names two arrays.")
        found[join(path, name)] = declared
    for name, part in parts(layer):
        _declare(part, join(path, name), found, seen, shared)


def _require_once(layer: Layer, path: str, own: Any, seen: dict[int, str]) -> None:
    if own and id(layer) in seen:
        raise LayerError(
            f"{layer.label()} stands in two places, {seen[id(layer)]!r} and {path!r}.",
            because="one object would have one set of parameters, or two; the layer cannot say.",
            help="construct one for each place, or say that they share: s = nn.share(layer).",
        )
    seen[id(layer)] = path


def _require_layer(layer: object) -> None:
    if not isinstance(layer, Layer):
        raise LayerError(
            f"build takes a layer, got {layer!r}.",
            help=f"write {layer.__name__}(...)." if isinstance(layer, type) else "",
        )
    hash(layer)  # a field that is no plain value is named here


def _inputs(layer: Layer, given: Any) -> tuple[Any, ...]:
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


def _float_dtype(inputs: Any) -> str:
    """The dtype of the floats that go in; float32 where there are none."""
    return next((s.dtype for s in leaves(inputs) if s.dtype in FLOATING), "float32")


def _start(declared: Parameter | Buffer, path: str, seed: int, init: Inits, dtype: str) -> Array:
    """The initial value of one array, from the seed and its path."""
    chosen = [f for pattern, f in init.items() if fnmatchcase(path, pattern)]
    start = (chosen or [declared.init])[-1]
    own = declared.dtype if isinstance(declared, Buffer) else None
    try:
        value = np.asarray(start(_held(declared.shape), rand.fold(seed, path)))
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


def _require_initialisers(init: Any) -> None:
    if not isinstance(init, Mapping) or not all(map(callable, init.values())):
        raise ArgumentError(
            f"init takes a dict from patterns of paths to initialisers, got {init!r}.",
            help='for example init={"*.weight": nn.init.xavier_uniform()}.',
        )


def _require_matches(init: Inits, declared: Mapping[str, Any]) -> None:
    for pattern in init:
        if not any(fnmatchcase(path, pattern) for path in declared):
            raise PathError(
                f"init takes patterns of paths, got {pattern!r}, which matches none.",
                help=f"the paths are {', '.join(declared)}.",
            )


def _dry_run(
    layer: Layer, params: Arrays, buffers: Arrays, inputs: tuple[Any, ...]
) -> tuple[Log, Any]:
    """Run forward on shapes alone, noting every call."""
    log = Log()

    def forward(params: Arrays, buffers: Arrays, *xs: Any) -> Any:
        log.begin(xs)
        y, _ = layer.call((params, buffers), *xs, ctx=Context(log=log))
        log.finish()
        return y

    xs = jax.tree.map(abstract, inputs, is_leaf=lambda s: isinstance(s, Spec))
    output = jax.eval_shape(forward, params, buffers, *xs)
    for call in log.calls:
        _require_rule(call)
    return log, spec_tree(output)


def _require_rule(call: Call) -> None:
    """The rule of a leaf layer agrees with its forward."""
    if not is_leaf(call.layer):
        return
    said = call.layer.output_shape(*call.takes)
    if not is_shape(said) or not is_shape(call.gives):
        return
    what = f"{call.layer.label()} gives {text(call.gives)}, its output_shape says {text(said)}."
    try:
        require_equal(call.gives, said, what)
    except ShapeError:
        where, help = place("model", call.path), "make output_shape and forward agree."
        raise LayerError(what, where=where, help=help) from None


def _rows(layer: Layer, calls: list[Call]) -> tuple[Row, ...]:
    """One row per layer, parents first, with the shapes of its first call."""
    first: dict[str, Call] = {}
    for call in calls:
        first.setdefault(call.path, call)
    shown = ((path, part) for path, part in walk(layer) if not part.shares)
    return tuple(_row(path, part, first.get(path)) for path, part in shown)


def _row(path: str, layer: Any, call: Call | None) -> Row:
    own = [d for d in layer.parameters().values() if d is not None]
    count = sum(math.prod(d.shape) for d in own)
    takes, gives = call.specs if call else ((), ())
    return Row(path, layer, takes, gives, count)
