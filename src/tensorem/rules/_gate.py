"""Gates: halves of an axis, and a weight for each channel."""

from __future__ import annotations

from dataclasses import replace

from tensorem.errors import ShapeError
from tensorem.shapes import UNKNOWN_RANK, OpenShape, Poly, Shape, Spec, format_shape, require_equal

from ._elementwise import floating, floats
from ._known import Sizes, axis, divided, known, of_rank


def halved(x: Spec, *, dim: int) -> Spec:
    """Floats with half of an axis, of which one half decides how much of the other passes.

    Raises:
        ArgumentError: dim is no integer.
        ShapeError: There is no such axis, or its size is not even, or a name.
        DTypeError: x holds no floats.

    Example:
        >>> halved(Spec(("N", 6, 4)), dim=1)
        float32 (N, 3, 4)
    """
    floats(x)
    if not isinstance(x.shape, OpenShape):
        return replace(x, shape=_with_half(x.shape, axis(x.shape, dim), x.shape))
    last = x.shape.last
    if not -len(last) <= dim < 0:
        return replace(x, shape=UNKNOWN_RANK)
    return replace(x, shape=OpenShape(_with_half(last, len(last) + dim, x.shape)))


def _with_half(sizes: Sizes, axis: int, x: Shape) -> Sizes:
    half = None if isinstance(sizes[axis], Poly) else divided(sizes[axis], 2)
    if half is None:
        place = axis - len(sizes)
        raise ShapeError(f"takes an even number along axis {place}, got {format_shape(x)}.")
    return (*sizes[:axis], half, *sizes[axis + 1 :])


def prelu(x: Spec, weight: Spec) -> Spec:
    """Floats, with one weight or one for each channel.

    Shapes:
        x (N, C, ...) or any for one weight, weight (1,) or (C,)  ->  like x

    Raises:
        ShapeError: The weights are neither one nor one for each channel.
        DTypeError: The operands have no common dtype of floats.

    Example:
        >>> prelu(Spec(("N", None, 4)), Spec((3,)))
        float32 (N, 3, 4)
    """
    count = (of_rank(weight.shape, 1) or (None,))[0]
    if count is None:
        raise ShapeError(f"takes weight (1,) or (C,), got {format_shape(weight.shape)}.")
    floating(x, weight)
    if count == 1 or isinstance(x.shape, OpenShape):
        return x
    what = f"takes (N, {count}, ...), got {format_shape(x.shape)}."
    if len(x.shape) < 2:
        raise ShapeError(what)
    require_equal(x.shape[1:2], (count,), what)
    return replace(x, shape=(x.shape[0], known(x.shape[1], count), *x.shape[2:]))
