"""Recurrent networks: one layer, in one direction, over arrays; and their cells, for one step.

PyTorch keeps these functions to itself. Here the weights of a layer are one sequence, in the order
and in the layout of its state dict: weight_ih, weight_hh, and if there are any bias_ih, bias_hh.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from tensorem import ops, rules
from tensorem.calls import check_array
from tensorem.errors import ArgumentError
from tensorem.shapes import Spec, format_shape, require_equal

from ._contract import embedding, linear
from ._move import broadcast
from ._recurrence import (
    GATED,
    GRU,
    LSTM,
    RNN,
    Arrays,
    Cell,
    product,
    recurrence,
    scanned,
)
from ._shape import checked, shape, spec

Array = jax.Array


@dataclass(frozen=True)
class _Kind:
    """A recurrent network: the rows of its weights for each hidden unit, the parts of its state."""

    gates: int
    parts: int
    turn: Callable[[Array, Array, Array | None, Arrays], Arrays]
    run: Callable[[bool, Array, Array, Array | None, Arrays, Array | None], tuple[Array, Arrays]]


def _of(cell: Cell, parts: int = 1) -> _Kind:
    return _Kind(cell.gates, parts, cell.turn, partial(recurrence, cell))


def _reset_before(a: Array, weight: Array, bias: Array | None, state: Arrays) -> Arrays:
    """The turn of a GRU whose gate r stands before the product of n."""
    (h,), hidden = state, state[0].shape[-1]
    (ar, az, an) = jnp.split(a, 3, axis=-1)
    of_gates, of_n = weight[: 2 * hidden], weight[2 * hidden :]
    b, bn = (None, None) if bias is None else (bias[: 2 * hidden], bias[2 * hidden :])
    gates = ops.sigmoid(jnp.concatenate([ar, az], axis=-1) + product(h, of_gates, b))
    r, z = jnp.split(gates, 2, axis=-1)
    n = ops.tanh(an + product(r * h, of_n, bn))
    return ((1 - z) * n + z * h,)


_RNN = {name: _of(cell) for name, cell in RNN.items()}
_LSTM = _of(LSTM, parts=2)
_GRU = {True: _of(GRU), False: _Kind(3, 1, _reset_before, partial(scanned, _reset_before))}


@checked
def rnn(
    x: Array,
    weights: Sequence[Array],
    state: Array | None = None,
    lengths: Array | None = None,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
) -> tuple[Array, Array]:
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), step by step.

    Shapes:
        x (*batch, T, in), weights (hidden, in), (hidden, hidden), (hidden,), (hidden,),
        state (*batch, hidden), lengths (*batch)  ->  h (*batch, T, hidden), last h (*batch, hidden)

    Args:
        weights: weight_ih, weight_hh, and if there are any bias_ih, bias_hh.
        state: The h before the first step; None for zeros.
        lengths: How many steps each sequence has, from 1 to T; None where all have T. What stands
            in x behind the last step changes nothing, not even NaN; h is 0 there.
        nonlinearity: "tanh" or "relu".
        reverse: From the last step of each sequence to the first.

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: weights has two to four parts; there is no such nonlinearity.
        DataError: A length is not from 1 to T, where it is a value; NaN inside a trace.
        DTypeError: A dtype is not that of x, or lengths are no integers.

    Example:
        >>> import jax.numpy as jnp
        >>> x, one = jnp.ones((3, 1)), jnp.ones((1, 1))
        >>> h, last = rnn(x, [one, one], nonlinearity="relu")
        >>> h[:, 0].tolist(), last.tolist()
        ([1.0, 2.0, 3.0], [3.0])
    """
    h, (last,) = _sequence(_rnn(nonlinearity), x, weights, _one(state), lengths, reverse)
    return h, last


@checked
def gru(
    x: Array,
    weights: Sequence[Array],
    state: Array | None = None,
    lengths: Array | None = None,
    *,
    reset_after: bool = True,
    reverse: bool = False,
) -> tuple[Array, Array]:
    """h' = (1 - z) n + z h, step by step; arguments, shapes and errors as in `rnn`.

    The rows of the weights are those of r, z and n, one after another:
    r and z are sigmoid(W_i x + b_i + W_h h + b_h), n is tanh(W_i x + b_i + r (W_h h + b_h)).

    Args:
        reset_after: False for n = tanh(W_i x + b_i + W_h (r h) + b_h).

    Source:
        Cho et al. 2014, with reset_after=False; PyTorch's form otherwise.
    """
    h, (last,) = _sequence(_GRU[reset_after], x, weights, _one(state), lengths, reverse)
    return h, last


