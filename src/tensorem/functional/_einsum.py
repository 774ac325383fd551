"""Products of arrays whose axes are named by letters."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp

from tensorem.errors import ArgumentError, ShapeError
from tensorem.shapes import Size, differ, format_shape

from ._shape import checked, shape

Array = jax.Array
_FORM = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")


@checked
def einsum(equation: str, *operands: Array) -> Array:
    """Sums of products over axes that are named by letters, as `torch.einsum`.

    Shapes:
        one letter for each axis, "..." for any; letters of the result stay, all others are summed

    Raises:
        ArgumentError: The equation is malformed, or names another number of operands.
        ShapeError: An operand has another rank than its letters, or a letter two sizes.

    Example:
        >>> einsum("ij,jk->ik", jnp.ones((2, 3)), jnp.ones((3, 4))).shape
        (2, 4)
    """
    terms, result = _read(equation)
    if len(terms) != len(operands):
        raise ArgumentError(
            f"takes an operand for each of {len(terms)} terms of {equation!r}, got {len(operands)}."
        )
    sizes: dict[str, Size] = {}
    for i, (term, x) in enumerate(zip(terms, operands, strict=True)):
        _name(sizes, term, shape(x), f"operand {i}")
    for letter in (result or "").replace(".", ""):
        if letter not in sizes:
            raise ArgumentError(f"takes letters of operands in its result, got {letter!r}.")
    return jnp.einsum(equation, *operands)


def _read(equation: str) -> tuple[list[str], str | None]:
    """The letters of the operands and of the result, which may be left out."""
    if not isinstance(equation, str):
        raise ArgumentError(f'takes an equation such as "ij,jk->ik", got {equation!r}.')
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not all(_FORM.fullmatch(term) for term in [*terms, right]) or (
        arrow and len(set(right) - {"."}) < len(right.replace(".", ""))
    ):
        raise ArgumentError(f'takes an equation such as "ij,jk->ik", got {equation!r}.')
    return terms, right if arrow else None


def _name(sizes: dict[str, Size], term: str, given: tuple[Size, ...], where: str) -> None:
    """Note the size of each letter; axes under the dots have none."""
    letters = len(term.replace("...", ""))
    if not (letters <= len(given) if "..." in term else letters == len(given)):
        raise ShapeError(
            f"takes {letters} axes for {term!r}, got {format_shape(given)}.", where=where
        )
    before, _, after = term.partition("...")
    ends = given[len(given) - len(after) :]
    for letter, size in [*zip(before, given, strict=False), *zip(after, ends, strict=True)]:
        if differ(size, sizes.setdefault(letter, size)):
            raise ShapeError(
                f"takes one size for {letter!r}, got {sizes[letter]} and {size}.", where=where
            )
