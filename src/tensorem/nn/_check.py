"""The inputs of a layer, checked before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

from tensorem.errors import DTypeError, ShapeError, TensoremError
from tensorem.shapes import Shape, named
from tensorem.shapes.dtypes import FLOATING, INTEGER

from ._explain import explained
from ._log import Log, ids
from ._specs import shape_tree
from ._tree import place


def checked(layer: Any, path: str, xs: tuple[Any, ...], log: Log | None) -> Shape:
    """Check the inputs of a leaf layer before it runs; an error explains itself."""
    with located(layer, path, log.root if log else "model"):
        _check_dtypes(layer, xs)
        return ruled(layer, path, shape_tree(xs), ids(xs), log)


def ruled(
    layer: Any, path: str, shapes: tuple[Any, ...], values: tuple[int, ...], log: Log | None
) -> Shape:
    """The shape that a layer gives, or the error with all that is known about it."""
    try:
        with named(layer.label()):
            shape: Shape = layer.output_shape(*shapes)
            return shape
    except ShapeError as error:
        if log is None:
            raise
        raise explained(error, layer, path, shapes, values, log) from None


@contextmanager
def located(layer: Any, path: str, root: str = "model") -> Iterator[None]:
    """Add the path of a layer to errors raised inside that do not name a place yet."""
    here = f"{place(root, path)} {layer.label()}"
    try:
        yield
    except TensoremError as error:
        if error.where:
            raise
        raise error.with_notes(where=here).with_traceback(error.__traceback__) from None
    except Exception as error:
        if isinstance(error, TypeError | ValueError) and "shape" in str(error):
            # A user's own arithmetic that does not fit, in JAX's words and with our place.
            what = f"The forward of {layer.label()} does not fit: {str(error).splitlines()[0]}"
            raise ShapeError(what, where=here) from error
        if not hasattr(error, "__notes__"):  # the innermost layer says it
            error.add_note(f"in {here}")
        raise


def _check_dtypes(layer: Any, xs: tuple[Any, ...]) -> None:
    wanted = {"float": FLOATING, "integer": INTEGER}.get(layer.takes)
    for x in jax.tree.leaves(xs):
        name = jax.numpy.result_type(x).name
        if wanted and name not in wanted:
            plain = "float32" if layer.takes == "float" else "int32"
            raise DTypeError(
                f"{layer.label()} takes {layer.takes} values ({plain}, ...), got {name}.",
                help=f"convert: x.astype({plain!r}).",
            )
