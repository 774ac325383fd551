"""The selective scan: a diagonal linear recurrence whose coefficients come from the input."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import lax

from tensorem import ops
from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import format_shape, require_equal, same_size

from ._shape import checked, shape, static

Array = jax.Array
Pair = tuple[Array, Array]


@checked
def selective_scan(
    u: Array,
    delta: Array,
    A: Array,
    B: Array,
    C: Array,
    D: Array | None = None,
    state: Array | None = None,
    *,
    method: str = "sequential",
) -> Pair:
    """h' = exp(delta A) h + delta u B and y = C h' + D u, step by step.

    Shapes:
        u and delta (*batch, T, channels), A (channels, n), B and C (*batch, T, n), D (channels,),
        state (*batch, channels, n)  ->  y (*batch, T, channels), last h (*batch, channels, n)

    Args:
        delta: The length of each step, of each channel.
        state: The h before the first step; None for zeros.
        method: "sequential": one step after another, 8 times faster on a CPU; "associative": all
            steps at once, in about log T rounds, for devices on which a step costs more than its
            arithmetic (not measured). They differ in rounding alone.

    Raises:
        ShapeError: The shapes do not fit; "associative" with a number of steps that has a name.
        ArgumentError: There is no such method.

    Example:
        >>> one = jnp.ones((3, 1))
        >>> y, last = selective_scan(one, one, jnp.zeros((1, 1)), one, one)
        >>> y[:, 0].tolist(), last.tolist()
        ([1.0, 2.0, 3.0], [[3.0]])

    Source:
        Gu and Dao 2023, equation 2 and algorithm 2; B in the first-order form of their code.
    """
    if method not in _METHODS:
        raise ArgumentError(f"takes method as one of {', '.join(_METHODS)}, got {method!r}.")
    _check(u, delta, A, B, C, D, state)
    if method == "associative" and not static(u.shape[-2:-1]):
        raise ShapeError(
            f"takes a number of steps with method='associative', got {format_shape(shape(u))}.",
            help='write method="sequential", or a number in place of the name.',
        )
    if state is None:
        state = jnp.zeros((*u.shape[:-2], *A.shape), u.dtype)
    stacks = [jnp.moveaxis(x, -2, 0) for x in (u, delta, B, C)]
    y, last = _METHODS[method](stacks, A, state)
    y = jnp.moveaxis(y, 0, -2)
    return (y if D is None else y + D * u), last


def _coefficients(u: Array, delta: Array, A: Array, B: Array) -> Pair:
    """What h is multiplied with, and what is added."""
    return ops.exp(delta[..., None] * A), (delta * u)[..., None] * B[..., None, :]


def _read(h: Array, C: Array) -> Array:
    y: Array = ops.sum(h * C[..., None, :], dims=(h.ndim - 1,))
    return y


def _sequential(stacks: list[Array], A: Array, state: Array) -> Pair:
    @jax.checkpoint  # the derivative keeps h alone, and computes the coefficients again
    def turn(h: Array, now: list[Array]) -> Pair:
        u, delta, B, C = now
        factor, term = _coefficients(u, delta, A, B)
        h = factor * h + term
        return h, _read(h, C)

    last, y = lax.scan(turn, state, stacks)
    return y, last


def _associative(stacks: list[Array], A: Array, state: Array) -> Pair:
    u, delta, B, C = stacks
    factor, term = _coefficients(u, delta, A, B)
    first = term[:1] + factor[:1] * state[None]
    _, h = lax.associative_scan(_after, (factor, jnp.concatenate([first, term[1:]])))
    return _read(h, C), h[-1]


def _after(one: Pair, other: Pair) -> Pair:
    """Two steps as one: h -> b (a h + c) + d."""
    (a, c), (b, d) = one, other
    return b * a, b * c + d


Method = Callable[[list[Array], Array, Array], Pair]
_METHODS: Mapping[str, Method] = {"sequential": _sequential, "associative": _associative}


def _check(u: Array, delta: Array, A: Array, *others: Array | None) -> None:
    """Raise unless all operands fit u and A."""
    if u.ndim < 2 or A.ndim != 2:
        raise ShapeError(
            "takes u (*batch, T, channels) and A (channels, n), got "
            f"{format_shape(shape(u))} and {format_shape(shape(A))}."
        )
    if same_size(shape(u)[-2], 0):
        raise ShapeError(f"takes sequences of at least one step, got {format_shape(shape(u))}.")
    (*batch, steps, channels), n = shape(u), shape(A)[1]
    of_step = (*batch, steps, n)
    wanted = (shape(u), (channels, n), of_step, of_step, (channels,), (*batch, channels, n))
    for name, array, own in zip(_NAMES, (delta, A, *others), wanted, strict=True):
        if array is not None:
            got = shape(array)
            what = f"takes {name} {format_shape(own)}, got {format_shape(got)}."
            require_equal(got, own, what)


_NAMES = ("delta", "A", "B", "C", "D", "state")
