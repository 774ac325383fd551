"""Arrays of several devices, and processes, as one device and one process has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax import Array
from jax.sharding import NamedSharding, PartitionSpec

T = TypeVar("T")


def whole(tree: T) -> T:
    """The same tree with every array whole on one device of this process; all processes call it."""
    found: T = jax.tree.map(_whole, tree)
    return found


def _whole(array: Any) -> Any:
    if not isinstance(array, Array) or len(array.sharding.device_set) == 1:
        return array
    if not array.is_fully_replicated:
        assert isinstance(array.sharding, NamedSharding)
        array = _gather(NamedSharding(array.sharding.mesh, PartitionSpec()))(array)
    return array.addressable_data(0)


def _gather(where: NamedSharding) -> Callable[[Array], Array]:
    return jax.jit(lambda array: array, out_shardings=where)
