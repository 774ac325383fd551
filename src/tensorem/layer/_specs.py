"""Between JAX's shapes and ours: symbolic dimensions, trees of specs, values of a dtype."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import jax
from jax.export import SymbolicScope, symbolic_shape

from tensorem import functional as F
from tensorem import runtime
from tensorem.errors import ShapeError
from tensorem.shapes import UNKNOWN, Poly, Shape, Spec, Unknown, format_shape

Tree = Any
"""A leaf, or tuples, lists and dicts of trees; leaves are arrays, shapes or specs."""


def shape_tree(value: Tree) -> Tree:
    """The shapes of a tree of arrays; sizes that are not polynomials come back unknown."""
    return jax.tree.map(F.shape, value)


def spec_tree(value: Tree) -> Tree:
    """The specs of a tree of arrays."""
    return jax.tree.map(lambda x: Spec(F.shape(x), jax.numpy.result_type(x).name), value)


def abstract(spec: Spec) -> jax.ShapeDtypeStruct:
    """A spec as JAX traces it, with names as symbolic dimensions."""
    return jax.ShapeDtypeStruct(_dimensions(spec.shape), spec.dtype)


def leaves(specs: Tree) -> list[Spec]:
    """The specs of a tree."""
    found: list[Spec] = jax.tree.leaves(specs, is_leaf=lambda s: isinstance(s, Spec))
    return found


def precision(specs: Tree) -> AbstractContextManager[None]:
    """64 bits inside, where one of the specs has them."""
    return runtime.precision(spec.dtype for spec in leaves(specs))


def text(tree: Tree) -> str:
    """A tree of specs or shapes on one line, shapes only."""
    if isinstance(tree, Spec):
        return format_shape(tree.shape)
    if tree is None:
        return "-"
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{k}: {text(v)}" for k, v in tree.items()) + "}"
    if isinstance(tree, (tuple, list)) and not is_shape(tree):
        return ", ".join(map(text, tree)) or "()"
    return format_shape(tree)


def is_shape(value: Tree) -> bool:
    """Whether this is one shape and not a tree of several."""
    return not isinstance(value, (list, dict, Spec)) and (
        not isinstance(value, tuple) or all(isinstance(s, (int, Poly, Unknown)) for s in value)
    )


def _dimensions(shape: Shape) -> tuple[Any, ...]:
    if not isinstance(shape, tuple) or UNKNOWN in shape:
        raise ShapeError(
            f"build takes sizes that are integers or names, got {format_shape(shape)}.",
            help="give every unknown size a name, such as 'N'.",
        )
    if all(isinstance(size, int) for size in shape):
        return shape
    return tuple(symbolic_shape(", ".join(map(str, shape)), scope=_scope()))


@cache
def _scope() -> SymbolicScope:
    """One scope for all builds: JAX's caches compare dimensions, which works within one only."""
    return SymbolicScope()