@checked
def lstm(
    x: Array,
    weights: Sequence[Array],
    state: tuple[Array, Array] | None = None,
    lengths: Array | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, tuple[Array, Array]]:
    """c' = f c + i g, h' = o tanh(c'), step by step; arguments, shapes and errors as in `rnn`.

    The rows of the weights are those of i, f, g and o, one after another: all are
    sigmoid(W_ih x + b_ih + W_hh h + b_hh), and tanh of that for g.

    Args:
        state: (h, c) before the first step; None for zeros.

    Source:
        Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
    """
    h, (last_h, last_c) = _sequence(_LSTM, x, weights, _pair(state), lengths, reverse)
    return h, (last_h, last_c)


@checked
def gated_diagonal_ssm(
    x: Array,
    weights: Sequence[Array],
    biases: Sequence[Array],
    state: Array | None = None,
    lengths: Array | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, Array]:
    """h' = d h + (1 - d) u and y = h' silu(W_z x + b_z), step by step; errors as in `rnn`.

    u is silu(W_u x + b_u), and d is sigmoid(W_d [x; h] + b_d).

    Shapes:
        x (*batch, T, in), weights (hidden, in), (hidden, in + hidden), (hidden, in), biases
        (hidden,) each, state (*batch, hidden), lengths (*batch)
        ->  y (*batch, T, hidden), last h (*batch, hidden)

    Args:
        weights: W_u, W_d, W_z.
        biases: b_u, b_d, b_z.

    Source:
        TorchLean's `mamba`, which is not the selective scan of that name: `selective_scan`.
    """
    (w_u, w_d, w_z), (b_u, b_d, b_z) = _three(weights, "weights"), _three(biases, "biases")
    inputs = w_u.shape[-1]
    of_x, of_h = w_d[:, :inputs], w_d[:, inputs:]
    kind = _Kind(1, 1, GATED.turn, partial(recurrence, GATED))
    _weights(kind, (of_x, of_h, b_d))
    rules.sequence(spec(x), inputs, w_u.shape[0])
    x = x if lengths is None else _zeroed(x, lengths)

    def enter(x: Array) -> Array:
        return jnp.concatenate([ops.silu(linear(x, w_u, b_u)), linear(x, of_x, b_d)], axis=-1)

    h, (last,) = _over_steps(kind, enter, x, (of_h, None), _one(state), lengths, reverse)
    return h * ops.silu(linear(x, w_z, b_z)), last


def _three(arrays: Sequence[Array], name: str) -> Sequence[Array]:
    if not isinstance(arrays, tuple | list) or len(arrays) != 3:
        got = f"{len(arrays)} of them" if hasattr(arrays, "__len__") else repr(arrays)
        raise ArgumentError(f"takes three {name}, those of u, d and z, got {got}.")
    return arrays


