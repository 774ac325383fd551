"""Bounds enclose, are exact where nothing is curved, and CROWN is not looser than intervals."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import graph, ops
from tensorem.domains import Interval
from tensorem.errors import GraphError, MeaningError
from tensorem.verify import Propagation, _pieces, _windows

RNG = np.random.default_rng(0)
CONV: dict[str, Any] = dict(stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)
POOL: dict[str, Any] = dict(kernel_size=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)))


def weights(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {k: (RNG.normal(size=s) / np.sqrt(s[-1])).astype(np.float32) for k, s in shapes.items()}


def mlp(w: Any, x: Any) -> Any:
    h = ops.relu(ops.linear(x, w["a"], w["b"]))
    h = ops.relu(ops.linear(h, w["c"]))
    return ops.linear(h, w["d"])


def residual(w: Any, x: Any) -> Any:
    h = ops.linear(x, w["a"], w["b"])
    return ops.linear(ops.relu(h) + ops.tanh(h) * 0.5 + h, w["d"])


def cnn(w: Any, x: Any) -> Any:
    h = ops.relu(ops.conv2d(x, w["k"], **CONV))
    h = ops.relu(ops.conv2d(ops.max_pool2d(h, **POOL, dilation=(1, 1)), w["l"], **CONV))
    return ops.linear(ops.avg_pool2d(h, **POOL, divisor=4).reshape(1, -1), w["d"])


def normalised(w: Any, x: Any) -> Any:
    h = ops.conv2d(x, w["k"], **CONV)
    h = ops.batch_norm(h, w["g"], w["b"], w["m"], w["v"] ** 2, eps=1e-5)
    return ops.linear(ops.relu(h).reshape(1, -1), w["d"])


NETWORKS: dict[str, tuple[Any, tuple[int, ...], dict[str, np.ndarray]]] = {
    "mlp": (mlp, (1, 5), weights(a=(8, 5), b=(8,), c=(6, 8), d=(3, 6))),
    "residual": (residual, (1, 5), weights(a=(8, 5), b=(8,), d=(3, 8))),
    "cnn": (cnn, (1, 1, 8, 8), weights(k=(3, 1, 3, 3), l=(2, 3, 3, 3), d=(3, 8))),
    "batch norm": (
        normalised,
        (1, 1, 4, 4),
        weights(k=(2, 1, 3, 3), g=(2,), b=(2,), m=(2,), v=(2,), d=(3, 32)),
    ),
}


def capture(name: str) -> tuple[graph.Graph, tuple[int, ...]]:
    f, shape, w = NETWORKS[name]
    return graph.simplify(graph.capture(f, shape, weights=w)), shape


def bounds(g: graph.Graph) -> Any:
    """lower, upper -> the output's intervals by IBP and by CROWN."""
    p, name = Propagation.of(g), g.outputs[0]

    def both(lower: Any, upper: Any) -> Any:
        ends = lower[None], upper[None]
        crown, box = p.crown(*ends), p.intervals(*ends).boxes[name]
        eye = jnp.eye(box.lower.size, dtype=lower.dtype)[None, :, None]
        return (box.lower[0, 0], box.upper[0, 0]), (
            p.lower(eye, name, crown)[0],
            -p.lower(-eye, name, crown)[0],
        )

    return both


@pytest.mark.parametrize("name", NETWORKS)
def test_bounds_enclose_and_crown_is_within_reach(name: str) -> None:
    g, shape = capture(name)
    run = jax.jit(jax.vmap(lambda x: graph.to_program(g)(g.arrays, x)[0]))
    center, program = RNG.normal(size=shape).astype(np.float32), bounds(g)
    for eps in (0.01, 0.3):
        lower, upper = center - np.float32(eps), center + np.float32(eps)
        ibp, crown = program(lower, upper)
        points = RNG.uniform(lower, upper, size=(200, *shape)).astype(np.float32)
        corners = np.where(RNG.integers(0, 2, size=(200, *shape)) == 1, lower, upper)
        values = run(np.concatenate([points, corners]))
        for low, high in (ibp, crown):
            assert (values >= low - 1e-4).all() and (values <= high + 1e-4).all()
        if eps == 0.01:
            assert np.sum(crown[1] - crown[0]) < np.sum(ibp[1] - ibp[0])


def test_where_every_relu_is_stable_the_bound_is_the_exact_vertex_value() -> None:
    g, shape = capture("mlp")
    w = {k: v.astype(np.float64) for k, v in g.arrays.items()}
    checked, program = 0, bounds(g)
    for _ in range(200):
        center, eps = RNG.normal(size=shape).astype(np.float32), np.float32(1e-3)
        a = w["a"] @ center[0] + w["b"]
        h = np.maximum(a, 0)
        b = w["c"] @ h
        if np.abs(a).min() < 0.05 or np.abs(b).min() < 0.05:
            continue
        slope = w["d"] @ ((w["c"] * (b > 0)[:, None]) @ (w["a"] * (a > 0)[:, None]))
        value = w["d"] @ np.maximum(b, 0)
        low, high = program(center - eps, center + eps)[1]
        reach = np.abs(slope).sum(1) * np.float64(eps)
        assert_close(low, value - reach, 0, 1e-6)
        assert_close(high, value + reach, 0, 1e-6)
        checked += 1
    assert checked >= 5


