"""Sizes: integers, integer polynomials in names, and the unknown size."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import Union

from tensorem.errors import ShapeError

Monomial = tuple[tuple[str, int], ...]
Terms = dict[Monomial, int]

LONGEST_TEXT = 200
LARGEST_POWER = 8
# Python's parser warns about digits glued to letters instead of refusing them.
_FOREIGN = re.compile(r"[^A-Za-z0-9_+\-*^() ]|\b\d+[A-Za-z_]")


@dataclass(frozen=True)
class Unknown:
    """The size of which nothing is known; it absorbs all arithmetic."""

    def __add__(self, other: Size) -> Unknown:
        return self

    __radd__ = __sub__ = __rsub__ = __floordiv__ = __rfloordiv__ = __add__

    def __mul__(self, other: Size) -> Size:
        return 0 if isinstance(other, int) and other == 0 else self

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return "?"


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Poly:
    """An integer polynomial in named sizes, never constant, in canonical form.

    Made by `parse_size("8*N")` or by arithmetic. Every name stands for an integer of at least 1.

    Example:
        >>> N = parse_size("N")
        >>> 8 * N + 2, (8 * N + 2) // 2, N // 2
        (8*N+2, 4*N+1, ?)
    """

    terms: tuple[tuple[Monomial, int], ...]

    def __add__(self, other: Size) -> Size:
        return other if isinstance(other, Unknown) else _sum(self, other, 1)

    __radd__ = __add__

    def __sub__(self, other: Size) -> Size:
        return other if isinstance(other, Unknown) else _sum(self, other, -1)

    def __rsub__(self, other: Size) -> Size:
        return self * -1 + other

    def __mul__(self, other: Size) -> Size:
        if isinstance(other, Unknown):
            return other
        product: Terms = {}
        for m, a in self.terms:
            for n, b in _terms(other).items():
                mn = _times(m, n)
                product[mn] = product.get(mn, 0) + a * b
        return _size(product)

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        return UNKNOWN if isinstance(other, Unknown) else _divide(self, other)

    def __rfloordiv__(self, other: Size) -> Size:
        return UNKNOWN if isinstance(other, Unknown) else _divide(other, self)

    @property
    def names(self) -> frozenset[str]:
        """The names that occur."""
        return frozenset(name for monomial, _ in self.terms for name, _ in monomial)

    def __repr__(self) -> str:
        text = "".join(f"{'-' if c < 0 else '+'}{_format_term(m, abs(c))}" for m, c in self.terms)
        return text.removeprefix("+")


Size = Union[int, Poly, Unknown]  # noqa: UP007  (read at run time before the classes are complete)


def _terms(size: int | Poly) -> Terms:
    if isinstance(size, Poly):
        return dict(size.terms)
    return {(): size} if size else {}


def _size(terms: Terms) -> int | Poly:
    """The canonical size: terms in graded lexicographic order; a constant is an int."""
    kept = {m: c for m, c in terms.items() if c}
    if not kept.keys() - {()}:
        return kept.get((), 0)
    return Poly(tuple(sorted(kept.items(), key=lambda term: _rank(term[0]))))


def _rank(monomial: Monomial) -> tuple[int, list[tuple[str, int]]]:
    # An order that products respect, so that long division by leading terms ends.
    return -sum(power for _, power in monomial), [(name, -power) for name, power in monomial]


def _sum(x: int | Poly, y: int | Poly, sign: int) -> int | Poly:
    total = _terms(x)
    for monomial, c in _terms(y).items():
        total[monomial] = total.get(monomial, 0) + sign * c
    return _size(total)


def _times(m: Monomial, n: Monomial) -> Monomial:
    powers = dict(m)
    for name, power in n:
        powers[name] = powers.get(name, 0) + power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def _divide(x: int | Poly, y: int | Poly) -> Size:
    """The floor of x / y where it is again a polynomial, else unknown."""
    if isinstance(y, int):
        return _divide_by_int(x, y)
    quotient: int | Poly = 0
    rest = x
    lead, c = y.terms[0]
    while rest != 0:
        top, a = next(iter(_terms(rest).items()))
        step = _times(top, tuple((name, -power) for name, power in lead))
        if a % c or any(power < 0 for _, power in step):
            return UNKNOWN
        part = _size({step: a // c})
        product = y * part
        assert not isinstance(product, Unknown)
        quotient, rest = _sum(quotient, part, 1), _sum(rest, product, -1)
    return quotient


def _divide_by_int(x: int | Poly, y: int) -> Size:
    # Floor passes through multiples of y, so only the constant may leave a remainder.
    if y == 0:
        raise ShapeError("A size takes a divisor other than 0, got 0.")
    if any(m and c % y for m, c in _terms(x).items()):
        return UNKNOWN
    return _size({m: c // y for m, c in _terms(x).items()})


def _format_term(monomial: Monomial, coefficient: int) -> str:
    factors = [name if power == 1 else f"{name}^{power}" for name, power in monomial]
    if coefficient != 1 or not factors:
        factors.insert(0, str(coefficient))
    return "*".join(factors)


def same_size(a: Size, b: Size) -> bool | None:
    """Whether two sizes are equal for all values of the names; None if that depends or is unknown.

    Example:
        >>> same_size(8, 8), same_size(parse_size("N"), parse_size("N+1")), same_size(UNKNOWN, 8)
        (True, False, None)
    """
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return None
    if a == b:
        return True
    return False if never_zero(_sum(a, b, -1)) else None


def never_zero(size: int | Poly) -> bool:
    """Whether it is certain that a size is not 0: of one sign, or with a constant out of step."""
    terms = _terms(size)
    if not terms:
        return False
    signs = {c > 0 for c in terms.values()}
    step = gcd(*(c for m, c in terms.items() if m))
    return len(signs) == 1 or (step > 0 and terms.get((), 0) % step != 0)


def is_negative(size: Size) -> bool:
    """Whether a size is below 0 for all values of its names."""
    if isinstance(size, Unknown):
        return False
    return size != 0 and all(c < 0 for c in _terms(size).values())


def parse_size(text: str) -> Size:
    """The size that a text such as `8*N`, `H+2`, `(N+1)*4` or `?` names.

    Raises:
        ShapeError: The text is not a polynomial in names, or is below 0.

    Example:
        >>> parse_size("(N+1)*4")
        4*N+4
    """
    if text.strip() == "?":
        return UNKNOWN
    if len(text) > LONGEST_TEXT:
        raise ShapeError(
            f"A size takes a text of at most {LONGEST_TEXT} characters, got {len(text)}."
        )
    if _FOREIGN.search(text):
        raise _not_a_size(text)
    try:
        size = _read(ast.parse(text.strip().replace("^", "**"), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _not_a_size(text) from None
    return _checked(size, text)


def _read(tree: ast.expr) -> Size:
    match tree:
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            return value
        case ast.Name(id=name) if name.isascii():
            return Poly(((((name, 1),), 1),))
        case ast.BinOp(left=ast.Name() as x, op=ast.Pow(), right=ast.Constant(value=int(n))):
            return _power(_read(x), n)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_read(left), _read(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _read(operand) * -1
    raise ValueError("not a size")


def _power(base: Size, exponent: int) -> Size:
    if not 0 < exponent <= LARGEST_POWER:
        raise ValueError("not a size")
    return base if exponent == 1 else base * _power(base, exponent - 1)


_OPERATORS: Mapping[type[ast.operator], Callable[[Size, Size], Size]] = {
    ast.Add: lambda x, y: x + y,
    ast.Sub: lambda x, y: x - y,
    ast.Mult: lambda x, y: x * y,
}


def size_of(value: object) -> Size:
    """The size that a user's value names: an integer, a text, None for unknown, or a size.

    Raises:
        ShapeError: The value names no size, or one below 0.
    """
    if value is None:
        return UNKNOWN
    if isinstance(value, (Poly, Unknown)):
        return _checked(value, value)
    if isinstance(value, str):
        return parse_size(value)
    try:
        if isinstance(value, bool):
            raise TypeError
        return _checked(operator.index(value), value)  # type: ignore[arg-type]
    except TypeError:
        raise _not_a_size(value) from None


def _checked(size: Size, got: object) -> Size:
    if is_negative(size):
        raise _not_a_size(got)
    return size


def _not_a_size(value: object) -> ShapeError:
    return ShapeError(
        "A size takes an integer of at least 0, a polynomial in names such as '8*N', or None, "
        f"got {value!r}."
    )


def bind_size(size: Size, values: Mapping[str, int]) -> Size:
    """A size with integers in place of names; names without a value stay.

    Raises:
        ShapeError: The size is below 0 there.
    """
    if not isinstance(size, Poly):
        return size
    bound: Size = 0
    for monomial, c in size.terms:
        bound = bound + _bind_term(monomial, c, values)
    if is_negative(bound):
        got = ", ".join(f"{name} = {values[name]}" for name in sorted(size.names & values.keys()))
        raise ShapeError(f"The size {size} takes names that make it at least 0, got {got}.")
    return bound


def _bind_term(monomial: Monomial, c: int, values: Mapping[str, int]) -> Size:
    term: Size = c
    for name, power in monomial:
        value = values.get(name)
        term = term * (Poly(((((name, power),), 1),)) if value is None else value**power)
    return term
