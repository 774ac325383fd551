"""Arrays in NumPy's own files, read without trusting them."""

from __future__ import annotations

import math
import warnings
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from tensorem import dtypes
from tensorem.calls import named
from tensorem.disk import path_of, read_whole
from tensorem.errors import DTypeError, FileError, ShapeError
from tensorem.shapes import shape_of, solve

from ._source import Array

# What NumPy's header parser was seen to raise on damaged headers.
_BROKEN = (ValueError, KeyError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError)
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npy(path: str | Path, *, shape: object = None, dtype: str | None = None) -> Array:
    """The array in a .npy file, in row-major order and native byte order.

    Args:
        shape: What its shape must be; sizes may be names, such as ("N", 1, 28, 28).
        dtype: What its dtype must be.

    Raises:
        FileError: The file is missing, is not a .npy file, is cut short or has bytes too many, or
            holds Python objects (which are pickles, and never loaded).
        ShapeError: The shape is another.
        DTypeError: The dtype is another.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "images.npy"
        >>> np.save(file, np.zeros((60, 28, 28), np.uint8))
        >>> read_npy(file, shape=("N", 28, 28)).shape
        (60, 28, 28)
    """
    file = path_of(path)
    content = read_whole(file)
    try:
        return _checked(_read(content), shape, dtype)
    except (FileError, ShapeError, DTypeError) as error:
        raise error.with_notes(where=str(file)) from None


def _read(content: bytes) -> Array:
    stream = BytesIO(content)
    shape, fortran, dtype = header_of(stream)
    check_numbers(dtype)
    # The size is compared before anything is allocated: a header can claim any shape.
    want, have = math.prod(shape) * dtype.itemsize, len(content) - stream.tell()
    if want != have:
        raise FileError(
            f"read_npy takes {want} bytes of data after this header, got {have}.",
            because="the file is cut short" if have < want else "the file goes on after its array",
        )
    flat = np.frombuffer(content, dtype, offset=stream.tell()) if want else np.zeros(0, dtype)
    array = flat.reshape(shape, order="F" if fortran else "C")
    # `astype` copies, so the array can be written to and lies in row-major order.
    return array.astype(dtype.newbyteorder("="), order="C")


def check_numbers(dtype: np.dtype[Any]) -> None:
    """Raise unless an array of this dtype is one of numbers.

    Raises:
        FileError: It is none.
    """
    if dtype.hasobject:
        raise FileError(
            "read_npy takes an array of numbers, got Python objects.",
            because="they are stored as pickles, which can run any program when loaded",
            help='save the array with a numeric dtype: np.save(path, array.astype("float32")).',
        )
    if dtype.newbyteorder("=").name not in dtypes.EXECUTABLE:
        raise FileError(f"read_npy takes an array of numbers, got dtype {dtype}.")


def header_of(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape, whether it is in Fortran's order, and the dtype.

    Raises:
        FileError: It is no header.
    """
    try:
        version = npy.read_magic(stream)
        with warnings.catch_warnings():  # NumPy warns where a header needs a second try to parse
            warnings.simplefilter("ignore")
            shape, fortran, dtype = _HEADERS[version](stream)
    except _BROKEN as error:
        raise FileError(
            "read_npy takes a file in NumPy's format 1.0 or 2.0, got another or a broken header."
        ) from error
    if any(n < 0 for n in shape):
        raise FileError(f"read_npy takes sizes of at least 0, got {shape}.")
    return shape, fortran, dtype


def _checked(array: Array, shape: object, dtype: str | None) -> Array:
    if shape is not None:
        with named("read_npy"):
            solve(shape_of(shape), array.shape)
    if dtype is not None and dtypes.dtype_name(dtype) != str(array.dtype):
        raise DTypeError(
            f"read_npy takes {dtype} here, got {array.dtype}.",
            help=f'leave dtype out and convert: read_npy(path).astype("{dtype}").',
        )
    return array
