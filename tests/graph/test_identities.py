"""Rewrites with identities: the same over rationals, a bounded change in float32, linear work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import functional as F
from tensorem import graph, nn
from tensorem.domains import Rational
from tensorem.graph import Graph
from tensorem.graph._identities import nearest

RNG = np.random.default_rng(0)


def dyadic(*shape: int, bits: int = 6) -> Any:
    """Numbers with few bits, whose products are floats too."""
    return (RNG.integers(-(2**bits), 2**bits, shape) / 2.0**bits).astype(np.float32)


def with_weights(layer: nn.Layer, input: Any, eps: float = 2.0**-10) -> nn.Model:
    """The layer with dyadic weights; statistics whose standard deviations are powers of 2."""
    model = nn.build(layer, input=input)
    state = {name: dyadic(*a.shape) for name, a in model.state_dict().items()}
    for name, a in state.items():
        if name.endswith("running_var"):
            state[name] = (4.0 ** RNG.integers(-2, 2, a.shape) - eps).astype(np.float32)
        if name.endswith("num_batches_tracked"):
            state[name] = np.zeros((), np.int32)
    return model.load_state_dict(state)


BN = {"eps": 2.0**-10}
NETS: dict[str, tuple[Callable[[], nn.Model], Any, int]] = {
    "conv2d": (
        lambda: with_weights(
            nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, **BN), nn.ReLU()), ("N", 2, 5, 5)
        ),
        dyadic(2, 2, 5, 5),
        2,
    ),
    "without bias": (
        lambda: with_weights(
            nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3, **BN)), ("N", 2, 5, 5)
        ),
        dyadic(2, 2, 5, 5),
        1,
    ),
    "linear": (
        lambda: with_weights(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, **BN)), ("N", 4)),
        dyadic(2, 4),
        1,
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_batch_norm_is_folded_exactly_where_its_roots_are_exact(name: str) -> None:
    make, x, count = NETS[name]
    before = tm.capture(make())
    after = graph.fold_batch_norm(before)
    assert len(after.nodes) == count < len(before.nodes)
    a, b = (tm.evaluate(g, x, dtype="rational").fractions() for g in (before, after))
    assert np.array_equal(a, b)
    assert graph.from_json(graph.to_json(after), after.arrays).nodes == after.nodes


def test_batch_norm_keeps_to_its_bound_where_they_are_not() -> None:
    model = nn.build(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), input=("N", 4), seed=1)
    state = model.state_dict() | {"1.running_var": np.float32([0.3, 2, 7]), "1.weight": [3, 1, 2]}
    after = graph.fold_batch_norm(tm.capture(model.load_state_dict(state)))
    s = np.array([3, 1, 2]) / np.sqrt(np.float64(state["1.running_var"]) + 1e-5)
    exact = s[:, None] * np.asarray(model.params["0.weight"], np.float64)
    [weight] = [a for k, a in after.arrays.items() if k.endswith(".weight")]
    assert np.all(abs(weight - exact) <= 2.0**-24 * 1.0001 * abs(exact))


def test_batch_norm_stays_where_its_operand_has_another_use() -> None:
    class Twice(nn.Layer):
        linear: nn.Linear
        norm: nn.BatchNorm1d

        def forward(self, x: Any) -> Any:
            y = self.linear(x)
            return y + self.norm(y)

    before = tm.capture(nn.build(Twice(nn.Linear(2, 2), nn.BatchNorm1d(2)), input=("N", 2)))
    assert graph.fold_batch_norm(before).nodes == before.nodes


def test_a_chain_of_linear_layers_is_one() -> None:
    layer = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4, bias=False), nn.Linear(4, 2))
    before = tm.capture(with_weights(layer, ("N", 3)))
    after = graph.fuse_linear(before)
    assert [node.op for node in after.nodes] == ["linear"]
    x = dyadic(2, 3)
    a, b = (tm.evaluate(g, x, dtype="rational").fractions() for g in (before, after))
    assert np.array_equal(a, b)
    narrow = tm.capture(nn.build(nn.Sequential(nn.Linear(9, 1), nn.Linear(1, 9)), ("N", 9)))
    assert graph.fuse_linear(narrow).nodes == narrow.nodes  # it would be more work


def test_constants_are_folded_with_one_rounding() -> None:
    third = np.float32(1) / np.float32(3)

    def f(x: Any) -> Any:
        c = jnp.asarray(np.float32([0.1, third, 7]))
        grid = jnp.broadcast_to(jnp.flip(c)[:, None], (3, 2)).T
        return x * jnp.sum(c * c + 1) + F.relu(grid).sum() + jnp.exp(c)[0]

    before = tm.capture(f, (2,))
    after = graph.fold_constants(before)
    left = [node.op for node in after.nodes]
    assert set(left) < {node.op for node in before.nodes} and "exp" in left and "flip" not in left
    x = np.float32([1, -2])
    a, b = (tm.evaluate(g, x, dtype="float64") for g in (before, after))
    assert np.allclose(a, b, rtol=2.0**-20)
    moved = tm.capture(lambda x: x + jnp.flip(jnp.asarray(np.float32([0.1, 0.2]))), (2,))
    [node] = graph.fold_constants(moved).nodes
    assert node.op == "add"
    exact = [
        tm.evaluate(g, x, dtype="rational").fractions()
        for g in (moved, graph.fold_constants(moved))
    ]
    assert np.array_equal(*exact)


def test_what_a_dtype_does_not_hold_is_not_folded() -> None:
    big = jnp.asarray(np.float32([3e38, 1]))
    for f in (lambda x: x + (big + big), lambda x: x + jnp.sqrt(big), lambda x: x + 1 / (big - 1)):
        before = tm.capture(f, (2,))
        folded = graph.fold_constants(before)
        found = [tm.GraphModel(g)(np.zeros(2, np.float32)) for g in (before, folded)]
        assert np.array_equal(*found)
    whole = jnp.asarray(np.int32([2**30]))
    wrapped = tm.capture(lambda x: x + (whole + whole), tm.Spec((1,), "int32"))
    assert len(graph.fold_constants(wrapped).nodes) == 2


def test_a_rational_is_rounded_once() -> None:
    half = Fraction(1) + Fraction(1, 2**24)  # between two floats
    for shift, expected in ((-1, 1.0), (0, 1.0), (1, 1 + 2.0**-23)):
        q = Rational.of([half + Fraction(shift, 2**80)])
        assert nearest(q, "float32") == np.float32(expected)
    assert nearest(Rational.of([Fraction(10) ** 40]), "float32") is None
    assert nearest(Rational.of([300]), "uint8") is None and nearest(Rational.of([3]), "uint8") == 3


def test_equal_values_are_computed_once() -> None:
    def f(x: Any) -> Any:
        return jnp.tanh(x * 2) + jnp.tanh(x * 2) * F.softmax(x, dim=0) + F.softmax(x, dim=-1)

    before = tm.capture(f, (3, 3))
    after = graph.share_equal(before)
    left = sorted(n.op for n in after.nodes)
    assert left == ["add", "add", "broadcast", "mul", "mul", "softmax", "softmax", "tanh"]
    x = np.float32(RNG.normal(size=(3, 3)))
    assert np.array_equal(tm.GraphModel(before)(x), tm.GraphModel(after)(x))
    twice = tm.capture(lambda x: (x * 2, x * 2), (2,))
    assert len(set(graph.share_equal(twice).outputs)) == 1


def test_every_rewrite_states_its_identity_and_what_it_changes() -> None:
    for name, rewrite in graph.REWRITES.items():
        assert getattr(graph, name) is rewrite and rewrite.identity
    assert [n for n, r in graph.REWRITES.items() if not r.changes] == ["share_equal"]


def steps(f: Callable[[], object]) -> int:
    """How many functions are called, those in C too."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        f()
    finally:
        sys.setprofile(None)
    return count


