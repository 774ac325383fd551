"""Values that no input decides: numbers, and sizes that have names."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from tensorem.domains import Rational
from tensorem.graph._graph import Node
from tensorem.graph._rule import Values
from tensorem.shapes import Size

ARITHMETIC = {"add", "sub", "mul", "where", "broadcast", "reshape", "concat"}
"""What JAX does to find the place of x[-1], or how many terms a sum has: ops whose exact meaning
is the same for polynomials in the place of integers."""


def size_value(size: Size) -> Values:
    """A size as a known value."""
    return np.array(size, object)


def computed(node: Node, operands: list[Values]) -> Values | None:
    """What a node makes of known operands; None where named sizes do not decide it."""
    kinds = {x.dtype.kind for x in operands}
    if "O" not in kinds:
        return np.asarray(node.row.run(*map(jnp.asarray, operands), **node.attrs))
    if node.op == "cast":  # 32 bits and more hold every size
        return operands[0] if np.dtype(node.attrs["dtype"]).itemsize >= 4 else None
    if node.op not in ARITHMETIC or not kinds <= set("Obiu"):
        return None
    sizes = [Rational(x.astype(object)) for x in operands]
    return np.asarray(node.row.meaning("exact")(*sizes, **node.attrs).num)
