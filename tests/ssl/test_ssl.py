"""Masks and samples by their theorems, objectives by their papers' formulas in plain NumPy."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from close import assert_close
from tensorem import losses, nn, ssl
from tensorem.errors import ArgumentError, DataError, DTypeError, PathError, ShapeError

RNG = np.random.default_rng(0)
A, B = (np.asarray(RNG.normal(size=(6, 4)), np.float32) for _ in range(2))
COLLAPSED = np.full((6, 4), 0.1, np.float32)

# --- masks: the four theorems of the original's page


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 12), st.integers(0, 5), st.integers(0, 9), st.integers(0, 99))
def test_a_masked_vector(size: int, period: int, offset: int, seed: int) -> None:
    hidden = ssl.periodic_mask(size, period, offset)
    expected = [period > 0 and j % period == offset % period for j in range(size)]
    assert hidden.tolist() == expected
    x = np.random.default_rng(seed).normal(size=(3, size)).astype(np.float32)
    masked, target = (np.asarray(v) for v in ssl.vector_mae_sample(x, hidden))
    assert (masked[:, hidden] == 0).all()  # a hidden coordinate is 0
    assert (masked[:, ~hidden] == x[:, ~hidden]).all()  # a visible one is the input's
    assert (target == x).all()  # the target is the source
    said = masked * 2 + 1  # the loss of a row is that of predicting it
    loss = losses.mse(jnp.asarray(said), jnp.asarray(target), reduction="mean")
    assert_close(loss, ((said - x) ** 2).mean(), rtol=1e-5)


@settings(max_examples=6, deadline=None)
@given(st.tuples(*[st.integers(1, 6)] * 2), st.tuples(*[st.integers(1, 4)] * 2),
       st.integers(0, 4), st.integers(0, 4))  # fmt: skip
def test_a_masked_image(
    size: tuple[int, int], patch: tuple[int, int], period: int, offset: int
) -> None:
    hidden = ssl.image_patch_hidden(size, patch, period, offset)
    wide = math.ceil(size[1] / patch[1])
    for r, c in np.ndindex(size):
        index = (r // patch[0]) * wide + c // patch[1]
        assert hidden[r, c] == (period > 0 and index % period == offset % period)
    x = np.arange(1, 1 + 2 * 3 * size[0] * size[1], dtype=np.float32).reshape(2, 3, *size)
    masked, target = (np.asarray(v) for v in ssl.image_patch_mae_sample(x, hidden, size[0]))
    assert (masked[..., hidden] == 0).all() and (masked[..., ~hidden] == x[..., ~hidden]).all()
    assert (target == x.reshape(2, -1)[:, : size[0]]).all()
    flat, source = ssl.tensor_prefix_mae_sample(x, ssl.periodic_mask(size[0], period, offset))
    assert (np.asarray(source) == target).all() and flat.shape == target.shape


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 50), st.floats(0, 1))
def test_random_masks_hide_their_share(seed: int, ratio: float) -> None:
    hidden = ssl.random_mask(12, ratio, jax.random.key(seed))
    assert int(hidden.sum()) == int(12 * ratio)
    masks = np.asarray(ssl.block_mask((5, 4), ((2, 3), (5, 1)), jax.random.key(seed)))
    for block, (high, wide) in zip(masks, ((2, 3), (5, 1)), strict=True):
        rows, columns = block.any(1), block.any(0)
        assert (block == rows[:, None] & columns).all()
        for line, n in ((rows, high), (columns, wide)):
            places = np.flatnonzero(line)
            assert len(places) == n == places[-1] - places[0] + 1


def test_all_places_of_a_block_come() -> None:
    keys = jax.random.split(jax.random.key(0), 40)
    seen = jax.vmap(lambda k: ssl.block_mask((3, 3), ((2, 2),), k))(keys)
    assert len(np.unique(np.asarray(seen).reshape(40, -1), axis=0)) == 4


def test_patches_are_cut_in_the_order_of_reading() -> None:
    x = np.arange(2 * 3 * 4 * 6, dtype=np.float32).reshape(2, 3, 4, 6)
    cut = np.asarray(ssl.patches(x, (2, 3)))
    assert cut.shape == (2, 4, 18)
    for n, (i, j) in enumerate(np.ndindex(2, 2)):
        piece = x[:, :, 2 * i : 2 * i + 2, 3 * j : 3 * j + 3]
        assert (cut[:, n] == piece.transpose(0, 2, 3, 1).reshape(2, -1)).all()


# --- objectives, in plain NumPy


def cosines(a: Any, b: Any) -> Any:
    return (a / np.linalg.norm(a, axis=1)[:, None]) @ (b / np.linalg.norm(b, axis=1)[:, None]).T


def test_nt_xent_is_the_papers_sum() -> None:
    z, n = np.concatenate([A, B]).astype(float), len(A)
    s = np.exp(cosines(z, z) / 0.3)
    pairs = [(i, (i + n) % (2 * n)) for i in range(2 * n)]
    expected = np.mean([-np.log(s[i, j] / (s[i].sum() - s[i, i])) for i, j in pairs])
    assert_close(ssl.nt_xent(A, B, temperature=0.3), expected)
    assert_close(ssl.nt_xent(B, A, temperature=0.3), expected)  # symmetric in its views
    assert_close(ssl.nt_xent(3 * A, B, temperature=0.3), expected)


def test_info_nce_is_a_softmax_over_keys() -> None:
    s = np.exp(cosines(A.astype(float), B.astype(float)) / 0.2)
    assert_close(ssl.info_nce(A, B, temperature=0.2), np.mean(-np.log(np.diag(s) / s.sum(1))))


def test_byol_is_the_distance_of_normalised_rows() -> None:
    a, b = (v / np.linalg.norm(v, axis=1)[:, None] for v in (A.astype(float), B.astype(float)))
    assert_close(ssl.byol(A, B), ((a - b) ** 2).sum(1).mean())
    assert not np.asarray(jax.grad(lambda b: ssl.byol(A, b))(B)).any()
    after = ssl.ema({"w": jnp.asarray(A)}, {"w": jnp.asarray(B)}, 0.9)
    assert_close(after["w"], 0.9 * A + 0.1 * B)


def test_vicreg_is_the_papers_three_terms() -> None:
    a, b = A.astype(float), B.astype(float)

    def v(z: Any) -> Any:
        return np.maximum(0, 1 - np.sqrt(z.var(0, ddof=1) + 1e-4)).mean()

    def c(z: Any) -> Any:
        cov = np.cov(z.T)
        return ((cov - np.diag(np.diag(cov))) ** 2).sum() / 4

    near = ((a - b) ** 2).sum(1).mean()
    assert_close(ssl.vicreg(A, B), 25 * near + 25 * (v(a) + v(b)) + c(a) + c(b), rtol=1e-5)
    assert_close(ssl.variance(A), v(a))
    wide = A / A.std(0, ddof=1) * np.array([1.001, 2, 3, 9], np.float32)
    assert float(ssl.variance(wide)) == 0 < float(ssl.variance(wide / 3))
    assert not np.asarray(jax.grad(ssl.variance)(jnp.asarray(wide))).any()


def test_barlow_twins_is_the_papers_and_knows_no_scale_or_shift() -> None:
    a, b = A.astype(float), B.astype(float)
    c = np.corrcoef(a.T, b.T)[:4, 4:]
    off = (c - np.diag(np.diag(c))) ** 2
    expected = ((1 - np.diag(c)) ** 2).sum() + 0.005 * off.sum()
    assert_close(ssl.barlow_twins(A, B), expected)
    scaled = A * np.array([1e-3, 2, 30, 0.5], np.float32) + np.array([0, 1, -2, 3], np.float32)
    assert_close(ssl.barlow_twins(scaled, B), expected, rtol=1e-3)
    assert float(ssl.barlow_twins(A, A)) == pytest.approx(
        0.005 * (np.corrcoef(a.T) ** 2).sum() - 0.02, rel=1e-4
    )


def test_a_collapsed_batch_has_the_stated_loss_and_a_finite_gradient() -> None:
    for loss, value in (
        (ssl.nt_xent, math.log(11)),
        (ssl.info_nce, math.log(6)),
        (ssl.byol, 0.0),
        (ssl.barlow_twins, 4.0),
        (ssl.vicreg, 25 * 2 * 0.99),
    ):
        for x in (COLLAPSED, 0 * COLLAPSED):
            if loss is ssl.byol and not x.any():
                continue  # 0 has no direction
            assert float(loss(x, x)) == pytest.approx(value, abs=1e-5, rel=1e-5)
            assert np.isfinite(np.asarray(jax.grad(loss)(jnp.asarray(x), x))).all()


def test_mae_counts_the_hidden_patches_alone() -> None:
    y, x = (np.asarray(RNG.normal(size=(2, 5, 3)), np.float32) for _ in range(2))
    hidden = np.array([True, False, True, False, False])
    expected = ((y - x)[:, hidden] ** 2).mean()
    assert_close(ssl.masked_mse(y, x, hidden), expected)
    assert_close(ssl.masked_mse(y, x, np.stack([hidden, hidden])), expected)
    each = np.stack([hidden, ~hidden])
    assert_close(ssl.masked_mse(y, x, each), ((y - x)[each] ** 2).mean())
    assert float(ssl.masked_mse(y, x, np.zeros(5, bool))) == 0


def test_jepa_adds_up_the_distances_in_each_block() -> None:
    y, x = (np.asarray(RNG.normal(size=s), np.float32) for s in ((2, 2, 6, 3), (2, 6, 3)))
    masks = np.asarray(ssl.block_mask((2, 3), ((1, 2), (2, 1)), jax.random.key(1))).reshape(2, -1)
    expected = sum(((y[:, m, masks[m]] - x[:, masks[m]]) ** 2).sum() for m in range(2)) / 4
    assert_close(ssl.jepa(y, x, masks), expected)
    assert not np.asarray(jax.grad(lambda x: ssl.jepa(y, x, masks))(jnp.asarray(x))).any()


# --- evaluation


def test_the_linear_probe_is_logistic_regression() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, 90)
    x = rng.normal(size=(90, 5)) + 1.0 * np.eye(5)[y]
    scaled = (x - x[:60].mean(0)) / x[:60].std(0)

    def loss(flat: Any) -> Any:  # logistic regression, by another library
        w = flat.reshape(3, 6)
        logits = scaled[:60] @ w[:, :5].T + w[:, 5]
        return (logsumexp(logits, 1) - logits[range(60), y[:60]]).sum() + (w[:, :5] ** 2).sum()

    w = minimize(loss, np.zeros(18), tol=1e-8).x.reshape(3, 6)
    expected = ((scaled[60:] @ w[:, :5].T + w[:, 5]).argmax(1) == y[60:]).mean()
    found = ssl.linear_probe((x[:60], y[:60]), (x[60:], y[60:]), l2=2.0)
    assert 0.5 < expected < 1 and found == pytest.approx(expected)


def test_the_nearest_neighbours_say_the_class() -> None:
    x, y = RNG.normal(size=(60, 3)), RNG.integers(0, 4, 60)
    right = 0
    for row, label in zip(x[40:], y[40:], strict=True):
        distances = [cdist(row[None], other[None], "cosine").item() for other in x[:40]]
        votes = np.bincount(y[:40][np.argsort(distances)[:7]])
        right += np.argmax(votes) == label
    assert ssl.knn((x[:40], y[:40]), (x[40:], y[40:]), k=7) == pytest.approx(right / 20)


def test_an_objective_of_a_layer_trains_without_labels() -> None:
    model = nn.build(nn.Linear(4, 3), input=("N", 4))

    def loss(params: Any) -> Any:
        return ssl.vicreg(model.apply(params, A), model.apply(params, A + 0.1 * B))

    step = jax.jit(jax.value_and_grad(loss))
    params, first = dict(model.params), float(loss(model.params))
    for _ in range(20):
        _, grad = step(params)
        params = {n: p - 0.01 * grad[n] for n, p in params.items()}
    assert float(loss(params)) < 0.8 * first


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ssl.nt_xent(A[:1], B[:1]), ShapeError, "nt_xent takes two views .* or more, got"),
        (lambda: ssl.info_nce(A[:1], B[:1]), ShapeError, r"got \(1, 4\) and \(1, 4\)"),
        (lambda: ssl.vicreg(A[:1], B[:1]), ShapeError, "vicreg takes two views"),
        (lambda: ssl.variance(A[:1]), ShapeError, "variance takes two views"),
        (lambda: ssl.barlow_twins(A[:1], B[:1]), ShapeError, "barlow_twins takes two views"),
        (lambda: ssl.byol(A, B[:2]), ShapeError, r"byol takes two views .* \(2, 4\)"),
        (lambda: ssl.byol(A > 0, B > 0), DTypeError, "byol takes floats of one dtype, got bool"),
        (lambda: ssl.nt_xent(A, B, temperature=0), ArgumentError, "temperature above 0|above 0"),
        (lambda: ssl.info_nce(A, B, temperature=-1), ArgumentError, "above 0"),
        (lambda: ssl.vicreg(A, B, covariance=-1), ArgumentError, "covariance"),
        (lambda: ssl.variance(A, gamma=-1), ArgumentError, "gamma"),
        (lambda: ssl.barlow_twins(A, B, trade_off=-1), ArgumentError, "trade_off"),
        (lambda: ssl.ema({"a": A}, {"b": B}, 0.5), PathError, "ema takes arrays of .* got a, b"),
        (lambda: ssl.ema({}, {}, 2), ArgumentError, "decay"),
        (lambda: ssl.masked_mse(A[None], B[None], A[0]), DTypeError, "a mask of truth values"),
        (lambda: ssl.masked_mse(A[None], B[None], A[0] > 0), ShapeError, r"a mask \(6,\) or"),
        (lambda: ssl.masked_mse(A[None], A, A[0] > 0), ShapeError, "of one shape"),
        (lambda: ssl.jepa(A, B, A > 0), ShapeError, "jepa takes a prediction"),
        (lambda: ssl.jepa(A[None, None], B[None], A > 0), ShapeError, "jepa takes a mask"),
        (lambda: ssl.jepa(A[None, None], B[None], A), DTypeError, "jepa takes a mask of truth"),
        (lambda: ssl.periodic_mask(-1, 2), ArgumentError, "periodic_mask takes size"),
        (lambda: ssl.image_patch_hidden((2, 0), 1, 1), ArgumentError, "image_patch_hidden takes"),
        (lambda: ssl.random_mask(0, 0.5, jax.random.key(0)), ArgumentError, "random_mask takes"),
        (lambda: ssl.random_mask(4, 1.5, jax.random.key(0)), ArgumentError, r"in \[0, 1\]"),
        (lambda: ssl.random_mask(4, 0.5, A), DTypeError, "random_mask takes"),
        (lambda: ssl.block_mask((2, 2), ((3, 1),), jax.random.key(0)), ArgumentError, "within the"),
        (lambda: ssl.block_mask((2, 2), (), jax.random.key(0)), ArgumentError, "within the grid"),
        (lambda: ssl.block_mask((2, 2), ((1, 1),), A), DTypeError, "block_mask takes"),
        (lambda: ssl.mask(A, A[0, :3] > 0), ShapeError, r"mask takes hidden .*got \(3,\)"),
        (lambda: ssl.vector_mae_sample(A, A[0, :3] > 0), ShapeError, "takes hidden of the last"),
        (lambda: ssl.image_patch_mask(A[None, None], A[:2] > 0), ShapeError, "takes hidden"),
        (lambda: ssl.tensor_prefix_mae_sample(A, np.ones(5, bool)), ShapeError, "at least 5"),
        (lambda: ssl.image_patch_mae_sample(A[None, None], A > 0, 99), ShapeError, "at least 99"),
        (lambda: ssl.image_patch_mae_sample(A[None, None], A > 0, 0), ArgumentError, "size"),
        (lambda: ssl.patches(A, 2), ShapeError, "patches takes"),
        (lambda: ssl.patches(A[None, None], 5), ShapeError, "that patches 5 by 5 fill"),
        (lambda: ssl.patches(A[None, None], 0), ArgumentError, "patch"),
        (lambda: ssl.knn((A, B), (A, B)), ShapeError, "knn takes features"),
        (lambda: ssl.knn((A, np.arange(6)), (A[:, :2], np.arange(6))), ShapeError, "of one length"),
        (lambda: ssl.knn((A, np.arange(6)), (A, np.arange(6)), k=7), ArgumentError, "at most 6"),
        (lambda: ssl.knn((A[:0], np.arange(0)), (A, np.arange(6))), DataError, "are finite"),
        (lambda: ssl.linear_probe((A, -np.arange(6)), (A, -np.arange(6))), DataError, "classes 0"),
        (lambda: ssl.linear_probe((A, [0] * 6), (A, [0] * 6), l2=-1), ArgumentError, "l2"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
