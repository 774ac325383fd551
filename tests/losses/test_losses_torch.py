"""Every loss, option and reduction against PyTorch: values, gradients, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import losses
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError

RNG = np.random.default_rng(0)


def normal(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32) * 2


def bits(*shape: int) -> Any:
    return RNG.uniform(0.02, 0.98, shape).astype(np.float32)


def signs(*shape: int) -> Any:
    return np.where(RNG.uniform(size=shape) < 0.5, -1, 1).astype(np.float32)


def classes(most: int, *shape: int) -> Any:
    return RNG.integers(0, most, shape).astype(np.int32)


def shares(*shape: int) -> Any:
    return np.asarray(jax.nn.softmax(normal(*shape)))


W4 = np.array([0.5, 2.0, 1.0, 0.25], np.float32)
LAST = np.array([1, -100, 3, 0, -100, 2], np.int32)


@dataclass(frozen=True)
class Case:
    """Our loss and PyTorch's, on the same arrays, with the same options unless said."""

    ours: Callable[..., Any]
    theirs: str
    arrays: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    also: dict[str, Any] = field(default_factory=dict)
    """What is given to ours alone."""

    def __str__(self) -> str:
        return f"{self.ours.__name__} {' '.join({**self.options, **self.also})}"


P = "binary_cross_entropy"
CASES = [
    Case(losses.mse, "mse_loss", (normal(3, 4), normal(3, 4))),
    Case(losses.l1, "l1_loss", (normal(3, 4), normal(3, 4))),
    Case(losses.huber, "huber_loss", (normal(3, 4), normal(3, 4)), {"delta": 0.7}),
    Case(losses.smooth_l1, "smooth_l1_loss", (normal(3, 4), normal(3, 4)), {"beta": 1.5}),
    Case(losses.smooth_l1, "smooth_l1_loss", (normal(1, 5), normal(1, 5)), {"beta": 0.0}),
    Case(losses.kl_div, "kl_div", (np.log(shares(3, 4)), shares(3, 4))),
    Case(
        losses.kl_div, "kl_div", (np.log(shares(3, 4)), np.log(shares(3, 4))), {"log_target": True}
    ),
    Case(losses.kl_div, "kl_div", (np.log(shares(2, 2)), np.eye(2, dtype=np.float32))),
    Case(losses.poisson_nll, "poisson_nll_loss", (normal(3, 4), classes(5, 3, 4) * 1.0)),
    Case(
        losses.poisson_nll,
        "poisson_nll_loss",
        (bits(3, 4) * 4, (classes(5, 3, 4) * 1.0)),
        {"log_input": False, "full": True, "eps": 1e-4},
    ),
    Case(losses.gaussian_nll, "gaussian_nll_loss", (normal(3, 4), normal(3, 4), bits(3, 4))),
    Case(
        losses.gaussian_nll,
        "gaussian_nll_loss",
        (normal(3, 4), normal(3, 4), bits(3, 4) - np.float32(0.02)),
        {"full": True, "eps": 0.3},
    ),
    Case(losses.soft_margin, "soft_margin_loss", (normal(3, 4), signs(3, 4))),
    Case(losses.bce, P, (bits(3, 4), bits(3, 4))),
    Case(losses.bce, P, (bits(3, 4), bits(3, 4)), {"weight": W4}),
    Case(losses.bce_with_logits, f"{P}_with_logits", (normal(3, 4), bits(3, 4))),
    Case(
        losses.bce_with_logits,
        f"{P}_with_logits",
        (normal(3, 4), bits(3, 4)),
        {"weight": bits(3, 4), "pos_weight": W4},
    ),
    Case(losses.cross_entropy, "cross_entropy", (normal(6, 4), classes(4, 6)), {"weight": W4}),
    Case(
        losses.cross_entropy,
        "cross_entropy",
        (normal(6, 4), LAST),
        {"weight": W4, "ignore_index": -100, "label_smoothing": 0.2},
    ),
    Case(losses.cross_entropy, "cross_entropy", (normal(6, 4), LAST), {"ignore_index": -100}),
    Case(
        losses.cross_entropy,
        "cross_entropy",
        (normal(6, 4), shares(6, 4)),
        {"weight": W4, "label_smoothing": 0.1},
    ),
    Case(
        losses.cross_entropy,
        "cross_entropy",
        (normal(2, 4, 3, 5), classes(4, 2, 3, 5)),
        {"weight": W4, "label_smoothing": 0.1},
        {"dim": 1},
    ),
    Case(
        losses.cross_entropy,
        "cross_entropy",
        (normal(2, 4, 3), shares(2, 3, 4).swapaxes(1, 2)),
        {},
        {"dim": 1},
    ),
    Case(
        losses.nll, "nll_loss", (np.log(shares(6, 4)), LAST), {"weight": W4, "ignore_index": -100}
    ),
    Case(losses.multi_margin, "multi_margin_loss", (normal(5, 4), classes(4, 5))),
    Case(
        losses.multi_margin,
        "multi_margin_loss",
        (normal(5, 4), classes(4, 5)),
        {"p": 2, "margin": 0.5, "weight": W4},
    ),
    Case(
        losses.cosine_embedding,
        "cosine_embedding_loss",
        (normal(5, 3), normal(5, 3), signs(5)),
        {"margin": 0.2},
    ),
    Case(
        losses.triplet_margin,
        "triplet_margin_loss",
        (normal(5, 3), normal(5, 3), normal(5, 3)),
        {"swap": True},
    ),
    Case(
        losses.triplet_margin,
        "triplet_margin_loss",
        (normal(5, 3), normal(5, 3), normal(5, 3)),
        {"p": 1, "margin": 2.0},
    ),
    Case(
        losses.margin_ranking,
        "margin_ranking_loss",
        (normal(7), normal(7), signs(7)),
        {"margin": 0.3},
    ),
    Case(losses.hinge_embedding, "hinge_embedding_loss", (bits(7), signs(7)), {"margin": 0.6}),
]


