"""What is hidden from a model: masks of truth values, in which True hides, and masked samples."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem import functional as F
from tensorem import rand
from tensorem.calls import FROM_0_TO_1, called, each, integer, number
from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import format_shape

Array = jax.Array
Hidden = NDArray[np.bool_]


@called
def periodic_mask(size: int, period: int, offset: int = 0) -> Hidden:
    """Which entries of a vector are hidden: j with j mod period = offset mod period.

    Args:
        size: The number of entries.
        period: Every how many one is hidden; 0 hides none.
        offset: The first that is.

    Raises:
        ArgumentError: A number is below 0.

    Example:
        >>> periodic_mask(5, 2, 3).tolist()
        [False, True, False, True, False]

    Source:
        The original's `vectorMaeHiddenMask`.
    """
    for name, value in (("size", size), ("period", period), ("offset", offset)):
        integer(name, value, 0)
    return _periodic(np.arange(size), period, offset)


def _periodic(index: NDArray[np.int_], period: int, offset: int) -> Hidden:
    if period == 0:
        return np.zeros(index.shape, bool)
    hidden: Hidden = index % period == offset % period
    return hidden


@called
def image_patch_hidden(
    size: tuple[int, int], patch: int | tuple[int, int], period: int, offset: int = 0
) -> Hidden:
    """Which places of an image are hidden: the patches whose number is, row by row.

    Patches at the right and lower border may be cut.

    Shapes:
        ->  (H, W)

    Args:
        size: (H, W).
        patch: The height and the width of a patch.
        period: As of `periodic_mask`, of patches.
        offset: The same.

    Raises:
        ArgumentError: A number is below 0, or a size below 1.

    Example:
        >>> image_patch_hidden((2, 3), (1, 2), 2).astype(int).tolist()
        [[1, 1, 0], [1, 1, 0]]

    Source:
        The original's `imagePatchHidden`.
    """
    (height, width), (high, wide) = each("size", size, 2, 1), each("patch", patch, 2, 1)
    integer("period", period, 0)
    integer("offset", offset, 0)
    rows, columns = np.arange(height) // high, np.arange(width) // wide
    return _periodic(rows[:, None] * math.ceil(width / wide) + columns, period, offset)


@called
def random_mask(count: int, ratio: float, key: Array) -> Array:
    """A mask of which this share is hidden, rounded down: count entries, all choices alike.

    Args:
        count: The number of entries.
        ratio: The share that is hidden, such as 0.75.
        key: A random key; `jax.vmap` gives each example of a batch its own.

    Raises:
        ArgumentError: count is below 1, or ratio is not in [0, 1].
        DTypeError: key is no key.

    Example:
        >>> int(random_mask(16, 0.75, jax.random.key(0)).sum())
        12

    Source:
        He et al. 2022, section 3 (MAE).
    """
    hidden = int(integer("count", count, 1) * number("ratio", ratio, FROM_0_TO_1))
    rand.check_key(key)
    return jax.random.permutation(key, jnp.arange(count) < hidden)


@called
def block_mask(grid: tuple[int, int], blocks: tuple[tuple[int, int], ...], key: Array) -> Array:
    """The targets of JEPA: for each block a mask of a grid of patches, at a random place.

    Their union is what the context must not see: `~masks.any(0)`.

    Shapes:
        ->  (blocks, H, W)

    Args:
        grid: (H, W), in patches.
        blocks: The height and width of each block.
        key: A random key.

    Raises:
        ArgumentError: A size is below 1, there is no block, or one is larger than the grid.
        DTypeError: key is no key.

    Example:
        >>> masks = block_mask((6, 6), ((2, 3), (3, 2)), jax.random.key(0))
        >>> masks.shape, masks.sum((1, 2)).tolist()
        ((2, 6, 6), [6, 6])

    Source:
        Assran et al. 2023, section 3 (I-JEPA).
    """
    whole = each("grid", grid, 2, 1)
    rand.check_key(key)
    sizes = [each("blocks", block, 2, 1) for block in blocks]
    if not sizes or any(n > most for size in sizes for n, most in zip(size, whole, strict=True)):
        raise ArgumentError(f"takes blocks within the grid {grid}, got {blocks!r}.")
    keys = jax.random.split(key, len(sizes))
    return jnp.stack([_block(whole, size, k) for size, k in zip(sizes, keys, strict=True)])


def _block(grid: tuple[int, ...], size: tuple[int, ...], key: Array) -> Array:
    inside = [
        _stretch(whole, n, k) for whole, n, k in zip(grid, size, jax.random.split(key), strict=True)
    ]
    return inside[0][:, None] & inside[1]


def _stretch(whole: int, size: int, key: Array) -> Array:
    """`size` places one after another, of `whole`."""
    start = jax.random.randint(key, (), 0, whole - size + 1)
    places = jnp.arange(whole)
    return (places >= start) & (places < start + size)


@called
def mask(x: Array, hidden: Array) -> Array:
    """The same with 0 in place of what is hidden.

    Shapes:
        x (..., *places), hidden (*places)  ->  like x

    Raises:
        ShapeError: The last axes of x are not those of hidden.

    Example:
        >>> mask(jnp.array([[1.0, 2.0, 3.0]]), jnp.array([True, False, True])).tolist()
        [[0.0, 2.0, 0.0]]
    """
    _require_places(x.shape, hidden.shape)
    return F.masked_fill(x, jnp.broadcast_to(hidden, x.shape), 0.0)


def _require_places(shape: tuple[int, ...], places: tuple[int, ...]) -> None:
    if shape[len(shape) - len(places) :] != places or len(shape) < len(places):
        raise ShapeError(
            f"takes hidden of the last axes of {format_shape(shape)}, got {format_shape(places)}."
        )


@called
def vector_mae_sample(x: Array, hidden: Array) -> tuple[Array, Array]:
    """(x with 0 where it is hidden, x): the input and the target of a masked autoencoder.

    Shapes:
        x (*batch, size), hidden (size)  ->  twice like x

    Raises:
        ShapeError: The last axis of x is not that of hidden.

    Example:
        >>> masked, target = vector_mae_sample(jnp.array([1.0, 2.0]), jnp.array([True, False]))
        >>> masked.tolist(), target.tolist()
        ([0.0, 2.0], [1.0, 2.0])

    Source:
        The original's `vectorMaeSample`.
    """
    return mask(x, hidden), x


@called
def tensor_prefix_mae_sample(x: Array, hidden: Array) -> tuple[Array, Array]:
    """The same of the first entries of each example, flattened.

    Shapes:
        x (N, ...), hidden (size)  ->  twice (N, size)

    Raises:
        ShapeError: An example has fewer entries than hidden.

    Example:
        >>> masked, target = tensor_prefix_mae_sample(jnp.ones((2, 3, 3)), jnp.arange(4) < 2)
        >>> masked.tolist()[0], target.shape
        ([0.0, 0.0, 1.0, 1.0], (2, 4))

    Source:
        The original's `tensorPrefixMaeSample`.
    """
    return vector_mae_sample(_prefix(x, hidden.shape[0]), hidden)


def _prefix(x: Array, size: int) -> Array:
    """The first entries of each example."""
    if math.prod(x.shape[1:]) < size:
        raise ShapeError(
            f"takes examples of at least {size} entries, got {format_shape(x.shape[1:])}."
        )
    return F.reshape(x, (x.shape[0], -1))[:, :size]


@called
def image_patch_mask(x: Array, hidden: Array) -> Array:
    """Images with 0 where a place is hidden, in all channels alike.

    Shapes:
        x (N, C, H, W), hidden (H, W)  ->  like x

    Raises:
        ShapeError: The last axes of x are not those of hidden.

    Example:
        >>> hidden = jnp.asarray(image_patch_hidden((2, 2), 1, 2))
        >>> image_patch_mask(jnp.ones((1, 1, 2, 2)), hidden).tolist()
        [[[[0.0, 1.0], [0.0, 1.0]]]]

    Source:
        The original's `imagePatchMask`.
    """
    return mask(x, hidden)


@called
def image_patch_mae_sample(x: Array, hidden: Array, size: int) -> tuple[Array, Array]:
    """(masked images, the first entries of the images, flattened).

    Shapes:
        x (N, C, H, W), hidden (H, W)  ->  like x, (N, size)

    Args:
        size: How many entries of an image are the target.

    Raises:
        ShapeError: The shapes do not fit, or an image has fewer entries.
        ArgumentError: size is below 1.

    Example:
        >>> hidden = jnp.asarray(image_patch_hidden((2, 2), 1, 2))
        >>> image_patch_mae_sample(jnp.ones((1, 1, 2, 2)), hidden, 3)[1].tolist()
        [[1.0, 1.0, 1.0]]

    Source:
        The original's `imagePatchMaeSample`.
    """
    return image_patch_mask(x, hidden), _prefix(x, integer("size", size, 1))


@called
def patches(x: Array, patch: int | tuple[int, int]) -> Array:
    """Images as rows of patches, in the order of reading; an entry of a patch is (row, column, C).

    Shapes:
        x (N, C, H, W)  ->  (N, H / p · W / q, p · q · C)

    Args:
        patch: The height p and the width q of a patch.

    Raises:
        ShapeError: x is no batch of images, or patches do not fill them.
        ArgumentError: A size is below 1.

    Example:
        >>> patches(jnp.arange(8.0).reshape(1, 1, 2, 4), 2).tolist()
        [[[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]]

    Source:
        He et al. 2022, `patchify`.
    """
    high, wide = each("patch", patch, 2, 1)
    if x.ndim != 4 or x.shape[2] % high or x.shape[3] % wide:
        raise ShapeError(
            f"takes (N, C, H, W) that patches {high} by {wide} fill, got {format_shape(x.shape)}."
        )
    n, c, height, width = x.shape
    cut = F.reshape(x, (n, c, height // high, high, width // wide, wide))
    return F.reshape(F.permute(cut, (0, 2, 4, 3, 5, 1)), (n, -1, high * wide * c))
