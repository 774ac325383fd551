"""Every bound that the checker computes encloses the exact value; planted faults are caught."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from checker_cases import CASES, TILES, Array, Case, Net, certify, evaluate, fractions

from tensorem.check import _bounds, _claim, _steps
from tensorem.check._bounds import lowest, propagate
from tensorem.check._graph import parse_graph
from tensorem.check._lower import lower
from tensorem.check._numbers import (
    EXACT,
    FLOAT64,
    Arithmetic,
    Enclosure,
    bounds,
    float_above,
    square_root,
)
from tensorem.check._program import Bounds, Relax


def binades(rng: Any, shape: tuple[int, ...], low: int = -30, high: int = 30) -> Array:
    """Floats drawn by sign, exponent and mantissa: sums of them round, unlike uniform ones."""
    values = np.ldexp(rng.uniform(1, 2, shape), rng.integers(low, high, shape))
    return (values * rng.choice([-1, 1], shape)).astype(np.float32)


def wild(seed: int, eps: str) -> Case:
    """A net of all binades, small enough to be evaluated exactly many times."""
    rng = np.random.default_rng(seed)
    net = Net((1, 4))
    h = "x"
    for i in range(3):
        weight = net.array(f"{i}.weight", binades(rng, (4, 4), -12, 12))
        bias = net.array(f"{i}.bias", binades(rng, (4,), -12, 12))
        h = net.op("linear", h, weight, bias)
        h = net.op("relu", net.op("add", h, h)) if i < 2 else h
    return certify(net, binades(rng, (1, 4), -12, 12), eps, rng)


def wild_image(seed: int, eps: str) -> Case:
    """A random net of images and all binades, with values that nearly cancel."""
    rng = np.random.default_rng(seed)
    net = Net((1, 4, 3, 3))

    def w(*shape: int) -> str:
        return net.array(f"{len(net.arrays)}.w", binades(rng, shape, -10, 10))

    def conv(h: str) -> str:
        attrs = {"stride": [1, 1], "padding": [[1, 1], [1, 1]], "dilation": [2, 2], "groups": 2}
        return net.op("conv2d", h, w(4, 2, 2, 2), w(4), **attrs)

    def norm(h: str) -> str:
        var = net.array(f"{len(net.arrays)}.v", np.abs(binades(rng, (4,), -10, 10)))
        return net.op("batch_norm", h, w(4), w(4), w(4), var, eps=float(rng.choice([1e-30, 1])))

    def pool(h: str) -> str:
        attrs = {"kernel_size": [2, 3], "stride": [1, 1], "padding": [[1, 1], [1, 1]]}
        if rng.integers(2):
            return net.op("max_pool2d", h, **attrs, dilation=[1, 1])
        return net.op("avg_pool2d", h, **attrs, divisor=int(rng.integers(1, 8)))

    h = norm(conv("x")) if seed % 2 else conv(norm("x"))
    h = net.op("leaky_relu", h, negative_slope=float(rng.choice([0, 0.01, 1, 1e-40])))
    h = pool(net.op(str(rng.choice(["add", "sub"])), h, "x"))
    h = net.op("linear", net.flatten(h), w(4, int(np.prod(net.shape_of(h)))), w(4))
    lift = net.array("lift", np.full((1, 4), 2.0 ** rng.integers(10, 40)))
    h = net.op("sub", net.op("relu", net.op("add", h, lift)), lift)
    net.op("linear", h, w(3, 4))
    return certify(net, binades(rng, net.shape, -10, 10), eps, rng)


def small(seed: int) -> Case:
    """A net on a large box of four inputs, where wrong lines show at the vertices."""
    rng = np.random.default_rng(seed)
    net = Net((1, 1, 2, 2))
    top = net.op("max_pool2d", "x", **TILES, dilation=[1, 1])
    h = net.op("concat", net.flatten(top), net.flatten("x"), dim=1)
    h = net.linear(h, 3, rng)
    net.linear(net.op("concat", h, net.op("relu", h), dim=1), 4, rng)
    return certify(net, rng.normal(size=(1, 1, 2, 2)), "1.5", rng)


def points(case: Case, rng: Any, count: int) -> Iterator[Array]:
    """Exact points of the box: the centre, vertices, and rationals between."""
    center, eps = fractions(case.tensors["center"]), Fraction(case.claim["eps"])
    yield center
    for i in range(count):
        signs = rng.choice([-1, 1], center.shape)
        part = signs if i % 2 else rng.integers(-7, 8, center.shape) * Fraction(1, 7)
        x = center + eps * (part * Fraction(1))
        if case.claim["clip"]:
            low, high = map(Fraction, case.claim["clip"])
            x = np.minimum(np.maximum(x, low), high)
        yield x


def prefixes(case: Case) -> Iterator[Case]:
    """The graph up to each node, that node being the output."""
    for i, node in enumerate(case.document["nodes"]):
        part = case.copy()
        part.document["nodes"] = part.document["nodes"][: i + 1]
        part.document["outputs"] = node["outputs"]
        names = {name for n in part.document["nodes"] for name in [*n["inputs"], *n["outputs"]]}
        arrays = [a for a in part.document["arrays"] if a in names]
        part.document["arrays"] = arrays
        kept = {"x", *arrays, *(n["outputs"][0] for n in part.document["nodes"])}
        part.document["specs"] = {k: v for k, v in part.document["specs"].items() if k in kept}
        yield part


def assert_encloses(case: Case, a: Arithmetic, seed: int = 0, count: int = 6) -> None:
    """Raise unless interval and linear bounds of every node hold at exact points of the box."""
    rng = np.random.default_rng(seed)
    xs = list(points(case, rng, count))
    exact = [evaluate(case.document, case.arrays, x) for x in xs]
    for part in prefixes(case):
        name = part.document["outputs"][0]
        intervals, lines = both_bounds(part, a)
        for values in exact:
            y = values[name].ravel()
            for low, high in (intervals, lines):
                assert np.all(fractions(low) <= y), f"{name} falls below its lower bound"
                assert np.all(fractions(high) >= y), f"{name} rises above its upper bound"


def both_bounds(case: Case, a: Arithmetic) -> list[tuple[Array, Array]]:
    """Interval bounds of the output, and the linear ones from a backward pass."""
    program = lower(parse_graph(case.document), case.arrays, a)
    values = propagated(case, a)
    found = values.bounds.map(lambda v: v[program.output.at])
    rows = a.numbers(np.eye(found.lower.size))
    low = lowest(program, values, program.output, rows, a)
    high = -lowest(program, values, program.output, -rows, a)
    return [(found.lower, found.upper), (low, high)]


def propagated(case: Case, a: Arithmetic) -> Bounds:
    """What is known on the box of the claim; exact lines have the slopes of the rounded ones."""
    program = lower(parse_graph(case.document), case.arrays, a)
    box = _claim.box(_claim.parse_claim(case.claim).says, case.tensors["center"], a)
    first = propagated(case, FLOAT64) if a is EXACT else None

    def relax(i: int, step: Any, x: Enclosure) -> _steps.Lines:
        given = first.lines[i].slopes if first else _steps.slopes(step, x, case.tensors)
        return _steps.lines(step, x, given, case.tensors, a)

    def opens(i: int, step: Any, x: Enclosure) -> Array:
        return first.opened[i] if first else _steps.opens(step, x)

    return propagate(program, box, Relax(relax, opens), a)


# --- the laws


@pytest.mark.parametrize("name", CASES)
def test_bounds_enclose_every_node_of_every_case(name: str) -> None:
    assert_encloses(CASES[name](1), FLOAT64)


@pytest.mark.parametrize("seed", range(5))
def test_bounds_enclose_large_boxes(seed: int) -> None:
    assert_encloses(small(seed), FLOAT64, count=20)


@pytest.mark.parametrize("eps", ["0", "1e-9", "0.001", "3.7"])
@pytest.mark.parametrize("seed", range(4))
def test_bounds_enclose_nets_of_all_binades(seed: int, eps: str) -> None:
    assert_encloses(wild(seed, eps), FLOAT64)


@pytest.mark.parametrize("eps", ["0", "0.001", "40"])
@pytest.mark.parametrize("seed", range(4))
def test_bounds_enclose_images_of_all_binades(seed: int, eps: str) -> None:
    assert_encloses(wild_image(seed, eps), FLOAT64, seed, 3)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200))
def test_bounds_enclose_many_images_of_all_binades(seed: int) -> None:
    for eps in ("0", "1e-12", "0.001", "40"):
        assert_encloses(wild_image(seed, eps), FLOAT64, seed, 6)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200))
def test_bounds_enclose_many_nets_of_all_binades(seed: int) -> None:
    for eps in ("0", "1e-12", "1e-6", "0.01", "40"):
        assert_encloses(wild(seed, eps), FLOAT64, seed, 12)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_exact_bounds_enclose(name: str) -> None:
    assert_encloses(CASES[name](1), EXACT, count=3)


def test_the_root_in_a_batch_norm_is_between_two_exact_numbers() -> None:
    net = Net((1, 2))
    ones, zeros = net.array("1", np.ones(2)), net.array("0", np.zeros(2))
    var = net.array("var", [2, 3])
    net.op("batch_norm", "x", ones, zeros, zeros, var, eps=0)
    case = certify(net, np.ones((1, 2)), "0", np.random.default_rng(0))
    for low, high in both_bounds(case, EXACT):
        assert np.all(low**2 * [2, 3] < 1) and np.all(high**2 * [2, 3] > 1)
        assert np.all(high - low < Fraction(1, 2**90))


def assert_box_contains(a: Arithmetic) -> None:
    rng = np.random.default_rng(5)
    for eps in ("0.1", "0.02", "1e-12", "0.3333333333333333333", "0"):
        fields = CASES["mlp"](0).claim | {"eps": eps, "clip": None}
        claim = _claim.parse_claim(fields).says
        center = binades(rng, (200,))
        box, exact = _claim.box(claim, center, a), fractions(center)
        assert np.all(fractions(box.lower) <= exact - Fraction(eps)), "the box is too small"
        assert np.all(fractions(box.upper) >= exact + Fraction(eps)), "the box is too small"


def test_the_box_is_rounded_outward() -> None:
    assert_box_contains(FLOAT64)


def test_the_clip_range_is_rounded_outward() -> None:
    fields = CASES["mlp"](0).claim | {"eps": "9", "clip": ["-0.1", "0.7"]}
    box = _claim.box(_claim.parse_claim(fields).says, np.float32([0.0]), FLOAT64)
    assert Fraction(box.lower[0]) <= Fraction("-0.1") < Fraction(np.nextafter(box.lower[0], 1))
    assert Fraction(box.upper[0]) >= Fraction("0.7") > Fraction(np.nextafter(box.upper[0], 0))


def assert_middle_and_radius(a: Arithmetic) -> None:
    rng = np.random.default_rng(6)
    ends = np.sort(np.stack([binades(rng, (300,), -60, 60) for _ in range(2)]).astype(float), 0)
    found = bounds(ends[0] * 1.1, ends[1] * np.where(ends[1] > 0, 1.2, 1), a)
    middle, radius = fractions(found.middle), fractions(found.radius)
    assert np.all(middle - radius <= fractions(found.lower)), "the radius is too small"
    assert np.all(middle + radius >= fractions(found.upper)), "the radius is too small"


def test_middle_and_radius_contain_the_bounds() -> None:
    tight = np.float64([0.0, 2.0**-1074, 3 * 2.0**-1074, -(2.0**-1022)])
    found = bounds(tight, tight, FLOAT64)
    assert np.all(np.abs(found.middle) <= found.size)
    assert np.all(np.abs(fractions(tight) - fractions(found.middle)) <= fractions(found.radius))


@pytest.mark.parametrize("leak", [0.0, 0.01, 0.5, 1.0])
def test_relu_lines_hold_at_the_ends(leak: float) -> None:
    """With the slopes that are chosen for them, and with any others, of whatever sign x is."""
    rng = np.random.default_rng(7)
    ends = np.sort(np.stack([binades(rng, (500,)) for _ in range(2)]).astype(float), 0)
    x = bounds(*ends, FLOAT64)
    step = _steps.Relu(_steps.read(np.arange(500)), np.float64(leak), "y")
    tensors = {"slope.y": rng.uniform(0, 1, 500).astype(np.float32)}
    chosen = _steps.slopes(step, x, tensors)
    assert all(np.all((leak <= s) & (s <= 1)) for s in chosen)
    assert_relu_lines(step, x, chosen, leak)
    assert_relu_lines(step, x, tuple(rng.uniform(leak, 1, (2, 500))), leak)


def assert_relu_lines(step: _steps.Relu, x: Enclosure, slopes: Any, leak: float) -> None:
    line = _steps.relu_lines(step, x, slopes, FLOAT64)
    slope, chord, offset = (fractions(v) for v in (line.lower_slope, line.upper_slope, line.offset))
    for end in map(fractions, (x.lower, x.upper, np.clip(0, x.lower, x.upper))):
        y = np.maximum(end, Fraction(leak) * end)
        assert np.all(slope * end <= y) and np.all(y <= chord * end + offset)


def test_max_lines_hold_at_the_ends() -> None:
    rng = np.random.default_rng(8)
    ends = np.sort(np.stack([binades(rng, (400, 4), -4, 4) for _ in range(2)]).astype(float), 0)
    x = bounds(ends[0].ravel(), ends[1].ravel(), FLOAT64)
    step = _steps.Max(_steps.read(np.arange(1600)), np.ones((400, 4), bool), "y")
    picks = rng.integers(0, 4, (2, 400))
    tensors = {"pick_lower.y": picks[0], "pick_upper.y": picks[1]}
    chosen = _steps.slopes(step, x, tensors)
    assert all(np.all((s >= 0) & (s <= 1)) for s in chosen)
    for slopes in (chosen, (chosen[0], rng.uniform(0, 1, 400))):
        assert_max_lines(_steps.lines(step, x, slopes, tensors, FLOAT64), ends)


def assert_max_lines(line: _steps.Lines, ends: Array) -> None:
    chord, offset = fractions(line.upper_slope), fractions(line.offset)
    low, high = fractions(ends[0]), fractions(ends[1])
    for corner in range(16):
        cells = np.where([corner >> k & 1 for k in range(4)], high, low)
        y, flat = cells.max(axis=1), cells.ravel()
        assert np.all(flat[line.lower.at] <= y)
        assert np.all(y <= chord * flat[line.upper.at] + offset)


@pytest.mark.parametrize("text", ["0.1", "3", "1e-300", "0.3333333333333333333", "-0.1", "1e40"])
def test_float_above_is_the_least_one(text: str) -> None:
    q = Fraction(text)
    assert Fraction(float_above(q)) >= q > Fraction(np.nextafter(float_above(q), -np.inf))


@pytest.mark.parametrize("q", [Fraction(2), Fraction(1, 3), Fraction(10**40), Fraction(1, 10**40)])
def test_square_roots_are_enclosed_and_tight(q: Fraction) -> None:
    low, high = square_root(q)
    assert low**2 <= q <= high**2 and high - low <= low / 2**99


# --- the laws catch planted faults


def caught(law: Callable[[], None]) -> bool:
    try:
        law()
    except AssertionError:
        return True
    return False


def test_the_law_catches_a_gamma_of_zero() -> None:
    blind = dataclasses.replace(FLOAT64, gamma=lambda n: 0.0, tiny=0.0)
    assert any(caught(lambda s=s: assert_encloses(wild(s, "0"), blind)) for s in range(3))


def test_the_law_catches_a_gamma_that_is_too_small() -> None:
    blind = dataclasses.replace(FLOAT64, gamma=lambda n: 2.0**-56, tiny=0.0)
    assert any(caught(lambda s=s: assert_encloses(wild(s, "0"), blind)) for s in range(3))


def test_the_laws_catch_a_missing_outward_rounding() -> None:
    blind = dataclasses.replace(FLOAT64, up=lambda x: x)
    assert caught(lambda: assert_box_contains(blind))
    assert caught(lambda: assert_middle_and_radius(blind))
    assert not caught(lambda: assert_middle_and_radius(FLOAT64))


def change_lines(monkeypatch: pytest.MonkeyPatch, **change: Callable[[Array], Array]) -> None:
    real = _steps.relu_lines

    def planted(*arguments: Any) -> _steps.Lines:
        line = real(*arguments)
        return dataclasses.replace(line, **{k: f(getattr(line, k)) for k, f in change.items()})

    monkeypatch.setattr(_steps, "relu_lines", planted)


@pytest.mark.parametrize(
    "change",
    [
        {"lower_slope": lambda s: -s},
        {"upper_slope": lambda s: -s},
        {"lower_slope": lambda s: 0 * s + 1.5},
        {"offset": lambda q: 0 * q},
        {"offset": lambda q: q * 0.9},
    ],
)
def test_the_law_catches_wrong_lines(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    change_lines(monkeypatch, **change)
    assert any(caught(lambda s=s: assert_encloses(small(s), FLOAT64, count=20)) for s in range(5))


def test_the_law_catches_lines_taken_the_wrong_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    real = _bounds.bend_backward

    def planted(line: Any, rows: Array, a: Arithmetic) -> Any:
        term, parts = real(line, -rows, a)
        return -term, [(source, -part) for source, part in parts]

    monkeypatch.setattr(_bounds, "bend_backward", planted)
    assert caught(lambda: assert_encloses(CASES["mlp"](0, "0.4"), FLOAT64, count=20))


def test_the_law_catches_a_user_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(open_: Array, source: Any, rows: Array, *_: Any) -> int:
        open_[:, source.hit] = _steps.collected(source, rows)
        return 0

    monkeypatch.setattr(_bounds, "_add", planted)
    assert caught(lambda: assert_encloses(CASES["residual"](0), FLOAT64))


def test_the_law_catches_a_max_that_forgets_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    real = _steps.max_lines

    def planted(*arguments: Any) -> _steps.Lines:
        line = real(*arguments)
        one, zero = 0 * line.upper_slope + 1, 0 * line.offset
        return dataclasses.replace(line, upper_slope=one, offset=zero)

    monkeypatch.setattr(_steps, "max_lines", planted)
    assert any(caught(lambda s=s: assert_encloses(small(s), FLOAT64, count=20)) for s in range(5))
