"""Devices in a grid: each batch split along one axis, and parameters along both, by rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as Spec
from jax.tree_util import DictKey, tree_map_with_path

from tensorem.calls import integer, named
from tensorem.errors import ArgumentError

from ._state import Arrays
from ._whole import whole

T = TypeVar("T")
Axis = Literal["data", "model"]
AXES = ("data", "model")
Split = Axis | tuple[Axis | None, ...]
"""How an array is split: an axis of the grid for each axis of the array, or None; one name alone
is for the longest axis that it divides."""


@dataclass(frozen=True)
class Mesh:
    """Devices in a grid of data x model; `train.fit(..., backend=Compute(devices=Mesh(data=8)))`.

    The result is that of one device but for rounding: statistics of batches, counts and random
    draws are those of whole batches.

    Args:
        data: In how many parts each batch is computed, side by side; None: as many as there are
            devices for.
        model: Along how many devices more parameters may be split.
        rules: Pattern of parameters -> how they and their optimizer's memory are split; the first
            that fits decides, and what none fits lies whole on each device. {"*": "data"} is
            fully sharded data parallel.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> Mesh(data=4, model=2, rules={"*.weight": ("model", None)})
        Mesh(data=4, model=2, rules=(('*.weight', ('model', None)),))
    """

    data: int | None = None
    model: int = 1
    rules: Mapping[str, Split] | tuple[tuple[str, Split], ...] = ()

    def __post_init__(self) -> None:
        with named("Mesh"):
            if self.data is not None:
                object.__setattr__(self, "data", integer("data", self.data, 1))
            object.__setattr__(self, "model", integer("model", self.model, 1))
        pairs = self.rules.items() if isinstance(self.rules, Mapping) else self.rules
        object.__setattr__(self, "rules", tuple(_rule(*pair) for pair in pairs))

    def parts(self) -> int:
        """In how many parts a batch is computed here.

        Raises:
            ArgumentError: There are not as many devices, or processes that would have no part.
        """
        there = jax.device_count()
        data = max(there // self.model, 1) if self.data is None else self.data
        if data * self.model > there:
            raise ArgumentError(
                f"A Mesh takes up to the {there} devices that JAX has, got data={data} x "
                f"model={self.model}.",
                help="on processors: XLA_FLAGS=--xla_force_host_platform_device_count="
                f"{data * self.model}.",
            )
        if jax.process_count() > 1 and data * self.model != there:
            raise ArgumentError(
                f"A Mesh over processes takes all {there} devices, got data={data} x "
                f"model={self.model}."
            )
        return data

    def require_batch(self, batch_size: int) -> None:
        """Raise unless a batch can be split evenly.

        Raises:
            ArgumentError: It cannot.
        """
        if batch_size % self.parts():
            raise ArgumentError(
                f"A Mesh takes a batch_size that data={self.parts()} divides, got {batch_size}."
            )


def mesh_of(given: Any) -> Mesh | None:
    """A mesh, what was recorded of one, or None.

    Raises:
        ArgumentError: It is none of these.
    """
    if given is None or isinstance(given, Mesh):
        return given
    if isinstance(given, dict):
        return Mesh(**given)
    raise ArgumentError(
        f"Compute takes devices as a Mesh, got {given!r}.", help="train.Mesh(data=8)."
    )


def _rule(pattern: object, split: object) -> tuple[str, Any]:
    found = tuple(split) if isinstance(split, tuple | list) else split
    axes = [axis for axis in found if axis is not None] if isinstance(found, tuple) else [found]
    if not isinstance(pattern, str) or len(set(axes)) < len(axes) or not set(axes) <= {*AXES}:
        raise ArgumentError(
            "Mesh takes rules as pattern: 'data', 'model', or a tuple of them and None, each once, "
            f"got {pattern!r}: {split!r}."
        )
    return pattern, found


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the arrays of a run lie.

    Args:
        mesh: The devices, along "data" and "model".
        specs: Parameter -> how it is split.
        shapes: Parameter -> its shape.
    """

    mesh: jax.sharding.Mesh
    specs: dict[str, Spec]
    shapes: dict[str, tuple[int, ...]]

    def split(self, tree: T) -> T:
        """Where each array of a tree lies: those by the name and of the shape of a parameter with
        it, such as what an optimizer remembers of it; any other one on every device.
        """

        def of(path: tuple[Any, ...], leaf: Any) -> NamedSharding:
            name = path[-1].key if path and isinstance(path[-1], DictKey) else None
            like = self.shapes.get(str(name)) == np.shape(leaf)
            return NamedSharding(self.mesh, self.specs[str(name)] if like else Spec())

        found: T = tree_map_with_path(of, tree)
        return found

    def place(self, tree: T) -> T:
        """The same tree with its arrays where they are to lie."""
        found: T = jax.tree.map(_put, tree, self.split(tree))
        return found

    def everywhere(self, tree: T) -> T:
        """The same tree with its arrays whole on every device; all processes have the same ones."""
        where = NamedSharding(self.mesh, Spec())
        found: T = jax.tree.map(lambda array: _put(array, where), tree)
        return found

    def held(self, tree: T) -> T:
        """The same, within a program."""
        found: T = jax.lax.with_sharding_constraint(tree, self.split(tree))
        return found

    def rows(self, batch: T) -> T:
        """A batch split by its rows, within a program; or whole on each device."""
        size, parts = len(jax.tree.leaves(batch)[0]), self.mesh.shape["data"]
        where = NamedSharding(self.mesh, Spec("data") if size % parts == 0 else Spec())
        found: T = jax.lax.with_sharding_constraint(batch, where)
        return found


