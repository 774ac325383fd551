"""The laws that every layer keeps, walked over the list of examples."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache, partial
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from quick import QUICK
from tensorem import graph, nn, train, verify
from tensorem.errors import ArgumentError, MeaningError
from tensorem.layer import _tree
from tensorem.layer._specs import is_shape
from tensorem.nn.examples import EXAMPLES, Example
from tensorem.shapes import UNKNOWN_RANK, Spec, shape_of, spec_of
from tensorem.verify._bounds import Propagation

Trees = tuple[Any, ...]
FIRST = list({type(e.layer): e for e in reversed(EXAMPLES)}.values())
"""The example that stands for its layer."""


def sized(example: Example, **sizes: int) -> tuple[Spec, ...]:
    """The specs of the inputs, with numbers in place of names."""
    given = spec_of(example.input)
    specs = given if isinstance(given, tuple) else (given,)
    return tuple(s.bind({n: sizes.get(n, 4) for n in _names(s)}) for s in specs)


def _names(spec: Spec) -> set[str]:
    return {name for n in spec.shape for name in getattr(n, "names", ())}


def drawn(example: Example, specs: tuple[Spec, ...], seed: int = 0) -> tuple[np.ndarray, ...]:
    """Inputs: eighths as floats, so that rationals stay short, and indices that are there."""
    rng = np.random.default_rng(seed)
    kinds = {
        "f": lambda s: np.float32(rng.integers(-16, 17, s)) / np.float32(8),
        "i": lambda s: rng.integers(0, example.below, s, dtype=np.int32),
        "b": lambda s: rng.uniform(size=s) < 0.7,
    }
    return tuple(kinds[np.dtype(spec.dtype).kind](spec.shape) for spec in specs)


@cache
def built(title: str, n: int | None = 2) -> nn.Model:
    """The model of an example, which all laws share: for n examples, or for named sizes."""
    [example] = (e for e in EXAMPLES if e.title == title)
    return nn.build(example.layer, example.input if n is None else sized(example, N=n))


def leaves(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree)


def must(example: Example, law: str) -> None:
    """A law that an example does not keep says why, and is not walked."""
    if law in example.holes:
        pytest.skip(example.holes[law])


def integers(layer: nn.Layer) -> list[str]:
    """The fields of a layer that hold an integer or several, or none where one may stand."""
    taken = signature(type(layer)).parameters
    known = [f for f in fields(layer) if f.name in taken and "float" not in str(f.type)]  # type: ignore[arg-type]
    return [f.name for f in known if _is_integer(getattr(layer, f.name), str(f.type))]


def _is_integer(value: Any, said: str) -> bool:
    several = value if isinstance(value, tuple) else (value,)
    return "int" in said if value is None else {*map(type, several)} == {int}


def titled(examples: Any) -> Any:
    return pytest.mark.parametrize("example", examples, ids=lambda e: e.title)


@titled(EXAMPLES)
def test_the_rule_is_what_forward_returns(example: Example) -> None:
    model = built(example.title, None)
    specs = model.input if isinstance(model.input, tuple) else (model.input,)
    concrete = sized(example, N=3, T=2, H=5)
    sizes = {n: {"N": 3, "T": 2, "H": 5}.get(n, 4) for s in specs for n in _names(s)}
    xs = [jax.ShapeDtypeStruct(s.shape, s.dtype) for s in concrete]
    y = jax.eval_shape(model.apply, model.params, *xs)
    outputs = jax.tree.leaves(model.output, is_leaf=lambda s: isinstance(s, Spec))
    assert [a.shape for a in leaves(y)] == [s.bind(sizes).shape for s in outputs]
    if _tree.is_leaf(example.layer):
        said = example.layer.output_shape(*(s.shape for s in specs))
        given = jax.tree.map(lambda s: s.shape, model.output, is_leaf=_is_spec)
        assert said in (given, UNKNOWN_RANK) and (said == given or type(example.layer) is nn.Lambda)


def _is_spec(x: Any) -> bool:
    return isinstance(x, Spec)


@titled([e for e in FIRST if _tree.is_leaf(e.layer)])
def test_every_rule_takes_shapes_of_unknown_rank(example: Example) -> None:
    given = (UNKNOWN_RANK,) * len(sized(example))
    said = example.layer.output_shape(*given)
    assert all(shape_of(s) is not None for s in jax.tree.leaves(said, is_leaf=is_shape))


def test_every_layer_has_an_example() -> None:
    public = {c for c in vars(nn).values() if isinstance(c, type) and issubclass(c, nn.Layer)}
    shown = {type(part) for example in EXAMPLES for _, part in _tree.walk(example.layer)}
    assert public - shown == {nn.Layer}
    titles = [example.title for example in EXAMPLES]
    assert len(set(titles)) == len(titles)


@titled(FIRST)
def test_a_graph_gives_the_bits_of_the_model(example: Example) -> None:
    must(example, "to_jax")
    model, xs = built(example.title), drawn(example, sized(example, N=2))
    again = graph.to_jax(tm.capture(model))(*map(jnp.asarray, xs))
    for ours, theirs in zip(leaves(again), leaves(model(*xs)), strict=True):
        assert np.array_equal(ours, theirs)


@titled(FIRST)
def test_layer_by_layer_is_the_whole(example: Example) -> None:
    must(example, "eager")
    model, xs = built(example.title), drawn(example, sized(example, N=2))
    ctx = nn.Context(run_leaf=nn.eager)
    y, _ = example.layer.call((model.params, model.buffers), *map(jnp.asarray, xs), ctx=ctx)
    for ours, theirs in zip(leaves(y), leaves(model(*xs)), strict=True):
        assert_close(ours, theirs)


@titled(FIRST)
def test_derivatives_agree(example: Example) -> None:
    """<gradient, t> is the derivative along t, forward, backward, twice, and under vmap."""
    for law in ("grad", "jvp", "hvp", "vmap"):
        must(example, law)
    model, xs = built(example.title), drawn(example, sized(example, N=2))
    floats = {i: jnp.asarray(x) for i, x in enumerate(xs) if x.dtype.kind == "f"}
    point = (dict(model.params), floats)
    if not leaves(point):
        pytest.skip("nothing in it varies")

    def f(point: Any) -> Any:
        params, floats = point
        y = model.apply(params, *(floats.get(i, x) for i, x in enumerate(xs)))
        return sum(jnp.sum(jnp.square(v) / 2) for v in leaves(y) if v.dtype.kind == "f")

    rng = np.random.default_rng(1)
    t = jax.tree.map(lambda a: jnp.asarray(rng.standard_normal(a.shape), a.dtype), point)

    @partial(jax.jit, compiler_options=QUICK)
    def run(point: Any, t: Any) -> Any:
        gradient, along = jax.jvp(jax.grad(f), (point,), (t,))
        pair = jax.tree.map(lambda a, b: jnp.stack([a, b]), t, jax.tree.map(jnp.negative, t))
        return gradient, along, jax.vmap(lambda s: jax.jvp(f, (point,), (s,))[1])(pair)

    gradient, along, (one, other) = run(point, t)
    dot = sum(jnp.vdot(a, b) for a, b in zip(leaves(gradient), leaves(t), strict=True))
    size = max(float(abs(dot)), 1.0)
    assert_close(one / size, dot / size, 1e-4, 1e-4)
    assert_close(other / size, -dot / size, 1e-4, 1e-4)
    assert all(bool(jnp.isfinite(a).all()) for a in leaves((gradient, along)))


@titled(FIRST)
def test_every_reading_is_there_or_says_why(example: Example) -> None:
    model, xs = built(example.title), drawn(example, sized(example, N=2))
    holes = {**tm.coverage(model), **example.holes}
    wide = leaves(tm.evaluate(model, *xs, dtype="float64"))
    for reading, dtype in (("exact", "rational"), ("interval", "interval")):
        if holes[reading]:
            with pytest.raises(MeaningError):
                tm.evaluate(model, *xs, dtype=dtype)
    if not holes["exact"]:
        for value, float64 in zip(_read(model, xs, "rational"), wide, strict=True):
            assert_close(value.to_float(), float64, 1e-9, 1e-9)
    if not holes["interval"]:
        for box, float64 in zip(_read(model, xs, "interval"), wide, strict=True):
            slack = 1e-9 * (1 + np.abs(float64))
            assert np.all(box.lower <= float64 + slack) and np.all(float64 - slack <= box.upper)


def _read(model: nn.Model, xs: Trees, dtype: str) -> list[Any]:
    y = tm.evaluate(model, *xs, dtype=dtype)
    return jax.tree.leaves(y, is_leaf=lambda v: not isinstance(v, tuple))


@pytest.mark.long
@titled(FIRST)
def test_a_run_goes_on_with_the_same_bytes(example: Example, tmp_path: Any) -> None:
    must(example, "resume")
    specs = sized(example, N=6)
    xs = drawn(example, specs)
    if any(spec.shape[:1] != (6,) for spec in specs):
        pytest.skip("its inputs have no batch axis")
    several = isinstance(nn.build(example.layer, specs).output, tuple)
    alone = several or len(specs) > 1
    layer = example.layer if alone else nn.Sequential(example.layer, nn.Flatten())
    named = tuple(Spec(("N", *spec.shape[1:]), spec.dtype) for spec in specs)
    model = nn.build(layer, named)
    if not model.params or several:
        pytest.skip("it has nothing to train, or several outputs")
    y = np.zeros((6, *model.output.shape[1:]), np.float32)
    data = (xs if len(xs) > 1 else xs[0], y)
    given = dict(loss="mse", batch_size=3, progress="none")
    whole = train.fit(model, data, epochs=2, **given)
    train.fit(model, data, epochs=1, path=tmp_path / "run", **given)
    resumed = train.resume(tmp_path / "run", model, data, epochs=2, progress="none")
    for name, array in whole.model.state_dict().items():
        assert np.array_equal(array, resumed.model.state_dict()[name], equal_nan=True)


@titled(
    [
        pytest.param(e, marks=pytest.mark.long) if e.title == "Mamba" else e
        for e in FIRST
        if len(sized(e)) == 1 and sized(e)[0].dtype == "float32"
    ]
)
def test_lines_enclose_what_is_computed(example: Example) -> None:
    if hole := {**tm.coverage(built(example.title, None)), **example.holes}["lines"]:
        pytest.skip(hole)
    [spec] = specs = sized(example, N=1)
    model = built(example.title, 1)
    if isinstance(model.output, tuple):
        pytest.skip("a bound is of one output")
    [center] = drawn(example, specs)
    program = Propagation.of(tm.capture(model))
    bounds = program.crown(jnp.asarray(center - 0.25)[None], jnp.asarray(center + 0.25)[None])
    rng = np.random.default_rng(2)
    points = center + rng.uniform(-0.25, 0.25, (20, *spec.shape)).astype(np.float32)
    values = np.stack([np.asarray(model(x), np.float64).ravel() for x in points])
    name, size = program.graph.outputs[0], values.shape[1]
    if name not in program.graph.inputs:
        shape = (size, *program.graph.specs[name].shape)
        rows = jnp.asarray(rng.standard_normal((size, size)), jnp.float32)
        least = np.asarray(program.lower(rows.reshape(1, *shape), name, bounds))
        assert np.all(values @ np.asarray(rows, np.float64).T >= least - 1e-3)
    box = bounds.boxes[name]
    assert np.all(values >= np.ravel(box.lower) - 1e-4)
    assert np.all(values <= np.ravel(box.upper) + 1e-4)


@pytest.mark.long
@titled([e for e in FIRST if len(sized(e)) == 1 and sized(e)[0].dtype == "float32"])
def test_the_checker_accepts_a_proof(example: Example) -> None:
    holes = {**tm.coverage(nn.build(example.layer, example.input)), **example.holes}
    if hole := holes["lines"] or holes["checker"]:
        pytest.skip(hole)
    if "N" not in _names(spec_of(example.input)):
        pytest.skip("its input has no batch axis")
    inner = nn.build(nn.Sequential(example.layer, nn.Flatten()), example.input).output
    layer = nn.Sequential(example.layer, nn.Flatten(), nn.Linear(int(inner.shape[-1]), 3))
    model = nn.build(layer, example.input)
    [x] = drawn(example, sized(example, N=1))
    proof = verify.robust(model, x[0], int(np.argmax(model(x))), 1e-5)
    assert proof.verdict == "proved" and proof.check()


@titled(FIRST)
def test_an_integer_beyond_32_bits_is_refused(example: Example) -> None:
    for name in integers(example.layer):
        value = getattr(example.layer, name)
        big = (*value[1:], 2**31) if isinstance(value, tuple) else 2**31
        with pytest.raises(ArgumentError):
            replace(example.layer, **{name: big})
