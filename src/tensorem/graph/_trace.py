"""A function as JAX traces it, and in our words why it cannot be traced."""

from __future__ import annotations

import inspect
from typing import Any

import jax
from jax import export

from tensorem.errors import CaptureError
from tensorem.ops import translated
from tensorem.shapes import Spec


def trace(f: Any, *args: Any) -> tuple[Any, Any]:
    """The closed jaxpr of a function of abstract arrays, and the tree of its results."""
    _require_count(f, args)
    with translated("The captured function", CaptureError):
        closed, out = jax.make_jaxpr(f, return_shape=True)(*args)
    return closed, jax.tree.structure(out)


def abstract(trees: list[Any]) -> list[Any]:
    """Arguments without values; all names live in one scope, so that they may meet."""
    scope = export.SymbolicScope()

    def leaf(spec: Spec) -> Any:
        text = ", ".join(str(n) for n in spec.shape)
        shape = export.symbolic_shape(f"({text},)" if text else "()", scope=scope)
        return jax.ShapeDtypeStruct(shape, spec.dtype)

    return [jax.tree.map(leaf, t, is_leaf=lambda s: isinstance(s, Spec)) for t in trees]


def _require_count(f: Any, args: tuple[Any, ...]) -> None:
    try:
        inspect.signature(f).bind(*args)
    except TypeError as error:
        raise CaptureError(
            f"Capture takes a shape for each argument of the function: {error}.",
            help="for example tm.capture(f, (3,), (3,)).",
        ) from None
    except ValueError:
        return  # a function that does not say what it takes
