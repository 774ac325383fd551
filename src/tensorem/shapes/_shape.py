"""Shapes: tuples of sizes, of known or open rank, and specs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Union

from tensorem.dtypes import dtype_name
from tensorem.errors import ShapeError

from ._equal import differ, unequal
from ._size import UNKNOWN, Poly, Size, Unknown, bind_size, same_size, size_of


@dataclass(frozen=True)
class OpenShape:
    """A shape of unknown rank whose last sizes are known.

    Example:
        >>> OpenShape((128,)), UNKNOWN_RANK
        ((..., 128), (...))
    """

    last: tuple[Size, ...] = ()

    def __repr__(self) -> str:
        return f"({', '.join(['...', *map(str, self.last)])})"


UNKNOWN_RANK = OpenShape()
Shape = Union[tuple[Size, ...], OpenShape]  # noqa: UP007


def shape_of(value: object) -> Shape:
    """The shape that a user's value names: sizes as integers, texts or None (unknown).

    Raises:
        ShapeError: The value is not a tuple or list of sizes.

    Example:
        >>> shape_of(("N", 1, 8, None))
        (N, 1, 8, ?)
    """
    if isinstance(value, OpenShape):
        return value
    if not isinstance(value, (tuple, list)):
        raise ShapeError(f"A shape takes a tuple of sizes such as ('N', 1, 8, 8), got {value!r}.")
    return tuple(size_of(v) for v in value)


def format_shape(shape: Iterable[object] | OpenShape) -> str:
    """A shape as text; a name prints bare, an unknown size as `?`, an unknown rank as `...`.

    Example:
        >>> format_shape(shape_of(("N", 3))), format_shape((5,)), format_shape(UNKNOWN_RANK)
        ('(N, 3)', '(5,)', '(...)')
    """
    if isinstance(shape, OpenShape):
        return repr(shape)
    sizes = [str(size) for size in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def same_shape(a: Shape, b: Shape) -> bool | None:
    """Whether two shapes are equal for all values of the names; None if that is not known."""
    known = isinstance(a, tuple) and isinstance(b, tuple)
    if _rank_clash(a, b):
        return False
    answers = [same_size(*pair) for pair in aligned(a, b)]
    if False in answers:
        return False
    return True if known and None not in answers else None


def aligned(a: Shape, b: Shape) -> list[tuple[Size, Size]]:
    """The sizes on the axes that both shapes have, counted from the last."""
    x, y = _last(a), _last(b)
    n = min(len(x), len(y))
    return list(zip(x[len(x) - n :], y[len(y) - n :], strict=True))


def require_equal(got: Shape, wanted: Shape, what: str, help: str = "") -> None:
    """Refuse a shape unless it is another for all values of their names, or may be: sizes unknown.

    Args:
        what: The sentence of the error.
        help: What to do where no names stand in the way.

    Raises:
        ShapeError: They differ. Where that is by names, the error says what to write for these.

    Example:
        >>> require_equal(shape_of(("N", 2)), (3, 2), "takes (3, 2), got (N, 2).")
        Traceback (most recent call last):
        tensorem.errors.ShapeError: takes (3, 2), got (N, 2).
          help: in the input write 3 in place of N.
    """
    if _rank_clash(got, wanted):
        raise ShapeError(what, help=help)
    pairs = aligned(got, wanted)
    if any(differ(*pair) for pair in pairs):
        raise unequal(what, pairs, help)


def names_in(shape: Shape) -> frozenset[str]:
    """The names that occur in the sizes of a shape."""
    found = (size.names for size in _last(shape) if isinstance(size, Poly))
    return frozenset().union(*found)


def _last(shape: Shape) -> tuple[Size, ...]:
    return shape.last if isinstance(shape, OpenShape) else shape


def _rank_clash(a: Shape, b: Shape) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) != len(b)
    if isinstance(a, tuple):
        return len(a) < len(_last(b))
    return isinstance(b, tuple) and len(b) < len(a.last)


def numel(shape: Shape) -> Size:
    """The number of elements.

    Example:
        >>> numel(shape_of(("N", 3, 4)))
        12*N
    """
    if isinstance(shape, OpenShape):
        return 0 if 0 in shape.last else UNKNOWN
    return math.prod(shape, start=1)


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The common shape under NumPy's broadcasting.

    Raises:
        ShapeError: Two sizes differ for some value of a name, and neither is 1.

    Example:
        >>> broadcast_shapes(shape_of(("N", 1, 4)), (3, 1))
        (N, 3, 4)
    """
    result: Shape = ()
    for shape in shapes:
        result = _broadcast_two(result, shape)
    return result


def _broadcast_two(a: Shape, b: Shape) -> Shape:
    n = max(len(_last(a)), len(_last(b)))
    pairs = list(zip(_padded(b, n), _padded(a, n), strict=True))
    clashes = [pair for pair in pairs if 1 not in pair and differ(*pair)]
    if clashes:
        raise unequal(
            "Broadcasting takes sizes that are equal or 1, counted from the last axis, got "
            f"{format_shape(a)} and {format_shape(b)}.",
            clashes,
        )
    sizes = tuple(_broadcast_size(*pair) for pair in pairs)
    return OpenShape(sizes) if isinstance(a, OpenShape) or isinstance(b, OpenShape) else sizes


def _padded(shape: Shape, rank: int) -> tuple[Size, ...]:
    fill: Size = UNKNOWN if isinstance(shape, OpenShape) else 1
    last = _last(shape)
    return (fill,) * (rank - len(last)) + last


def _broadcast_size(a: Size, b: Size) -> Size:
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    # An integer other than 1 is the result whatever the other size turns out to be.
    return a if isinstance(a, int) else b if isinstance(b, int) else UNKNOWN