def _put(array: Any, where: NamedSharding) -> Array:
    """The array where it is to lie: each process gives the parts of its own devices."""
    if _lies(array, where):
        placed: Array = array
        return placed
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        data = _put(jax.random.key_data(array), where)
        key: Array = jax.random.wrap_key_data(data, impl=jax.random.key_impl(array))
        return key
    host = np.asarray(whole(array))
    return jax.make_array_from_callback(host.shape, where, lambda index: host[index])


def _lies(array: Any, where: NamedSharding) -> bool:
    return isinstance(array, Array) and array.sharding.is_equivalent_to(where, array.ndim)


def grid_of(mesh: Mesh | None, params: Arrays) -> Grid | None:
    """The devices of a mesh, with the parameters split by its rules; None for one device.

    Raises:
        ArgumentError: There are not as many devices, or a rule fits no parameter or divides none.
    """
    if mesh is None:
        return None
    sizes = {"data": mesh.parts(), "model": mesh.model}
    chosen = np.array(jax.devices()[: sizes["data"] * mesh.model])
    grid = jax.sharding.Mesh(chosen.reshape(tuple(sizes.values())), AXES)
    shapes = {name: tuple(array.shape) for name, array in params.items()}
    rules: Any = mesh.rules
    _require_used([pattern for pattern, _ in rules], shapes)
    specs = {name: _spec(name, shape, rules, sizes) for name, shape in shapes.items()}
    return Grid(grid, specs, shapes)


def _require_used(patterns: Iterable[str], names: Iterable[str]) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ArgumentError(
                f"Mesh takes rules that fit parameters, got {pattern!r}.",
                because=f"there are {', '.join(list(names)[:8])}.",
            )


def _spec(
    name: str,
    shape: tuple[int, ...],
    rules: tuple[tuple[str, Split], ...],
    sizes: Mapping[str, int],
) -> Spec:
    pattern, split = next((rule for rule in rules if fnmatchcase(name, rule[0])), ("", ()))
    if isinstance(split, str):
        fitting = [n for n in shape if n % sizes[split] == 0]
        at = shape.index(max(fitting)) if fitting else len(shape)
        return Spec(*(split if i == at else None for i in range(len(shape))))
    parts = [1 if axis is None else sizes[axis] for axis in split]
    if len(split) > len(shape) or any(n % p for n, p in zip(shape, parts, strict=False)):
        raise ArgumentError(
            f"The rule {pattern!r}: {split} takes arrays that it divides, got {name} of shape "
            f"{shape}, in parts {tuple(parts)}."
        )
    return Spec(*split)
