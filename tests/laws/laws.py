"""The laws that tie the columns of a row together; each raises AssertionError where broken."""

from __future__ import annotations

from functools import partial, wraps
from itertools import permutations
from typing import Any

import jax
import jax.numpy as jnp
import law_cases
import law_truth
import numpy as np
from law_cases import Case

from close import assert_close
from quick import QUICK
from tensorem import graph
from tensorem.domains import Ball, Interval, Lines
from tensorem.errors import DTypeError
from tensorem.ops import Op, Unsupported
from tensorem.ops._derive import Reader
from tensorem.shapes import Spec

Array = Any


def in_float64(law: Any) -> Any:
    """The law read in double precision, so that rounding does not hide a fault."""

    @wraps(law)
    def wide(*args: Any, **kwargs: Any) -> Any:
        with jax.enable_x64(True):
            return law(*args, **kwargs)

    return wide


# --- exact values lie in rigorous intervals


def enclosure(op: Op, case: Case, seed: int, tries: int = 10) -> None:
    """Every real value on a box lies in the rigorous interval of the box."""
    rng = np.random.default_rng(seed)
    for _ in range(tries):
        box = law_cases.box(case, rng)
        _encloses(op, case, box, box.points(rng, 4))


def enclosure_wide(op: Op, case: Case, seed: int, tries: int = 1) -> None:
    """The same at single points of every size, subnormal and huge numbers included."""
    rng = np.random.default_rng(seed)
    for _ in range(tries):
        values = [law_cases.WIDE(rng, shape) for shape in case.shapes]
        values = [_in_domain(case, i, v) for i, v in enumerate(values)]
        _encloses(op, case, law_cases.at(values), [values])


def _in_domain(case: Case, i: int, values: Array) -> Array:
    kind = case.kind(i)
    if case.attrs.get("dtype") == "int32":
        return np.where(np.abs(values) < 2.0**31, values, 1.0)
    if kind in ("positive", "above"):
        return np.abs(values) + (values == 0)
    return values + (values == 0) if kind == "nonzero" else values


def _encloses(op: Op, case: Case, box: law_cases.Box, points: list[list[Array]]) -> None:
    boxes = [Interval.of(a, b) for a, b in zip(box.lower, box.upper, strict=True)]
    found = op.meaning("interval")(*boxes, **case.attrs)
    assert found.is_rigorous, f"{op.name}: the rigorous reading left NumPy"
    lower, upper = np.ravel(found.lower), np.ravel(found.upper)
    for point in points:
        values = law_truth.truth(op, point, case.attrs)
        assert values.shape == found.shape, f"{op.name}: {values.shape} is not {found.shape}"
        for v, a, b in zip(values.ravel(), lower, upper, strict=True):
            assert law_truth.within(v, a, b), f"{op.name}: {float(v)!r} not in [{a!r}, {b!r}]"


def tight(op: Op, case: Case, seed: int) -> None:
    """At a point the interval is one in 2^-40 wide at most: rounding outward loses no more."""
    rng = np.random.default_rng(seed)
    values = law_cases.operands(case, rng)
    found = op.meaning("interval")(*(Interval.of(v, v) for v in values), **case.attrs)
    size = 1 + np.max(np.abs(found.lower), initial=0)
    width = np.max(found.upper - found.lower, initial=0)
    assert width <= size * 2.0**-40, f"{op.name}: width {width} at a point"


# --- balls


def balls(op: Op, case: Case, seed: int, bits: int = 200) -> None:
    """Every real value on a box lies in the ball of the box; at a point the ball is small."""
    rng = np.random.default_rng(seed)
    whole = tuple(i for i in range(len(case.shapes)) if case.kind(i) in ("index", "mask"))
    box = law_cases.box(case, rng, whole)
    ends = [Ball.between(a, b, bits) for a, b in zip(box.lower, box.upper, strict=True)]
    if case.attrs.get("dtype") != "int32":  # of a box beside its greatest numbers there is none
        _holds(op, op.meaning("ball")(*ends, **case.attrs), box.points(rng, 2), case)
    point = law_cases.operands(case, rng)
    found = op.meaning("ball")(*(Ball.of(v, bits) for v in point), **case.attrs)
    _holds(op, found, [point], case)
    small = found.radius() <= (1 + np.abs(found.to_float())) * 2.0 ** (40 - bits)
    assert np.all(small), f"{op.name}: a radius of {found.radius().max()} at a point"


