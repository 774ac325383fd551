"""Axes by name: split, joined and put into another order."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from tensorem.calls import integer
from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import Size, differ, format_shape

from ._shape import checked, shape

Array = jax.Array
Group = tuple[str, ...]
"""The names in one axis, the slowest first; ("...",) for any axes."""

_TOKEN = re.compile(r"\s*(\([^()]*\)|\.\.\.|\w+)")
_EXAMPLE = '"b (h d) t -> b h t d"'


@checked
def rearrange(x: Array, pattern: str, **sizes: int) -> Array:
    """The same entries with axes split, joined and in another order, as a pattern says.

    Shapes:
        a name for each axis, (a b) for an axis of a times b entries, 1 for one of size one, ... for
        any axes  ->  the same names in another order

    Args:
        pattern: The axes of x, "->", and those of the result.
        sizes: Sizes of names that stand in parentheses; one in each may be left out.

    Raises:
        ArgumentError: The pattern is malformed, its sides have other names, or a size is missing.
        ShapeError: x has other axes, or an axis is not the product of the names in it.

    Example:
        >>> rearrange(jnp.ones((2, 12, 5)), "n (h d) t -> n h t d", h=3).shape
        (2, 3, 5, 4)

    Source:
        Rogozhnikov 2022 (einops).
    """
    left, right = _read(pattern)
    _require_same_names(pattern, left, right, sizes)
    left = _written_out(left, x.ndim, pattern, shape(x))
    given = {name: integer(name, size, 0) for name, size in sizes.items()}
    found: dict[str, Any] = {"1": 1}
    for group, size, raw in zip(left, shape(x), x.shape, strict=True):
        found |= _split(group, size, raw, given)
    any_axes = [name for group in left for name in group if name.startswith("...")]
    right = [
        g for group in right for g in ([(a,) for a in any_axes] if "..." in group else [group])
    ]
    flat = [name for group in left for name in group if name != "1"]
    wanted = [name for group in right for name in group if name != "1"]
    y = jnp.reshape(x, [found[name] for name in flat])
    y = jnp.transpose(y, [flat.index(name) for name in wanted])
    return jnp.reshape(y, [math.prod(found[name] for name in group) for group in right])


def _read(pattern: object) -> tuple[list[Group], list[Group]]:
    sides = pattern.split("->") if isinstance(pattern, str) else []
    if len(sides) != 2:
        raise ArgumentError(f"takes a pattern such as {_EXAMPLE}, got {pattern!r}.")
    return _side(sides[0], pattern), _side(sides[1], pattern)


def _side(text: str, pattern: object) -> list[Group]:
    groups, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ArgumentError(f"takes a pattern such as {_EXAMPLE}, got {pattern!r}.")
        groups.append(tuple(match[1].strip("()").split()))
        at = match.end()
    return groups


def _require_same_names(
    pattern: str, left: list[Group], right: list[Group], sizes: Mapping[str, int]
) -> None:
    sides = [[n for group in side for n in group if n != "1"] for side in (left, right)]
    twice = next((n for side in sides for n in side if side.count(n) > 1), None)
    if twice is not None:
        raise ArgumentError(f"takes each name once on a side, got {twice!r} twice in {pattern!r}.")
    if only := sorted({*sides[0]} ^ {*sides[1]}):
        raise ArgumentError(
            f"takes the same names on both sides, got {', '.join(only)} on one of {pattern!r}.",
            help="repeat with F.broadcast, reduce with F.sum or F.mean.",
        )
    if foreign := sorted(sizes.keys() - {*sides[0]}):
        raise ArgumentError(f"takes sizes of names of {pattern!r}, got {', '.join(foreign)}.")


def _written_out(
    left: list[Group], rank: int, pattern: str, given: tuple[Size, ...]
) -> list[Group]:
    """The dots as names of their own, one for each axis under them."""
    more = rank - len(left) + 1
    dots = left.index(("...",)) if ("...",) in left else None
    if (dots is None and more != 1) or more < 0:
        raise ShapeError(f"takes {len(left)} axes for {pattern!r}, got {format_shape(given)}.")
    if dots is None:
        return left
    return [*left[:dots], *((f"...{i}",) for i in range(more)), *left[dots + 1 :]]


def _split(group: Group, size: Size, raw: Any, given: Mapping[str, int]) -> dict[str, Any]:
    """The sizes of the names in an axis; one that is not given is what is left."""
    open_names = [name for name in group if name != "1" and name not in given]
    if len(open_names) > 1:
        raise ArgumentError(
            f"takes sizes of all names but one in ({' '.join(group)}), got none of "
            f"{', '.join(open_names)}."
        )
    known = math.prod(given.get(name, 1) for name in group)
    rest = size // known if open_names and known else 1
    if differ(rest * known, size):
        what = f"({' '.join(group)})" if len(group) != 1 else repr(group[0])
        raise ShapeError(f"takes an axis {what} of {_product(group, given)}, got {size}.")
    found: dict[str, Any] = {name: given[name] for name in group if name in given}
    return found | dict.fromkeys(open_names, raw // known if known != 1 else raw)


def _product(group: Group, given: Mapping[str, int]) -> str:
    return " times ".join(str(given.get(name, name)) for name in group) or "1"
