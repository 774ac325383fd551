"""Derivatives of any order in one pass: each primitive hands on all that is known of its value.

`jax.jvp` of `jax.jvp` follows a direction twice where it takes a second derivative along it: its
gradient then has half as many products again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core import Jaxpr, JaxprEqn, Literal, Var
from jax.extend.core.primitives import jit_p

from ._given import Tree

Index = tuple[int, ...]
"""Along which directions a derivative is taken, sorted: () is the value, (0, 1, 1) of order 3."""
Jet = dict[Index, Array]
"""A value that moves: its derivatives by index. One that is absent is zero."""
Parts = dict[tuple[int, Index], Array]
"""The jets of several operands: (which of them, index) -> derivative."""


def jet(
    f: Callable[[Array], Tree], x: Array, along: Mapping[int, Array], wanted: Iterable[Index]
) -> dict[Index, Tree]:
    """Derivatives of a function by index, each a tree as f gives it.

    Args:
        f: A pure function of one array.
        x: Where it is derived.
        along: The directions that an index names, of the shape of x.
        wanted: The derivatives; those that they are made of come too.
    """
    closed, form = jax.make_jaxpr(f, return_shape=True)(x)
    indices = sorted(set(_below([(), *wanted])), key=len)
    start: Jet = {(): x}
    start |= {(i,): v for i, v in along.items()}
    leaves = _read(closed.jaxpr, closed.consts, [start], indices)
    tree = jax.tree.structure(form)
    return {i: jax.tree.unflatten(tree, [_part(leaf, i) for leaf in leaves]) for i in indices}


def _below(wanted: Iterable[Index]) -> Iterator[Index]:
    """The indices that are wanted, and all that their derivatives are made of."""
    for index in wanted:
        yield index
        yield from _below(index[:i] + index[i + 1 :] for i in range(len(index)))


def _part(value: Array | Jet, index: Index) -> Array:
    held: Jet = value if isinstance(value, dict) else {(): value}
    return held[index] if index in held else jnp.zeros_like(held[()])


def _read(
    jaxpr: Jaxpr, consts: Sequence[Array], given: Sequence[Array | Jet], indices: Sequence[Index]
) -> list[Array | Jet]:
    """The values that a program gives; those that depend on nothing that moves are arrays."""
    held: dict[Var, Array | Jet] = dict(zip(jaxpr.constvars, consts, strict=True))
    held |= zip(jaxpr.invars, given, strict=True)

    def value(v: Var | Literal) -> Array | Jet:
        return v.val if isinstance(v, Literal) else held[v]

    for eqn in jaxpr.eqns:
        held |= zip(eqn.outvars, _applied(eqn, list(map(value, eqn.invars)), indices), strict=True)
    return list(map(value, jaxpr.outvars))


def _applied(
    eqn: JaxprEqn, operands: list[Array | Jet], indices: Sequence[Index]
) -> Sequence[Array | Jet]:
    if eqn.primitive is jit_p:
        inner = eqn.params["jaxpr"]
        return _read(inner.jaxpr, inner.consts, operands, indices)
    parts = {
        (i, index): part
        for i, x in enumerate(operands)
        if isinstance(x, dict)
        for index, part in x.items()
    }

    def run(parts: Parts) -> list[Array]:
        values = [parts.get((i, ()), x) for i, x in enumerate(operands)]
        y = eqn.primitive.bind(*values, **eqn.primitive.get_bind_params(eqn.params))
        return list(y) if eqn.primitive.multiple_results else [y]

    return _followed(run, parts, indices) if parts else run({})


def _followed(
    run: Callable[[Parts], list[Array]], parts: Parts, indices: Sequence[Index]
) -> list[Array | Jet]:
    """What a primitive makes of jets; integers and truth values do not move."""
    values = run(parts)
    smooth = [n for n, y in enumerate(values) if jnp.issubdtype(y.dtype, jnp.inexact)]

    def moving(parts: Parts) -> list[Array]:
        ys = run(parts)
        return [ys[n] for n in smooth]

    further = {index: _derived(moving, index)(parts) for index in indices if index}
    jets = {
        n: {(): values[n], **{index: ys[place] for index, ys in further.items()}}
        for place, n in enumerate(smooth)
    }
    return [jets.get(n, y) for n, y in enumerate(values)]


def _derived(f: Callable[[Parts], list[Array]], index: Index) -> Callable[[Parts], list[Array]]:
    """A derivative of what f makes of values, as a function of their jets.

    A step along a direction takes every derivative to the one that follows it a time more often.
    """
    if not index:
        return f
    *rest, last = index
    before, known = _derived(f, tuple(rest)), set(_below([tuple(rest)]))

    def along(parts: Parts) -> list[Array]:
        def moved(some: Parts) -> list[Array]:
            return before(parts | some)

        after = {(i, at): (i, tuple(sorted((*at, last)))) for i, at in parts if at in known}
        steps = {key: parts[to] for key, to in after.items() if to in parts}
        further: list[Array] = jax.jvp(moved, ({key: parts[key] for key in steps},), (steps,))[1]
        return further

    return along