def _holds(op: Op, found: Ball, points: list[list[Array]], case: Case) -> None:
    low, high = (end.ravel() for end in found.ends())
    for point in points:
        values = law_truth.truth(op, point, case.attrs)
        assert values.shape == found.shape, f"{op.name}: {values.shape} is not {found.shape}"
        for v, a, b in zip(values.ravel(), low, high, strict=True):
            assert law_truth.held(v, a, b), f"{op.name}: {float(v)!r} not from {a} to {b}"


# --- run


@in_float64
def runs(op: Op, case: Case, seed: int) -> None:
    """The runtime computes the row's exact meaning, up to rounding."""
    values = law_cases.operands(case, np.random.default_rng(seed))
    computed = np.asarray(op(*law_cases.typed(case, values), **case.attrs), np.float64)
    expected = law_truth.to_float(law_truth.truth(op, values, case.attrs))
    tolerance = 1e-9 if case.attrs.get("dtype") != "float32" else 1e-6
    scale = float(np.max(np.abs(expected), initial=1.0))
    assert_close(computed, expected, rtol=tolerance, atol=1e-12 * scale)


def shapes(op: Op, case: Case) -> None:
    """The shape rule foretells shape and dtype of what the runtime returns."""
    dummies = law_cases.typed(case, [np.ones(shape) for shape in case.shapes], "float32")
    specs = [Spec(d.shape, d.dtype.name) for d in dummies]
    foretold = op.shape(*specs, **case.attrs)
    actual = jax.eval_shape(partial(op, **case.attrs), *map(jnp.asarray, dummies))
    assert foretold.shape == actual.shape, f"{op.name}: {foretold.shape} is not {actual.shape}"
    assert foretold.dtype == actual.dtype.name, f"{op.name}: {foretold.dtype}, {actual.dtype}"


def saves(op: Op, case: Case) -> None:
    """A graph of the op alone is read back from its JSON as it was."""
    dummies = law_cases.typed(case, [np.ones(shape) for shape in case.shapes], "float32")
    names = tuple(f"x{i}" for i in range(len(dummies)))
    specs = {n: Spec(d.shape, d.dtype.name) for n, d in zip(names, dummies, strict=True)}
    specs["y"] = op.shape(*specs.values(), **case.attrs)
    node = graph.Node(op.name, names, ("y",), dict(case.attrs))
    whole = graph.Graph(names, ("y",), (node,), specs, {}, names, "y")
    assert graph.from_json(graph.to_json(whole), {}) == whole


def dtypes(op: Op, case: Case) -> None:
    """Whatever the dtypes: the shape rule refuses them, or foretells what the runtime returns."""
    for names in (*((d,) for d in DTYPES), *permutations(DTYPES, 2)):
        dummies = [_of_dtype(case, i, names) for i in range(len(case.shapes))]
        specs = [Spec(d.shape, d.dtype.name) for d in dummies]
        try:
            foretold = op.shape(*specs, **case.attrs)
        except DTypeError:
            continue
        actual = jax.eval_shape(partial(op, **case.attrs), *dummies)
        given = ", ".join(s.dtype for s in specs)
        assert foretold.dtype == actual.dtype.name, f"{op.name}({given}) gives {actual.dtype}"


DTYPES = ("float32", "bfloat16", "float16", "int32", "uint8", "bool")


def _of_dtype(case: Case, i: int, names: tuple[str, ...]) -> Array:
    """An operand of a case in the first dtype if it is the first, else in the last one."""
    kinds = {"mask": "bool", "index": "int32"}
    dtype = kinds.get(case.kind(i), names[min(i, len(names) - 1)])
    return jax.ShapeDtypeStruct(case.shapes[i], jnp.dtype(dtype))


# --- fast reading


@in_float64
def fast(op: Op, case: Case, seed: int) -> None:
    """The fast interval is the rigorous one, up to rounding, also under jit and vmap."""
    box = law_cases.box(case, np.random.default_rng(seed))
    boxes = [Interval.of(a, b) for a, b in zip(box.lower, box.upper, strict=True)]
    rigorous = op.meaning("interval")(*boxes, **case.attrs)
    rule = partial(op.meaning("interval"), **case.attrs)
    batch = [Interval(b.lower[None], b.upper[None]) for b in boxes]
    compiled = jax.jit(jax.vmap(rule), compiler_options=QUICK)(*batch)
    assert_close(compiled.lower[0], rigorous.lower, rtol=1e-6, atol=1e-6)
    assert_close(compiled.upper[0], rigorous.upper, rtol=1e-6, atol=1e-6)


