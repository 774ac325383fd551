"""Parameters by pattern: which optimizer has which, and what each keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tensorem.errors import ArgumentError

if TYPE_CHECKING:
    import optax


def split(patterns: Iterable[str], names: Iterable[str]) -> dict[str, list[str]]:
    """Pattern -> the names that it has: those it fits, and no pattern before it.

    Raises:
        ArgumentError: A name fits none.

    Example:
        >>> split(["*.bias", "*"], ["0.weight", "0.bias"])
        {'*.bias': ['0.bias'], '*': ['0.weight']}
    """
    found: dict[str, list[str]] = {pattern: [] for pattern in patterns}
    for name in names:
        pattern = next((p for p in found if fnmatchcase(name, p)), None)
        if pattern is None:
            raise ArgumentError(
                f"groups takes a pattern for every parameter, got none for {name}.",
                help='"*": ... as the last has all others; None leaves them as they are.',
            )
        found[pattern].append(name)
    return found


def require_members(patterns: Iterable[str], names: Iterable[str]) -> None:
    """Raise unless every pattern has a parameter, and every parameter a pattern.

    Raises:
        ArgumentError: It says which, and which names are near.
    """
    known = list(names)
    for pattern, members in split(patterns, known).items():
        if not members:
            fits = [name for name in known if fnmatchcase(name, pattern)]
            raise ArgumentError(
                f"groups takes patterns that have a parameter each, got {pattern!r} with none.",
                because="patterns before it have all that it fits." if fits else "",
                help="" if fits else f"near: {', '.join(_near(pattern, known))}.",
            )


def _near(pattern: str, names: list[str]) -> list[str]:
    return get_close_matches(pattern.replace("*", ""), names, 3, 0.3) or names[:3]


def grouped(transforms: Mapping[str, optax.GradientTransformation]) -> optax.GradientTransformation:
    """The transformation of a dictionary of arrays by name, of which each group has its own."""
    import optax

    def parts(arrays: Any) -> dict[str, Any]:
        found = split(transforms, arrays)
        return {p: {name: arrays[name] for name in names} for p, names in found.items() if names}

    def init(params: Any) -> Any:
        return {p: transforms[p].init(part) for p, part in parts(params).items()}

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        known = parts(params) if params is not None else {}
        moved: dict[str, Any] = {
            p: transforms[p].update(part, state[p], known.get(p))
            for p, part in parts(updates).items()
        }
        after = {name: u for part, _ in moved.values() for name, u in part.items()}
        return after, {p: kept for p, (_, kept) in moved.items()}

    return optax.GradientTransformation(init, update)
