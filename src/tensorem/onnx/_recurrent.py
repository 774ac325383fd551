"""RNN, GRU and LSTM: ONNX orders the gates otherwise, and puts time first."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from tensorem import functional as F
from tensorem.errors import CaptureError

from ._call import Call
from ._entries import Operator

_GATES = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}
"""PyTorch's gates in ONNX's order: z, r, h is r, z, n, and i, o, f, c is i, f, g, o."""
_USUAL = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}


def _recurrent(call: Call) -> Any:
    """(Y, Y_h) or (Y, Y_h, Y_c): all steps (T, directions, N, H), and the last."""
    backward = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    directions = backward[call.attrs.get("direction", "forward")]
    _require_usual(call, len(directions))
    x = call.x(0) if call.attrs.get("layout") else jnp.swapaxes(call.x(0), 0, 1)
    runs = [_run(call, x, i, reverse) for i, reverse in enumerate(directions)]
    steps = jnp.stack([h for h, _ in runs], 2)
    last = [jnp.stack(states, 1) for states in zip(*(s for _, s in runs), strict=True)]
    if call.attrs.get("layout"):
        return (steps, *last)[: call.results]
    return (steps.transpose(1, 2, 0, 3), *(s.swapaxes(0, 1) for s in last))[: call.results]


def _require_usual(call: Call, directions: int) -> None:
    given = call.attrs.get("activations")
    usual = _USUAL[call.op] * directions
    if given is not None and given != usual and not (call.op == "RNN" and set(given) == {"Relu"}):
        raise CaptureError(f"takes the activations {usual}, got {given}.")
    if "clip" in call.attrs or call.attrs.get("input_forget") or call.has(7):
        raise CaptureError("takes no clip, input_forget or peepholes, got one of them.")


def _run(call: Call, x: Any, i: int, reverse: bool) -> tuple[Any, tuple[Any, ...]]:
    """The steps in one direction, and the states after the last."""
    weights = _weights(call, i)
    lengths = None if not call.has(4) else call.x(4)
    states = [_state(call, k, i) for k in ((5, 6) if call.op == "LSTM" else (5,))]
    if call.op == "LSTM":
        given = (
            None
            if states[0] is None and states[1] is None
            else tuple(_zeros(call, x, s) for s in states)
        )
        steps, last = F.lstm(x, weights, given, lengths, reverse=reverse)
        return steps, last
    if call.op == "GRU":
        after = bool(call.attrs.get("linear_before_reset", 0))
        steps, h = F.gru(x, weights, states[0], lengths, reset_after=after, reverse=reverse)
    else:
        kind = "relu" if "Relu" in call.attrs.get("activations", ()) else "tanh"
        steps, h = F.rnn(x, weights, states[0], lengths, nonlinearity=kind, reverse=reverse)
    return steps, (h,)


def _zeros(call: Call, x: Any, state: Any) -> Any:
    return jnp.zeros((x.shape[0], call.attrs["hidden_size"]), x.dtype) if state is None else state


def _state(call: Call, k: int, i: int) -> Any:
    if not call.has(k):
        return None
    state = call.x(k)
    return state[:, i] if call.attrs.get("layout") else state[i]


def _weights(call: Call, i: int) -> list[Any]:
    """W, R and both halves of B of a direction, with the rows of the gates in PyTorch's order."""
    gates = _GATES[call.op]

    def ordered(rows: np.ndarray) -> np.ndarray:
        parts = rows.reshape(len(gates), -1, *rows.shape[1:])
        return parts[list(gates)].reshape(rows.shape)

    w, r = (ordered(call.known(k)[i]) for k in (1, 2))
    both = call.known(3)[i] if call.has(3) else np.zeros(2 * len(w), w.dtype)
    return [w, r, *map(ordered, np.split(both, 2))]


RECURRENT: dict[str, Operator] = dict.fromkeys(_GATES, _recurrent)
