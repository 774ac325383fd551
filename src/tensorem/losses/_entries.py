"""Losses of single entries: numbers, counts, densities and signs."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from tensorem import ops
from tensorem.calls import ABOVE_0, called, number

from ._check import check_alike
from ._reduce import HALF_LOG_TAU, Reduced, Reduction, reduced, weighted

Array = jax.Array


@called
def mse(output: Array, target: Array, *, reduction: Reduction = "pair") -> Reduced:
    """The squared differences, per entry.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Args:
        reduction: "pair", "mean", "sum" or "none", as in every loss.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: There is no such reduction.

    Example:
        >>> mse(jnp.array([1.0, 4.0]), jnp.array([1.0, 2.0]))
        (Array(4., dtype=float32), Array(2., dtype=float32))
        >>> mse(jnp.array([1.0, 4.0]), jnp.array([1.0, 2.0]), reduction="mean").item()
        2.0
    """
    check_alike(output, target)
    return reduced(ops.square(ops.sub(output, target)), reduction)


@called
def l1(output: Array, target: Array, *, reduction: Reduction = "pair") -> Reduced:
    """The absolute differences, per entry.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: There is no such reduction.

    Example:
        >>> l1(jnp.array([1.0, 4.0]), jnp.array([1.0, 2.0]))
        (Array(2., dtype=float32), Array(2., dtype=float32))
    """
    return reduced(_distance(output, target), reduction)


@called
def huber(
    output: Array, target: Array, *, delta: float = 1.0, reduction: Reduction = "pair"
) -> Reduced:
    """d² / 2 up to delta, then delta (|d| - delta / 2), per entry, with d = output - target.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: delta is not above 0, or there is no such reduction.

    Example:
        >>> huber(jnp.array([0.5, 4.0]), jnp.zeros(2), reduction="none").tolist()
        [0.125, 3.5]

    Source:
        Huber 1964, equation 1.
    """
    number("delta", delta, ABOVE_0)
    return reduced(_bent(_distance(output, target), delta) * delta, reduction)


@called
def smooth_l1(
    output: Array, target: Array, *, beta: float = 1.0, reduction: Reduction = "pair"
) -> Reduced:
    """d² / (2 beta) up to beta, then |d| - beta / 2, per entry; l1 for beta = 0.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: beta is below 0, or there is no such reduction.

    Example:
        >>> smooth_l1(jnp.array([0.5, 4.0]), jnp.zeros(2), beta=2.0, reduction="none").tolist()
        [0.0625, 3.0]

    Source:
        Girshick 2015 (Fast R-CNN), equation 3.
    """
    far = _distance(output, target)
    if beta != 0:
        number("beta", beta, ABOVE_0)
    return reduced(_bent(far, beta) if beta else far, reduction)


@called
def log_cosh(output: Array, target: Array, *, reduction: Reduction = "pair") -> Reduced:
    """log cosh d, per entry, without overflow: |d| + log(1 + exp(-2 |d|)) - log 2.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: There is no such reduction.

    Example:
        >>> round(log_cosh(jnp.array([1000.0]), jnp.zeros(1), reduction="sum").item(), 3)
        999.307
    """
    check_alike(output, target)
    d = ops.sub(output, target)
    # d + softplus(-2 d) is even in d, and so smooth at 0.
    far = ops.add(d, ops.softplus(ops.mul(d, jnp.full_like(d, -2.0))))
    return reduced(ops.sub(far, jnp.full_like(d, math.log(2.0))), reduction)


@called
def kl_div(
    output: Array, target: Array, *, log_target: bool = False, reduction: Reduction = "pair"
) -> Reduced:
    """target (log target - output), per entry: the divergence of distributions, summed up.

    The mean is that of entries, as PyTorch's; divide the sum by the rows for that of rows.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Args:
        output: Log probabilities.
        target: Probabilities; where log_target, their logarithms.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: There is no such reduction.

    Example:
        >>> kl_div(jnp.log(jnp.array([0.5, 0.5])), jnp.array([1.0, 0.0]), reduction="sum").item()
        0.6931471824645996

    Source:
        Kullback and Leibler 1951, equation 2.4.
    """
    check_alike(output, target)
    if log_target:
        own, share = target, ops.exp(target)
    else:
        share, none = target, ops.equal(target, jnp.zeros_like(target))
        own = ops.log(ops.where(none, jnp.ones_like(target), target))  # 0 log 0 is 0
    return reduced(ops.sub(weighted(own, share), weighted(output, share)), reduction)


@called
def poisson_nll(
    output: Array,
    target: Array,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: Reduction = "pair",
) -> Reduced:
    """The negative log likelihood of counts, per entry, without the term log(target!).

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Args:
        output: The logarithm of the expected count; where log_input is False the count itself.
        full: Whether Stirling's approximation of log(target!) is added where target > 1.
        eps: Added to an expected count before its logarithm is taken.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: eps is not above 0, or there is no such reduction.

    Example:
        >>> poisson_nll(jnp.zeros(2), jnp.array([0.0, 3.0]), reduction="none").tolist()
        [1.0, 1.0]
    """
    check_alike(output, target)
    number("eps", eps, ABOVE_0)
    if log_input:
        values = ops.sub(ops.exp(output), weighted(output, target))
    else:
        log = ops.log(ops.add(output, jnp.full_like(output, eps)))
        values = ops.sub(output, ops.mul(target, log))
    return reduced(ops.add(values, _stirling(target)) if full else values, reduction)


@called
def gaussian_nll(
    output: Array,
    target: Array,
    var: Array,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "pair",
) -> Reduced:
    """½ (log v + (output - target)² / v) with v = max(var, eps), per entry.

    Shapes:
        output, target, var (...), equal  ->  sum (), count ()

    Args:
        var: The expected variance; where it is below eps it gets no gradient.
        full: Whether the constant ½ log 2π is added.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: eps is not above 0, or there is no such reduction.

    Example:
        >>> gaussian_nll(jnp.ones(2), jnp.zeros(2), jnp.ones(2), reduction="none").tolist()
        [0.5, 0.5]

    Source:
        Nix and Weigend 1994, equation 3.
    """
    check_alike(output, target)
    check_alike(output, var)
    number("eps", eps, ABOVE_0)
    small = jnp.full_like(var, eps)
    v = ops.where(ops.less(var, small), small, var)
    bent = ops.div(ops.square(ops.sub(output, target)), v)
    values = ops.mul(ops.add(ops.log(v), bent), jnp.full_like(v, 0.5))
    return reduced(ops.add(values, jnp.full_like(v, HALF_LOG_TAU)) if full else values, reduction)


@called
def hinge(
    output: Array, target: Array, *, margin: float = 1.0, reduction: Reduction = "pair"
) -> Reduced:
    """max(0, margin - target · output), per entry.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Args:
        target: -1 or 1.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: margin is no finite number, or there is no such reduction.

    Example:
        >>> hinge(jnp.array([2.0, 0.5]), jnp.array([1.0, -1.0]), reduction="none").tolist()
        [0.0, 1.5]
    """
    check_alike(output, target)
    gap = ops.sub(jnp.full_like(output, number("margin", margin)), ops.mul(target, output))
    return reduced(ops.relu(gap), reduction)


@called
def soft_margin(output: Array, target: Array, *, reduction: Reduction = "pair") -> Reduced:
    """log(1 + exp(-target · output)), per entry.

    Shapes:
        output, target (...), equal  ->  sum (), count ()

    Args:
        target: -1 or 1.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ, or are no floats.
        ArgumentError: There is no such reduction.

    Example:
        >>> soft_margin(jnp.array([1000.0]), jnp.array([-1.0]), reduction="sum").item()
        1000.0
    """
    check_alike(output, target)
    return reduced(ops.softplus(ops.neg(ops.mul(target, output))), reduction)


def _distance(output: Array, target: Array) -> Array:
    check_alike(output, target)
    far: Array = ops.abs(ops.sub(output, target))
    return far


def _bent(far: Array, width: float) -> Array:
    """far² / (2 width) up to width, then far - width / 2."""
    inside = ops.mul(ops.square(far), jnp.full_like(far, 0.5 / width))
    beyond = ops.sub(far, jnp.full_like(far, 0.5 * width))
    bent: Array = ops.where(ops.less(far, jnp.full_like(far, width)), inside, beyond)
    return bent


def _stirling(n: Array) -> Array:
    """n log n - n + ½ log 2πn where n > 1, else 0."""
    one = jnp.ones_like(n)
    large = ops.greater(n, one)
    held = ops.where(large, n, one)
    log = ops.log(held)
    half = ops.add(ops.mul(log, jnp.full_like(n, 0.5)), jnp.full_like(n, HALF_LOG_TAU))
    found: Array = ops.add(ops.sub(ops.mul(held, log), held), half)
    return ops.where(large, found, jnp.zeros_like(n))
