"""Operators with graphs inside."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from tensorem.errors import CaptureError

from ._call import Call, Value
from ._entries import Operator


def _if(call: Call) -> tuple[Value, ...]:
    """The case of a condition that the file decides."""
    return call.inner(call.attrs["then_branch" if call.known(0).item() else "else_branch"], {})


def _scan(call: Call) -> tuple[Value, ...]:
    """A loop over the first axis of stacks, all in one direction."""
    body, stacks = call.attrs["body"], call.attrs["num_scan_inputs"]
    names = [info.name for info in body.input]
    carried = len(names) - stacks
    axes = [axis for s in ("input", "output") for axis in call.attrs.get(f"scan_{s}_axes", ())]
    if call.opset < 9 or any(axes):
        raise CaptureError("takes stacks along their first axis (opset 9 and later).")
    given = [d for s in ("input", "output") for d in call.attrs.get(f"scan_{s}_directions", ())]
    if len({*given}) > 1:
        raise CaptureError("takes stacks that are all read in one direction, got both.")

    def step(state: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        inside = dict(zip(names, map(Value, [*state, *slices]), strict=True))
        results = [value.array for value in call.inner(body, inside)]
        return results[:carried], results[carried:]

    operands = [jnp.asarray(x) for x in call.xs()]
    reverse = bool(given and given[0])
    state, made = jax.lax.scan(step, operands[:carried], operands[carried:], reverse=reverse)
    return tuple(map(Value, (*state, *made)))


GRAPHS: dict[str, Operator] = {"If": _if, "Scan": _scan}
