"""Products summed over axes: dot, linear, matmul."""

from __future__ import annotations

from dataclasses import replace

from tensorem.errors import ShapeError
from tensorem.shapes import (
    OpenShape,
    Size,
    Spec,
    format_shape,
    require_equal,
)

from ._elementwise import one_dtype
from ._known import end, ended, known, merged, of_rank, sizes_of, with_end, without

Dims = tuple[int, ...]
Pairs = tuple[Dims, Dims]


def dot(x: Spec, y: Spec, *, contract: Pairs, batch: Pairs) -> Spec:
    """The axes that are kept, those free in x, those free in y.

    Raises:
        ShapeError: Sizes that meet differ.
        DTypeError: The dtypes differ.
    """
    one_dtype(x, y)
    if isinstance(x.shape, OpenShape) or isinstance(y.shape, OpenShape):
        last = without(y, contract[1] + batch[1]).shape
        return replace(x, shape=last if isinstance(last, OpenShape) else OpenShape(last))
    got = f"got {format_shape(x.shape)} and {format_shape(y.shape)}."
    for i, j in (*zip(*contract, strict=True), *zip(*batch, strict=True)):
        what = f"takes equal sizes on axes {i} and {j}, {got}"
        require_equal((x.shape[i],), (y.shape[j],), what)
    kept = tuple(known(x.shape[i], y.shape[j]) for i, j in zip(*batch, strict=True))
    free = (_free(x.shape, contract[0] + batch[0]), _free(y.shape, contract[1] + batch[1]))
    return replace(x, shape=kept + free[0] + free[1])


def _free(shape: tuple[Size, ...], used: Dims) -> tuple[Size, ...]:
    return tuple(n for i, n in enumerate(shape) if i not in used)


def linear(x: Spec, weight: Spec, bias: Spec | None = None) -> Spec:
    """The affine map on the last axis.

    Shapes:
        x (*batch, in), weight (out, in), bias (out,)  ->  (*batch, out)

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The operands have two dtypes.

    Example:
        >>> linear(Spec(("N", 128)), Spec((10, 128)))
        float32 (N, 10)
    """
    out, inputs = weight_of(weight, "out", "in")
    source = f"{inputs} is set by the weight {format_shape(weight.shape)}"
    batch = ended(x.shape, (inputs,), f"(*batch, {inputs})", source)
    shape = with_end(batch, 1, (biased(out, weight, bias),))
    return replace(one_dtype(x, weight), shape=shape)


def weight_of(weight: Spec, *names: str) -> tuple[Size, ...]:
    """The sizes of a weight that has these axes.

    Raises:
        ShapeError: It has others.
    """
    sizes = of_rank(weight.shape, len(names))
    if sizes is None:
        form = ", ".join(names)
        raise ShapeError(f"takes a weight ({form}), got {format_shape(weight.shape)}.")
    return sizes


def biased(out: Size, weight: Spec, bias: Spec | None) -> Size:
    """The size that a result and its bias have.

    Raises:
        ShapeError: They differ.
        DTypeError: The bias has another dtype than the weight.
    """
    if bias is None:
        return out
    what = f"takes a bias {format_shape((out,))}, got {format_shape(bias.shape)}."
    require_equal(bias.shape, (out,), what)
    one_dtype(weight, bias)
    return known(out, sizes_of(bias, 1)[0])


def matmul(x: Spec, y: Spec) -> Spec:
    """The matrix product on the last two axes, of operands of one rank.

    Shapes:
        x (*batch, n, k), y (*batch, k, m)  ->  (*batch, n, m)

    Raises:
        ShapeError: The shapes do not fit.
        DTypeError: The dtypes differ.

    Example:
        >>> matmul(Spec(("N", 3, 4)), Spec((None, 4, 5)))
        float32 (N, 3, 5)
    """
    a, b = x.shape, y.shape
    what = f"takes (*batch, n, k) and (*batch, k, m), got {format_shape(a)} and {format_shape(b)}."
    rows, columns = end(a, 2), end(b, 2)
    if rows is None or columns is None:
        raise ShapeError(what)
    # The second operand, with the sizes that the first one must have in their places.
    wanted = with_end(b, 2, (rows[0], columns[0]))
    require_equal(a, wanted, what)
    shape = with_end(merged(a, wanted), 2, (rows[0], columns[1]))
    return replace(one_dtype(x, y), shape=shape)