def _tensors(torch: Any, case: Case) -> tuple[list[Any], dict[str, Any]]:
    arrays = [torch.tensor(a, dtype=torch.long if a.dtype == np.int32 else None) for a in
              map(np.asarray, case.arrays)]  # fmt: skip
    arrays = [a.float() if a.dtype == torch.float64 else a for a in arrays]
    options = {k: torch.tensor(v) if hasattr(v, "shape") else v for k, v in case.options.items()}
    return arrays, options


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
def test_a_loss_is_torchs(case: Case, reduction: Any) -> None:
    torch = pytest.importorskip("torch")
    xs, options = _tensors(torch, case)
    xs[0].requires_grad_()
    expected = getattr(torch.nn.functional, case.theirs)(*xs, **options, reduction=reduction)
    probe = torch.arange(1.0, 1.0 + expected.numel()).reshape(expected.shape)
    (expected * probe).sum().backward()
    arrays = [jnp.asarray(x, None if np.asarray(x).dtype == np.int32 else jnp.float32)
              for x in case.arrays]  # fmt: skip
    ours = partial(case.ours, **case.options, **case.also)

    def f(x: Any) -> Any:
        y = ours(x, *arrays[1:], reduction=reduction)
        return jnp.sum(y * probe.numpy()), y

    (_, value), gradient = jax.jit(jax.value_and_grad(f, has_aux=True))(arrays[0])
    assert_close(value, expected.detach().numpy(), rtol=1e-5, atol=1e-5)
    assert_close(gradient, xs[0].grad.numpy(), rtol=1e-4, atol=1e-4)
    total, count = ours(*arrays)
    assert_close(losses.mean((total, count)), ours(*arrays, reduction="mean"), rtol=1e-6)


