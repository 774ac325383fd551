"""The row: one operation, all its meanings, and the form in which it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial, reduce
from inspect import Parameter, Signature
from operator import or_
from typing import Any, Generic, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive
from jax.typing import ArrayLike

from tensorem import runtime
from tensorem.calls import check_array, unless_named
from tensorem.errors import ArgumentError, MeaningError, TensoremError
from tensorem.rules import Kind, kinds
from tensorem.shapes import Spec, sizes

Attr = int | float | str | bool | tuple["Attr", ...]
Rule = Callable[..., Any]
T = TypeVar("T")
Attrs = tuple[tuple[str, Attr], ...]
Operands = tuple[jax.Array, ...]
Result = jax.Array | tuple[jax.Array, ...]

MEANINGS = ("shape", "run", "exact", "ball", "interval", "lines")


@dataclass(frozen=True)
class Unsupported:
    """A meaning that an op does not have: the reason, and what to do instead."""

    because: str
    help: str = ""

    def stated(self) -> dict[str, str]:
        """What the table says of it."""
        return {"because": self.because}


@dataclass(frozen=True, eq=False)
class Cited(Generic[T]):
    """A rule that says where it comes from, and is called like any other.

    Args:
        rule: The rule.
        source: Paper and equation, or in a few words of ours what makes it true.
    """

    rule: Callable[..., T]
    source: str

    def __call__(self, *operands: object, **attrs: Attr) -> T:
        return self.rule(*operands, **attrs)

    def stated(self) -> dict[str, str]:
        """What the table says of it."""
        return {"source": self.source}


@dataclass(frozen=True, eq=False)
class Chain:
    """How two calls of an op that follow each other are one.

    Args:
        after: (attrs of the first, attrs of the second) -> attrs of the one that does both.
        neutral: Spec of the operand -> the attrs with which the op gives it back.
    """

    after: Rule
    neutral: Rule


@dataclass(frozen=True, eq=False)
class Op:
    """One operation with all its meanings side by side.

    Calling an op on JAX arrays runs it under its own name, so that `graph.capture` can find it
    again; its derivative rule lies outside the name, so that every JAX transform goes through it.
    Operands that the shape rule does not take are its error. Bounds are claims, so their rules are
    cited; a plain rule among the other columns is what the definition of the op says.

    An op with several results gives a tuple in every meaning: of Specs, arrays, intervals, lines.

    Args:
        name: The name in graphs and tables.
        arity: The number of operands, or the numbers allowed; None for any number.
        shape: Specs of the operands and attrs -> Spec of the result.
        run: JAX arrays and attrs -> JAX array.
        exact: Arrays of rationals and attrs -> array of rationals.
        ball: Balls and attrs -> ball that holds every value, in any precision.
        interval: Intervals and attrs -> interval that encloses every value.
        lines: Boxes of the operands and attrs -> linear lower and upper bounds (`domains.Lines`).
        jvp: Derivative: (result, operands, tangents, attrs) -> tangent, of plain linear primitives
            in the tangents and of ops in the coefficients. Without it that of `run` is used.
        definition: Of a composite: (read, operands, attrs) -> result, in calls `read(op, ...)`.
        signature: A function whose keyword-only parameters are the attributes, annotated with what
            they are (`kinds`), where that is not the shape rule.
        primitive: The primitive of JAX that this op is, entry by entry.
        moves: Whether it only moves entries: each to one place at most, or some to many.
        chain: How two of them are one.
        sizes: Arrays of integers and of polynomials in names, and attrs -> their result; None where
            the names would have to be known.
        evidence: (boxes of the operands, lines of the result, attrs) -> the arrays that the checker
            needs to draw these lines, by the kinds that docs/checker.md lists.
        opens: (boxes of the operands, attrs) -> for each operand where tighter ends would give
            tighter lines; without it, where lines differ that work entry by entry, else everywhere.
    """

    name: str
    arity: int | tuple[int, ...] | None
    shape: Rule
    run: Rule
    exact: Rule | Unsupported
    ball: Cited[Any] | Unsupported
    interval: Cited[Any] | Unsupported
    lines: Cited[Any] | Unsupported
    jvp: Rule | None = None
    definition: Rule | None = None
    signature: Rule | None = None
    primitive: Primitive | None = None
    moves: Literal["no", "once", "often"] = "no"
    chain: Chain | None = None
    sizes: Rule | None = None
    evidence: Rule | None = None
    opens: Rule | None = None

    def __call__(self, *operands: ArrayLike, **attrs: Attr) -> jax.Array:
        self.check_arity(len(operands))
        with unless_named(self.name):
            return _without_frames(_callable(self, tuple(sorted(attrs.items()))), *operands)

    def meaning(self, name: str) -> Rule:
        """The rule of one meaning.

        Raises:
            MeaningError: The op has no such meaning; the error says why and what to do.
        """
        rule = getattr(self, name)
        if isinstance(rule, Unsupported):
            raise MeaningError(
                f"`{self.name}` has no {name} meaning.", because=rule.because, help=rule.help
            )
        return rule  # type: ignore[no-any-return]

    def check_arity(self, given: int) -> None:
        """Raise ArgumentError unless the op takes that many operands."""
        allowed = (self.arity,) if isinstance(self.arity, int) else self.arity
        if allowed is not None and given not in allowed:
            words = " or ".join(str(n) for n in allowed)
            raise ArgumentError(f"{self.name} takes {words} operands, got {given}.")

    @cached_property
    def attrs(self) -> Mapping[str, Kind]:
        """What each attribute is."""
        return kinds(self.signature or self.shape)

    def coverage(self) -> dict[str, dict[str, str]]:
        """For each meaning the "source" of its rule, or "because" of what there is none."""
        return {meaning: _stated(getattr(self, meaning)) for meaning in MEANINGS}

    def __repr__(self) -> str:
        return f"Op({self.name})"


def _stated(rule: Rule | Unsupported) -> dict[str, str]:
    return rule.stated() if isinstance(rule, Cited | Unsupported) else {"source": "by definition"}


def call_name(op: Op, attrs: Mapping[str, Attr] | Attrs) -> str:
    """The name under which a call stands in a jaxpr, such as `softmax(dim=-1)`."""
    pairs = sorted(attrs.items()) if isinstance(attrs, Mapping) else attrs
    return op.name + ("(" + ", ".join(f"{k}={v!r}" for k, v in pairs) + ")" if pairs else "")


def results(value: T | tuple[T, ...]) -> list[T]:
    """The results of an op in any meaning, as a list."""
    return list(value) if isinstance(value, tuple) else [value]


def _without_frames(call: Callable[..., Any], *operands: ArrayLike) -> jax.Array:
    """The call; an error of ours without JAX's words about its frames."""
    try:
        result: jax.Array = call(*operands)
        return result
    except TensoremError as error:
        raise error.with_notes() from None


