"""The lines that a bound engine and a certificate rely on, number by number."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import ops
from tensorem.domains import Diagonal, Interval, Linear
from tensorem.ops import pool

Array = Any


def _box(lower: Any, upper: Any) -> Interval:
    return Interval(jnp.asarray(lower, jnp.float32), jnp.asarray(upper, jnp.float32))


def _slope(m: Any) -> Array:
    assert isinstance(m, Diagonal)
    return m.coefficient


def test_relu_is_exact_where_it_is_stable_and_takes_the_better_slope_elsewhere() -> None:
    y = ops.relu.lines(_box([1.0, -2.0, -1.0, -2.0], [2.0, -1.0, 2.0, 1.0]))
    assert_close(_slope(y.lower[0]), [1, 0, 1, 0])
    assert_close(_slope(y.upper[0]), [1, 0, 2 / 3, 1 / 3])
    assert_close(y.upper_offset, [0, 0, 2 / 3, 2 / 3])
    assert_close(y.lower_offset, [0, 0, 0, 0])


BARE = {"padding": ((0, 0), (0, 0)), "dilation": (1, 1)}


def test_max_pooling_leans_on_the_greatest_ends() -> None:
    """Below x_k of the greatest lower end; above the chord over x_i of the greatest upper end."""
    low = np.float32([[[[0.0, 1.0], [-1.0, 0.5]]]])
    high = np.float32([[[[3.0, 2.0], [0.0, 1.0]]]])
    attrs: dict[str, Any] = {"kernel_size": (2, 2), "stride": (2, 2), **BARE}
    y = ops.max_pool2d.lines(_box(low, high), **attrs)
    assert isinstance(y.lower[0], Linear) and isinstance(y.upper[0], Linear)
    unit = jnp.ones((1, 1, 1, 1))
    assert_close(y.lower[0].transpose(unit), [[[[0, 1], [0, 0]]]])
    assert_close(y.upper[0].transpose(unit), [[[[1 / 3, 0], [0, 0]]]])
    assert_close(y.upper_offset, [[[[2.0]]]])


def test_max_pooling_never_picks_the_padding() -> None:
    box = _box(np.full((1, 1, 2, 2), -3.0), np.full((1, 1, 2, 2), -2.0))
    attrs: dict[str, Any] = {"kernel_size": (2, 2), "stride": (1, 1), "padding": ((1, 1), (1, 1))}
    attrs["dilation"] = (1, 1)
    cut = pool.windows(box.lower, -np.inf, **attrs)
    assert np.all(np.isfinite(np.take_along_axis(cut, pool.carrier(cut)[..., None], axis=-1)))
    y = ops.max_pool2d.lines(box, **attrs)
    corner = y.lower[0](box.lower)[0, 0, 0, 0] + y.lower_offset[0, 0, 0, 0]
    assert float(corner) == -3.0


@pytest.mark.parametrize("name", ["mul", "matmul", "dot", "conv2d", "conv2d_dx", "conv2d_dk"])
def test_a_product_with_a_constant_is_affine(name: str) -> None:
    shapes: dict[str, tuple[Any, Any, dict[str, Any]]] = {
        "mul": ((2, 2), (2, 2), {}),
        "matmul": ((2, 3), (3, 2), {}),
        "dot": ((2, 3), (3, 2), {"contract": ((1,), (0,)), "batch": ((), ())}),
    }
    conv = {"stride": (1, 1), **BARE, "groups": 1}
    shapes["conv2d"] = ((1, 1, 4, 4), (1, 1, 2, 2), conv)
    shapes["conv2d_dx"] = ((1, 1, 3, 3), (1, 1, 2, 2), {**conv, "size": (4, 4)})
    shapes["conv2d_dk"] = ((1, 1, 4, 4), (1, 1, 3, 3), {**conv, "size": (2, 2)})
    a, b, attrs = shapes[name]
    rule, box = ops.TABLE[name].meaning("lines"), _box(-np.ones(a), np.ones(a))
    other = _box(-np.ones(b), np.ones(b))
    assert rule(box, jnp.ones(b), **attrs).is_equation
    assert rule(box, Interval.point(jnp.ones(b)), **attrs).is_equation
    assert rule(jnp.ones(a), other, **attrs).is_equation
    assert not rule(box, other, **attrs).is_equation


def test_batch_norm_with_constant_statistics_is_affine() -> None:
    x, p = _box(-np.ones((2, 3)), np.ones((2, 3))), jnp.ones(3)
    y = ops.batch_norm.lines(x, p, p, p, p, eps=0.0)
    assert y.is_equation and y.lower[1:] == (None,) * 4
    assert_close(y.lower[0](jnp.full((2, 3), 2.0)) + y.lower_offset, np.full((2, 3), 2.0))


def test_the_softmax_interval_takes_its_corners() -> None:
    low, high = np.array([0.0, 0.0, -1.0]), np.array([1.0, 0.0, 2.0])
    y = ops.softmax.interval(Interval.of(low, high), dim=0)
    for i in range(3):
        for ends, others, found in ((low, high, y.lower), (high, low, y.upper)):
            corner = np.exp(np.where(np.arange(3) == i, ends, others))
            assert_close(found[i], corner[i] / corner.sum(), rtol=1e-12, atol=0)


def test_tanh_lines_touch_the_curve() -> None:
    y = ops.tanh.lines(_box([-1.0, 1.0], [2.0, 3.0]))
    x = np.linspace([-1.0, 1.0], [2.0, 3.0], 2001)
    above = np.asarray(_slope(y.upper[0])) * x + np.asarray(y.upper_offset) - np.tanh(x)
    below = np.tanh(x) - np.asarray(_slope(y.lower[0])) * x - np.asarray(y.lower_offset)
    assert np.all(np.abs(above.min(axis=0)) < 1e-5) and np.all(np.abs(below.min(axis=0)) < 1e-5)


def test_lines_where_a_curve_is_not_defined_are_infinite() -> None:
    y = ops.log.lines(_box([-1.0, 0.5], [1.0, 1.0]))
    assert (float(y.lower_offset[0]), float(y.upper_offset[0])) == (-np.inf, np.inf)
    assert np.isfinite(y.lower_offset[1]) and np.isfinite(y.upper_offset[1])
