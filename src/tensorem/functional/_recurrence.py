"""The recurrence of a cell over time, with a derivative that leaves only its own product inside.

What does not wait for the turn before is computed for all turns at once: the products with the
input, the factors of the derivative, and after the loop the gradients of all weights, one product
each. The derivative is a loop of plain linear steps, so every transform of JAX goes through it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tensorem import ops

Array = jax.Array
Arrays = tuple[Array, ...]


def product(h: Array, weight: Array, bias: Array | None) -> Array:
    """W h + b."""
    y: Array = ops.linear(h, weight) if bias is None else ops.linear(h, weight, bias)
    return y


@dataclass(frozen=True)
class Cell:
    """One turn of a recurrence, but for the product p = W h + b with the state before.

    The functions work entry by entry, so that they read one turn or a stack of turns.

    Args:
        gates: How many entries of p a hidden unit takes.
        step: (a, p, state) -> the next state, and what its derivative is made of. a comes from the
            input; h is the first part of a state.
        factors: (what step kept, state, next state) -> the factors of the derivative.
        tangent: (factors, da, dp, dstate) -> the derivative of the next state, linear in the last
            three.
    """

    gates: int
    step: Callable[[Array, Array, Arrays], tuple[Arrays, Arrays]]
    factors: Callable[[Arrays, Arrays, Arrays], Arrays]
    tangent: Callable[[Arrays, Array, Array, Arrays], Arrays]

    def turn(self, a: Array, weight: Array, bias: Array | None, state: Arrays) -> Arrays:
        """The next state."""
        return self.step(a, product(state[0], weight, bias), state)[0]


def scanned(
    turn: Callable[[Array, Array, Array | None, Arrays], Arrays],
    reverse: bool,
    a: Array,
    weight: Array,
    bias: Array | None,
    state: Arrays,
    here: Array | None,
) -> tuple[Array, Arrays]:
    """Every h, and the last state.

    Shapes:
        a (T, *batch, inputs), weight (gates * hidden, hidden), bias (gates * hidden,), every part
        of state (*batch, hidden), here (T, *batch)  ->  h (T, *batch, hidden), the last state

    Args:
        turn: (a, weight, bias, state) -> the next state; h is the first part of a state.
        reverse: From the last turn to the first.
        here: Where a turn is taken; elsewhere the state stays as it is.
    """

    def body(old: Arrays, now: tuple[Array, Array | None]) -> tuple[Arrays, Array]:
        a, here = now
        new = _taken(here, turn(a, weight, bias, old), old)
        return new, new[0]

    last, h = lax.scan(body, state, (a, here), reverse=reverse)
    return h, last


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def recurrence(
    cell: Cell,
    reverse: bool,
    a: Array,
    weight: Array,
    bias: Array | None,
    state: Arrays,
    here: Array | None,
) -> tuple[Array, Arrays]:
    """`scanned`, of a cell whose derivative is known."""
    return scanned(cell.turn, reverse, a, weight, bias, state, here)


Operands = tuple[Array, Array, Array | None, Arrays, Array | None]
States = tuple[Array, Arrays]
"""Every h, and the last state."""


@recurrence.defjvp
def _derivative(
    cell: Cell, reverse: bool, primals: Operands, tangents: Operands
) -> tuple[States, States]:
    a, weight, bias, state, here = primals
    da, dweight, dbias, dstate, _ = tangents

    def turn(old: Arrays, now: tuple[Array, Array | None]) -> tuple[Arrays, Any]:
        a, here = now
        new, kept = cell.step(a, product(old[0], weight, bias), old)
        new = _taken(here, new, old)
        return new, (kept, new)

    last, (kept, new) = lax.scan(turn, state, (a, here), reverse=reverse)
    old = tuple(_before(first, rest, reverse) for first, rest in zip(state, new, strict=True))
    factors = cell.factors(kept, old, new)
    dp = old[0] @ dweight.T if dbias is None else old[0] @ dweight.T + dbias
    still = tuple(map(jnp.zeros_like, old))
    given = _taken(here, cell.tangent(factors, da, dp, still), still)

    def move(dold: Arrays, now: tuple[Arrays, Arrays, Array | None]) -> tuple[Arrays, Array]:
        factors, given, here = now
        passed = cell.tangent(factors, jnp.zeros_like(da[0]), dold[0] @ weight.T, dold)
        passed = _taken(here, passed, dold)
        dnew = tuple(x + y for x, y in zip(given, passed, strict=True))
        return dnew, dnew[0]

    dlast, dh = lax.scan(move, dstate, (factors, given, here), reverse=reverse)
    return (new[0], last), (dh, dlast)


def _taken(here: Array | None, new: Arrays, old: Arrays) -> Arrays:
    if here is None:
        return new
    return tuple(jnp.where(here[..., None], n, o) for n, o in zip(new, old, strict=True))


def _before(first: Array, new: Array, reverse: bool) -> Array:
    """The states that turns begin with, out of those that they end with."""
    if reverse:
        return jnp.concatenate([lax.slice_in_dim(new, 1, new.shape[0]), first[None]])
    return jnp.concatenate([first[None], lax.slice_in_dim(new, 0, new.shape[0] - 1)])


# --- the cells. XLA:CPU vectorises a loop over one curve, and not over two: so sigmoid is called
# once for all gates, and not for each (measured: a turn takes half the time).


def _rnn(activation: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Cell:
    """h' = activation(a + p), whose derivative is a function of h'."""

    def step(a: Array, p: Array, state: Arrays) -> tuple[Arrays, Arrays]:
        h = activation(a + p)
        return (h,), (slope(h),)

    return Cell(
        gates=1,
        step=step,
        factors=lambda kept, old, new: kept,
        tangent=lambda factors, da, dp, dold: (factors[0] * (da + dp),),
    )


def _lstm_step(a: Array, p: Array, state: Arrays) -> tuple[Arrays, Arrays]:
    """c' = f c + i g, h' = o tanh(c')."""
    z = a + p
    sigmoid, g = ops.sigmoid(z), ops.tanh(_parts(z, 4)[2])
    i, f, _, o = _parts(sigmoid, 4)
    c = f * state[1] + i * g
    return (o * ops.tanh(c), c), (sigmoid, g)


def _lstm_factors(kept: Arrays, old: Arrays, new: Arrays) -> Arrays:
    (i, f, _, o), g, t = _parts(kept[0], 4), kept[1], ops.tanh(new[1])
    of_gates = (g * i * (1 - i), old[1] * f * (1 - f), i * (1 - g * g), t * o * (1 - o))
    return _joined(*of_gates), f, o * (1 - t * t)


def _lstm_tangent(factors: Arrays, da: Array, dp: Array, dold: Arrays) -> Arrays:
    of_gates, of_old, of_c = factors
    i, f, g, o = _parts(of_gates * (da + dp), 4)
    dc = of_old * dold[1] + i + f + g
    return o + of_c * dc, dc


def _gru_step(a: Array, p: Array, state: Arrays) -> tuple[Arrays, Arrays]:
    """h' = (1 - z) n + z h, n = tanh(a_n + r p_n).

    n is the second half of an array that needs r twice: so it is no part of the loop of r and z.
    """
    (ar, az, an), (pr, pz, pn) = _parts(a, 3), _parts(p, 3)
    gates = ops.sigmoid(_joined(ar, az) + _joined(pr, pz))
    r, z = _parts(gates, 2)
    n = _parts(ops.tanh(_joined(az, an) + _joined(r, r) * _joined(pz, pn)), 2)[1]
    return ((1 - z) * n + z * state[0],), (gates, n, pn)


def _gru_factors(kept: Arrays, old: Arrays, new: Arrays) -> Arrays:
    (r, z), n, pn = _parts(kept[0], 2), *kept[1:]
    of_n = (1 - z) * (1 - n * n)
    return of_n * pn * r * (1 - r), (old[0] - n) * z * (1 - z), of_n, r, z


def _gru_tangent(factors: Arrays, da: Array, dp: Array, dold: Arrays) -> Arrays:
    (of_r, of_z, of_n, r, z), (ar, az, an), (pr, pz, pn) = factors, _parts(da, 3), _parts(dp, 3)
    return (of_r * (ar + pr) + of_z * (az + pz) + of_n * (an + r * pn) + z * dold[0],)


def _gated_step(a: Array, p: Array, state: Arrays) -> tuple[Arrays, Arrays]:
    """h' = d h + (1 - d) u, where a holds u and the part of d that comes from the input."""
    u, z = _parts(a, 2)
    d = ops.sigmoid(z + p)
    return (d * state[0] + (1 - d) * u,), (d, u)


def _gated_factors(kept: Arrays, old: Arrays, new: Arrays) -> Arrays:
    d, u = kept
    return (old[0] - u) * d * (1 - d), 1 - d, d


def _gated_tangent(factors: Arrays, da: Array, dp: Array, dold: Arrays) -> Arrays:
    (of_z, of_u, of_old), (u, z) = factors, _parts(da, 2)
    return (of_z * (z + dp) + of_u * u + of_old * dold[0],)


def _joined(*parts: Array) -> Array:
    return jnp.concatenate(parts, axis=-1)


def _parts(x: Array, n: int) -> list[Array]:
    return jnp.split(x, n, axis=-1)


RNN = {
    "tanh": _rnn(ops.tanh, lambda h: 1 - h * h),
    "relu": _rnn(ops.relu, lambda h: (h > 0).astype(h.dtype)),
}
LSTM = Cell(4, _lstm_step, _lstm_factors, _lstm_tangent)
GRU = Cell(3, _gru_step, _gru_factors, _gru_tangent)
GATED = Cell(1, _gated_step, _gated_factors, _gated_tangent)
