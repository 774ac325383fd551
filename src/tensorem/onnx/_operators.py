"""The operators of ONNX that we read: each a function of a call."""

from __future__ import annotations

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np

from tensorem.errors import CaptureError

from ._call import Call
from ._entries import ENTRIES, Operator
from ._graphs import GRAPHS
from ._moves import MOVES
from ._recurrent import RECURRENT
from ._reductions import REDUCTIONS
from ._windows import WINDOWS


def _place(call: Call, i: int) -> int:
    return int(call.known(i).reshape(()))


def _split_to_sequence(call: Call) -> list[Any]:
    x, axis = call.x(0), call.attrs.get("axis", 0)
    sizes = call.known(1) if call.has(1) else np.asarray(1)
    cuts = np.cumsum(sizes)[:-1] if sizes.ndim else np.arange(int(sizes), x.shape[axis], int(sizes))
    parts = np.split(x, cuts, axis) if isinstance(x, np.ndarray) else _split(x, cuts, axis)
    keep = call.has(1) or call.attrs.get("keepdims", 1)
    return parts if keep else [p.squeeze(axis) for p in parts]


def _split(x: Any, cuts: np.ndarray, axis: int) -> list[Any]:
    ends = [0, *cuts.tolist(), x.shape[axis]]
    lead = (slice(None),) * (axis % x.ndim)
    return [x[(*lead, slice(a, b))] for a, b in itertools.pairwise(ends)]


def _insert(call: Call) -> list[Any]:
    items = list(call.x(0))
    items.insert(_place(call, 2) if call.has(2) else len(items), call.x(1))
    return items


def _erase(call: Call) -> list[Any]:
    items = list(call.x(0))
    items.pop(_place(call, 1) if call.has(1) else -1)
    return items


def _concat_sequence(call: Call) -> Any:
    join = jnp.stack if call.attrs.get("new_axis") else jnp.concatenate
    return join(call.x(0), call.attrs["axis"])


SEQUENCES: dict[str, Operator] = {
    "ConcatFromSequence": _concat_sequence,
    "SequenceAt": lambda call: call.x(0)[_place(call, 1)],
    "SequenceConstruct": lambda call: call.xs(),
    "SequenceEmpty": lambda call: [],
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": lambda call: np.asarray(len(call.x(0))),
    "SplitToSequence": _split_to_sequence,
}

OPERATORS: dict[str, Operator] = {
    **ENTRIES, **REDUCTIONS, **MOVES, **WINDOWS, **RECURRENT, **SEQUENCES, **GRAPHS,
}  # fmt: skip


def operators() -> tuple[str, ...]:
    """The standard operators of ONNX that `load` reads.

    Example:
        >>> {"Conv", "Gemm", "LSTM"} <= set(operators())
        True
    """
    return tuple(sorted(OPERATORS))


def require_known(names: set[str]) -> None:
    """Raise unless all operators of a file are ours.

    Raises:
        CaptureError: Some are not; all of them are named.
    """
    missing = sorted(names - set(operators()))
    if missing:
        raise CaptureError(
            f"onnx.load takes the operators of tensorem.onnx.operators(), got "
            f"{', '.join(missing)}.",
            help="export the model without them: often they are its preprocessing.",
        )
