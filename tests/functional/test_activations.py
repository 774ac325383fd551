"""Activations against PyTorch's of the same name: at kinks, at extremes, in every derivative."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import functional as F
from tensorem.errors import ArgumentError, DTypeError

CASES: list[tuple[str, tuple[Any, ...]]] = [
    ("gelu", ()),
    ("gelu", ("tanh",)),
    ("silu", ()),
    ("mish", ()),
    ("hardswish", ()),
    ("elu", ()),
    ("elu", (2.0,)),
    ("elu", (-0.5,)),
    ("celu", (2.0,)),
    ("selu", ()),
    ("hardtanh", ()),
    ("hardtanh", (-2.0, 0.5)),
    ("relu6", ()),
    ("softsign", ()),
    ("logsigmoid", ()),
]
POINTS = np.float32([-1e30, -1e4, -30, -6, -3, -2, -1.5, -1, -0.4, -0.0, 0, 0.3, 0.5, 1, 3, 6, 1e4])
ENDS = np.float32([-np.inf, np.inf])


def _ours(name: str, args: tuple[Any, ...], x: Any) -> list[Any]:
    """Values, and three derivatives of each, forward and backward."""
    f = lambda a: getattr(F, name)(a, *args)  # noqa: E731
    one = jnp.ones_like(x)
    slope = jax.vmap(jax.grad(f))
    along, bend = jax.jvp(f, (x,), (one,))[1], jax.jvp(slope, (x,), (one,))[1]
    return [f(x), slope(x), along, bend, jax.grad(lambda a: jnp.sum(slope(a)))(x)]


def _theirs(name: str, args: tuple[Any, ...], x: Any) -> list[Any]:
    """The same from PyTorch in float64."""
    torch = pytest.importorskip("torch")
    keywords = {"approximate": args[0]} if name == "gelu" and args else {}
    leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = getattr(torch.nn.functional, name)(leaf, *(() if keywords else args), **keywords)
    (slope,) = torch.autograd.grad(y.sum(), leaf, create_graph=True)
    bend = torch.zeros_like(slope)
    if slope.requires_grad:
        (bend,) = torch.autograd.grad(slope.sum(), leaf)
    value, first, second = (a.detach().numpy() for a in (y, slope, bend))
    return [value, first, first, second, second]


@pytest.mark.parametrize(("name", "args"), CASES)
def test_values_and_derivatives_are_torchs_and_finite(name: str, args: tuple[Any, ...]) -> None:
    ours = jax.jit(lambda x: _ours(name, args, x))(jnp.concatenate([POINTS, ENDS]))
    for found, true in zip(ours, _theirs(name, args, POINTS), strict=True):
        assert np.isfinite(found[:-2]).all()
        known = np.isfinite(true)  # PyTorch's second derivative of mish is NaN at 1e4
        assert_close(found[:-2][known], true[known], atol=2e-6)
    limits = _theirs(name, args, np.float32([-300, 300]))[1]
    for found in ours[1:3]:
        assert_close(found[-2:], limits, atol=1e-4)
    for found in ours[3:]:
        assert_close(found[-2:], [0, 0])


@pytest.mark.parametrize(
    ("name", "args", "ends"),
    [
        ("gelu", (), (0, np.inf)),
        ("gelu", ("tanh",), (0, np.inf)),
        ("silu", (), (0, np.inf)),
        ("mish", (), (0, np.inf)),
        ("hardswish", (), (0, np.inf)),
        ("elu", (2.0,), (-2, np.inf)),
        ("celu", (2.0,), (-2, np.inf)),
        ("relu6", (), (0, 6)),
        ("softsign", (), (-1, 1)),
        ("logsigmoid", (), (-np.inf, 0)),
    ],
)
def test_values_at_infinity_are_limits(name: str, args: tuple[Any, ...], ends: Any) -> None:
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        found = getattr(F, name)(jnp.asarray(ENDS, dtype), *args)
        assert found.dtype == dtype and found.tolist() == list(ends)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", sorted(dict(CASES)))
def test_floats_of_16_bits_are_rounded_once(name: str, dtype: str) -> None:
    x = jnp.linspace(-8, 8, 513, dtype=dtype)
    wide = getattr(F, name)(x.astype("float32"))
    assert jnp.array_equal(getattr(F, name)(x), wide.astype(dtype))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: F.gelu(x, "erf"), "gelu takes approximate 'none' or 'tanh', got 'erf'"),
        (lambda x: F.elu(x, np.inf), "elu takes a finite alpha, got inf"),
        (lambda x: F.celu(x, 0.0), r"celu takes a finite alpha above 0, got 0\.0"),
        (lambda x: F.celu(x, np.nan), "celu takes a finite alpha above 0, got nan"),
        (lambda x: F.hardtanh(x, 2, 1), r"hardtanh takes min_val up to max_val, got 2\.0 and 1\.0"),
    ],
)
def test_a_number_that_describes_no_curve_is_an_error(call: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        call(jnp.ones(2))


@pytest.mark.parametrize("name", dict(CASES))
def test_an_activation_takes_floats(name: str) -> None:
    with pytest.raises(DTypeError, match=f"F.{name} takes floats, got int32"):
        getattr(F, name)(jnp.ones(2, jnp.int32))
