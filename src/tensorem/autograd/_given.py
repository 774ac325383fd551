"""What a transform is given: arguments that have derivatives, directions, and what f gives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path, tree_map_with_path

from tensorem.calls import named
from tensorem.dtypes import FLOATING, as_numbers, exactly, taken
from tensorem.errors import ArgumentError, DTypeError, ShapeError
from tensorem.ops import translated

Tree = Any
"""An array or a number, or tuples, lists and dicts of trees."""

Fn = Callable[..., Tree]
"""A pure function of arrays, or of trees of them."""

Argnums = int | tuple[int, ...]
"""The place of an argument, or of several."""


def floats(name: str, f: Fn, xs: tuple[Tree, ...], argnums: Argnums) -> tuple[Tree, ...]:
    """The arguments of f; those at argnums hold floats and nothing else.

    Raises:
        ArgumentError: There is no such argument, or f is no function.
        DTypeError: One of them holds something else.
    """
    with named(name):
        places = _places(f, argnums, len(xs))
        called = _labels(f, len(xs))
        return tuple(
            _floats(x, label) if i in places else x
            for i, (x, label) in enumerate(zip(xs, called, strict=True))
        )


def _places(f: Fn, argnums: Argnums, n: int) -> set[int]:
    if not callable(f):
        raise ArgumentError(f"takes a function, got {type(f).__name__}.")
    places = argnums if isinstance(argnums, tuple) else (argnums,)
    if not places or not all(type(i) is int and -n <= i < n for i in places):
        raise ArgumentError(
            f"takes argnums as places of the {n} arguments, got {argnums!r}.",
            help="an argument to be differentiated is given by its place, not by its name.",
        )
    return {i % n for i in places}


def _labels(f: Fn, n: int) -> list[str]:
    """What the arguments are called where f says it."""
    names: list[str] = []
    with suppress(TypeError, ValueError):
        own = signature(f).parameters.values()
        names = [p.name for p in own if p.kind <= p.POSITIONAL_OR_KEYWORD]
    return [*names[:n], *(f"args[{i}]" for i in range(len(names), n))]


def _floats(x: Tree, label: str) -> Tree:
    return tree_map_with_path(lambda path, leaf: _float(leaf, label + keystr(path)), x)


def _float(x: object, label: str) -> object:
    """An array of floats; one of NumPy in JAX's dtype for it, if that holds its values."""
    if isinstance(x, float) and not isinstance(x, np.generic):
        return x
    array = x if isinstance(x, jax.Array) else as_numbers(x)
    if array.dtype.name not in FLOATING:
        raise DTypeError(
            f"takes floats, got {array.dtype.name} as {label}.",
            because="only a function of real numbers has a derivative.",
            help="take it as an argument that argnums does not name, or convert it to float32.",
        )
    if isinstance(array, jax.Array):
        return array
    return exactly(array, jax.dtypes.canonicalize_dtype(array.dtype).name, label)


def one_array(name: str, x: Tree) -> jax.Array:
    """An argument that is one array.

    Raises:
        ShapeError: It is a tree of several.
    """
    with named(name):
        if not jax.tree_util.all_leaves([x]):
            raise ShapeError(f"takes one array, got a {type(x).__name__}.")
    return jnp.asarray(x)


def like(name: str, what: str, given: Tree, x: Tree) -> Tree:
    """A tree of directions: the shapes and dtypes of x, in the containers of x.

    Raises:
        ShapeError: The tree or a shape is another.
        DTypeError: A dtype is another, and the values do not survive conversion.
    """
    with named(name):
        pairs, tree = tree_flatten_with_path(x)
        own = tree_flatten_with_path(given)[0]
        if [path for path, _ in own] != [path for path, _ in pairs]:
            raise ShapeError(
                f"takes {what} as a tree like {_tree(x)}, got {_tree(given)}.",
                help="a direction has an entry for each entry of what it belongs to.",
            )
        leaves = (_like(what, v, leaf) for (_, v), (_, leaf) in zip(own, pairs, strict=True))
        return jax.tree.unflatten(tree, leaves)


def _like(what: str, given: object, x: Tree) -> object:
    direction = taken(given, jnp.result_type(x).name)
    if direction.shape != jnp.shape(x):
        raise ShapeError(f"takes {what} of shape {jnp.shape(x)}, got {direction.shape}.")
    return direction


def _tree(x: Tree) -> str:
    """A tree in which every array is a star."""
    return str(jax.tree.structure(x)).removeprefix("PyTreeDef(").removesuffix(")")


def to_floats(name: str, f: Fn, has_aux: bool = False) -> Fn:
    """The function f; an error of JAX in it is ours, and its value holds floats.

    Args:
        name: Who asks, for the error.
        has_aux: Whether f gives (value, something else).

    Raises:
        ArgumentError: From the result: f is no pure function of arrays, or gives no such pair.
        DTypeError: From the result: f gives something else than floats.

    Example:
        >>> to_floats("slope", jnp.argmax)(jnp.ones(2))
        Traceback (most recent call last):
        tensorem.errors.DTypeError: slope takes a function that gives floats, got one to int32.
    """

    def check(value: Tree) -> None:
        for leaf in jax.tree.leaves(value):
            dtype = jnp.result_type(leaf).name if _is_number(leaf) else type(leaf).__name__
            if dtype not in FLOATING:
                raise DTypeError(f"takes a function that gives floats, got one to {dtype}.")

    return _checked(name, f, has_aux, check)


def to_number(name: str, f: Fn, has_aux: bool = False) -> Fn:
    """The function f, which gives one float; as `to_floats`.

    Raises:
        ShapeError: From the result: f gives more than one number.
        ArgumentError: From the result: f is no pure function of arrays, or gives no such pair.
        DTypeError: From the result: f gives something else than floats.
    """

    def check(value: Tree) -> None:
        shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(value) if _is_number(leaf)]
        if shapes != [()]:
            raise ShapeError(
                f"takes a function that gives one number, got one to {_shapes(value)}.",
                help="give its sum or mean; autograd.jacrev differentiates every output.",
            )

    return to_floats(name, _checked(name, f, has_aux, check), has_aux)


def _shapes(value: Tree) -> str:
    return ", ".join(str(jnp.shape(v)) for v in jax.tree.leaves(value) if _is_number(v)) or "none"


def _is_number(x: object) -> bool:
    return isinstance(x, int | float | complex | jax.Array | np.ndarray | np.generic)


def _checked(name: str, f: Fn, has_aux: bool, check: Callable[[Tree], None]) -> Fn:
    @wraps(f)
    def checked(*xs: Tree, **kw: Tree) -> Tree:
        with translated(name_of(f), ArgumentError):
            given = f(*xs, **kw)
        with named(name):
            check(_with_aux(given)[0] if has_aux else given)
        return given

    return checked


def _with_aux(given: Tree) -> tuple[Tree, Tree]:
    if isinstance(given, tuple) and len(given) == 2:
        return given
    raise ArgumentError(
        f"takes a function that gives (value, aux), got one to {type(given).__name__}.",
        because="has_aux=True says that f gives a pair.",
    )


def name_of(f: Fn) -> str:
    """What a function is called in an error."""
    return getattr(f, "__name__", type(f).__name__)
