"""What a program does with the integers that go in: whether it only looks up rows of tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Var
from numpy.typing import NDArray

from tensorem import ops, runtime

from ._costs import is_of, programs
from ._spelling import traced

Rows = tuple[int | None, ...]
"""For each input how many rows the tables have in which it is looked up; None where in none."""


def lookups(closed: ClosedJaxpr, count: int) -> Rows | None:
    """In which tables the last inputs of a program are looked up.

    Args:
        count: How many inputs these are.

    Returns:
        None where the program does anything else with integers: it may make an index of its own
        then, and only the program knows whether there is such a row.
    """
    inputs = closed.jaxpr.invars[len(closed.jaxpr.invars) - count :]
    rows: dict[Var, int] = {}
    for eqn in _of_integers(closed.jaxpr):
        if not _is_lookup(eqn) or eqn.invars[0] not in inputs:
            return None
        index, table = eqn.invars
        rows[index] = min(table.aval.shape[0], rows.get(index, table.aval.shape[0]))
    return tuple(map(rows.get, inputs))


def is_beyond(rows: Rows, inputs: Sequence[jax.Array | NDArray[Any]]) -> bool:
    """Whether an index is that of no row; inside a trace nobody knows."""
    if runtime.is_tracing():
        return False
    for x, count in zip(inputs, rows, strict=True):
        if count is not None and _greatest(np.asarray(x)) >= count:
            return True
    return False


def _greatest(index: NDArray[Any]) -> int:
    """The greatest number; one below 0 is greater than all others, as without a sign it is."""
    numbers = index.view(_UNSIGNED[index.itemsize])
    return np.maximum.reduce(numbers, axis=None, initial=0)  # type: ignore[no-any-return]


_UNSIGNED = {n: np.dtype(f"u{n}") for n in (1, 2, 4, 8)}
"""Bytes of an integer -> the integers without a sign."""


def _of_integers(program: Jaxpr) -> Iterator[Any]:
    """The equations that take or give integers, those within others too; a lookup is one."""
    for eqn in program.eqns:
        if is_of(eqn, np.integer):
            yield eqn
        for part in () if _is_lookup(eqn) else programs(eqn):
            yield from _of_integers(part)


def _is_lookup(eqn: Any) -> bool:
    """The name proposes; JAX keeps one program for all calls of an op, and that decides."""
    call = eqn.params.get("call_jaxpr")
    if not isinstance(call, ClosedJaxpr) or not _is_named(call.jaxpr, ops.embedding.name):
        return False
    own, _ = traced(ops.embedding, *(atom.aval for atom in eqn.invars))
    return own.eqns[0].params["call_jaxpr"] is call


def _is_named(program: Jaxpr, name: str) -> bool:
    return [eqn.params.get("name") for eqn in program.eqns] == [name]