def test_intervals_alone_agree_with_corner_values_of_one_layer() -> None:
    w = weights(a=(4, 3))
    g = graph.capture(lambda w, x: ops.linear(x, w["a"]), (1, 3), weights=w)
    low, high = np.full((1, 3), -1, np.float32), np.full((1, 3), 2, np.float32)
    (lower, upper), crown = bounds(g)(low, high)
    assert_close(lower, np.where(w["a"] > 0, -w["a"], 2 * w["a"]).sum(1))
    assert_close(lower, crown[0])
    assert_close(upper, crown[1])


def test_deeper_nets_need_no_more_programs() -> None:
    w = weights(**{f"w{i}": (6, 6) for i in range(16)})
    kinds = (_pieces.forward, _pieces.backward, _pieces.bounded, _pieces.told)

    def programs(depth: int) -> int:
        def net(w: Any, x: Any) -> Any:
            for i in range(depth):
                x = ops.relu(ops.linear(x, w[f"w{i}"]))
            return x

        p = Propagation.of(graph.capture(net, (1, 6), weights=w))
        p.evidence(p.crown(-np.ones((1, 1, 6), np.float32), np.ones((1, 1, 6), np.float32)))
        return sum(kind.cache_info().currsize for kind in kinds)

    assert programs(12) == programs(16)


def strided(w: Any, x: Any) -> Any:
    first = {**CONV, "stride": (2, 1), "padding": ((0, 1), (2, 1))}
    h = ops.mul(ops.tanh(ops.conv2d(x, w["k"], **first)), w["m"])
    return ops.conv2d(h, w["l"], **{**CONV, "dilation": (2, 1)})


def overlapping(w: Any, x: Any) -> Any:
    wide: Any = dict(kernel_size=(3, 2), stride=(2, 1), padding=((1, 1), (1, 0)))
    h = ops.max_pool2d(ops.leaky_relu(x, negative_slope=0.1), **wide, dilation=(1, 2))
    h = ops.conv2d(h, w["g"], **{**CONV, "groups": 2})
    return ops.relu(ops.avg_pool2d(h, **POOL, divisor=3))


@pytest.mark.parametrize("net", [strided, overlapping])
def test_rows_on_windows_come_to_what_rows_on_images_do(net: Any) -> None:
    w = weights(k=(4, 2, 3, 3), l=(3, 4, 2, 2), g=(4, 1, 3, 3), m=(1, 4, 8, 17))
    g = graph.capture(net, (1, 2, 17, 16), weights=w)
    p, out = Propagation.of(g), g.outputs[0]
    center = RNG.normal(size=(2, 1, 2, 17, 16)).astype(np.float32)
    b = p.intervals(center - np.float32(0.05), center + np.float32(0.05))
    count = b.boxes[out].lower[0].size
    rows = np.eye(count, dtype=np.float32).reshape(1, count, *b.boxes[out].shape[1:])
    both = np.concatenate([rows, -rows], axis=1).repeat(2, axis=0)
    with jax.numpy_rank_promotion("allow"):
        found = p._bounded(np.tile(np.arange(count), (2, 1)), out, b)
    assert_close(found, p.lower(both, out, b), 1e-5, 1e-5)
    part = p._part(p._before(out)[0])
    known = [None if box is None else jax.tree.map(_alone, box) for box in part.known(b)]
    start = part.names.index(out)
    assert len(_windows.path_of(reversed(part.piece.steps), start, tuple(known))) >= 3


def _alone(x: Any) -> Any:
    """Of several boxes the first; of a constant itself."""
    return x[0] if x.ndim == 5 else x


def test_what_cannot_be_the_greatest_of_a_window_changes_no_line() -> None:
    attrs: dict[str, Any] = dict(POOL, padding=((1, 0), (0, 1)), dilation=(1, 1))
    center, reach = RNG.normal(size=(1, 2, 6, 6)), RNG.uniform(0, 0.6, size=(1, 2, 6, 6))
    low, high = (jnp.asarray(center + sign * reach, jnp.float32) for sign in (-1, 1))
    open_ = ops.max_pool2d.opens(Interval(low, high), **attrs)  # type: ignore[misc]
    assert 0 < np.sum(open_) < open_.size
    shut = Interval(jnp.where(open_, low, high), high)
    for before, after in zip(
        *(
            _ends(ops.max_pool2d.meaning("lines")(box, **attrs))
            for box in (Interval(low, high), shut)
        ),
        strict=True,
    ):
        assert np.array_equal(before, after)


def _ends(lines: Any) -> list[Any]:
    x = jnp.arange(72.0).reshape(1, 2, 6, 6)
    return [lines.lower[0](x), lines.upper[0](x), lines.lower_offset, lines.upper_offset]


def test_what_has_no_bounds_is_named() -> None:
    two = graph.capture(lambda x, y: x + y, (3,), (3,))
    with pytest.raises(MeaningError, match="one input, got 2"):
        Propagation.of(two)
    with pytest.raises(GraphError, match="takes numbers for its sizes, got N"):
        Propagation.of(graph.capture(lambda x: x * 2.0, ("N",)))
    long = graph.capture(lambda x: jax.lax.fori_loop(0, 20_000, lambda i, c: c * 2.0, x), (2,))
    with pytest.raises(GraphError, match="unroll takes loops of at most 10000 steps"):
        Propagation.of(long)
