"""Where values stop being finite, and what every layer gives."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import functional as F
from tensorem import nn
from tensorem.errors import ArgumentError, CaptureError, DTypeError, ShapeError
from tensorem.explain import Numbers


def read(f: Any, *xs: Any) -> tm.explain.Explanation:
    """The explanation of a function at some points."""
    arrays = [np.asarray(x, np.float32) for x in xs]
    return tm.explain_nan(tm.capture(f, *(a.shape for a in arrays)), *arrays)


def test_what_is_finite_needs_no_explanation() -> None:
    found = read(jnp.exp, [0.0, 80.0])
    assert found.first is None and str(found) == "Everything that comes out is finite."


def test_the_first_op_and_the_one_that_makes_nan_are_told_apart() -> None:
    found = read(lambda x: jnp.exp(x) - jnp.exp(x + 1), [1.0, 100.0])
    assert found.first is not None and found.nan is not None
    assert (found.first.op, found.first.entry, found.first.there) == ("exp", (1,), np.inf)
    assert (found.nan.op, found.nan.entry) == ("sub", (1,))
    assert [(n.least, n.greatest) for n in found.first.operands.values()] == [(1.0, 100.0)]
    assert "Then sub gives NaN at [1], in the model." in str(found)


def test_only_what_reaches_a_bad_output_is_blamed() -> None:
    def masked(x: Any, keep: Any) -> Any:
        overflow = jnp.exp(x * 1000)  # nothing bad comes of it
        scores = jnp.where(keep > 0, x, -jnp.inf)
        return F.softmax(scores, dim=-1) + 0 * jnp.minimum(overflow, 1)

    assert read(masked, [1.0, 2.0], [1.0, 0.0]).first is None
    found = read(masked, [1.0, 2.0], [0.0, 0.0])
    assert found.first is not None and found.first.op == "softmax"


def test_inputs_and_weights_that_are_not_finite_are_named() -> None:
    model = nn.build(nn.Linear(2, 2), input=("N", 2))
    found = tm.explain_nan(model, [[1.0, np.nan]])
    assert found.first is not None and str(found).startswith("x0 holds NaN at [0, 1]: from 1 to 1")
    weights = {"weight": jnp.array([[1, 0], [jnp.inf, 0]]), "bias": jnp.zeros(2)}
    found = tm.explain_nan(model.replace(params=weights), [[1.0, 2.0]])
    assert str(found).startswith("weight holds inf at [1, 0]") and found.nan is None
    zero = tm.explain_nan(model.replace(params=weights), [[0.0, 2.0]])
    assert zero.nan is not None and zero.nan.op == "linear"


class Root(nn.Layer):
    """The square root of a layer's output."""

    inner: nn.Layer

    def forward(self, x: Any) -> Any:
        return jnp.sqrt(self.inner(x))


def rooted(weight: float) -> nn.Model:
    model = nn.build(nn.Sequential(nn.ReLU(), Root(nn.Linear(1, 1))), input=("N", 1))
    arrays = {"1.inner.weight": [[weight]], "1.inner.bias": [0.0]}
    return model.load_state_dict(arrays)


def test_the_layer_is_named_in_the_forward_and_in_the_gradient() -> None:
    x, y = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)
    found = tm.explain_nan(rooted(-1.0), x).first
    assert found is not None and (found.op, found.layer, found.in_gradient) == ("sqrt", "1", False)
    assert tm.explain_nan(rooted(0.0), x).first is None
    late = tm.explain_nan(rooted(0.0), x, loss="mse", target=y + 1)
    assert late.first is not None and late.first.in_gradient and late.first.layer == "1"
    assert late.first.op == "div" and "in the gradient of layer 1." in str(late)
    assert tm.explain_nan(rooted(1.0), x, loss="mse", target=y).first is None