def reshape_shape(shape: Shape, target: Iterable[object]) -> tuple[Size, ...]:
    """The shape that holds the same elements in the form of a target, where one size may be -1.

    Raises:
        ShapeError: The numbers of elements differ, or there is more than one -1.

    Example:
        >>> reshape_shape(shape_of(("N", 3, 4)), ("N", -1))
        (N, 12)
    """
    wanted = tuple(target)
    holes = sum(_is_hole(t) for t in wanted)
    if holes > 1:
        raise ShapeError(f"Reshape takes at most one size of -1, got {format_shape(wanted)}.")
    sizes = tuple(size_of(1 if _is_hole(t) else t) for t in wanted)
    have, given = numel(shape), numel(sizes)
    if not holes and differ(have, given):
        raise _reshape_error(shape, wanted, have, given)
    if not holes:
        return sizes
    hole = _filled(have, given, shape, wanted)
    return tuple(hole if _is_hole(t) else s for t, s in zip(wanted, sizes, strict=True))


def _is_hole(size: object) -> bool:
    return isinstance(size, int) and size == -1


def _filled(have: Size, given: Size, shape: Shape, wanted: tuple[object, ...]) -> Size:
    if given == 0 or (isinstance(have, int) and isinstance(given, int) and have % given):
        raise _reshape_error(shape, wanted, have, given)
    quotient = have // given
    return quotient if same_size(quotient * given, have) else UNKNOWN


def _reshape_error(shape: Shape, wanted: tuple[object, ...], have: Size, given: Size) -> ShapeError:
    return unequal(
        f"Reshape of {format_shape(shape)} takes a target of {have} elements, got "
        f"{format_shape(wanted)}.",
        [(have, given)],
    )


def bind(shape: Shape, values: Mapping[str, int]) -> Shape:
    """A shape with integers in place of names; names without a value stay.

    Raises:
        ShapeError: A size is below 0 there.

    Example:
        >>> bind(shape_of(("N", "8*N", "M")), {"N": 2})
        (2, 16, M)
    """
    if isinstance(shape, OpenShape):
        return OpenShape(tuple(bind_size(s, values) for s in shape.last))
    return tuple(bind_size(s, values) for s in shape)


def solve(shape: Shape, actual: tuple[int, ...]) -> dict[str, int]:
    """The values of the names for which a shape is an actual one.

    Only sizes linear in one name are solved; the others are checked where their names are known.

    Raises:
        ShapeError: There are none. The message begins with `takes`: the caller adds its name.

    Example:
        >>> solve(shape_of(("N", "2*H", 8)), (32, 10, 8))
        {'N': 32, 'H': 5}
    """
    values: dict[str, int] = {}
    offset = len(actual) - len(_last(shape))
    if not _rank_clash(shape, actual):
        for size, n in zip(_last(shape), actual[offset:], strict=True):
            values |= _solve_size(bind((size,), values), n)
        if same_shape(bind(shape, values), actual) is not False:
            return values
    raise ShapeError(f"takes {format_shape(shape)}, got {format_shape(actual)}.")


def _solve_size(bound: Shape, n: int) -> dict[str, int]:
    size = _last(bound)[0]
    if not isinstance(size, Poly) or len(size.names) != 1:
        return {}
    (name,) = size.names
    slope = dict(size.terms).get(((name, 1),), 0)
    rest = size - slope * Poly(((((name, 1),), 1),))
    if not slope or not isinstance(rest, int) or (n - rest) % slope or (n - rest) // slope < 0:
        return {}
    return {name: (n - rest) // slope}


@dataclass(frozen=True)
class Spec:
    """A shape and a dtype: the type of an array.

    Args:
        shape: Sizes; integers, texts such as "N" or "8*N", None for unknown.
        dtype: The name of a dtype, see `tensorem.dtypes`.

    Example:
        >>> Spec(("N", 1, 8, 8))
        float32 (N, 1, 8, 8)
    """

    shape: Any
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", shape_of(self.shape))
        object.__setattr__(self, "dtype", dtype_name(self.dtype))

    def bind(self, values: Mapping[str, int]) -> Spec:
        """The same spec with integers in place of names."""
        return Spec(bind(self.shape, values), self.dtype)

    def __repr__(self) -> str:
        return f"{self.dtype} {format_shape(self.shape)}"


def spec_of(value: Any) -> Any:
    """The tree of specs that a user's value names: a shape, a spec, an array, or a tree of these.

    A tuple whose members are all sizes is one shape; any other tuple, list or dict is a tree.

    Raises:
        ShapeError: A leaf is none of these.

    Example:
        >>> spec_of({"x": ("N", 3), "labels": Spec(("N",), "int32")})
        {'x': float32 (N, 3), 'labels': int32 (N,)}
    """
    if isinstance(value, Spec):
        return value
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return Spec(tuple(value.shape), dtype_name(value.dtype))
    if isinstance(value, OpenShape) or (isinstance(value, tuple) and all(map(_is_size, value))):
        return Spec(value)
    if isinstance(value, dict):
        return {key: spec_of(v) for key, v in value.items()}
    if isinstance(value, (tuple, list)) and not any(map(_is_size, value)):
        specs = [spec_of(v) for v in value]
        return tuple(specs) if isinstance(value, tuple) else specs
    raise ShapeError(
        "An input takes a shape such as ('N', 1, 8, 8), a Spec, or a tree of these, "
        f"got {value!r}.",
        help="write a shape as a tuple" if isinstance(value, list) else "",
    )


def _is_size(value: object) -> bool:
    return value is None or isinstance(value, (int, str, Poly, Unknown))
