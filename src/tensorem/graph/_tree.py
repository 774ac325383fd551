"""Trees of names: how a graph groups its arguments and its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Tree = Any
"""A tree of value names: a name, or a tuple, list or dict of trees."""


def flatten(tree: Tree) -> Iterator[Any]:
    """The leaves of a tree, dicts in the order of their sorted keys (as JAX orders them)."""
    if isinstance(tree, dict):
        for key in sorted(tree):
            yield from flatten(tree[key])
    elif isinstance(tree, tuple | list):
        for item in tree:
            yield from flatten(item)
    elif tree is not None:
        yield tree


def unflatten(tree: Tree, values: Mapping[str, Any]) -> Tree:
    """The tree with every name replaced by its value."""
    if isinstance(tree, dict):
        return {key: unflatten(item, values) for key, item in tree.items()}
    if isinstance(tree, tuple | list):
        make = getattr(type(tree), "_make", type(tree))  # of a NamedTuple
        return make(unflatten(item, values) for item in tree)
    return None if tree is None else values[tree]