def test_hinge_and_log_cosh_are_their_formulas() -> None:
    x, y, s = normal(9), normal(9), signs(9)
    assert_close(losses.hinge(jnp.asarray(x), s, reduction="none"), np.maximum(0, 1 - x * s))
    far = np.float64(x) - y
    found = losses.log_cosh(jnp.asarray(x), jnp.asarray(y), reduction="none")
    assert_close(found, np.log(np.cosh(far)), atol=1e-6)
    bend = jax.grad(jax.grad(lambda d: losses.log_cosh(d, jnp.zeros(()), reduction="sum")))
    assert_close(bend(jnp.zeros(())), 1.0)


@pytest.mark.parametrize("logit", [1e4, -1e4])
def test_losses_of_bits_are_finite_at_the_extremes(logit: float) -> None:
    x, y = jnp.full(3, logit), jnp.array([0.0, 0.5, 1.0])
    for loss in (losses.bce_with_logits, losses.soft_margin):
        value, slope = jax.value_and_grad(lambda x, f=loss: f(x, y, reduction="sum"))(x)
        assert jnp.isfinite(value) and jnp.isfinite(slope).all()
    p = jnp.array([0.0, 1.0, 0.0, 1.0])
    value, slope = jax.value_and_grad(lambda p: losses.bce(p, jnp.array([0.0, 0.0, 1.0, 1.0]))[0])(
        p
    )
    assert value == 200.0 and jnp.isfinite(slope).all()


CLASSES = jnp.array([0, 2])
FAR = jnp.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]])
MASKED = jnp.array([[0.0, -jnp.inf, 1.0], [-jnp.inf, 1.0, 0.0]])
SOFT = jnp.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
EXTREME: list[Callable[[Any], Any]] = [
    *(
        partial(losses.cross_entropy, target=CLASSES, **options)
        for options in ({}, {"weight": W4[:3]}, {"ignore_index": 2}, {"label_smoothing": 0.1})
    ),
    partial(losses.cross_entropy, target=SOFT),
    lambda x: losses.nll(jax.nn.log_softmax(x), CLASSES),
    partial(losses.multi_margin, target=CLASSES, p=2),
    lambda x: losses.kl_div(jnp.maximum(x, -1e4), SOFT),
    *(partial(getattr(losses, n), target=SOFT) for n in ("mse", "l1", "huber", "log_cosh")),
]


@pytest.mark.parametrize("loss", EXTREME)
def test_slopes_and_bends_are_finite_at_the_extremes(loss: Callable[[Any], Any]) -> None:
    @jax.jit
    def slopes(x: Any) -> Any:
        slope = jax.grad(lambda x: loss(x)[0])
        return jax.jvp(slope, (x,), (jnp.ones_like(x),))

    for x in (FAR, jnp.where(jnp.isinf(MASKED), -1e4, MASKED)):
        assert all(jnp.isfinite(y).all() for y in slopes(x))


@pytest.mark.parametrize("loss", [*EXTREME[:3], *EXTREME[4:6]])
def test_a_class_that_is_masked_has_no_slope(loss: Callable[[Any], Any]) -> None:
    value, slope = jax.value_and_grad(lambda x: loss(x)[0])(MASKED)
    assert not jnp.isnan(value) and jnp.isfinite(slope).all()
    assert not slope[jnp.isinf(MASKED)].any()


def test_the_second_derivative_of_bce_is_finite_at_the_extremes() -> None:
    p = jnp.array([0.25, 1e-18, 4e-20, 1e-38, 0.0, 1.0])
    for y in (0.0, 1.0):
        f = lambda p, y=y: losses.bce(p, jnp.full((), y), reduction="sum")  # noqa: E731
        bend = jax.vmap(jax.grad(jax.grad(f)))(p)
        assert jnp.isfinite(bend).all()
        assert_close(bend[:2], [16.0, 1e36] if y else [16 / 9, 1.0], rtol=1e-5)


