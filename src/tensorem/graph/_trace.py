"""A function as JAX traces it, and in our words why it cannot be traced."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
from jax import export

from tensorem.errors import CaptureError
from tensorem.shapes import Spec, misfit, undecided


def trace(f: Any, *args: Any) -> tuple[Any, Any]:
    """The closed jaxpr of a function of abstract arrays, and the tree of its results."""
    _require_count(f, args)
    with _explained():
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


@contextmanager
def _explained() -> Iterator[None]:
    """The errors of a function that asks for more than shapes, as ours."""
    try:
        yield
    except jax.errors.JAXTypeError as error:
        raise CaptureError(
            "A graph takes a function of shapes, got one that asks for the values of an array.",
            because=_first_line(error),
            help="compute with jax.numpy, and jnp.where in place of if; float(), int() and NumPy "
            "need values.",
        ) from error
    except Exception as error:
        if open_question := undecided(error):
            raise CaptureError(
                "A graph takes a function of shapes with names, got one that needs their numbers.",
                because=open_question,
                help="give integers in place of the names in the input's shape.",
            ) from error
        ours = misfit("A graph takes a function that fits its shapes:", error)
        if ours is not None:
            raise ours from error
        if isinstance(error, TypeError) and "not a valid JAX type" in str(error):
            raise CaptureError(
                f"A graph takes a function that gives arrays: {_first_line(error)}."
            ) from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
