"""A layer read for an input: what its code computes, and that it still does."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import jax

from tensorem import ops, runtime
from tensorem.calls import check_call, form_of, named
from tensorem.dtypes import FLOATING, INTEGER
from tensorem.errors import ArgumentError, LayerError, ShapeError
from tensorem.shapes import Size, Spec, require_equal

from ._bind import EVALUATION, Arrays, Context
from ._costs import Flops, flops, size_in_bytes
from ._declare import declarations
from ._declared import Parameter
from ._layer import Layer
from ._log import Call, Log
from ._lookups import Rows, is_beyond, lookups
from ._specs import Tree, abstract, is_shape, leaves, precision, spec_tree, text
from ._spelling import Spelling, spelled, spelling_of, traced
from ._state import Given
from ._summary import LayerInfo
from ._tree import Part, is_leaf, join, parts, place, walk


@dataclass(frozen=True, eq=False)
class Built:
    """What is fixed when a layer is built: the layer, its specs, a line per layer, what it says.

    Args:
        spelling: What its evaluation computes, over the names of the sizes.
        asks: Whether a training step may be another program.
        settings: The settings of JAX under which that was read.
        rows: In which tables its integers are looked up; None where only the program knows whether
            an index is out of range.
    """

    layer: Layer
    inputs: tuple[Tree, ...]
    output: Tree
    table: tuple[LayerInfo, ...] = field(repr=False)
    spelling: Spelling = field(repr=False)
    asks: bool = field(repr=False)
    settings: Mapping[str, Any] = field(repr=False)
    rows: Rows | None = field(repr=False)

    @cached_property
    def evaluate(self) -> Callable[[Arrays, Arrays, tuple[Tree, ...]], Tree]:
        """(params, buffers, inputs) -> output as one program; equal ones share it."""
        return _evaluator(self)

    @cached_property
    def watched(self) -> Callable[[Arrays, Arrays, tuple[Tree, ...]], tuple[Tree, bool]]:
        """The same, and whether the output holds NaN, as an index that is out of range gives it."""
        return _watcher(self)

    def evaluated(
        self, params: Arrays, buffers: Arrays, inputs: tuple[Tree, ...]
    ) -> tuple[Tree, bool]:
        """The output, and whether an index may be out of range: inside a trace nobody knows."""
        if self.rows is None:
            return self.watched(params, buffers, inputs)
        y = self.evaluate(params, buffers, inputs)
        return y, bool(self.rows) and is_beyond(self.rows, jax.tree.leaves(inputs))

    @cached_property
    def given(self) -> Given:
        """What a user gives -> inputs, or an error."""
        return Given(self.inputs)

    def placed(self, xs: tuple[Tree, ...], given: Mapping[str, Tree]) -> tuple[Tree, ...]:
        """The inputs in the order of forward, of which some are given by name.

        Raises:
            ArgumentError: One is none of forward's, or none that the model was built for.
        """
        form = form_of(self.layer.forward)
        with named("The model"):
            call = check_call(form, xs, given, "Model")
        if call.kwargs or len(call.args) > len(self.inputs):
            known = ", ".join([*form.parameters][: len(self.inputs)])
            raise ArgumentError(
                f"The model takes {known}, which it was built for, got {', '.join(given)} too.",
                help="nn.build(layer, input=(...)) says what goes in, in the order of forward; in a"
                " layer of your own, self.inner(x, name=...) passes on some of it by name.",
            )
        return call.args

    @cached_property
    def _dtypes(self) -> frozenset[str]:
        return frozenset(spec.dtype for spec in leaves(self.inputs))

    def precision(self) -> AbstractContextManager[None]:
        """A context in which JAX computes in 64 bits where an input has them."""
        return runtime.precision(self._dtypes)

    @cached_property
    def takes_indices(self) -> bool:
        """Whether an input holds integers; a program can say of a wrong index only NaN."""
        return not self._dtypes.isdisjoint(INTEGER)

    def is_unchanged(self) -> bool:
        """Whether the layer, read again, says what it said."""
        ctx = Context(asked=set())
        with self.precision(), runtime.compiling_for(self.settings):
            now, _ = spelled(_evaluation(self.layer, ctx), *arguments(self.layer, self.inputs))
        return (now.words, bool(ctx.asked)) == (self.spelling.words, self.asks)

    def says_training(self) -> bool:
        """Whether the spelling says what a training step computes too; code that it does not say
        is read each time.
        """
        return self.spelling.whole and not self.asks

    def require_unchanged(self) -> None:
        """Raise unless the layer says what it said: a model means what was read at `build`.

        Raises:
            LayerError: It says something else now.
        """
        if not self.is_unchanged():
            raise LayerError(
                f"{type(self.layer).__name__} computes something else than when it was built.",
                because="a forward was changed since, or a value that it reads.",
                help="build it again: model.rebuild() reads it as it is now, and keeps the arrays.",
            )

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Built)
            and (self.layer, self.inputs, self.spelling)
            == (other.layer, other.inputs, other.spelling)
        )

    def __hash__(self) -> int:
        return hash(self.layer)

    def __reduce__(self) -> tuple[Any, ...]:  # elsewhere the code is read as it is there
        return read, (self.layer, self.inputs)


def read(layer: Layer, inputs: tuple[Tree, ...]) -> Built:
    """Run forward on shapes alone: what it says now, with every call noted.

    Raises:
        ShapeError: Two layers do not fit.
        LayerError: A layer with parameters stands in two places, or a rule and a forward differ.
    """
    log = Log()
    ctx = Context(log=log, asked=set())

    def forward(params: Arrays, buffers: Arrays, *xs: Tree) -> Tree:
        log.begin(xs)
        y, _ = layer.call((params, buffers), *xs, ctx=ctx)
        log.finish()
        return y

    with precision(inputs):
        settings = runtime.compiled_for()
        program, output = traced(forward, *arguments(layer, inputs))
        for call in log.calls:
            _require_rule(call)
        table, asks = _table(layer, log.calls, flops(program.jaxpr)), bool(ctx.asked)
        spelling, specs = spelling_of(program), leaves(inputs)
        indexed = any(spec.dtype in INTEGER for spec in specs)
        rows = lookups(program, len(specs)) if indexed else ()
        return Built(layer, inputs, spec_tree(output), table, spelling, asks, settings, rows)


@lru_cache(maxsize=128)
def _evaluator(built: Built) -> Callable[[Arrays, Arrays, tuple[Tree, ...]], Tree]:
    return jax.jit(_unchanged(built))


@lru_cache(maxsize=128)
def _watcher(built: Built) -> Callable[[Arrays, Arrays, tuple[Tree, ...]], tuple[Tree, bool]]:
    return ops.watched(_unchanged(built))


def _unchanged(built: Built) -> Callable[[Arrays, Arrays, tuple[Tree, ...]], Tree]:
    evaluation = _evaluation(built.layer, EVALUATION)

    def evaluate(params: Arrays, buffers: Arrays, xs: tuple[Tree, ...]) -> Tree:
        built.require_unchanged()  # while it is traced, for each form of inputs
        return evaluation(params, buffers, *xs)

    return evaluate


def _evaluation(layer: Layer, ctx: Context) -> Callable[..., Any]:
    def evaluation(params: Arrays, buffers: Arrays, *xs: Tree) -> Tree:
        return layer.call((params, buffers), *xs, ctx=ctx)[0]

    return evaluation


def arguments(layer: Layer, inputs: tuple[Tree, ...]) -> list[Any]:
    """The arguments of an evaluation without values: parameters, buffers, inputs."""
    params, buffers = forms(layer, inputs)
    return [
        params,
        buffers,
        *jax.tree.map(abstract, inputs, is_leaf=lambda s: isinstance(s, Spec)),
    ]


def forms(layer: Layer, inputs: tuple[Tree, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Shape and dtype of every parameter and every buffer, for an input."""
    dtype, params, buffers = float_dtype(inputs), {}, {}
    for path, declared in declarations(layer).items():
        if isinstance(declared, Parameter):
            params[path] = jax.ShapeDtypeStruct(declared.shape, dtype)
        else:
            buffers[path] = jax.ShapeDtypeStruct(declared.shape, declared.dtype or dtype)
    return params, buffers