def test_the_loss_is_a_place_of_its_own() -> None:
    def logarithmic(output: Any, target: Any) -> Any:
        return jnp.sum(target * jnp.log(output))

    x = np.zeros((1, 1), np.float32)
    found = tm.explain_nan(rooted(1.0), x, loss=logarithmic, target=x).first
    assert found is not None and (found.op, found.layer) == ("log", "loss")
    assert "in the loss." in str(found)


def test_a_loop_is_looked_at_turn_by_turn() -> None:
    def squared(x: Any) -> Any:
        return jax.lax.fori_loop(0, 8, lambda i, y: y * y, x)

    found = read(squared, [2.0]).first
    assert found is not None and found.op == "mul"
    assert [n.greatest for n in found.operands.values()] == [2.0**64]


def test_float16_leaves_its_numbers_before_float32() -> None:
    layer = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    model = nn.build(layer, input=tm.Spec(("N", 1), "float16"))
    model = model.load_state_dict({k: np.full(a.shape, 300.0) for k, a in model.params.items()})
    found = tm.explain_nan(model, np.ones((1, 1), np.float16)).first
    assert found is not None and found.layer == "1"


def test_what_explain_nan_does_not_take() -> None:
    model, x = nn.build(nn.Linear(2, 2), input=("N", 2)), np.ones((1, 2), np.float32)
    with pytest.raises(ArgumentError, match="explain_nan takes a target where a loss is given"):
        tm.explain_nan(model, x, loss="mse")
    with pytest.raises(ArgumentError, match="takes a model where a loss is given, got Graph"):
        tm.explain_nan(tm.capture(model), x, loss="mse", target=x)
    with pytest.raises(ShapeError, match=r"takes \(N, 2\), got \(1, 3\)"):
        tm.explain_nan(model, np.ones((1, 3), np.float32))
    with pytest.raises(DTypeError, match="takes float32, got float64 with values"):
        tm.explain_nan(model, np.full((1, 2), 0.1))

    class Loops(nn.Layer):
        def forward(self, x: Any) -> Any:
            return jax.lax.while_loop(lambda y: y.sum() < 1, lambda y: y + 1, x)

    with pytest.raises(CaptureError, match="got the JAX primitive `while`"):
        tm.explain_nan(nn.build(Loops(), input=("N", 2)), x)


# --- trace


@pytest.fixture(scope="module")
def block() -> nn.Model:
    inner = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    return nn.build(nn.Sequential(nn.Residual(inner), nn.Softmax(-1)), input=("N", 3), seed=2)


def test_the_lines_are_those_of_the_layers_outputs(block: nn.Model) -> None:
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    found = tm.trace(block, x)
    paths = [info.path for info in block.table]
    assert sorted(line.path for line in found.lines) == sorted(paths)
    for path in filter(None, paths):
        seen = np.asarray(block.with_outputs(path)(x)[1][path], np.float64)
        line, n = found[path], found[path].numbers
        assert n is not None and line.spec == tm.Spec(seen.shape)
        values = [seen.min(), seen.max(), seen.mean(), seen.std(), (seen == 0).sum()]
        assert_close([n.least, n.greatest, n.mean, n.std, n.zeros], values)


def test_a_trace_prints_a_line_for_each_call(block: nn.Model) -> None:
    table = str(tm.trace(block, np.ones((2, 3), np.float32))).splitlines()
    assert table[0].split()[:4] == ["path", "layer", "out", "dtype"] and len(table) == 8
    assert table[-1].startswith("model ") and len({len(line) for line in table}) == 1


def test_loops_are_seen_and_other_transforms_have_no_numbers() -> None:
    layer = nn.Sequential(nn.Repeat(nn.ReLU(), 3), nn.MapBatch(nn.ReLU()))
    found = tm.trace(nn.build(layer, input=("N", 2)), np.ones((2, 2), np.float32))
    assert [line.path for line in found.lines if line.path.startswith("0.")] == [
        "0.0",
        "0.1",
        "0.2",
    ]
    assert found["1.inner"].numbers is None and found["1"].numbers is not None
    assert found["1.inner"].cells()[-1] == "?"


