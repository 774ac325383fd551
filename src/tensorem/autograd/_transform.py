"""A transform of JAX that differentiates, with errors of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from ._given import Argnums, Fn, Tree, floats


@dataclass(frozen=True)
class Transform:
    """A function of a function: of which JAX makes a derivative.

    Args:
        name: Who takes the arguments, in errors.
        of: The transform of JAX: (f, argnums) -> derivative, or (f, argnums, has_aux).
        gives: What f has to give: `to_floats` or `to_number`.
    """

    name: str
    of: Callable[..., Fn]
    gives: Callable[[str, Fn, bool], Fn]

    def __call__(self, f: Fn, argnums: Argnums = 0, has_aux: bool = False) -> Fn:
        """The derivative, as a function of the arguments of f."""

        @wraps(f)
        def derivative(*xs: Tree, **kw: Tree) -> Tree:
            given = floats(self.name, f, xs, argnums)
            return self.of(self.gives(self.name, f, has_aux), argnums, has_aux)(*given, **kw)

        return derivative
