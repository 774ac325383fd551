"""Calls that do not fit: one error for layers and functions, and what of PyTorch is not taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import BoundArguments, Parameter, Signature
from types import NoneType
from typing import Any

from tensorem.errors import ArgumentError, DTypeError

_LEAVE = "leave it out."

NOT_TAKEN: Mapping[str, tuple[str, str]] = {
    "inplace": (
        "an array never changes.",
        "leave it out; a compiled program reuses memory by itself.",
    ),
    "return_indices": (
        "only the values come out, and no layer takes the places back.",
        "leave it out; the gradient of the sum of the values is other than 0 at the places.",
    ),
    "max_norm": (
        "it changes the table while the model runs; only a training step changes parameters.",
        "leave it out; scale the rows of model.params after a step, and model.replace them.",
    ),
    "norm_type": ("it belongs to max_norm, which is not taken.", _LEAVE),
    "scale_grad_by_freq": (
        "a gradient is that of the function which is computed.",
        "leave it out; divide the gradient by the counts of the indices in a step of your own.",
    ),
    "sparse": ("gradients are whole arrays, as parameters are.", _LEAVE),
    "threshold": ("softplus is computed without overflow at every x.", _LEAVE),
    "device": (
        "a layer holds no arrays; JAX places them.",
        "leave it out; a model is moved by jax.device_put(model, device).",
    ),
    "dtype": (
        "a model has the dtype of the floats that go in.",
        'leave it out; nn.build(layer, input=tm.shapes.Spec(("N", 3), "float64")).',
    ),
    "training": (
        "a function has no mode.",
        "leave it out; a layer asks self.training and calls what that means.",
    ),
}
"""Arguments of PyTorch's that are not taken: why, and what to do instead."""


def check_call(
    signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> BoundArguments:
    """The arguments of a call by name; raise unless it fits the signature.

    Raises:
        ArgumentError: An argument is unknown, missing or one too many; for what PyTorch takes
            there the error says why, and what to do. The message begins with `takes`.

    Example:
        >>> from tensorem import nn
        >>> nn.ReLU(inplace=True)
        Traceback (most recent call last):
        tensorem.errors.ArgumentError: ReLU takes (): got an unexpected keyword argument 'inplace'.
          because: an array never changes.
          help:    leave it out; a compiled program reuses memory by itself.
    """
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        unknown = [name for name in kwargs if name not in signature.parameters]
        because, help = NOT_TAKEN.get(unknown[0], ("", "")) if unknown else ("", "")
        what = f"takes {_form(signature)}: {error}."
        raise ArgumentError(what, because=because, help=help) from None


def read_arrays(call: BoundArguments, read: Callable[[Any, str], Any]) -> None:
    """Read what is given where the signature says, in text, that there are arrays: `Array`.

    `Array | float` takes numbers too, `Array | None` may be left out, `Sequence[Array]` holds some.

    Args:
        call: The arguments; each array becomes what was read.
        read: (what is given, its name) -> array; raises where it is none.
    """
    for name, value in call.arguments.items():
        said = call.signature.parameters[name].annotation
        if said == "Sequence[Array]" and isinstance(value, (list, tuple)):
            items = [read(item, f"{name}[{i}]") for i, item in enumerate(value)]
            call.arguments[name] = items
        elif said in _ARRAYS and not isinstance(value, _ARRAYS[said]):
            call.arguments[name] = read(value, name)


_ARRAYS: Mapping[Any, tuple[type, ...]] = {
    "Array": (),
    "Array | float": (int, float),
    "Array | None": (NoneType,),
}
"""Annotation -> what is taken in place of an array."""


def check_array(value: object, name: str = "x") -> None:
    """Raise unless a value has a shape and a dtype, as arrays of JAX and NumPy do.

    Raises:
        DTypeError: It has not. The message begins with `takes`.
    """
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        help = "jax.random.key(0)." if name == "key" else f"jnp.asarray({name})."
        raise DTypeError(f"takes arrays, got {type(value).__name__}.", help=help)


def _form(signature: Signature) -> str:
    """The signature without its types."""
    bare = [p.replace(annotation=Parameter.empty) for p in signature.parameters.values()]
    return str(Signature(bare))
