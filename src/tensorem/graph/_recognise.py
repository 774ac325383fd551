"""Is a named call one of our ops? The name proposes, equality of the programs decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from numpy.typing import ArrayLike

from tensorem.graph._trace import form
from tensorem.ops import TABLE
from tensorem.ops._op import CALLS, Attrs, Op, checked_run

Atom = Var | Literal


def recognised(eqn: JaxprEqn) -> tuple[Op, Attrs] | None:
    """The op that a named call is, if its inner jaxpr is that op's own."""
    called, attrs = CALLS.get(eqn.params["name"], (None, ()))
    op = None if called is None else TABLE.get(called.name)  # others may bear the name of a row
    if op is None:
        return None
    operands = [
        jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype, weak_type=v.aval.weak_type)
        for v in eqn.params["jaxpr"].jaxpr.invars
    ]
    try:
        own = jax.make_jaxpr(partial(checked_run, op, dict(attrs)))(*operands)
    except Exception:
        # Batched operands need not be legal operands of the op itself: then it is not that op.
        return None
    return (op, attrs) if equal(own, eqn.params["jaxpr"]) else None


def equal(a: ClosedJaxpr, b: ClosedJaxpr) -> bool:
    """Two closed jaxprs are the same program up to the names of their variables."""
    same = len(a.consts) == len(b.consts) and all(map(_same_bytes, a.consts, b.consts))
    return same and _equal(a.jaxpr, b.jaxpr)


def _equal(a: Jaxpr, b: Jaxpr) -> bool:
    twins = _Twins()
    return (
        twins.bind([*a.constvars, *a.invars], [*b.constvars, *b.invars])
        and len(a.eqns) == len(b.eqns)
        and all(map(twins.step, a.eqns, b.eqns))
        and twins.use(a.outvars, b.outvars)
    )


class _Twins:
    """The variables of two programs that hold the same value."""

    def __init__(self) -> None:
        self._twin: dict[Var, Var] = {}

    def bind(self, xs: Sequence[Var], ys: Sequence[Var]) -> bool:
        """New variables on both sides are twins, if they are as many and alike."""
        self._twin.update(zip(xs, ys, strict=False))
        return len(xs) == len(ys) and all(map(_same_aval, xs, ys))

    def use(self, xs: Sequence[Atom], ys: Sequence[Atom]) -> bool:
        """Operands on both sides are twins, or equal literals."""
        return len(xs) == len(ys) and all(map(self._same, xs, ys))

    def step(self, p: JaxprEqn, q: JaxprEqn) -> bool:
        """Two equations do the same with twins; what they give are twins."""
        return (
            p.primitive is q.primitive
            and self.use(p.invars, q.invars)
            and _equal_params(p.params, q.params)
            and self.bind(p.outvars, q.outvars)
        )

    def _same(self, x: Atom, y: Atom) -> bool:
        if isinstance(x, Literal) and isinstance(y, Literal):
            return _same_aval(x, y) and _same_bytes(x.val, y.val)
        return not isinstance(x, Literal) and self._twin.get(x) is y


def _same_bytes(x: ArrayLike, y: ArrayLike) -> bool:
    """Equal values, of which NaN is one."""
    a, b = np.asarray(x), np.asarray(y)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _same_aval(x: Atom, y: Atom) -> bool:
    return form(x).shape == form(y).shape and bool(form(x).dtype == form(y).dtype)


def _equal_params(p: Mapping[str, Any], q: Mapping[str, Any]) -> bool:
    return p.keys() == q.keys() and all(_equal_param(p[k], q[k]) for k in p)


def _equal_param(x: Any, y: Any) -> bool:
    if hasattr(x, "jaxpr") and hasattr(y, "jaxpr"):
        return equal(x, y)
    if hasattr(x, "eqns") and hasattr(y, "eqns"):
        return _equal(x, y)
    if callable(x) and callable(y):
        # Derivative rules of nested calls: the primal program, compared above, decides.
        return True
    return bool(x == y or (x != x and y != y))  # NaN, with which a gather fills up, is NaN
