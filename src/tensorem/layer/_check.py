"""The inputs of a layer, checked before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import BoundArguments, signature

import jax
import numpy as np

from tensorem.calls import form_of, named
from tensorem.dtypes import FLOATING, INTEGER
from tensorem.errors import DTypeError, LayerError, ShapeError, TensoremError
from tensorem.ops import in_our_words
from tensorem.shapes import Shape

from ._explain import explained, named_by
from ._log import Log, ids
from ._specs import Tree, shape_tree
from ._tree import Part, place


def checked(layer: Part, path: str, call: BoundArguments, log: Log | None) -> Shape:
    """Check the shapes that go into a leaf layer before it runs; an error explains itself."""
    with located(layer, path, log):
        xs = ruled_inputs(layer, call.args)
        return ruled(layer, path, shape_tree(xs), ids(xs), log)


def ruled_inputs(layer: Part, xs: tuple[Tree, ...]) -> tuple[Tree, ...]:
    """The inputs that the rule of a layer speaks of: it may leave out the last ones."""
    taken = form_of(layer.output_shape).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in taken):
        return xs
    return xs[: len(taken)]


def ruled(
    layer: Part, path: str, shapes: tuple[Tree, ...], values: tuple[int, ...], log: Log | None
) -> Shape:
    """The shape that a layer gives, or the error with all that is known about it."""
    try:
        with named(layer.label):
            shape: Shape = layer.output_shape(*shapes)
            return shape
    except ShapeError as error:
        raise explained(error, layer, path, shapes, values, log) from None


@contextmanager
def located(layer: Part, path: str, log: Log | None = None) -> Iterator[None]:
    """Add the path of a layer to errors raised inside that do not name a place yet."""
    try:
        yield
    except TensoremError as error:
        if error.where:
            raise
        raise _at(error, _here(layer, path, log), log).with_traceback(error.__traceback__) from None
    except Exception as error:
        ours = in_our_words(error, f"The forward of {layer.label()}", LayerError)
        if ours is not None:
            raise _at(ours, _here(layer, path, log), log) from error
        if not hasattr(error, "__notes__"):  # the innermost layer says it
            error.add_note(f"in {_here(layer, path, log)}")
        raise


def _here(layer: Part, path: str, log: Log | None) -> str:
    return f"{place(log.root if log else 'model', path)} {layer.label()}"


def _at(error: TensoremError, here: str, log: Log | None) -> TensoremError:
    """The error with its place, and with what set the names that it is about."""
    source = named_by(error.names, log) if log and isinstance(error, ShapeError) else ""
    return error.with_notes(where=here, source=source)


def require_arrays(layer: Part, y: Tree) -> None:
    """Raise unless a forward gave arrays: the usual slip is a missing return."""
    for value in [None] if y is None else jax.tree.leaves(y):
        if not isinstance(value, jax.Array | np.ndarray | np.generic | int | float):
            raise LayerError(
                f"The forward of {layer.label()} gives {type(value).__name__}, not an array.",
                help="end it with `return y`." if value is None else "",
            )


_WORDS = {"any": None, "float": FLOATING, "integer": INTEGER, "bool": ("bool",)}
"""What a layer may say of the dtypes of an input."""
_PLAIN = {"float": "float32", "integer": "int32", "bool": "bool"}


def check_takes(cls: type[Part]) -> None:
    """Raise unless a class of layers says of its inputs what can be checked.

    Raises:
        LayerError: A word is none, or a name is that of no input of forward.
    """
    by_name = cls.takes if isinstance(cls.takes, Mapping) else None
    for word in (cls.takes,) if by_name is None else by_name.values():
        if word not in _WORDS:
            raise LayerError(f"{cls.__name__}.takes takes {', '.join(_WORDS)}, got {word!r}.")
    inputs = list(signature(cls.forward).parameters)[1:]
    for name in by_name or ():
        if name not in inputs:
            raise LayerError(
                f"{cls.__name__}.takes takes names of {', '.join(inputs)}, got {name!r}."
            )


def check_dtypes(layer: Part, call: BoundArguments) -> None:
    """Raise unless the inputs have the dtypes that the layer takes.

    Raises:
        DTypeError: One has another.
    """
    for name, value in call.arguments.items():
        word = layer.takes.get(name, "any") if isinstance(layer.takes, Mapping) else layer.takes
        if _WORDS[word] is not None and value is not None:
            _check_dtype(
                f"takes {name} as " if isinstance(layer.takes, Mapping) else "takes ", word, value
            )


def _check_dtype(takes: str, word: str, value: Tree) -> None:
    wanted = _WORDS[word] or ()
    several = value if isinstance(value, tuple) else (value,)
    if any(isinstance(x, list | dict | str) for x in several):
        raise DTypeError(
            f"{takes}an array, got {', '.join(type(x).__name__ for x in several)}.",
            help="convert: jnp.asarray(x).",
        )
    for x in jax.tree.leaves(value):
        name = jax.numpy.result_type(x).name
        if name not in wanted:
            few = _PLAIN[word] + ("" if word == "bool" else ", ...")
            raise DTypeError(
                f"{takes}{word} values ({few}), got {name}.",
                help=f"convert: x.astype({_PLAIN[word]!r}).",
            )
