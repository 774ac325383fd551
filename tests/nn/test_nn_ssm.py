"""State space layers against their equations, written out in PyTorch and NumPy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import functional as F
from tensorem import nn
from tensorem.errors import ArgumentError, DataError, ShapeError, TensoremError
from tensorem.shapes import Spec


class Padded(nn.Layer):
    """A layer over sequences with lengths."""

    inner: Any

    def forward(self, x: Any, lengths: Any) -> Any:
        return self.inner(x, lengths=lengths)


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


OPERANDS = {
    "u": drawn(2, 6, 3),
    "delta": np.abs(drawn(2, 6, 3, seed=1)),
    "A": -np.abs(drawn(3, 4, seed=2)),
    "B": drawn(2, 6, 4, seed=3),
    "C": drawn(2, 6, 4, seed=4),
    "D": drawn(3, seed=5),
    "state": drawn(2, 3, 4, seed=6),
}


def scan_in_torch(torch: Any, u: Any, delta: Any, A: Any, B: Any, C: Any, D: Any, h: Any) -> Any:
    ys = []
    for t in range(u.shape[1]):
        step = delta[:, t, :, None]
        h = torch.exp(step * A) * h + step * u[:, t, :, None] * B[:, t, None]
        ys.append((h * C[:, t, None]).sum(-1) + D * u[:, t])
    return torch.stack(ys, 1), h


@pytest.mark.parametrize("method", ["sequential", "associative"])
def test_the_selective_scan_is_its_equations(method: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = {n: torch.tensor(a, requires_grad=True) for n, a in OPERANDS.items()}
    y, last = scan_in_torch(torch, *theirs.values())
    (y.sin().sum() + last.cos().sum()).backward()

    def total(operands: dict[str, Any]) -> Any:
        y, last = F.selective_scan(**operands, method=method)
        return jnp.sin(y).sum() + jnp.cos(last).sum(), (y, last)

    run = jax.jit(jax.grad(total, has_aux=True))
    gradients, (ours, end) = run({n: jnp.asarray(a) for n, a in OPERANDS.items()})
    assert_close(ours, y.detach(), 1e-5, 1e-5)
    assert_close(end, last.detach(), 1e-5, 1e-5)
    for name, gradient in gradients.items():
        assert_close(gradient, theirs[name].grad, 1e-4, 1e-5)


def mamba_in_torch(torch: Any, p: dict[str, Any], x: Any) -> Any:
    f, inner, n = torch.nn.functional, p["A_log"].shape[0], p["A_log"].shape[1]
    xz = f.linear(x, p["in_proj.weight"], p.get("in_proj.bias"))
    x, z = xz.chunk(2, -1)
    weight, bias = p["conv1d.weight"], p.get("conv1d.bias")
    size = weight.shape[-1]
    turned = f.conv1d(x.transpose(1, 2), weight, bias, padding=size - 1, groups=inner)
    x = f.silu(turned[..., : x.shape[1]].transpose(1, 2))
    rank = p["dt_proj.weight"].shape[1]
    step, B, C = f.linear(x, p["x_proj.weight"]).split([rank, n, n], -1)
    step = f.softplus(f.linear(step, p["dt_proj.weight"], p["dt_proj.bias"]))
    zeros = torch.zeros(len(x), inner, n)
    y, _ = scan_in_torch(torch, x, step, -p["A_log"].exp(), B, C, p["D"], zeros)
    return f.linear(y * f.silu(z), p["out_proj.weight"], p.get("out_proj.bias"))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.Mamba(4, 3, dt_rank=2), (2, 5, 4)), (nn.Mamba(2, bias=True), (1, 3, 2))],
)
def test_mamba_is_the_block_of_the_paper(layer: nn.Mamba, shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    model, x = nn.build(layer, shape), drawn(*shape)
    theirs = {n: torch.tensor(np.asarray(a), requires_grad=True) for n, a in model.params.items()}
    given = torch.tensor(x, requires_grad=True)
    expected = mamba_in_torch(torch, theirs, given)
    expected.sin().sum().backward()
    run = jax.jit(jax.grad(lambda p, x: jnp.sin(model.apply(p, x)).sum(), (0, 1)))
    gradients, dx = run(dict(model.params), x)
    assert_close(model(x), expected.detach(), 1e-5, 1e-6)
    assert_close(dx, given.grad, 1e-4, 1e-6)
    for name, gradient in gradients.items():
        assert_close(gradient, theirs[name].grad, 1e-4, 1e-6)


def test_mamba_starts_with_steps_in_their_range() -> None:
    params = nn.build(nn.Mamba(32, dt_min=0.01, dt_max=0.2), ("N", 4, 32)).params
    steps = np.log1p(np.exp(np.asarray(params["dt_proj.bias"], np.float64)))
    assert 0.01 * (1 - 1e-5) <= steps.min() < 0.02 < 0.1 < steps.max() <= 0.2 * (1 + 1e-5)
    assert_close(np.exp(params["A_log"]), np.tile(np.arange(1, 17), (64, 1)))


def test_the_gated_diagonal_ssm_is_its_equations() -> None:
    model, x = nn.build(nn.GatedDiagonalSSM(4, 3), (5, 4)), drawn(5, 4)
    p = {n: np.asarray(a, np.float64) for n, a in model.params.items()}
    h, sigmoid = np.zeros(3), lambda v: 1 / (1 + np.exp(-v))
    y, last = model(x)
    for t, now in enumerate(x):
        u, z = (p[f"weight_{k}"] @ now + p[f"bias_{k}"] for k in "uz")
        d = sigmoid(p["weight_delta"] @ np.concatenate([now, h]) + p["bias_delta"])
        h = d * h + (1 - d) * u * sigmoid(u)
        assert_close(y[t], h * z * sigmoid(z))
    assert_close(last, h)
    assert nn.original_mamba(4, 3) == nn.GatedDiagonalSSM(4, 3, returns="output")


@pytest.mark.parametrize(
    "layer", [nn.Mamba(4, 3), nn.GatedDiagonalSSM(4, 3, returns="output")], ids=str
)
def test_padding_changes_nothing(layer: Any) -> None:
    x, lengths = drawn(2, 5, 4), np.array([5, 2], np.int32)
    hidden = np.where(np.arange(5)[:, None] < lengths[:, None, None], x, np.nan)
    padded = nn.build(Padded(layer), (("N", 5, 4), Spec(("N",), "int32")))
    params = {n.removeprefix("inner."): a for n, a in padded.params.items()}

    def whole(own: Any, x: Any) -> Any:
        y = padded.apply({f"inner.{n}": a for n, a in own.items()}, x, lengths)
        return jnp.sin(y).sum(), y

    def alone(own: Any, x: Any) -> Any:
        rows = [layer.call((own, {}), r[:n])[0] for r, n in zip(x, lengths, strict=True)]
        return sum(jnp.sin(y).sum() for y in rows), rows

    gradients, y = jax.jit(jax.grad(whole, (0, 1), has_aux=True))(params, hidden)
    expected, rows = jax.jit(jax.grad(alone, (0, 1), has_aux=True))(params, x)
    for ours, theirs, n in zip(y, rows, lengths, strict=True):
        assert_close(ours[:n], theirs)
        assert not ours[n:].any()
    for a, b in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected), strict=True):
        assert_close(a, b, 1e-4, 1e-5)
    with pytest.raises(DataError, match=r"takes lengths from 1 to 5, got 6\."):
        padded(x, [6, 1])


X = jnp.ones((2, 5, 4))
REFUSED: list[tuple[Any, type[TensoremError], str]] = [
    (
        lambda: nn.Mamba(4, dt_rank="all"),
        ArgumentError,
        "Mamba takes dt_rank as an integer of at least 1, got 'all'.",
    ),
    (
        lambda: nn.Mamba(4, dt_min=0.1, dt_max=0.01),
        ArgumentError,
        "Mamba takes dt_max as a number of at least dt_min, got 0.01.",
    ),
    (
        lambda: nn.Mamba(4, scan="fast"),
        ArgumentError,
        "Mamba takes scan as one of sequential, associative, got 'fast'.",
    ),
    (
        lambda: nn.build(nn.Mamba(4), ("N", 5, 6)),
        ShapeError,
        "Mamba(4) takes (*batch, T, 4), got (N, 5, 6).\n"
        "  where: model\n"
        "  from:  6 is set by the input (N, 5, 6)\n"
        "  help:  write nn.Mamba(6).",
    ),
    (
        lambda: F.selective_scan(X, X, jnp.ones((4, 3)), X, X),
        ShapeError,
        "F.selective_scan takes B (2, 5, 3), got (2, 5, 4).",
    ),
    (
        lambda: F.selective_scan(X, X, X, X, X),
        ShapeError,
        "F.selective_scan takes u (*batch, T, channels) and A (channels, n), got (2, 5, 4) and "
        "(2, 5, 4).",
    ),
    (
        lambda: F.selective_scan(X[:, :0], X, jnp.ones((4, 4)), X, X),
        ShapeError,
        "F.selective_scan takes sequences of at least one step, got (2, 0, 4).",
    ),
    (
        lambda: F.selective_scan(X, X, jnp.ones((4, 4)), X, X, method="fast"),
        ArgumentError,
        "F.selective_scan takes method as one of sequential, associative, got 'fast'.",
    ),
    (
        lambda: nn.build(nn.Mamba(4, scan="associative"), ("N", "T", 4)),
        ShapeError,
        "F.selective_scan takes a number of steps with method='associative', got (N, T, 8).\n"
        "  where: model Mamba(4, scan='associative')\n"
        '  help:  write method="sequential", or a number in place of the name.',
    ),
    (
        lambda: F.gated_diagonal_ssm(X, [X], [X]),
        ArgumentError,
        "F.gated_diagonal_ssm takes three weights, those of u, d and z, got 1 of them.",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_errors_word_by_word(call: Any, error: type[TensoremError], words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == words
