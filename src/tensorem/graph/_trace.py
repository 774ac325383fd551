"""A function as JAX traces it, and in our words why it cannot be traced."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
from jax import export
from jax.core import ShapedArray
from jax.extend.core import ClosedJaxpr, Literal, Var

from tensorem.errors import CaptureError
from tensorem.graph._tree import Tree
from tensorem.ops import translated
from tensorem.shapes import Spec


def trace(f: Callable[..., Any], *args: Tree) -> tuple[ClosedJaxpr, Any]:
    """The closed jaxpr of a function of abstract arrays, and the tree of its results."""
    _require_count(f, args)
    with translated("The captured function", CaptureError):
        closed, out = jax.make_jaxpr(f, return_shape=True)(*args)
    return closed, jax.tree.structure(out)


def form(value: Var | Literal) -> ShapedArray:
    """Shape and dtype of a value of a program of arrays; JAX says less of its type."""
    held: Any = value.aval
    shaped: ShapedArray = held
    return shaped


def abstract(trees: list[Tree]) -> list[Tree]:
    """Arguments without values; all names live in one scope, so that they may meet."""
    scope = export.SymbolicScope()

    def leaf(spec: Spec) -> jax.ShapeDtypeStruct:
        text = ", ".join(str(n) for n in spec.shape)
        shape = export.symbolic_shape(f"({text},)" if text else "()", scope=scope)
        return jax.ShapeDtypeStruct(shape, spec.dtype)

    return [jax.tree.map(leaf, t, is_leaf=lambda s: isinstance(s, Spec)) for t in trees]


def _require_count(f: Callable[..., Any], args: tuple[Tree, ...]) -> None:
    try:
        inspect.signature(f).bind(*args)
    except TypeError as error:
        raise CaptureError(
            f"Capture takes a shape for each argument of the function: {error}.",
            help="for example tm.capture(f, (3,), (3,)).",
        ) from None
    except ValueError:
        return  # a function that does not say what it takes