# --- lines


@in_float64
def lines(op: Op, case: Case, seed: int, tries: int = 1) -> None:
    """lower line <= f <= upper line on the box, whichever operands are constant.

    And <a, M x> = <Mᵀ a, x> for every map M of the lines.
    """
    rng = np.random.default_rng(seed)
    for fixed in _constant_sets(case):
        read = _lines_reader(op, case, fixed)
        for _ in range(tries):
            box = law_cases.box(case, rng, fixed)
            points = box.points(rng, 3)
            low, value, high, mapped, returned = read(box.lower, box.upper, _stacked(case, points))
            slack = _rounding(case) * (1 + np.max(np.abs(value), initial=0))
            worst = np.max(np.maximum(low - value, value - high), initial=-1)
            assert worst <= slack, f"{op.name}: a line is off by {worst}, constant: {fixed}"
            assert_close(mapped, returned, rtol=1e-9, atol=1e-9)


def _rounding(case: Case) -> float:
    """The law reads double precision, but a cast may leave it."""
    return 1e-6 if case.attrs.get("dtype") == "float32" else 1e-9


def _stacked(case: Case, points: list[list[Array]]) -> list[Array]:
    columns = [np.stack(column) for column in zip(*points, strict=True)]
    return law_cases.typed(case, columns)


def _constant_sets(case: Case) -> list[tuple[int, ...]]:
    """No operand constant but the weights; then all but the first; then the first alone."""
    free = [i for i in range(len(case.shapes)) if i not in case.constant]
    if len(free) < 2:
        return [case.constant]
    return [case.constant, (*case.constant, *free[1:]), (*case.constant, free[0])]


def _lines_reader(op: Op, case: Case, fixed: tuple[int, ...]) -> Any:
    """(lower ends, upper ends, points) -> lower line, value, upper line, and both pairings."""

    def values(lower: list[Array], upper: list[Array], points: list[Array]) -> Any:
        typed = law_cases.typed(case, lower)
        boxes = [
            typed[i] if i in fixed else Interval(a, b)
            for i, (a, b) in enumerate(zip(lower, upper, strict=True))
        ]
        found = op.meaning("lines")(*boxes, **case.attrs)
        both = jax.vmap(lambda *x: _line_values(found, x))(*points)
        true = jax.vmap(partial(op.run, **case.attrs))(*points)
        mapped, returned = _pairings(found, [a + b for a, b in zip(lower, upper, strict=True)])
        return both[0], true.astype(both[0].dtype), both[1], mapped, returned

    compiled = jax.jit(values, compiler_options=QUICK)

    def read(*columns: list[Array]) -> Any:
        return jax.tree.map(np.asarray, compiled(*columns))

    return read


def _line_values(found: Lines, xs: tuple[Array, ...]) -> tuple[Array, Array]:
    low, high = found.lower_offset, found.upper_offset
    for below, above, x in zip(found.lower, found.upper, xs, strict=True):
        low = low if below is None else low + below(x)
        high = high if above is None else high + above(x)
    return low, high


def _pairings(found: Lines, xs: list[Array]) -> tuple[Array, Array]:
    """<a, M x> and <Mᵀ a, x> for every map, at some a."""
    a = jnp.cos(jnp.arange(found.lower_offset.size)).reshape(found.lower_offset.shape)
    maps = [(m, x) for side in (found.lower, found.upper) for m, x in zip(side, xs, strict=True)]
    pairs = [(jnp.sum(a * m(x)), jnp.sum(m.transpose(a) * x)) for m, x in maps if m is not None]
    return jnp.stack([p[0] for p in pairs or [(0.0, 0.0)]]), jnp.stack(
        [p[1] for p in pairs or [(0.0, 0.0)]]
    )


# --- derivatives


