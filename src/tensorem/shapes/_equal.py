"""Sizes that must be equal: for all values of their names, or they are refused."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from tensorem.errors import ShapeError

from ._size import Poly, Size, Unknown, same_size

Equation = tuple[Size, Size]
"""Two sizes that must be equal."""
Choice = Mapping[str, Size]
_MOST_DIVISORS = 10**5


def differ(a: Size, b: Size) -> bool:
    """Whether two sizes that must be equal are not, for some value of a name; unknown ones pass.

    Example:
        >>> from tensorem.shapes import UNKNOWN, parse_size
        >>> N = parse_size("N")
        >>> differ(N, 8), differ(N, N), differ(UNKNOWN, 8)
        (True, False, False)
    """
    # In canonical form, polynomials that are equal for all values of their names are the same.
    return not isinstance(a, Unknown) and not isinstance(b, Unknown) and a != b


def unequal(what: str, equations: Iterable[Equation], help: str = "") -> ShapeError:
    """The error of sizes that must be equal and are not; its help says what to write for names.

    Args:
        what: The sentence of the error.
        equations: What came and what it must be equal to; those that hold do not count.
        help: What to do where no names stand in the way.
    """
    apart = [equation for equation in equations if differ(*equation)]
    names = sorted(set().union(*(_names(size) for equation in apart for size in equation)))
    never = [equation for equation in apart if _names_of(equation) and _choice(*equation) == {}]
    if never:
        return ShapeError(what, because=_never(*never[0]), help=help, names=names)
    return ShapeError(what, help=_in_place_of_names(apart) or help, names=names)


def _in_place_of_names(apart: list[Equation]) -> str:
    """What to write in place of names, so that all equations hold; "" if there is none."""
    phrases: list[str] = []
    chosen: dict[str, Size] = {}
    for equation in dict.fromkeys(apart):
        a, b = (_put(size, chosen) for size in equation)  # names that were chosen before are gone
        if differ(a, b):
            choice = _choice(a, b)
            if choice == {}:
                return ""
            chosen.update(choice or {})
            phrases += _phrases(a, b, choice)
    return f"in the input write {' and '.join(phrases)}." if phrases else ""


def _phrases(a: Size, b: Size, choice: Choice | None) -> list[str]:
    if choice is None:
        return [f"numbers in place of {_listed((a, b))} for which {a} is {b}"]
    return [f"{size} in place of {name}" for name, size in choice.items()]


def _choice(a: Size, b: Size) -> Choice | None:
    """A name and the size that makes the two equal; {} if nothing does, None if that is open."""
    if same_size(a, b) is False:
        return {}
    for size, other in ((a, b), (b, a)):
        name = _bare(size)
        if name and name not in _names(other):
            return {name: other}
    difference = a - b
    if not isinstance(difference, Poly) or len(difference.names) != 1:
        return None
    return _root(difference)


def _root(size: Poly) -> Choice | None:
    """The value of its one name at which a size is 0."""
    (name,) = size.names
    constant = abs(dict(size.terms).get((), 0))
    if constant == 0 or math.isqrt(constant) > _MOST_DIVISORS:
        return None
    small = [n for n in range(1, math.isqrt(constant) + 1) if constant % n == 0]
    # An integer root is one of the divisors.
    divisors: tuple[Size, ...] = (*small, *(constant // n for n in small))
    return next(({name: n} for n in divisors if _put(size, {name: n}) == 0), {})


def _put(size: Size, chosen: Choice) -> Size:
    """The size with others in place of names."""
    if not isinstance(size, Poly):
        return size
    total: Size = 0
    for monomial, c in size.terms:
        factors = [_value(name, chosen) for name, power in monomial for _ in range(power)]
        total = total + math.prod(factors, start=c)
    return total


def _value(name: str, chosen: Choice) -> Size:
    return chosen.get(name, Poly(((((name, 1),), 1),)))


def _bare(size: Size) -> str:
    """The name that a size is, if it is no more than a name."""
    name = next(iter(_names(size)), "")
    return name if size == _value(name, {}) else ""


def _names(size: Size) -> frozenset[str]:
    return size.names if isinstance(size, Poly) else frozenset()


def _names_of(equation: Equation) -> frozenset[str]:
    return _names(equation[0]) | _names(equation[1])


def _listed(equation: Equation) -> str:
    return " and ".join(sorted(_names_of(equation)))


def _never(a: Size, b: Size) -> str:
    first, second = (a, b) if isinstance(a, Poly) else (b, a)
    return f"{first} is {second} for no value of {_listed((a, b))}."