def test_what_trace_does_not_take(block: nn.Model) -> None:
    with pytest.raises(ArgumentError, match="trace takes a model, got Graph"):
        tm.trace(tm.capture(block), np.ones((1, 3), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"takes \(N, 3\), got \(1, 2\)"):
        tm.trace(block, np.ones((1, 2), np.float32))
    with pytest.raises(DTypeError, match="takes float32, got float64 with values"):
        tm.trace(block, np.full((1, 3), 0.1))
    with pytest.raises(ArgumentError, match="takes paths of layers that were called, got 'x'"):
        tm.trace(block, np.ones((1, 3), np.float32))["x"]


def test_numbers_of_what_is_large_or_not_finite() -> None:
    big = float(np.finfo(np.float64).max)
    numbers = Numbers.of(np.array([big, -big, np.nan, np.inf, 0.0]))
    assert (numbers.mean, numbers.zeros, numbers.infinite, numbers.nan) == (0.0, 1, 1, 1)
    assert numbers.told.endswith("1 of 5 infinite, 1 of 5 NaN") and not numbers.is_finite
    assert Numbers.of(np.zeros(0)).told == "empty" and np.isnan(Numbers.of([np.nan]).mean)
    assert Numbers.of(np.array([True, False])).mean == 0.5


# --- precision


def test_the_errors_are_those_of_the_outputs_in_two_dtypes(block: nn.Model) -> None:
    x = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    found = tm.precision_report(block, x, dtype="bfloat16")
    assert [line.path for line in found.lines] == [*(i.path for i in block.table if i.path), ""]
    whole = tm.capture(block)
    near, true = (tm.evaluate(whole, x, dtype=kind) for kind in ("bfloat16", "float64"))
    error = np.abs(near.astype(np.float64) - true).max() / np.abs(true).max()
    last = found.lines[-1]
    assert_close([last.error, last.bits], [error, min(-np.log2(error), 8)])
    assert all(0 <= line.bits <= 8 for line in found.lines)
    single = tm.precision_report(block, x)
    assert single.lines[-1].bits > 18 and single.dtype == "float32"
    assert str(found).splitlines()[0].split() == ["path", "layer", "error", "bits", "lost", "here"]


def test_the_layer_that_loses_most_is_named() -> None:
    class Cancels(nn.Layer):
        """(x + large) - large, which leaves few bits."""

        def forward(self, x: Any) -> Any:
            large = jnp.exp(7 + jnp.abs(x))
            return (x * 2.0**-10 + large) - large

    model = nn.build(nn.Sequential(nn.Linear(2, 2), Cancels(), nn.ReLU()), input=("N", 2), seed=4)
    found = tm.precision_report(model, np.float32([[0.3, 0.7], [0.9, -0.2]]))
    assert found.worst.path == "1" and found.worst.lost > 15


def test_layers_within_a_transform_have_no_line() -> None:
    layer = nn.Sequential(nn.Linear(2, 2), nn.MapBatch(nn.Linear(2, 2)), nn.ReLU())
    found = tm.precision_report(nn.build(layer, input=("N", 2)), np.ones((2, 2), np.float32))
    assert [line.path for line in found.lines] == ["0", "1", "2", ""]


def test_what_precision_report_does_not_take(block: nn.Model) -> None:
    x = np.ones((1, 3), np.float32)
    with pytest.raises(ArgumentError, match="precision_report takes a model, got Graph"):
        tm.precision_report(tm.capture(block), x)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="takes dtype as one of float32, float16, bfloat16"):
        tm.precision_report(block, x, dtype="rational")
    with pytest.raises(ShapeError, match=r"takes \(N, 3\), got \(1, 2\)"):
        tm.precision_report(block, np.ones((1, 2), np.float32))
    with pytest.raises(DTypeError, match="float16 does not hold 100000"):
        tm.precision_report(block, x * np.float32(1e5), dtype="float16")
