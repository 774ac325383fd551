"""One node of an ONNX graph as the function of its operator sees it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from tensorem.errors import CaptureError

if TYPE_CHECKING:
    from onnx import GraphProto

Array = jax.Array
_INT32 = np.iinfo(np.int32)
LARGEST = 2**28
"""Entries that an array may have whose sizes a file decides."""


def bounded(sizes: Iterable[Any]) -> tuple[Any, ...]:
    """The sizes of an array that is made; a file of a few bytes may ask for any.

    Raises:
        CaptureError: They are below 0, or too large together.
    """
    sizes = tuple(sizes)
    numbers = [int(n) for n in sizes if isinstance(n, int | np.integer)]
    if min(numbers, default=0) < 0 or math.prod(numbers) > LARGEST:
        raise CaptureError(f"takes sizes from 0 to {LARGEST} entries in all, got {sizes!r:.80}.")
    return sizes


@dataclass(frozen=True)
class Value:
    """What a name of an ONNX graph stands for.

    Args:
        array: An array that the program computes, or a list of values (a sequence).
        known: The same where no input decides it; sizes with names stand in an array of objects.
    """

    array: Any
    known: np.ndarray | None = None


@dataclass(frozen=True)
class Call:
    """A node: its operator, settings and operands.

    Args:
        opset: The version of the operators that the file is written in.
        results: How many results the file names.
        inner: (a graph inside the node, what it is given by name) -> its results.
    """

    op: str
    opset: int
    attrs: Mapping[str, Any]
    inputs: tuple[Value | None, ...]
    results: int
    inner: Callable[[GraphProto, Mapping[str, Value]], tuple[Value, ...]]

    def has(self, i: int) -> bool:
        """Whether an operand is given."""
        return i < len(self.inputs) and self.inputs[i] is not None

    def x(self, i: int) -> Any:
        """An operand, to be computed with."""
        value = self._input(i)
        if value.known is not None and value.array is value.known:
            return _narrowed(value.known)
        return value.array

    def maybe(self, i: int) -> Any:
        """An operand, or None."""
        return self.x(i) if self.has(i) else None

    def xs(self) -> list[Any]:
        """All operands."""
        return [self.x(i) for i in range(len(self.inputs))]

    def known(self, i: int) -> np.ndarray:
        """An operand that the file decides.

        Raises:
            CaptureError: It depends on an input.
        """
        value = self._input(i)
        if value.known is None:
            raise CaptureError(
                f"takes operand {i} as a constant, got one that is computed from an input.",
                because="shapes of a graph are known before it runs.",
            )
        return value.known

    def setting(self, name: str, i: int, default: Any = None) -> Any:
        """What older files say as an attribute and newer ones as an operand, as Python values."""
        if name in self.attrs:
            return self.attrs[name]
        return self.known(i).tolist() if self.has(i) else default

    def rank(self, i: int = 0) -> int:
        """The number of axes of an operand."""
        return len(self.shape(i))

    def shape(self, i: int = 0) -> tuple[Any, ...]:
        """The sizes of an operand."""
        return tuple(self.x(i).shape)

    def _input(self, i: int) -> Value:
        value = self.inputs[i] if i < len(self.inputs) else None
        if value is None:
            raise CaptureError(f"takes at least {i + 1} operands, got {len(self.inputs)}.")
        return value


def _narrowed(known: np.ndarray) -> np.ndarray:
    """Integers of 64 bits are computed with in 32, if they fit."""
    if known.dtype != np.int64 or jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        return known
    if known.size and not (_INT32.min <= known.min() and known.max() <= _INT32.max):
        raise CaptureError(f"takes integers of 32 bits, got {known.max()}.")
    return known.astype(np.int32)