OPERATIONS: dict[str, Callable[[Graph], object]] = {
    **graph.REWRITES,
    "simplify": graph.simplify,
    "drop_dead": graph.drop_dead,
    "to_json": graph.to_json,
    "from_json": lambda g: graph.from_json(graph.to_json(g), g.arrays),
    "bind": lambda g: g.bind(N=2),
    "text": str,
}


def chain(length: int) -> Graph:
    """Layers, moves and constants one after another."""
    w, c = np.eye(2, dtype=np.float32), np.float32([1, 2])
    nodes, specs, value = (
        [],
        {"x": tm.Spec(("N", 2)), "w": tm.Spec((2, 2)), "c": tm.Spec((2,))},
        "x",
    )
    for i in range(length):
        for op, inputs, attrs, shape in (
            ("linear", (value, "w", "c"), {}, ("N", 2)),
            ("permute", (f"linear_{i}",), {"dims": (1, 0)}, (2, "N")),
            ("permute", (f"permute_{i}",), {"dims": (1, 0)}, ("N", 2)),
            ("mul", ("c", "c"), {}, (2,)),
        ):
            name = f"{op}_{i}" if (op, inputs[0]) != ("permute", f"permute_{i}") else f"back_{i}"
            nodes.append(graph.Node(op, inputs, (name,), attrs))
            specs[name] = tm.Spec(shape)
        value = f"back_{i}"
    return Graph(("x",), (value,), tuple(nodes), specs, {"w": w, "c": c}, ("x",), value)


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_operation_on_graphs_is_worse_than_linear(name: str) -> None:
    small, large = chain(20), chain(80)
    OPERATIONS[name](small)  # what is worked out once
    few, many = (steps(lambda g=g: OPERATIONS[name](g)) for g in (small, large))
    assert many <= 4.4 * few + 500
