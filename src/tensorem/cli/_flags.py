"""What a flag takes: each kind of value says so in the sentence that refuses another one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from tyro.constructors import PrimitiveConstructorSpec

from tensorem.errors import ArgumentError

T = TypeVar("T")

Reader = Callable[[str], T]

_DECIMAL = re.compile(r"(\d{1,20}\.?\d{0,50}|\.\d{1,50})(e-?0?\d)?", re.ASCII)
"""What every certificate can hold."""
_GREATEST = 3e38
"""What float32 can hold."""


def _values(
    shown: str, takes: str, read: Reader[T], count: int | Literal["*"] = 1
) -> PrimitiveConstructorSpec[Any]:
    """Values of one kind.

    Args:
        shown: How they stand in the help.
        takes: What they are, in words.
        read: The value of a text; raises ValueError where it has none.
        count: How many; with 1 the value itself, else a tuple.
    """

    def values(texts: list[str]) -> T | tuple[T, ...]:
        try:
            found = tuple(map(read, texts))
        except ValueError:
            raise ValueError(f"takes {takes}, got {' '.join(texts) or repr('')}.") from None
        return found[0] if count == 1 else found

    return PrimitiveConstructorSpec(count, shown, values, lambda value: True, _texts)


def _texts(default: object) -> list[str]:
    """A default as it stands in the help."""
    if default in (None, ()):
        return ["none"]
    return list(map(str, default)) if isinstance(default, tuple) else [str(default)]


def _where(holds: Callable[[T], bool], read: Reader[T]) -> Reader[T]:
    """The values that have a property."""

    def checked(text: str) -> T:
        value = read(text)
        if not holds(value):
            raise ValueError
        return value

    return checked


def _from(least: int, most: float = math.inf) -> Reader[int]:
    return _where(lambda value: least <= value <= most, int)


_path = _where(lambda path: path != Path(), Path)
_decimal = _where(lambda text: bool(_DECIMAL.fullmatch(text)), str)
_number = _where(lambda value: abs(value) <= _GREATEST, float)


def require_within(flag: str, value: int, least: int, most: int) -> None:
    """Raise unless a number is at most what the data or the command has.

    Raises:
        ArgumentError: It is greater.
    """
    if value > most:
        raise ArgumentError(f"{flag} takes an integer from {least} to {most}, got {value}.")


Count = Annotated[int, _values("INT", "an integer of at least 1", _from(1))]
Total = Annotated[int | None, _values("INT", "an integer of at least 1", _from(1))]
Seed = Annotated[int, _values("INT", "an integer from 0 to 2**64 - 1", _from(0, 2**64 - 1))]
Widths = Annotated[tuple[int, ...], _values("[INT ...]", "integers of at least 1", _from(1), "*")]
Names = Annotated[tuple[str, ...], _values("[TEXT ...]", "texts", str, "*")]
Files = Annotated[tuple[Path, ...], _values("PATH ...", "paths", _path, "*")]
Rows = Annotated[tuple[int, ...], _values("[INT ...]", "integers of at least 0", _from(0), "*")]
Share = Annotated[
    float,
    _values("FLOAT", "a number from 0 to below 1", _where(lambda share: 0 <= share < 1, float)),
]
Range = Annotated[
    tuple[float, float] | None, _values("LEAST GREATEST", "two finite numbers", _number, 2)
]
Radius = Annotated[str, _values("DECIMAL", "a decimal of at least 0, such as 0.02", _decimal)]
Radii = Annotated[
    tuple[str, ...], _values("[DECIMAL ...]", "decimals of at least 0, such as 0.02", _decimal, "*")
]
RunFolder = Annotated[Path, _values("RUN", "a run folder", _path)]
Place = Annotated[Path | None, _values("PATH", "a path", _path)]
Source = Annotated[
    str | None,
    _values(
        "DATA", "digits, iris or a .csv or .parquet file", _where(lambda text: text != "", str)
    ),
]
