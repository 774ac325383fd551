"""The inputs of a layer, checked before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from tensorem.calls import named
from tensorem.dtypes import FLOATING, INTEGER
from tensorem.errors import DTypeError, LayerError, ShapeError, TensoremError
from tensorem.ops import in_our_words
from tensorem.shapes import Shape

from ._explain import explained, named_by
from ._log import Log, ids
from ._specs import shape_tree
from ._tree import place


def checked(layer: Any, path: str, xs: tuple[Any, ...], log: Log | None) -> Shape:
    """Check the inputs of a leaf layer before it runs; an error explains itself."""
    with located(layer, path, log):
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
        raise explained(error, layer, path, shapes, values, log) from None


@contextmanager
def located(layer: Any, path: str, log: Log | None = None) -> Iterator[None]:
    """Add the path of a layer to errors raised inside that do not name a place yet."""
    here = f"{place(log.root if log else 'model', path)} {layer.label()}"
    try:
        yield
    except TensoremError as error:
        if error.where:
            raise
        raise _at(error, here, log).with_traceback(error.__traceback__) from None
    except Exception as error:
        ours = in_our_words(error, f"The forward of {layer.label()}", LayerError)
        if ours is not None:
            raise _at(ours, here, log) from error
        if not hasattr(error, "__notes__"):  # the innermost layer says it
            error.add_note(f"in {here}")
        raise


def _at(error: TensoremError, here: str, log: Log | None) -> TensoremError:
    """The error with its place, and with what set the names that it is about."""
    source = named_by(error.names, log) if log and isinstance(error, ShapeError) else ""
    return error.with_notes(where=here, source=source)


def require_arrays(layer: Any, y: Any) -> None:
    """Raise unless a forward gave arrays: the usual slip is a missing return."""
    for value in [None] if y is None else jax.tree.leaves(y):
        if not isinstance(value, jax.Array | np.ndarray | np.generic | int | float):
            raise LayerError(
                f"The forward of {layer.label()} gives {type(value).__name__}, not an array.",
                help="end it with `return y`." if value is None else "",
            )


def _check_dtypes(layer: Any, xs: tuple[Any, ...]) -> None:
    wanted = {"float": FLOATING, "integer": INTEGER}.get(layer.takes)
    if wanted and any(isinstance(x, list | tuple | dict | str) for x in xs):
        raise DTypeError(
            f"{layer.label()} takes an array, got {', '.join(type(x).__name__ for x in xs)}.",
            help="convert: jnp.asarray(x).",
        )
    for x in jax.tree.leaves(xs):
        name = jax.numpy.result_type(x).name
        if wanted and name not in wanted:
            plain = "float32" if layer.takes == "float" else "int32"
            raise DTypeError(
                f"{layer.label()} takes {layer.takes} values ({plain}, ...), got {name}.",
                help=f"convert: x.astype({plain!r}).",
            )
