"""What users write of jax.numpy in a forward: captured, and read in every meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem.errors import CaptureError, MeaningError
from tensorem.graph._capture import REMEDIES

X = np.float32([[0.5, -1.5, 2.0, -0.25], [1.0, 0.0, -3.5, 2.5], [0.75, -2.0, 1.25, 0.125]])

RATIONAL: dict[str, Callable[[Any], Any]] = {
    "prod": lambda x: x.prod(),
    "prod of rows": lambda x: jnp.prod(x, -1, keepdims=True),
    "cumprod": lambda x: jnp.cumprod(x, 0),
    "cumprod from the end": lambda x: jax.lax.cumprod(x, axis=1, reverse=True),
    "argmin": lambda x: jnp.argmin(x, -1),
    "argmax": lambda x: x.argmax(0),
    "var": lambda x: x.var(-1, ddof=1),
    "roll": lambda x: jnp.roll(x, (1, 2), (0, 1)),
    "repeat": lambda x: jnp.tile(jnp.repeat(jnp.flip(x, 0), 2, axis=-1), (2, 1)),
    "triu": lambda x: jnp.triu(x) + jnp.tril(x, -1),
    "outer": lambda x: jnp.kron(x, jnp.outer(x[0], x[1])),
    "floor": jnp.floor,
    "ceil": jnp.ceil,
    "round": lambda x: jnp.round(4 * x) + jnp.trunc(x),
    "round away": lambda x: jax.lax.round(x) + jax.lax.round(4 * x),
    "of one number": lambda x: (
        x.astype(int).sum() ** 3 + jnp.sign(x.sum()) * jnp.floor(x.mean()) + x.sum().astype(int)
    ),
    "remainder": lambda x: x % 3 - jnp.fmod(x, 0.7),
    "floor of a quotient": lambda x: x // 0.7,
    "any": lambda x: (x > 1).any(-1) | (x > -4).all() ^ (x[:, 0] == 1),
    "isfinite": lambda x: jnp.isfinite(x) & ~jnp.isnan(x) & ~jnp.isinf(x),
    "nan_to_num": lambda x: jnp.nan_to_num(x),
    "select": lambda x: jnp.select([x > 1, x > 0], [x, 2 * x], 0.25),
    "entry by a computed place": lambda x: jnp.arange(4.0)[jnp.argmax(x[0])],
}
"""Those whose values at rational numbers are rational."""
OTHERS: dict[str, Callable[[Any], Any]] = {
    "median": jnp.median,
    "quantile": lambda x: jnp.quantile(x, 0.3, axis=0),
    "std": lambda x: jnp.std(x, 0, ddof=1),
    "norm": lambda x: jnp.linalg.norm(x, 3, axis=-1),
    "power": lambda x: (jnp.abs(x) + 1) ** 0.5 + jnp.power(2.0, x),
    "exp2": lambda x: jnp.exp2(x) + jnp.log2(jnp.abs(x) + 1),
    "arctan": jnp.arctan,
    "sinc": jnp.sinc,
    "hypot": lambda x: jnp.hypot(x, 1.0),
    "logsumexp": lambda x: jax.nn.logsumexp(x, -1),
    "softmax": lambda x: jax.nn.softmax(x, -1),
}


def _read(f: Callable[[Any], Any]) -> Any:
    """The graph, which computes the function, and a box around its values."""
    graph = tm.capture(f, X.shape)
    assert_close(tm.evaluate(graph, X), jax.jit(f)(X), rtol=1e-6, atol=1e-6)
    wide = tm.evaluate(graph, X, dtype="float64").astype(float)
    box = tm.evaluate(graph, X, dtype="interval")
    slack = 1e-12 * (1 + np.abs(wide))
    assert np.all(box.lower <= wide + slack) and np.all(wide <= box.upper + slack)
    assert np.all(box.upper - box.lower < 1e-9)
    return graph, wide


@pytest.mark.parametrize("name", RATIONAL)
def test_what_is_rational_is_exact(name: str) -> None:
    graph, wide = _read(RATIONAL[name])
    assert np.array_equal(tm.evaluate(graph, X, dtype="rational").to_float(), wide)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_is_enclosed(name: str) -> None:
    _read(OTHERS[name])


PLACES = {"acosh": np.float32([1.5, 3.0]), "cummax": X[0], "cummin": X[0], "cumlogsumexp": X[0]}


@pytest.mark.parametrize(
    ("primitive", "function"),
    [
        *((name, getattr(jnp, name)) for name in ("tan", "sinh", "cosh", "cbrt")),
        *((f"a{name}", getattr(jnp, f"arc{name}")) for name in ("sin", "cos", "sinh", "cosh")),
        ("atanh", jnp.arctanh),
        *((name, getattr(jax.lax, name)) for name in ("cummax", "cummin", "cumlogsumexp")),
    ],
)
def test_what_has_no_row_is_spelt_out_in_rows(primitive: str, function: Any) -> None:
    """The error says what to write, and that is the same function."""
    x = PLACES.get(primitive, np.float32([0.5, -0.25]))
    with pytest.raises(CaptureError, match=f"the JAX primitive `{primitive}`") as caught:
        tm.capture(function, x.shape)
    said = caught.value.help.removeprefix("write ")
    assert said == REMEDIES[primitive].removeprefix("write ")
    graph = tm.capture(lambda x: eval(said, {"jnp": jnp, "jax": jax, "x": x}), x.shape)
    np.testing.assert_allclose(tm.evaluate(graph, x), function(x), rtol=1e-6)


def test_the_angle_of_two_numbers_is_spelt_out_too() -> None:
    x, y = np.float32([1.0, -2.0, 0.5]), np.float32([0.25, -1.0, 3.0])
    spelt = REMEDIES["atan2"].removeprefix("write ")
    both = tm.capture(lambda y, x: eval(spelt, {"jnp": jnp, "x": x, "y": y}), (3,), (3,))
    np.testing.assert_allclose(tm.evaluate(both, y, x), jnp.arctan2(y, x), rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: jnp.linalg.inv(x[:, :3]), "no rule bounds a factorisation"),
        (lambda x: jnp.convolve(x[0], x[1]), "write F.conv1d"),
        (lambda x: jnp.abs(jnp.fft.rfft(x)), "a product with the waves"),
        (lambda x: x.at[0].mul(2.0), "write jnp.where"),
        (lambda x: jax.nn.gelu(x, approximate=False), "of a GELU, F.gelu(x)"),
    ],
)
def test_what_has_no_row_says_why(function: Any, words: str) -> None:
    with pytest.raises(CaptureError) as caught:
        tm.capture(function, X.shape)
    assert words in caught.value.help


def test_a_power_below_0_may_be_any_number() -> None:
    graph = tm.capture(lambda x: x ** jnp.float32([2.5, 3.0]), (2,))
    box = tm.evaluate(graph, np.float32([-2.0, -2.0]), dtype="interval")
    assert np.all(box.lower == -np.inf) and np.all(box.upper == np.inf)
    zero = tm.evaluate(graph, np.zeros(2, np.float32), dtype="interval")
    assert np.array_equal(zero.lower, zero.upper) and not zero.lower.any()
    with pytest.raises(MeaningError, match="`pow` has no exact meaning"):
        tm.evaluate(graph, np.ones(2, np.float32), dtype="rational")