@checked
def zero_pads(x: Array, lengths: Array) -> Array:
    """x with zeros behind the last step of each sequence, whatever stands there, NaN too.

    Shapes:
        x (*batch, T, features), lengths (*batch)  ->  like x

    Args:
        lengths: How many steps each sequence has, from 1 to T.

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: x holds no floats, or lengths are no integers.
        DataError: A length is not from 1 to T, where it is a value; its sequence is NaN inside a
            trace.

    Example:
        >>> zero_pads(jnp.ones((2, 3, 1)), jnp.array([1, 3]))[..., 0].tolist()
        [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    features = shape(x)[-1] if x.ndim else 1
    rules.sequence(spec(x), features, features)
    return _zeroed(x, lengths)


@checked
def rnn_cell(
    x: Array,
    weights: Sequence[Array],
    state: Array | None = None,
    *,
    nonlinearity: str = "tanh",
) -> Array:
    """One step of `rnn`: the next h.

    Shapes:
        x (*batch, in), weights as in `rnn`, state (*batch, hidden)  ->  (*batch, hidden)

    Raises:
        ShapeError: The shapes do not fit.
        ArgumentError: weights has two to four parts; there is no such nonlinearity.
        DTypeError: A dtype is not that of x.

    Example:
        >>> import jax.numpy as jnp
        >>> rnn_cell(jnp.ones(1), [jnp.ones((1, 1)), jnp.ones((1, 1))], nonlinearity="relu").item()
        1.0
    """
    return _step(_rnn(nonlinearity), x, weights, _one(state))[0]


@checked
def gru_cell(
    x: Array, weights: Sequence[Array], state: Array | None = None, *, reset_after: bool = True
) -> Array:
    """One step of `gru`: the next h; shapes and errors as in `rnn_cell`."""
    return _step(_GRU[reset_after], x, weights, _one(state))[0]


@checked
def lstm_cell(
    x: Array, weights: Sequence[Array], state: tuple[Array, Array] | None = None
) -> tuple[Array, Array]:
    """One step of `lstm`: the next (h, c); shapes and errors as in `rnn_cell`."""
    h, c = _step(_LSTM, x, weights, _pair(state))
    return h, c


def _rnn(nonlinearity: str) -> _Kind:
    if nonlinearity not in _RNN:
        raise ArgumentError(
            f"takes nonlinearity as one of {', '.join(_RNN)}, got {nonlinearity!r}."
        )
    return _RNN[nonlinearity]


def _sequence(
    kind: _Kind,
    x: Array,
    weights: Sequence[Array],
    state: Arrays | None,
    lengths: Array | None,
    reverse: bool,
) -> tuple[Array, Arrays]:
    """A layer in one direction, batch first."""
    ih, hh, bias_ih, bias_hh = _weights(kind, weights)
    rules.sequence(spec(x), ih.shape[1], hh.shape[1])
    x = x if lengths is None else _zeroed(x, lengths)
    enter = partial(product, weight=ih, bias=bias_ih)
    return _over_steps(kind, enter, x, (hh, bias_hh), state, lengths, reverse)


def _over_steps(
    kind: _Kind,
    enter: Callable[[Array], Array],
    x: Array,
    inner: tuple[Array, Array | None],
    state: Arrays | None,
    lengths: Array | None,
    reverse: bool,
) -> tuple[Array, Arrays]:
    """Every h, batch first: `enter` is what a turn takes from x, `inner` what multiplies h."""
    hidden = inner[0].shape[1]
    for part in _specs(state):
        rules.state(spec(x), part, (), hidden)
    first = state or (jnp.zeros((*x.shape[:-2], hidden), x.dtype),) * kind.parts
    if lengths is None:
        h, last = kind.run(reverse, enter(jnp.moveaxis(x, -2, 0)), *inner, first, None)
        return jnp.moveaxis(h, 0, -2), last
    here, one = _steps(x, lengths)
    a, first = enter(jnp.moveaxis(x, -2, 0)), tuple(part * one for part in first)
    h, last = kind.run(reverse, a, *inner, first, jnp.moveaxis(here, -1, 0))
    return _zeroed(jnp.moveaxis(h, 0, -2), lengths), last


def _step(kind: _Kind, x: Array, weights: Sequence[Array], state: Arrays | None) -> Arrays:
    ih, hh, bias_ih, bias_hh = _weights(kind, weights)
    hidden, inputs = hh.shape[1], ih.shape[1]
    for part in _specs(state):
        rules.next_state(spec(x), part, inputs, hidden)
    first = state or (jnp.zeros((*x.shape[:-1], hidden), x.dtype),) * kind.parts
    return kind.turn(product(x, ih, bias_ih), hh, bias_hh, first)


def _steps(x: Array, lengths: Array) -> tuple[Array, Array]:
    """Which steps there are (*batch, T); 1 for each sequence (*batch, 1), or NaN if it has none."""
    rules.lengths(spec(x), spec(lengths))
    if not isinstance(lengths, Tracer):
        rules.check_lengths(np.asarray(lengths), x.shape[-2])
    count = lengths.astype("int32")
    number = broadcast(lax.iota("int32", x.shape[-2]), x.shape[:-1], (x.ndim - 2,))
    one = embedding(count - 1, jnp.ones((x.shape[-2], 1), x.dtype))
    return number < count[..., None], one


def _specs(state: Arrays | None) -> Sequence[Spec | None]:
    """What a rule asks of each part of a state; None where none is given."""
    for part in state or ():
        check_array(part, "state")
    return [spec(part) for part in state] if state else [None]


def _weights(
    kind: _Kind, weights: Sequence[Array]
) -> tuple[Array, Array, Array | None, Array | None]:
    """weight_ih, weight_hh, bias_ih and bias_hh, of shapes that fit."""
    if not isinstance(weights, tuple | list) or not 2 <= len(weights) <= 4:
        got = f"{len(weights)} of them" if hasattr(weights, "__len__") else repr(weights)
        raise ArgumentError(
            f"takes weights as (weight_ih, weight_hh, bias_ih, bias_hh), got {got}.",
            help="leave out the biases that there are not.",
        )
    ih, hh, *biases = weights
    hidden, inputs = shape(hh)[-1:], shape(ih)[-1:]
    rows = tuple(kind.gates * n for n in hidden)
    wanted = ((*rows, *inputs), (*rows, *hidden), rows, rows)
    for array, own in zip(weights, wanted, strict=False):
        got = ", ".join(format_shape(shape(w)) for w in weights)
        what = f"takes weights ({kind.gates} * hidden, in), ({kind.gates} * hidden, hidden), ..., "
        require_equal(shape(array), own, f"{what}got {got}.")
    bias_ih, bias_hh = (*biases, None, None)[:2]
    return ih, hh, bias_ih, bias_hh


def _zeroed(x: Array, lengths: Array) -> Array:
    here, one = _steps(x, lengths)
    return jnp.where(here[..., None], x, 0) * one[..., None]


def _one(state: Array | None) -> Arrays | None:
    return None if state is None else (state,)


def _pair(state: object) -> Arrays | None:
    if state is None or (isinstance(state, tuple | list) and len(state) == 2):
        return None if state is None else tuple(state)
    raise ArgumentError(
        f"takes state as a pair (h, c), got {type(state).__name__}.",
        help="both are zeros where it is left out.",
    )