LENGTHS = (np.array([7, 5, 3], np.int32), np.array([3, 2, 2], np.int32))
LABELS = np.array([[1, 1, 2], [3, 2, 0], [2, 2, 0]], np.int32)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("blank", "labels"), [(0, LABELS), (3, LABELS * (LABELS != 3))])
def test_ctc_is_torchs(reduction: Any, blank: int, labels: Any) -> None:
    torch = pytest.importorskip("torch")
    scores = normal(7, 3, 4)
    x = torch.tensor(scores, requires_grad=True)
    expected = torch.nn.functional.ctc_loss(
        x.log_softmax(-1), torch.tensor(labels).long(), *map(torch.tensor, LENGTHS),
        blank=blank, reduction=reduction,
    )  # fmt: skip
    expected.sum().backward()

    def f(scores: Any) -> Any:
        given = (jax.nn.log_softmax(scores), jnp.asarray(labels), *map(jnp.asarray, LENGTHS))
        y = losses.ctc(*given, blank=blank, reduction=reduction)
        return jnp.sum(y), y

    (_, value), gradient = jax.jit(jax.value_and_grad(f, has_aux=True))(jnp.asarray(scores))
    assert_close(value, expected.detach().numpy(), rtol=1e-4)
    assert_close(gradient, x.grad.numpy(), rtol=1e-3, atol=1e-5)


def test_a_sequence_too_short_for_its_labels_costs_infinity_or_nothing() -> None:
    scores, labels = jax.nn.log_softmax(jnp.zeros((3, 1, 4))), jnp.array([[2, 2]])
    short, whole = (jnp.array([2]), jnp.array([2])), (jnp.array([3]), jnp.array([2]))
    assert losses.ctc(scores, labels, *short, reduction="sum") == jnp.inf
    assert losses.ctc(scores, labels, *short, zero_infinity=True, reduction="sum") == 0
    assert jnp.isfinite(losses.ctc(scores, labels, *whole, reduction="sum"))


