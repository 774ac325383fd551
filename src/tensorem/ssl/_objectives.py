"""Objectives without labels: one number for a batch, whose rows are embeddings or patches.

They couple the rows of a batch, so parts of a batch do not add up to it: none is a pair (sum,
count). In `train.Objective` give `(loss * n, n)`.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from tensorem import dtypes, losses
from tensorem import functional as F
from tensorem.calls import ABOVE_0, AT_LEAST_0, FROM_0_TO_1, called, number
from tensorem.errors import DTypeError, PathError, ShapeError
from tensorem.shapes import format_shape

Array = jax.Array
_NOISE = 8
"""How many roundings of its mean an entry may be off in a column that is constant."""


@called
def nt_xent(a: Array, b: Array, *, temperature: float = 0.5) -> Array:
    """The objective of SimCLR: each row finds its other view among all 2 N - 1 others.

    The mean over both views of -log softmax(cosine / temperature) at the other view. It is
    log(2 N - 1) where all rows are equal.

    Shapes:
        a, b (N, D)  ->  ()

    Args:
        a: The embeddings of one view of each example.
        b: Those of another view.
        temperature: By which cosines are divided.

    Raises:
        ShapeError: The views are no two matrices of one shape, or there is one example only.
        DTypeError: They are no floats.
        ArgumentError: temperature is not above 0.

    Example:
        >>> x = jnp.eye(3)
        >>> round(float(nt_xent(x, x, temperature=1.0)), 4)
        0.9048

    Source:
        Chen et al. 2020, equation 1 and algorithm 1.
    """
    _require_views(a, b)
    z = F.normalize(F.cat([a, b]), dim=1)
    scores = F.div(F.matmul(z, z.T), number("temperature", temperature, ABOVE_0))
    n = a.shape[0]
    scores = F.masked_fill(scores, jnp.eye(2 * n, dtype=bool), -jnp.inf)
    other = (jnp.arange(2 * n) + n) % (2 * n)
    mean: Array = losses.cross_entropy(scores, other, reduction="mean")
    return mean


@called
def info_nce(query: Array, key: Array, *, temperature: float = 0.1) -> Array:
    """Each query finds its key among the keys of the batch.

    The mean of -log softmax(cosine / temperature) at the own key; log(N) where all are equal.

    Shapes:
        query, key (N, D)  ->  ()

    Raises:
        ShapeError: They are no two matrices of one shape, or there is one example only.
        DTypeError: They are no floats.
        ArgumentError: temperature is not above 0.

    Example:
        >>> round(float(info_nce(jnp.ones((4, 2)), jnp.ones((4, 2)))), 4)
        1.3863

    Source:
        van den Oord et al. 2018, equation 4; He et al. 2020, equation 1 (MoCo).
    """
    _require_views(query, key)
    cosines = F.matmul(F.normalize(query, dim=1), F.normalize(key, dim=1).T)
    scores = F.div(cosines, number("temperature", temperature, ABOVE_0))
    mean: Array = losses.cross_entropy(scores, jnp.arange(len(query)), reduction="mean")
    return mean


@called
def byol(prediction: Array, target: Array) -> Array:
    """2 - 2 cos(prediction, target), the mean over rows; no gradient goes into the target.

    The paper adds the same with the views exchanged; the target network follows by `ema`.

    Shapes:
        prediction, target (N, D)  ->  ()

    Raises:
        ShapeError: They are no two matrices of one shape.
        DTypeError: They are no floats.

    Example:
        >>> float(byol(jnp.eye(2), -2 * jnp.eye(2)))
        4.0

    Source:
        Grill et al. 2020, equation 2.
    """
    _require_views(prediction, target, least=1)
    cosine = F.cosine_similarity(prediction, jax.lax.stop_gradient(target), dim=1)
    return F.sub(2.0, F.mul(2.0, F.mean(cosine)))


@called
def ema(target: Mapping[str, Array], online: Mapping[str, Array], decay: float) -> dict[str, Array]:
    """The arrays of a target network after a step: decay · target + (1 - decay) · online.

    Args:
        target: Arrays by name, such as model.params.
        online: Those that are trained.
        decay: How much of the target stays, such as 0.996.

    Raises:
        PathError: The names differ.
        ArgumentError: decay is not in [0, 1].

    Example:
        >>> float(ema({"w": jnp.array(1.0)}, {"w": jnp.array(0.0)}, 0.75)["w"])
        0.75

    Source:
        Grill et al. 2020, equation 1.
    """
    number("decay", decay, FROM_0_TO_1)
    if target.keys() != online.keys():
        differ = ", ".join(sorted(target.keys() ^ online.keys()))
        raise PathError(f"ema takes arrays of the same names, got {differ} on one side only.")
    return {name: decay * array + (1 - decay) * online[name] for name, array in target.items()}


@called
def vicreg(
    a: Array,
    b: Array,
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Array:
    """Views near each other, features that vary, and features that do not say the same.

    invariance · s(a, b) + variance · (v(a) + v(b)) + covariance · (c(a) + c(b)), with the paper's
    factors: s is the mean over rows of the squared distance (its authors' code divides by D too),
    v is `variance` (their code halves it), c the sum of squared covariances of two features / D.

    Shapes:
        a, b (N, D)  ->  ()

    Raises:
        ShapeError: They are no two matrices of one shape, or there is one example only.
        DTypeError: They are no floats.
        ArgumentError: A factor is below 0.

    Example:
        >>> x = jnp.array([[-2.0, 2.0], [2.0, 2.0], [-2.0, -2.0], [2.0, -2.0]])
        >>> float(vicreg(x, x))
        0.0

    Source:
        Bardes et al. 2022, equations 1 to 6.
    """
    _require_views(a, b)
    for name, factor in (
        ("invariance", invariance),
        ("variance", variance),
        ("covariance", covariance),
    ):
        number(name, factor, AT_LEAST_0)
    near = F.mean(F.sum((a - b) ** 2, 1))
    vary = _hinges(a, 1.0, 1e-4) + _hinges(b, 1.0, 1e-4)
    alike = _covariances(a) + _covariances(b)
    return invariance * near + variance * vary + covariance * alike


@called
def variance(z: Array, *, gamma: float = 1.0, eps: float = 1e-4) -> Array:
    """The variance term of VICReg: the mean over features of max(0, gamma - sqrt(Var + eps)).

    It is 0 where every deviation is at least gamma. The variance is that of N - 1.

    Shapes:
        z (N, D)  ->  ()

    Raises:
        ShapeError: z is no matrix of two rows or more.
        DTypeError: z holds no floats.
        ArgumentError: A number is below 0.

    Example:
        >>> round(float(variance(jnp.ones((4, 3)))), 4)
        0.99

    Source:
        Bardes et al. 2022, equations 1 and 2.
    """
    _require_views(z, z)
    return _hinges(z, number("gamma", gamma, AT_LEAST_0), number("eps", eps, ABOVE_0))


def _hinges(z: Array, gamma: float, eps: float) -> Array:
    deviation = F.sqrt(jnp.var(z, axis=0, ddof=1) + eps)
    return F.mean(F.relu(gamma - deviation))


def _covariances(z: Array) -> Array:
    """The squares of all covariances of two features, added up, over the number of features."""
    centred = z - F.mean(z, 0)
    covariance = centred.T @ centred / (z.shape[0] - 1)
    return F.sum(_off_diagonal(covariance) ** 2) / z.shape[1]


def _off_diagonal(x: Array) -> Array:
    return F.masked_fill(x, jnp.eye(x.shape[0], dtype=bool), 0.0)


@called
def barlow_twins(a: Array, b: Array, *, trade_off: float = 5e-3) -> Array:
    """Σ (1 - C_ii)² + trade_off · Σ_{i≠j} C_ij², with the correlations C of features of two views.

    A scale or shift of a feature changes nothing. A constant feature correlates with none, so that
    the loss of a collapsed batch is D, with a gradient of 0.

    Shapes:
        a, b (N, D)  ->  ()

    Args:
        trade_off: The weight of correlations of different features, the paper's λ.

    Raises:
        ShapeError: They are no two matrices of one shape, or there is one example only.
        DTypeError: They are no floats.
        ArgumentError: trade_off is below 0.

    Example:
        >>> x = jnp.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> float(barlow_twins(x, 2 * x + 3)), float(barlow_twins(x, 0 * x))
        (0.0, 2.0)

    Source:
        Zbontar et al. 2021, equations 1 and 2.
    """
    _require_views(a, b)
    number("trade_off", trade_off, AT_LEAST_0)
    correlations = _standardised(a).T @ _standardised(b)
    on = F.sum((1 - jnp.diagonal(correlations)) ** 2)
    return on + trade_off * F.sum(_off_diagonal(correlations) ** 2)


def _standardised(z: Array) -> Array:
    """Columns of mean 0 and length 1; 0 where they are constant but for rounding."""
    mean = F.mean(z, 0)
    centred = z - mean
    square = F.sum(centred**2, 0)
    noise = _NOISE * float(jnp.finfo(z.dtype).eps) * jnp.abs(mean)  # type: ignore[no-untyped-call]
    constant = square <= z.shape[0] * noise**2
    return F.where(constant, 0.0, centred / F.sqrt(F.where(constant, 1.0, square)))


@called
def masked_mse(prediction: Array, target: Array, hidden: Array) -> Array:
    """The mean squared error of the patches that were hidden; 0 where none was.

    Shapes:
        prediction, target (N, P, D), hidden (P) or (N, P)  ->  ()

    Args:
        prediction: The reconstruction, all patches.
        target: The patches themselves (`patches`), perhaps normalised each.
        hidden: Which were hidden; True is hidden.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: prediction and target are no floats of one dtype, or hidden no truth values.

    Example:
        >>> y, hidden = jnp.array([[[1.0], [5.0]]]), jnp.array([True, False])
        >>> float(masked_mse(y, 0 * y, hidden))
        1.0

    Source:
        He et al. 2022, section 3 (MAE).
    """
    _require_alike(prediction, target)
    _require_hidden(hidden, prediction.shape, (prediction.shape[1:-1], prediction.shape[:-1]))
    each = F.mean((prediction - target) ** 2, -1)
    weights = jnp.broadcast_to(hidden, each.shape).astype(each.dtype)
    return F.sum(weights * each) / jnp.maximum(F.sum(weights), 1)


@called
def jepa(prediction: Array, target: Array, masks: Array) -> Array:
    """The squared distances of predicted and true representations in each block, added up.

    The mean over the M blocks and over the batch; no gradient goes into the target.

    Shapes:
        prediction (N, M, P, D), target (N, P, D), masks (M, P)  ->  ()

    Args:
        prediction: For each block, what is predicted of all patches.
        target: The representations by the target encoder of all patches.
        masks: The patches of each block, such as `block_mask(...)`, flattened.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: prediction and target are no floats of one dtype, or masks no truth values.

    Example:
        >>> y = jnp.ones((1, 2, 3, 4))
        >>> float(jepa(y, 0 * y[:, 0], jnp.array([[True, False, False], [True, True, False]])))
        6.0

    Source:
        Assran et al. 2023, section 3 (I-JEPA).
    """
    n, m, p, d = prediction.shape if prediction.ndim == 4 else (0, 0, 0, 0)
    if not n or target.shape != (n, p, d):
        raise ShapeError(
            "takes a prediction (N, M, P, D) and a target (N, P, D), got "
            f"{format_shape(prediction.shape)} and {format_shape(target.shape)}."
        )
    _require_alike(prediction[:, 0], target)
    _require_hidden(masks, prediction.shape, ((m, p),))
    off = F.sum((prediction - jax.lax.stop_gradient(target)[:, None]) ** 2, -1)
    return F.sum(masks.astype(off.dtype) * off) / (n * m)


def _require_views(a: Array, b: Array, least: int = 2) -> None:
    if a.ndim != 2 or a.shape != b.shape or a.shape[0] < least:
        some = "two examples or more" if least > 1 else "an example or more"
        raise ShapeError(
            f"takes two views (N, D) of {some}, got {format_shape(a.shape)} and "
            f"{format_shape(b.shape)}."
        )
    _require_alike(a, b)


def _require_alike(a: Array, b: Array) -> None:
    if a.shape != b.shape:
        raise ShapeError(
            "takes a prediction and a target of one shape, got "
            f"{format_shape(a.shape)} and {format_shape(b.shape)}."
        )
    if a.dtype.name not in dtypes.FLOATING or a.dtype != b.dtype:
        raise DTypeError(f"takes floats of one dtype, got {a.dtype} and {b.dtype}.")


def _require_hidden(
    hidden: Array, shape: tuple[int, ...], wanted: tuple[tuple[int, ...], ...]
) -> None:
    if hidden.dtype != bool:
        raise DTypeError(f"takes a mask of truth values, got {hidden.dtype}.")
    if hidden.shape not in wanted:
        some = " or ".join(map(format_shape, wanted))
        raise ShapeError(
            f"takes a mask {some} for {format_shape(shape)}, got {format_shape(hidden.shape)}."
        )
