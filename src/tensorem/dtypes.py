"""The names of dtypes, and what each is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tensorem.errors import DTypeError, ShapeError

if TYPE_CHECKING:
    import jax

FLOATING = ("float32", "float64", "bfloat16", "float16")
"""Real numbers that run and train."""

HALF = ("bfloat16", "float16")
"""Floats of 16 bits, which hold no sum of many of them."""

INTEGER = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
"""Indices, labels and counts."""

EXECUTABLE = (*FLOATING, *INTEGER, "bool")
"""Everything that a compiled program can hold."""

PROOF_ONLY = ("rational", "interval", "ball")
"""Number systems that read a graph exactly or rigorously; nothing trains or compiles in them."""

NAMES = (*EXECUTABLE, *PROOF_ONLY)


def dtype_name(dtype: object) -> str:
    """The name of a dtype given by name, NumPy dtype or scalar type.

    Raises:
        DTypeError: There is no such dtype here.

    Example:
        >>> dtype_name("float32"), dtype_name(np.int32), dtype_name(np.dtype(bool))
        ('float32', 'int32', 'bool')
    """
    if dtype is None:  # for NumPy this is float64
        raise DTypeError(f"A dtype takes one of {', '.join(NAMES)}, got None.")
    try:
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name  # type: ignore[call-overload]
    except TypeError:
        name = repr(dtype)
    if name not in NAMES:
        raise DTypeError(f"A dtype takes one of {', '.join(NAMES)}, got {name}.")
    return str(name)


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether an array of this dtype holds floats; bfloat16 is none of NumPy's own.

    Example:
        >>> is_floating(np.dtype("float32")), is_floating(np.dtype("int32"))
        (True, False)
    """
    return dtype.kind == "f" or dtype.name in FLOATING


def is_numeric(dtype: np.dtype[Any]) -> bool:
    """Whether an array of this dtype holds floats, integers or truth values.

    Example:
        >>> is_numeric(np.dtype(bool)), is_numeric(np.dtype("U1"))
        (True, False)
    """
    return is_floating(dtype) or dtype.kind in "biu"


def as_numbers(x: object) -> NDArray[Any]:
    """What a user gives as an array: a NumPy array, a list of numbers, a tensor of any library.

    Raises:
        ShapeError: A list is ragged.
        DTypeError: It holds something else than numbers and truth values, or hides some.
            All messages begin with `takes`: the caller names who takes it (`calls.named`).

    Example:
        >>> as_numbers([[1, 2.5]])
        array([[1. , 2.5]])
    """
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ShapeError("takes an array, got a ragged list.", because=str(error)) from None
    except (TypeError, RuntimeError) as error:  # such as a tensor that asks for gradients
        raise DTypeError(f"takes an array, got {type(x).__name__}: {error}") from None
    if np.ma.is_masked(x):
        raise DTypeError(
            "takes numbers, got masked values.", help="say what they are: x.filled(0)."
        )
    if not is_numeric(array.dtype):
        raise DTypeError(f"takes numbers, got {array.dtype} ({type(x).__name__}).")
    return array


def exactly(x: NDArray[Any], dtype: str, name: str = "x") -> NDArray[Any]:
    """The array in a dtype that holds all of its values.

    Args:
        name: What the help calls the array.

    Raises:
        DTypeError: A value would be another. The message begins with `takes`: the caller names who
            takes it (`calls.named`).

    Example:
        >>> exactly(np.array([1.0, 2.0]), "float32").dtype.name
        'float32'
    """
    if x.dtype.name == dtype:
        return x
    with np.errstate(all="ignore"):
        converted = x.astype(dtype)
        back = converted.astype(x.dtype)
    if np.array_equal(back, x, equal_nan=is_floating(x.dtype)):
        return converted
    raise DTypeError(
        f"takes {dtype}, got {x.dtype} with values that {dtype} does not hold.",
        help=f"round on purpose: {name}.astype({dtype!r}).",
    )


def taken(x: object, dtype: str) -> jax.Array | NDArray[Any]:
    """What a user gives to a program, in the dtype that it takes.

    A list is rounded, since its numbers have no dtype; an array is converted if its values survive.
    One of JAX must have the dtype: it may stand in a trace, where nobody sees values.

    Raises:
        ShapeError: A list is ragged.
        DTypeError: It holds no numbers, or the dtype does not hold them. The messages begin with
            `takes`: the caller names who takes it (`calls.named`).

    Example:
        >>> taken([1, 2.5], "float32")
        array([1. , 2.5], dtype=float32)
    """
    import jax  # here, since the names of dtypes are there without it

    if isinstance(x, jax.Array):
        if x.dtype != dtype:
            raise DTypeError(
                f"takes {dtype}, got {x.dtype}.", help=f"convert: x.astype({dtype!r})."
            )
        return x
    array = as_numbers(x)
    if not hasattr(x, "dtype") and _rounds(array, dtype):
        return array.astype(dtype)
    return exactly(array, dtype)


def _rounds(array: NDArray[Any], dtype: str) -> bool:
    """Whether floats become floats, and none of them infinite."""
    if not is_floating(array.dtype) or dtype not in FLOATING:
        return False
    with np.errstate(all="ignore"):
        return bool(np.array_equal(np.isfinite(array), np.isfinite(array.astype(dtype))))


def executable(dtype: object) -> str:
    """The name of a dtype in which programs run.

    Raises:
        DTypeError: The dtype is proof-only, or unknown.
    """
    name = dtype_name(dtype)
    if name in PROOF_ONLY:
        raise DTypeError(
            f"Running takes a dtype of {', '.join(EXECUTABLE)}, got {name}.",
            because=f"{name} is proof-only: it reads a graph and runs nothing",
            help=f"run in float32, and read the result with tm.evaluate(model, x, dtype={name!r}).",
        )
    return name
