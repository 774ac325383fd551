"""Paths of layers and of arrays: looked up, matched by patterns, and what stands near one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from tensorem.errors import ArgumentError, LayerError, PathError

from ._layer import Layer
from ._tree import rebuilt, walk


def part_at(layer: Layer, path: str, takes: str) -> Layer:
    """The layer that stands at a path below another one.

    Args:
        takes: The beginning of the error, such as "submodel takes".

    Raises:
        PathError: There is none; those nearby are listed.
    """
    below = {p: part for p, part in reversed(list(walk(layer))) if p}
    if path not in below:
        help = near(path, list(reversed(below)))
        raise PathError(f"{takes} the path of a layer below, got {path!r}.", help=help)
    found = below[path]
    assert isinstance(found, Layer)
    return found


def matched(takes: str, patterns: tuple[str, ...], names: Iterable[str]) -> frozenset[str]:
    """The names that one of the patterns matches, each of which matches one at least.

    Args:
        takes: Who takes the patterns, such as "freeze".

    Raises:
        ArgumentError: There is no pattern, or one is no text.
        PathError: A pattern matches no name; those nearby are listed.
    """
    names = list(names)
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise ArgumentError(f'{takes} takes patterns such as "0.*", got {patterns!r}.')
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise PathError(
                f"{takes} takes patterns of parameters, got {pattern!r}, which matches none.",
                help=near(pattern, names),
            )
    return frozenset(n for n in names if any(fnmatchcase(n, p) for p in patterns))


def near(name: str, names: list[str]) -> str:
    """What is said of names near one that is not there."""
    below = [n for n in names if n.startswith(f"{name}.")]
    if below:
        return f"{name}.* names what is below it: {_few(below)}."
    close = get_close_matches(name, names, 5, 0.5)
    return f"the nearest are {_few(close)}." if close else f"there are {_few(names) or 'none'}."


def with_part(layer: Layer, path: str, new: Layer) -> Layer:
    """A layer with another one at a path below it; what it was made of else stays.

    Raises:
        LayerError: The path leads into a shared layer where it stands again.
    """
    first: dict[int, str] = {}
    for here, part in walk(layer):
        kept = first.setdefault(id(part), here) if part.shares else here
        if kept != here and path.startswith(f"{here}."):
            raise LayerError(
                f"The layer at {here!r} shares with one before it.",
                help=f"replace the part at {kept!r}: it is that of all places.",
            )
    # A shared layer is new at this path alone, and stays what it is elsewhere.
    whole = rebuilt(layer, lambda here, part: new if here == path else part)
    assert isinstance(whole, Layer)
    return whole


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more