@in_float64
def derivatives(op: Op, case: Case, seed: int) -> None:
    """Every transform goes through the op; all agree, also with difference quotients."""
    rng = np.random.default_rng(seed)
    values = law_cases.typed(case, [_off_kinks(v) for v in law_cases.operands(case, rng)])
    moving = [i for i, v in enumerate(values) if v.dtype == np.float64]
    xs = [jnp.asarray(values[i]) for i in moving]
    ds = [jnp.asarray(rng.normal(size=x.shape)) for x in xs]
    found = _derivatives(op, case, values, moving)(xs, ds)
    at = float(np.max(np.abs(found["slope"]), initial=1.0))
    close = partial(assert_close, rtol=1e-8, atol=1e-8 * at)
    close(found["jvp"], found["slope"])
    close(found["remat"], found["slope"])
    close(found["vmap"], found["slope"])
    close(found["each"], found["slope"])
    close(found["scan"], found["slope"])
    close(found["hvp"], found["rr"])
    close(found["hvp"], found["rf"])
    assert_close(found["quotient"], found["slope"], rtol=1e-4, atol=1e-5 * at)
    assert_close(found["bend"], found["hvp"], rtol=1e-4, atol=1e-5 * at)


def _off_kinks(values: Array) -> Array:
    """No zeros and no ties: a difference quotient there is another number than the derivative."""
    return (
        values + np.where(values == 0, 0.3, 0) + 1e-3 * np.arange(values.size).reshape(values.shape)
    )


def _derivatives(op: Op, case: Case, values: list[Array], moving: list[int]) -> Any:
    """All directional derivatives of one weighted sum of the result, in one program."""

    def f(xs: list[Array]) -> Array:
        full = [jnp.asarray(v) for v in values]
        for i, x in zip(moving, xs, strict=True):
            full[i] = x
        y = op(*full, **case.attrs).astype(jnp.float64)
        return jnp.sum(jnp.cos(jnp.arange(y.size)).reshape(y.shape) * y)

    def along(g: list[Array], d: list[Array]) -> Array:
        return sum((jnp.sum(a * b) for a, b in zip(g, d, strict=True)), jnp.zeros(()))

    def one(g: Any, xs: list[Array]) -> Any:
        return lambda first: g([first, *xs[1:]])

    def everything(xs: list[Array], ds: list[Array]) -> dict[str, Array]:
        step = 2.0**-22
        plus, minus = ([x + s * d for x, d in zip(xs, ds, strict=True)] for s in (step, -step))
        batch = [_with_another(x) for x in xs]
        slope = jax.grad(lambda x: along(jax.grad(f)(x), ds))
        return {
            "slope": along(jax.grad(f)(xs), ds),
            "jvp": jax.jvp(f, (xs,), (ds,))[1],
            "remat": along(jax.grad(jax.checkpoint(f))(xs), ds),
            "vmap": along([g[0] for g in jax.vmap(jax.grad(f))(batch)], ds),
            "each": along([g[0] for g in jax.vmap(one(jax.grad(f), xs))(batch[0])], ds),
            "scan": along(jax.grad(partial(_scanned, f))(xs), ds),
            "hvp": along(jax.jvp(jax.grad(f), (xs,), (ds,))[1], ds),
            "rr": along(slope(xs), ds),
            "rf": along(jax.grad(lambda x: jax.jvp(f, (x,), (ds,))[1])(xs), ds),
            "quotient": (f(plus) - f(minus)) / (2 * step),
            "bend": (along(jax.grad(f)(plus), ds) - along(jax.grad(f)(minus), ds)) / (2 * step),
        }

    return jax.jit(everything, compiler_options=QUICK)


def _with_another(x: Array) -> Array:
    """A batch of x and of its entries in reverse: what mixes the two changes the first."""
    return jnp.stack([x, jnp.ravel(x)[::-1].reshape(x.shape)])


def _scanned(f: Any, xs: list[Array]) -> Array:
    """f as the one step of a loop."""
    return jax.lax.scan(lambda total, _: (total + f(xs), None), jnp.zeros(()), None, length=1)[0]


# --- composites


def direct_within_derived(op: Op, case: Case, seed: int) -> None:
    """A direct interval lies in the one read from the definition, up to rounding."""
    assert op.definition is not None
    box = law_cases.box(case, np.random.default_rng(seed))
    boxes = [Interval.of(a, b) for a, b in zip(box.lower, box.upper, strict=True)]
    direct = op.meaning("interval")(*boxes, **case.attrs)
    derived = op.definition(Reader("interval"), *boxes, **case.attrs)
    slack = 1e-12 * (1 + np.abs(direct.upper) + np.abs(direct.lower))
    assert np.all(direct.lower >= derived.lower - slack), f"{op.name}: looser below"
    assert np.all(direct.upper <= derived.upper + slack), f"{op.name}: looser above"


def has(op: Op, meaning: str) -> bool:
    """The row states this meaning."""
    return not isinstance(getattr(op, meaning), Unsupported)