CALLS: dict[str, tuple[Op, Attrs]] = {}
"""Every named call made so far: what a name in a jaxpr proposes."""


@cache
def _callable(op: Op, attrs: Attrs) -> Callable[..., Any]:
    """`custom_jvp(jit[name])`: the name inside, the derivative rule outside."""
    name = call_name(op, attrs)
    CALLS[name] = (op, attrs)
    call = jax.custom_jvp(
        _renamed(jax.jit(_renamed(partial(checked_run, op, dict(attrs)), name)), name)
    )
    rule = _renamed(partial(_jvp, op, attrs, call), f"{name} jvp")
    call.defjvp(rule, symbolic_zeros=True)
    # Inlined, it leaves no mark in a trace; and JAX takes `call` apart once for each form, not at
    # each call, which is half of the time of a trace.
    return jax.jit(call, inline=True)


def checked_run(op: Op, attrs: Mapping[str, Attr], *operands: jax.Array) -> Result:
    """The run of an op, once its shape rule has said in our words what it takes."""
    op.shape(*map(_spec, operands), **attrs)
    result: Result = op.run(*operands, **attrs)
    return result


def _spec(x: jax.Array) -> Spec:
    """The spec of an operand; a size that is no polynomial in names is left open."""
    check_array(x)
    return Spec(sizes(x.shape), x.dtype.name)


def _renamed(f: Callable[..., Any], name: str) -> Callable[..., Any]:
    def renamed(*operands: object) -> object:
        return f(*operands)

    renamed.__name__ = renamed.__qualname__ = name
    renamed.__signature__ = _OPERANDS  # type: ignore[attr-defined]
    return renamed


_OPERANDS = Signature([Parameter("operands", Parameter.VAR_POSITIONAL)])
"""JAX asks for the signature at every call, and working it out takes a sixth of a trace."""


def _jvp(
    op: Op, attrs: Attrs, call: Rule, operands: Operands, tangents: Operands
) -> tuple[Result, Result]:
    result = call(*operands)
    if op.jvp is not None and jnp.issubdtype(results(result)[0].dtype, jnp.floating):
        pairs = zip(operands, tangents, strict=True)
        filled = tuple(jnp.zeros_like(x) if _still(t) else t for x, t in pairs)
        return result, op.jvp(result, operands, filled, **dict(attrs))
    return result, _along(partial(op.run, **dict(attrs)), operands, tangents)


def _along(f: Rule, operands: Operands, tangents: Operands) -> Result:
    """The derivative in what moves. The weights of a model do not where it is derived in its
    input: a tangent of zeros would cost a product in each layer, and two in a second derivative."""
    moving = [i for i, t in enumerate(tangents) if not _still(t)]

    def moved(*xs: jax.Array) -> Result:
        given = dict(enumerate(operands)) | dict(zip(moving, xs, strict=True))
        result: Result = f(*given.values())
        return result

    xs, ts = (tuple(values[i] for i in moving) for values in (operands, tangents))
    derivative: Result = jax.jvp(moved, xs, ts)[1]
    return derivative


def _still(tangent: object) -> bool:
    return isinstance(tangent, SymbolicZero)


def watched(f: Callable[..., T]) -> Callable[..., tuple[T, bool]]:
    """The function compiled, which says as well whether a result holds NaN: both are one program.

    In a trace nobody knows, so it says no, and the program is that of the function alone.
    """

    def both(*given: Any) -> tuple[T, Any]:
        y = f(*given)
        no = jnp.zeros((), bool)
        return y, reduce(or_, (jnp.isnan(x).any() for x in jax.tree.leaves(y)), no)

    alone, compiled = jax.jit(f), jax.jit(both)

    def run(*given: Any) -> tuple[T, bool]:
        if runtime.is_tracing():
            return alone(*given), False
        y, holds = compiled(*given)
        return y, bool(np.asarray(holds))  # half the time of bool(holds)

    return run
