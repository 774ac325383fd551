"""Where an entry of a sequence stands, said in its values: turned pairs and added waves."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import dtypes, ops, rules
from tensorem.calls import among
from tensorem.errors import DTypeError, ShapeError
from tensorem.shapes import format_shape, require_equal

from ._arithmetic import add, mul, sub
from ._move import cat, narrow, reshape
from ._shape import checked, shape

Array = jax.Array


@checked
def rotary_embedding(
    x: Array, position: int | Array = 0, *, base: float = 10000.0, style: str = "interleaved"
) -> Array:
    """Pairs of entries turned by an angle that grows with their place in the sequence.

    The product of two turned vectors depends on the distance of their places alone.

    Shapes:
        x (*batch, T, d), position () or as many of the first axes as it has  ->  like x

    Args:
        position: The place of the first entry; an array where it is known when the program runs,
            or differs from row to row.
        base: Pair i of d/2 is turned by place / base^(2i/d).
        style: "interleaved" pairs entry 2i with 2i + 1, "half" entry i with i + d/2.

    Raises:
        ShapeError: d is odd, x has no axis T, or position does not fit the first axes.
        DTypeError: x holds no floats, or position no integers.
        ArgumentError: There is no such style.

    Example:
        >>> x = jnp.array([[1.0, 0.0], [1.0, 0.0]])
        >>> rotary_embedding(x)[1].round(3).tolist()
        [0.5400000214576721, 0.8410000205039978]

    Source:
        Su et al. 2021, RoFormer, equation 34.
    """
    _check_sequence(x)
    among("style", style, rules.ROTARY_STYLES)
    d = x.shape[-1]
    if d % 2:
        raise ShapeError(
            f"takes an even number of entries on the last axis, got {format_shape(shape(x))}.",
            because="entries are turned in pairs.",
        )
    angle = _angles(x, position, base)
    cos, sin = ops.cos(angle).astype(x.dtype), ops.sin(angle).astype(x.dtype)
    first, second = _pairs(x, style)
    turned = (
        sub(mul(first, cos), mul(second, sin)),
        add(mul(second, cos), mul(first, sin)),
    )
    if style == "half":
        return cat(turned, -1)
    return _interleaved(*turned)


@checked
def sinusoidal_encoding(x: Array, position: int | Array = 0, *, base: float = 10000.0) -> Array:
    """The sequence plus sines and cosines of its places.

    Entry j of place p gets the sine (j even) or cosine (j odd) of p / base^(2⌊j/2⌋/d).

    Shapes:
        x (*batch, T, d), position () or as many of the first axes as it has  ->  like x

    Args:
        position: The place of the first entry, as in `rotary_embedding`.

    Raises:
        ShapeError: x has no axis T, or position does not fit the first axes.
        DTypeError: x holds no floats, or position no integers.

    Example:
        >>> sinusoidal_encoding(jnp.zeros((2, 2))).round(3).tolist()
        [[0.0, 1.0], [0.8410000205039978, 0.5400000214576721]]

    Source:
        Vaswani et al. 2017, section 3.5.
    """
    _check_sequence(x)
    angle = _angles(x, position, base)
    waves = _interleaved(ops.sin(angle), ops.cos(angle)).astype(x.dtype)
    return add(x, narrow(waves, -1, 0, x.shape[-1]))


@checked
def places(x: Array, position: int | Array = 0) -> Array:
    """The place of each entry of a sequence.

    Shapes:
        x (*batch, T, d), position () or as many of the first axes as it has
        ->  (T,) or (*batch, T)

    Args:
        position: The place of the first entry.

    Raises:
        ShapeError: x has no axis T, or position does not fit the first axes.
        DTypeError: position holds no integers.

    Example:
        >>> places(jnp.zeros((2, 3, 4)), jnp.array([0, 7])).tolist()
        [[0, 1, 2], [7, 8, 9]]
    """
    if x.ndim < 2:
        raise ShapeError(f"takes (*batch, T, d), got {format_shape(shape(x))}.")
    steps = jnp.arange(x.shape[-2])
    if isinstance(position, int):
        return steps + position
    if position.dtype.name not in dtypes.INTEGER:
        raise DTypeError(f"takes a position of integers (int32, ...), got {position.dtype}.")
    got, first = shape(position), shape(x)[: min(position.ndim, x.ndim - 2)]
    form = f"the first axes of {format_shape(shape(x))}"
    require_equal(got, first, f"takes a position () or of {form}, got {format_shape(got)}.")
    lead = reshape(position, (*position.shape, *(1,) * (x.ndim - 1 - position.ndim)))
    return lead + steps


def _angles(x: Array, position: int | Array, base: float) -> Array:
    """Place times frequency, (..., T, ⌈d/2⌉); floats of 16 bits do not hold it."""
    d = x.shape[-1]
    dtype = "float32" if x.dtype.name in dtypes.HALF else x.dtype.name
    frequencies = float(base) ** (-np.arange(0, d, 2) / d)
    return places(x, position).astype(dtype)[..., None] * jnp.asarray(frequencies, dtype)


def _pairs(x: Array, style: str) -> tuple[Array, Array]:
    half = x.shape[-1] // 2
    if style == "half":
        return narrow(x, -1, 0, half), narrow(x, -1, half, half)
    pairs = reshape(x, (*x.shape[:-1], half, 2))
    first, second = (narrow(pairs, -1, i, 1) for i in (0, 1))
    return reshape(first, (*x.shape[:-1], half)), reshape(second, (*x.shape[:-1], half))


def _interleaved(first: Array, second: Array) -> Array:
    """(..., n) twice as (..., 2n), one entry of each in turn."""
    pairs = cat([reshape(x, (*x.shape, 1)) for x in (first, second)], -1)
    return reshape(pairs, (*first.shape[:-1], 2 * first.shape[-1]))


def _check_sequence(x: Array) -> None:
    if x.dtype.name not in dtypes.FLOATING:
        raise DTypeError(f"takes floats, got {x.dtype}.")
    if x.ndim < 2:
        raise ShapeError(f"takes (*batch, T, d), got {format_shape(shape(x))}.")