X, Y, C = jnp.ones((3, 4)), jnp.zeros((3, 4)), jnp.zeros(3, jnp.int32)
L3 = jnp.ones(3, jnp.int32)
WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: losses.mse(X, Y, reduction="avg"),
        ArgumentError,
        "mse takes reduction as one of pair",
    ),
    (
        lambda: losses.huber(X, Y, delta=0.0),
        ArgumentError,
        "huber takes delta as a finite number above 0, got 0.0",
    ),
    (
        lambda: losses.smooth_l1(X, Y, beta=-1.0),
        ArgumentError,
        "smooth_l1 takes beta as a finite number above 0",
    ),
    (
        lambda: losses.poisson_nll(X, Y, eps=0.0),
        ArgumentError,
        "poisson_nll takes eps as a finite number above 0",
    ),
    (lambda: losses.gaussian_nll(X, Y, X[0]), ShapeError, "gaussian_nll takes .* equal shapes"),
    (
        lambda: losses.gaussian_nll(X, Y, X, eps=-1.0),
        ArgumentError,
        "takes eps as a finite number above 0",
    ),
    (lambda: losses.bce(X + 1, Y), DataError, r"bce takes probabilities in \[0, 1\], got 2.0"),
    (lambda: losses.bce(X, Y, weight=jnp.ones(3)), ShapeError, "bce takes weight of the last axes"),
    (
        lambda: losses.cross_entropy(X, C, label_smoothing=2.0),
        ArgumentError,
        r"cross_entropy takes label_smoothing as a number in \[0, 1\], got 2.0",
    ),
    (
        lambda: losses.cross_entropy(X, Y, ignore_index=0),
        ArgumentError,
        "cross_entropy takes ignore_index beside classes, got probabilities",
    ),
    (
        lambda: losses.cross_entropy(X, C, weight=jnp.ones(5)),
        ShapeError,
        r"takes weight of the last axes of \(3, 4\), got \(5,\)",
    ),
    (
        lambda: losses.cross_entropy(X, C, dim=2),
        ShapeError,
        "an output with the axis 2",
    ),
    (lambda: losses.cross_entropy(X, C - 1), DataError, "takes classes from 0 to 3, got -1"),
    (lambda: losses.multi_margin(X, Y), ArgumentError, "multi_margin takes classes as targets"),
    (lambda: losses.multi_margin(X, C, p=3), ArgumentError, "takes p as one of 1, 2, got 3"),
    (lambda: losses.triplet_margin(X, X, X, p=3), ArgumentError, "takes p as one of 1, 2, got 3"),
    *(
        (call, ArgumentError, f"takes margin as a finite number, got {wrong}")
        for wrong, call in (
            ("nan", lambda: losses.triplet_margin(X, X, X, margin=float("nan"))),
            ("'1'", lambda: losses.hinge(X, X, margin="1")),  # type: ignore[arg-type]
            ("inf", lambda: losses.margin_ranking(X, X, X, margin=float("inf"))),
            ("None", lambda: losses.hinge_embedding(X, X, margin=None)),  # type: ignore[arg-type]
            ("True", lambda: losses.multi_margin(X, C, margin=True)),
            ("nan", lambda: losses.cosine_embedding(X, X, X[:, 0], margin=float("nan"))),
        )
    ),
    (lambda: losses.triplet_margin(X, X, X, eps=-1.0), ArgumentError, "takes eps as a finite"),
    (lambda: losses.triplet_margin(X, X, X, swap=1), ArgumentError, "takes swap as True or"),  # type: ignore[arg-type]
    (lambda: losses.triplet_margin(X, X, X[:2]), ShapeError, "triplet_margin takes"),
    (
        lambda: losses.cosine_embedding(X, X, X),
        ShapeError,
        r"takes a target for each row of \(3, 4\), got \(3, 4\)",
    ),
    (lambda: losses.ctc(X, C, L3, L3), ShapeError, r"takes log_probs \(T, N, classes\)"),
    (lambda: losses.ctc(X[None], X, L3, L3), DTypeError, "takes targets as integers"),
    (lambda: losses.ctc(X[None], C, L3, L3), ShapeError, r"takes targets \(3, S\), got \(3,\)"),
    (
        lambda: losses.ctc(X[None], C[:, None], L3[:2], L3),
        ShapeError,
        r"takes input_lengths \(3,\), got \(2,\)",
    ),
    (lambda: losses.ctc(C[None, :, None], C[:, None], L3, L3), DTypeError, "log_probs as floats"),
    (
        lambda: losses.ctc(X[None], C[:, None], L3, L3, blank=4),
        ArgumentError,
        "takes blank as an integer of at most 3, got 4",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), WRONG)
def test_what_a_loss_does_not_take_is_said(
    call: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("hinge", np.array([[1.0, 0.0]]), r"hinge takes targets that are -1 or 1, got 0.0"),
        ("poisson_nll", np.array([[1.0, -2.0]]), "poisson_nll takes counts of at least 0, got -2"),
        ("bce", np.array([[1.0, 2.0]]), r"bce takes probabilities in \[0, 1\], got 2.0"),
        ("multi_margin", np.array([2]), "multi_margin takes classes from 0 to 1, got 2"),
    ],
)
def test_targets_of_a_whole_data_set_are_checked(name: str, target: Any, words: str) -> None:
    from tensorem.shapes import Spec

    with pytest.raises(DataError, match=words):
        losses.check_targets(name, Spec(("N", 2)), target)


def test_a_loss_with_options_trains() -> None:
    from tensorem import nn, train

    model = nn.build(nn.Linear(2, 2), ("N", 2))
    x, y = normal(20, 2), (RNG.uniform(size=20) < 0.5).astype(np.int32)
    loss = partial(losses.cross_entropy, label_smoothing=0.1, weight=jnp.array([1.0, 2.0]))
    run = train.fit(model, (x, y), loss=loss, epochs=2, progress="none")
    assert np.isfinite(run.history[-1]["loss"])
