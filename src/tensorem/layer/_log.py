"""What happened in a forward pass: every call of a layer, with shapes and values."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax

from tensorem.shapes import Shape

from ._specs import Tree, shape_tree, spec_tree
from ._tree import Part


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer: its path, the shapes in and out, and which values these were.

    An input of the model is one too: its layer is None, and it takes nothing. Of a leaf it is noted
    what its rule said.
    """

    layer: Part | None
    path: str
    takes: tuple[Tree, ...]
    gives: Tree
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    specs: Tree = None
    said: Shape | None = None


@dataclass(eq=False)
class Log:
    """The calls so far, in order of their ends: each layer after the layers below it."""

    root: str = "model"
    inputs: list[Call] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    alive: list[Tree] = field(default_factory=list)
    """Values seen, kept so that no two of them ever have the same identity."""

    def begin(self, xs: Tree) -> None:
        """Note what goes into the model."""
        self.alive.append(xs)
        self.inputs += [Call(None, "", (), shape_tree(x), (), ids(x)) for x in jax.tree.leaves(xs)]

    def note(self, layer: Part, path: str, xs: Tree, y: Tree, said: Shape | None) -> None:
        self.alive += [xs, y]
        specs = spec_tree((xs, y))
        takes, gives = shape_tree(xs), shape_tree(y)
        self.calls.append(Call(layer, path, takes, gives, ids(xs), ids(y), specs, said))

    def finish(self) -> None:
        """Let go of the values: they are tracers, and must not outlive their trace."""
        self.alive.clear()


def ids(value: Tree) -> tuple[int, ...]:
    """Which values the leaves of a tree are."""
    return tuple(map(id, jax.tree.leaves(value)))
