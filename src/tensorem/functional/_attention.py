"""Attention: which entries of a sequence are added up for each query, and with which weights.

A mask of truth values says True where a query may attend to a key, here and nowhere otherwise.
"""

from __future__ import annotations

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from tensorem import dtypes, ops, rules
from tensorem.calls import ABOVE_0, FROM_0_TO_1, among, flag, integer, number
from tensorem.errors import ArgumentError, DTypeError

from ._activation import tanh
from ._arithmetic import add, div, mul
from ._contract import matmul
from ._dropout import dropout
from ._move import permute, repeat_interleave
from ._position import places
from ._select import where
from ._shape import checked, shape

Array = jax.Array


@checked
def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    softcap: float | None = None,
    window: int | None = None,
    offset: int | Array = 0,
    weighting: str = "softmax",
    dropout_key: Array | None = None,
) -> Array:
    """The values, added up for each query with the weights of `attention_weights`.

    Shapes:
        query (*batch, L, d), key (*batch, S, d), value (*batch, S, v)  ->  (*batch, L, v)

    Args:
        attn_mask: As in `attention_weights`, which also says what scale, is_causal, softcap,
            window, offset and weighting mean.
        dropout_p: The probability with which a weight is 0; the others are divided by
            1 - dropout_p.
        enable_gqa: Whether the axis before L may be longer in the query: each head of key and
            value then serves several heads of the query.
        dropout_key: A `jax.random` key, where dropout_p is not 0.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes or no floats, or a mask is neither of truth values
            nor of floats.
        ArgumentError: A number is out of range, dropout_p has no dropout_key, or attn_mask allows
            later keys alone.

    Example:
        >>> x = jnp.array([[1.0], [3.0]])
        >>> scaled_dot_product_attention(jnp.zeros((2, 1)), x, x, is_causal=True).tolist()
        [[1.0], [2.0]]

    Source:
        Vaswani et al. 2017, equation 1.
    """
    flag("enable_gqa", enable_gqa)
    number("dropout_p", dropout_p, FROM_0_TO_1)
    if enable_gqa:
        few = ((x, rules.grouped_heads(shape(query), shape(x))) for x in (key, value))
        key, value = (repeat_interleave(x, times, -3) for x, times in few)
    rules.attention_values(shape(key), shape(value))
    weights = _weights(query, key, attn_mask, is_causal, scale, softcap, window, offset, weighting)
    if dropout_p:
        if dropout_key is None:
            raise ArgumentError(
                f"takes a dropout_key with dropout_p={dropout_p}, got none.",
                help="dropout_key=jax.random.key(0).",
            )
        weights = dropout(weights, dropout_p, key=dropout_key)
    y: Array = matmul(weights, value)
    return y


@checked
def attention_weights(
    query: Array,
    key: Array,
    attn_mask: Array | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    *,
    softcap: float | None = None,
    window: int | None = None,
    offset: int | Array = 0,
    weighting: str = "softmax",
) -> Array:
    """How much each query attends to each key; a query that may attend to none has weights of 0.

    A key is allowed if every mask that is given allows it: attn_mask, is_causal and window.

    Shapes:
        query (*batch, L, d), key (*batch, S, d)  ->  (*batch, L, S)

    Args:
        attn_mask: True where a query may attend to a key, or floats that are added to the scores,
            where -inf forbids; its shape broadcasts to that of the weights.
        is_causal: Whether query i, at the place offset + i, may attend to no key after that place.
        scale: What the products are multiplied by; None for 1/√d.
        softcap: A bound of the scores c: c tanh(score / c).
        window: How many places a query sees on each side, its own among them.
        offset: The place of the first query among the keys; an array for each of the first axes.
        weighting: "softmax", or "linear": the scores themselves are the weights.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes or no floats, or a mask is neither of truth values
            nor of floats.
        ArgumentError: A number is out of range, or attn_mask allows later keys alone.

    Example:
        >>> attention_weights(jnp.zeros((2, 1)), jnp.zeros((2, 1)), is_causal=True).tolist()
        [[1.0, 0.0], [0.5, 0.5]]
    """
    return _weights(query, key, attn_mask, is_causal, scale, softcap, window, offset, weighting)


def _weights(
    query: Array,
    key: Array,
    mask: Array | None,
    is_causal: bool,
    scale: float | None,
    softcap: float | None,
    window: int | None,
    offset: int | Array,
    weighting: str,
) -> Array:
    rules.attention_scores(shape(query), shape(key))
    flag("is_causal", is_causal)
    _check_options(query, softcap, window, weighting)
    scores = matmul(mul(query, _scale(query, scale)), permute(key, _swapped(key)))
    if softcap is not None:
        scores = mul(tanh(div(scores, float(softcap))), float(softcap))
    if mask is not None:
        _check_mask(mask, scores)
    allowed = _allowed(query, key, mask, is_causal, window, offset)
    if mask is not None and mask.dtype != bool:
        scores = add(scores, _finite(mask))
    if weighting == "linear":
        return _only(allowed, scores, 0.0)
    # The greatest finite number is halved, so that a difference of two scores is one.
    lowest = float(jnp.finfo(scores.dtype).min) / 2  # type: ignore[no-untyped-call]
    # The second selection is for queries that may attend to no key.
    return _only(allowed, ops.softmax(_only(allowed, scores, lowest), dim=-1), 0.0)


def _check_mask(mask: Array, scores: Array) -> None:
    holds, added = mask.dtype.name, scores.dtype.name
    rules.check_mask("attn_mask", shape(mask), holds, shape(scores), added)
    if mask.dtype == bool and not isinstance(mask, Tracer):
        help = "write ~attn_mask, or is_causal=True."
        rules.check_direction("attn_mask", np.asarray(mask), help)


def _allowed(
    query: Array,
    key: Array,
    mask: Array | None,
    is_causal: bool,
    window: int | None,
    offset: int | Array,
) -> Array | None:
    """Where every mask that is given allows a key to a query; None where there is no mask."""
    found = [] if mask is None else [mask if mask.dtype == bool else mask != -jnp.inf]
    if is_causal or window is not None:
        ahead = jnp.arange(key.shape[-2]) - places(query, offset)[..., None]
        found += [ahead <= 0] if is_causal else []
        found += [jnp.abs(ahead) < window] if window is not None else []
    return reduce(jnp.logical_and, found) if found else None


def _only(allowed: Array | None, x: Array, otherwise: float) -> Array:
    """The array where it is allowed, and a number elsewhere."""
    return x if allowed is None else where(allowed, x, otherwise)


def _finite(mask: Array) -> Array:
    """A mask of floats with 0 for -inf: what is forbidden is selected, not added."""
    return where(mask != -jnp.inf, mask, 0.0)


def _scale(query: Array, scale: float | None) -> float:
    return float(query.shape[-1]) ** -0.5 if scale is None else float(scale)


def _swapped(x: Array) -> tuple[int, ...]:
    return (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)


def _check_options(query: Array, softcap: float | None, window: int | None, weighting: str) -> None:
    if query.dtype.name not in dtypes.FLOATING:
        raise DTypeError(f"takes floats, got {query.dtype}.")
    if softcap is not None:
        number("softcap", softcap, ABOVE_0, "None")
    if window is not None:
        integer("window", window, 1)
    among("weighting", weighting, rules.WEIGHTINGS)
