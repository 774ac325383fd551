"""Values that no input decides: numbers, and sizes that have names."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from tensorem.graph._graph import Node
from tensorem.graph._rule import Known
from tensorem.rules._kinds import SHAPE, SIZES
from tensorem.shapes import Size


def size_value(size: Size) -> Known:
    """A size as a known value."""
    return np.array(size, object)


def computed(node: Node, operands: list[Known]) -> Known | None:
    """What a node makes of known operands; None where named sizes do not decide it."""
    row, kinds = node.row, {x.dtype.kind for x in operands}
    if any(_has_name(node.attrs[k]) for k, kind in row.attrs.items() if kind in (SIZES, SHAPE)):
        return None
    if "O" not in kinds:
        return np.asarray(row.run(*map(jnp.asarray, operands), **node.attrs))
    if row.sizes is None or not kinds <= set("Obiu"):
        return None
    values: Known | None = row.sizes(*operands, **node.attrs)
    return values


def _has_name(attr: object) -> bool:
    return isinstance(attr, str) or (isinstance(attr, tuple) and any(map(_has_name, attr)))
