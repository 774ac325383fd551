"""What is chosen, measured, resampled and contracted, against PyTorch; and every meaning of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import functional as F
from tensorem.errors import ArgumentError, DTypeError, ShapeError

RNG = np.random.default_rng(0)


def draw(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


MASK = RNG.uniform(size=(3, 4)) < 0.5
CASES: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = [
    ("where", "where", (MASK, draw(3, 4), draw(4)), {}),
    ("clamp", "clamp", (draw(3, 4),), {"min": -0.5, "max": 0.5}),
    ("clamp", "clamp", (draw(3, 4),), {"min": 0.25}),
    ("clamp", "clamp", (np.array([0.5, -0.5, 1.0], np.float32),), {"min": -0.5, "max": 0.5}),
    ("cumsum", "cumsum", (draw(3, 4), 1), {}),
    ("norm", "linalg.vector_norm", (draw(3, 4, 2),), {}),
    ("norm", "linalg.vector_norm", (draw(3, 4, 2), 1, (0, 2)), {}),
    ("norm", "linalg.vector_norm", (draw(3, 4), float("inf"), 1, True), {}),
    ("norm", "linalg.vector_norm", (np.zeros((2, 3), np.float32), 2, 1), {}),
    ("normalize", "nn.functional.normalize", (draw(3, 4),), {}),
    ("normalize", "nn.functional.normalize", (draw(3, 4), 1, 0), {}),
    ("cosine_similarity", "nn.functional.cosine_similarity", (draw(3, 4), draw(3, 4)), {}),
    ("cosine_similarity", "nn.functional.cosine_similarity", (draw(3, 4, 2), draw(4, 1), -1), {}),
    ("pixel_shuffle", "pixel_shuffle", (draw(2, 12, 3, 2), 2), {}),
    ("pixel_unshuffle", "pixel_unshuffle", (draw(2, 3, 4, 6), 2), {}),
    ("unfold", "nn.functional.unfold", (draw(2, 3, 5, 6), 2), {}),
    ("unfold", "nn.functional.unfold", (draw(2, 3, 7, 6), (3, 2), (1, 2), (1, 0), (2, 1)), {}),
    *(
        ("interpolate", "nn.functional.interpolate", (draw(*shape),), options)
        for shape, options in (
            ((2, 3, 4), {"scale_factor": 2}),
            ((2, 3, 4), {"size": 7, "mode": "linear"}),
            ((1, 2, 4, 5), {"scale_factor": 3}),
            ((1, 2, 4, 5), {"size": (3, 9)}),
            ((1, 2, 4, 5), {"scale_factor": 1.7}),
            ((1, 2, 4, 5), {"scale_factor": 2, "mode": "bilinear"}),
            ((1, 2, 4, 5), {"scale_factor": 0.6, "mode": "bilinear"}),
            ((1, 2, 4, 5), {"size": (7, 3), "mode": "bilinear", "align_corners": True}),
            ((1, 2, 4, 1), {"size": (1, 3), "mode": "bilinear", "align_corners": True}),
            ((1, 1, 2, 3, 4), {"scale_factor": 2, "mode": "trilinear"}),
            ((1, 1, 2, 3, 4), {"scale_factor": 2}),
        )
    ),
    ("einsum", "einsum", ("ij,jk->ik", draw(2, 3), draw(3, 4)), {}),
    ("einsum", "einsum", ("bhid,bhjd->bhij", draw(2, 2, 3, 4), draw(2, 2, 5, 4)), {}),
    ("einsum", "einsum", ("...i,...i->...", draw(2, 3, 4), draw(3, 4)), {}),
    ("einsum", "einsum", ("ii->i", draw(3, 3)), {}),
    ("einsum", "einsum", ("ij", draw(2, 3)), {}),
]


def _torchs(torch: Any, name: str) -> Callable[..., Any]:
    found = torch
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def _floats(args: tuple[Any, ...]) -> list[int]:
    return [i for i, a in enumerate(args) if getattr(a, "dtype", None) == np.float32]


@pytest.mark.parametrize(("ours", "theirs", "args", "options"), CASES)
def test_value_and_gradient_are_torchs(
    ours: str, theirs: str, args: tuple[Any, ...], options: dict[str, Any]
) -> None:
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(a) if hasattr(a, "dtype") else a for a in args]
    for i in _floats(args):
        tensors[i].requires_grad_()
    expected = _torchs(torch, theirs)(*tensors, **options)
    probe = torch.arange(1.0, 1.0 + expected.numel()).reshape(expected.shape)
    (expected * probe).sum().backward()
    where = _floats(args)

    def total(*floats: Any) -> Any:
        given = list(args)
        for i, x in zip(where, floats, strict=True):
            given[i] = x
        y = getattr(F, ours)(*given, **options)
        return jnp.sum(y * probe.numpy()), y

    run = jax.jit(jax.value_and_grad(total, tuple(range(len(where))), has_aux=True))
    (_, value), slopes = run(*(args[i] for i in where))
    assert_close(value, expected.detach().numpy(), 1e-5, 1e-5)
    for slope, i in zip(slopes, where, strict=True):
        assert_close(slope, tensors[i].grad.numpy(), 1e-4, 1e-4)


READ: list[tuple[Callable[[Any], Any], tuple[int, ...], bool]] = [
    (partial(F.clamp, min=-0.5, max=1), (3, 4), True),
    (lambda x: F.where(MASK, x, 0.5), (3, 4), True),
    (partial(F.cumsum, dim=0), (3, 4), True),
    (partial(F.norm, p=1, dim=1), (3, 4), True),
    (partial(F.norm, dim=1), (3, 4), False),
    (partial(F.norm, p=3, dim=1), (3, 4), False),
    (F.normalize, (3, 4), False),
    (partial(F.interpolate, scale_factor=2, mode="bilinear"), (1, 2, 3, 3), True),
    (partial(F.interpolate, size=4), (1, 2, 3), True),
    (partial(F.pixel_shuffle, upscale_factor=2), (4, 2, 2), True),
    (partial(F.unfold, kernel_size=2), (2, 3, 3), True),
    (lambda x: F.einsum("ij,kj->ik", x, x), (2, 3), True),
]


@pytest.mark.parametrize(("f", "shape", "exact"), READ)
def test_a_graph_of_it_is_read_exactly_and_in_intervals(
    f: Callable[[Any], Any], shape: tuple[int, ...], exact: bool
) -> None:
    x = (np.arange(np.prod(shape)).reshape(shape) / 8 - 0.5).astype(np.float32)
    graph = tm.capture(f, shape)
    wide = tm.evaluate(graph, x, dtype="float64")
    assert_close(jax.jit(f)(x), wide, 1e-5, 1e-5)
    assert np.array_equal(tm.graph.to_jax(graph)(jnp.asarray(x)), jax.jit(f)(x))
    if exact:
        assert_close(tm.evaluate(graph, x, dtype="rational").to_float(), wide, 1e-12, 1e-12)
    box = tm.evaluate(graph, x, dtype="interval")
    assert np.all(box.lower <= wide + 1e-12) and np.all(wide - 1e-12 <= box.upper)


def test_one_hot_is_1_at_the_index_and_nowhere_for_none() -> None:
    found = F.one_hot(jnp.array([[2, 0], [-1, 3]]), 3)
    expected = [[[0, 0, 1], [1, 0, 0]], [[0, 0, 0], [0, 0, 0]]]
    assert found.tolist() == expected and found.dtype == jnp.int32
    assert F.one_hot(jnp.array([1], jnp.uint8), 300, "float32").sum() == 1


X, INDEX, IMAGE = jnp.ones((3, 4)), jnp.ones(3, jnp.int32), jnp.ones((1, 2, 4, 4))
WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: F.where(X, X, X), DTypeError, "F.where takes a mask of truth values, got float32"),
    (lambda: F.where(X > 0, X, jnp.ones(3)), ShapeError, "Broadcasting takes sizes"),
    (lambda: F.clamp(X), ArgumentError, "F.clamp takes at least one limit, min or max, got none"),
    (lambda: F.clamp(INDEX, min=0.5), DTypeError, "F.clamp takes operands of one dtype"),
    (lambda: F.cumsum(X, 2), ShapeError, "F.cumsum takes an input with axis dim=2"),
    (lambda: F.one_hot(X, 3), DTypeError, "F.one_hot takes indices that are integers, got float32"),
    (
        lambda: F.one_hot(INDEX, 0),
        ArgumentError,
        "takes num_classes as an integer of at least 1, got 0",
    ),
    (
        lambda: F.one_hot(INDEX, 3, "float8"),
        DTypeError,
        r"F.one_hot takes a dtype of float32, .*8",
    ),
    (lambda: F.norm(X, 0), ArgumentError, "F.norm takes p as a finite number above 0"),
    (lambda: F.norm(X, dim=5), ShapeError, "F.norm"),
    (lambda: F.interpolate(X, 3), ShapeError, r"takes \(N, C, \*image\) with 1 to 3 axes"),
    (lambda: F.interpolate(IMAGE), ArgumentError, "either size or scale_factor, got both or none"),
    (lambda: F.interpolate(IMAGE, 3, 2.0), ArgumentError, "either size or scale_factor"),
    (lambda: F.interpolate(IMAGE, (3, 3, 3)), ArgumentError, "takes size as a number or 2 of them"),
    (
        lambda: F.interpolate(IMAGE, 2.5),
        ArgumentError,
        "takes size as an integer of at least 1, got 2.5",
    ),  # type: ignore[arg-type]
    (
        lambda: F.interpolate(IMAGE, 0),
        ArgumentError,
        "takes size as an integer of at least 1, got 0",
    ),
    (
        lambda: F.interpolate(IMAGE, scale_factor=(1.0, 1e10)),
        ArgumentError,
        "takes the new size as an integer of at most 2147483647, got",
    ),
    (
        lambda: F.interpolate(IMAGE, scale_factor=-1.0),
        ArgumentError,
        "takes scale_factor as a finite number above 0, got -1.0",
    ),
    (
        lambda: F.interpolate(IMAGE, 3, mode="cubic"),  # type: ignore[arg-type]
        ArgumentError,
        "takes mode as one of nearest, linear, bilinear, trilinear, got 'cubic'",
    ),
    (
        lambda: F.interpolate(IMAGE, 3, mode="linear"),
        ArgumentError,
        "takes mode 'bilinear' for 2 axes, or 'nearest', got 'linear'",
    ),
    (
        lambda: F.interpolate(IMAGE, 3, align_corners=True),
        ArgumentError,
        'takes align_corners in linear modes, got mode="nearest"',
    ),
    (
        lambda: F.pixel_shuffle(IMAGE, 2),
        ShapeError,
        "takes channels that 4 divides",
    ),
    (lambda: F.pixel_shuffle(X, 2), ShapeError, r"takes \(\*, C, H, W\), got \(3, 4\)"),
    (
        lambda: F.pixel_shuffle(IMAGE, 0),
        ArgumentError,
        "takes upscale_factor as an integer of at least 1, got 0",
    ),
    (lambda: F.pixel_unshuffle(IMAGE, 3), ShapeError, "takes images that 3 divides"),
    (lambda: F.unfold(IMAGE, 5), ShapeError, "F.unfold takes a size of at least 5, got 4"),
    (lambda: F.unfold(IMAGE[None], 2), ShapeError, r"F.unfold takes \(N, C, H, W\) or \(C, H, W\)"),
    (lambda: F.einsum("ij,jk", X), ArgumentError, "F.einsum takes an operand for each of 2 terms"),
    (lambda: F.einsum("i->i", X), ShapeError, r"F.einsum takes 1 axes for 'i', got \(3, 4\)"),
    (lambda: F.einsum("ij,jk->ik", X, X), ShapeError, "takes one size for 'j', got 4 and 3"),
    (
        lambda: F.einsum("ij->ijk", X),
        ArgumentError,
        "letters of operands in its result",
    ),
    (lambda: F.einsum("i-j", X), ArgumentError, "takes an equation such as"),
    (
        lambda: F.einsum(3, X),  # type: ignore[arg-type]
        ArgumentError,
        'takes an equation such as "ij,jk->ik", got 3',
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), WRONG)
def test_what_a_function_does_not_take_is_said(
    call: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, math.inf])
def test_a_norm_is_that_of_torch_and_flat_at_0(p: float) -> None:
    torch = pytest.importorskip("torch")
    x = np.float32([[3, -4, 0], [0, 0, 0], [1, -2, 0.5]])
    assert_close(F.norm(x, p, -1), torch.norm(torch.tensor(x), p, -1).numpy(), 1e-6, 1e-6)
    slope = jax.grad(lambda v: F.norm(v, p, -1).sum())(jnp.asarray(x))
    assert np.isfinite(slope).all() and not slope[1].any()
