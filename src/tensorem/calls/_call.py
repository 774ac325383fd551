"""Calls that do not fit: one error for layers, functions and optimizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache, wraps
from inspect import BoundArguments, Parameter, Signature, signature
from types import MethodType, NoneType
from typing import Any, TypeVar, cast

import numpy as np

from tensorem.dtypes import as_numbers, exactly
from tensorem.errors import ArgumentError, DTypeError

from ._named import named
from ._not_taken import NEXT, NOT_TAKEN

F = TypeVar("F", bound=Callable[..., Any])


def called(f: F, name: str = "") -> F:
    """The function, with its name in front of errors whose message begins with `takes`.

    A call that does not fit its signature is such an error, and so is a list where an array is
    annotated. An array of NumPy is taken with all of its values, or not at all. Traced code pays
    for this once, while it is traced.
    """
    form, owner = signature(f), name or f.__name__

    @wraps(f)
    def call(*args: object, **kwargs: object) -> object:
        with named(owner):
            bound = check_call(form, args, kwargs, owner)
            _read_arrays(bound)
            return f(*bound.args, **bound.kwargs)

    return cast(F, call)


def form_of(method: Callable[..., Any]) -> Signature:
    """The signature of a method; that of a function is worked out once."""
    function = getattr(method, "__func__", None)
    return signature(method) if function is None else _bound_form(function)


@lru_cache(maxsize=512)
def _bound_form(function: Callable[..., Any]) -> Signature:
    return signature(MethodType(function, ...))


def check_call(
    form: Signature, args: tuple[object, ...], kwargs: Mapping[str, object], name: str
) -> BoundArguments:
    """The arguments of a call by name; raise unless it fits the signature.

    Raises:
        ArgumentError: An argument is unknown, missing or one too many; for what PyTorch takes
            there the error says why, and what to do; else it names the argument that is spelt
            most like it. The message begins with `takes`.

    Example:
        >>> from tensorem import nn
        >>> nn.ReLU(inplace=True)
        Traceback (most recent call last):
        tensorem.errors.ArgumentError: ReLU takes (): got an unexpected keyword argument 'inplace'.
          because: an array never changes.
          help:    leave it out; a compiled program reuses memory by itself.
    """
    try:
        return form.bind(*args, **kwargs)
    except TypeError as error:
        what, argument = str(error), next((k for k in kwargs if k not in form.parameters), "")
        is_long = "too many positional" in what
        if is_long and name in NEXT:
            argument = NEXT[name]
            what = f"got a positional argument for {argument!r}"
        elif argument:  # a missing argument is said first, and this is the one that was meant
            what = f"got an unexpected keyword argument {argument!r}"
        near = get_close_matches(argument, form.parameters, 1)
        meant = f"did you mean {near[0]}?" if near else _by_name(form) if is_long else ""
        because, help = NOT_TAKEN.get(f"{name}.{argument}") or NOT_TAKEN.get(argument, ("", meant))
        raise ArgumentError(f"takes {_form(form)}: {what}.", because=because, help=help) from None


def _by_name(form: Signature) -> str:
    """What is given by name alone."""
    names = [n for n, p in form.parameters.items() if p.kind is Parameter.KEYWORD_ONLY]
    return f"give by name: {'=, '.join(names)}=." if names else ""


def _read_arrays(call: BoundArguments) -> None:
    """Read what is given where the signature says, in text, that there are arrays: `Array`.

    `Array | float` takes numbers too, `Array | None` may be left out, `Sequence[Array]` holds some.
    """
    for name, value in call.arguments.items():
        parameter = call.signature.parameters[name]
        said = parameter.annotation
        if parameter.kind is Parameter.VAR_POSITIONAL and said == "Array":
            call.arguments[name] = tuple(_read(x, f"{name}[{i}]") for i, x in enumerate(value))
        elif said == "Sequence[Array]" and isinstance(value, (list, tuple)):
            call.arguments[name] = [_read(x, f"{name}[{i}]") for i, x in enumerate(value)]
        elif said in _ARRAYS and not isinstance(value, _ARRAYS[said]):
            call.arguments[name] = _read(value, name)


_ARRAYS: Mapping[Any, tuple[type, ...]] = {
    "Array": (),
    "Array | float": (int, float),
    "Array | None": (NoneType,),
}
"""Annotation -> what is taken in place of an array."""


def _read(value: object, name: str) -> object:
    """An array; one of NumPy in the dtype that JAX has for it, if that holds its values."""
    check_array(value, name)
    if not isinstance(value, np.ndarray | np.generic):
        return value
    import jax  # here, since calls without arrays do without it

    array = as_numbers(value)
    return exactly(array, jax.dtypes.canonicalize_dtype(array.dtype).name, name)


def check_array(value: object, name: str = "x") -> None:
    """Raise unless a value has a shape and a dtype, as arrays of JAX and NumPy do.

    Raises:
        DTypeError: It has not. The message begins with `takes`.
    """
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        help = "jax.random.key(0)." if name == "key" else f"jnp.asarray({name})."
        raise DTypeError(f"takes arrays, got {type(value).__name__}.", help=help)


def _form(form: Signature) -> str:
    """The signature without its types."""
    bare = [p.replace(annotation=Parameter.empty) for p in form.parameters.values()]
    return str(Signature(bare))
