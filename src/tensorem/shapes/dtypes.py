"""The names of dtypes, and what each is for."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorem.errors import DTypeError

FLOATING = ("float32", "float64", "bfloat16", "float16")
"""Real numbers that run and train."""

INTEGER = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
"""Indices, labels and counts."""

EXECUTABLE = (*FLOATING, *INTEGER, "bool")
"""Everything that a compiled program can hold."""

PROOF_ONLY = ("rational", "interval")
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


def holds_numbers(dtype: np.dtype[Any]) -> bool:
    """Whether arrays of a NumPy dtype hold numbers or truth values."""
    return dtype.kind in "biuf" or dtype.name == "bfloat16"  # of kind V, as NumPy sees it


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