def float_dtype(inputs: Tree) -> str:
    """The dtype of the floats that go in; float32 where there are none."""
    return next((s.dtype for s in leaves(inputs) if s.dtype in FLOATING), "float32")


def _require_rule(call: Call) -> None:
    """The rule of a leaf layer agrees with its forward."""
    said = call.said
    if call.layer is None or said is None or not is_leaf(call.layer):
        return
    if not is_shape(said) or not is_shape(call.gives):
        return
    what = f"{call.layer.label()} gives {text(call.gives)}, its output_shape says {text(said)}."
    try:
        require_equal(call.gives, said, what)
    except ShapeError:
        where, help = place("model", call.path), "make output_shape and forward agree."
        raise LayerError(what, where=where, help=help) from None


def _table(layer: Layer, calls: list[Call], own: Flops) -> tuple[LayerInfo, ...]:
    """One line per layer, parents first, with the shapes of its first call.

    Args:
        own: The operations of each layer without those below it.
    """
    first: dict[str, Call] = {}
    for call in calls:
        first.setdefault(call.path, call)
    kept = {
        path: sum(map(size_in_bytes, leaves(call.specs[1])), start=0)
        for path, call in first.items()
        if call.layer is not None and is_leaf(call.layer)
    }
    shown = ((path, part) for path, part in walk(layer) if not _stands_for_another(part))
    counts = _counts(layer)
    return tuple(
        _info(path, part, first.get(path), counts[path], _within(own, path), _within(kept, path))
        for path, part in shown
    )


def _counts(layer: Part) -> Counter[str]:
    """The entries of the parameters that stand at each path, without those that are supplied."""
    supplied = {join(path, name) for path, part in walk(layer) for name in part.supplies()}
    counts: Counter[str] = Counter()
    for path, part in walk(layer):
        own = {join(path, name): d for name, d in part.parameters().items() if d is not None}
        counts[path] += sum(math.prod(d.shape) for p, d in own.items() if p not in supplied)
    return counts


def _stands_for_another(layer: Part) -> bool:
    """Whether a layer has the path of the one in it, as `nn.share(layer)` has."""
    return any(name == "" for name, _ in parts(layer))


def _within(amounts: Mapping[str, Size], path: str) -> Size:
    """The sum of the amounts of a layer and of those below it."""
    below = (n for p, n in amounts.items() if p == path or not path or p.startswith(f"{path}."))
    return sum(below, start=0)


def _info(
    path: str, layer: Part, call: Call | None, count: int, flops: Size, activations: Size
) -> LayerInfo:
    takes, gives = call.specs if call else ((), ())
    return LayerInfo(path, layer, takes, gives, count, count, flops, activations)
