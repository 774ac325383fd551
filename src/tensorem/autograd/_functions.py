"""Derivatives of functions: JAX's transforms, with errors of ours.

Each gives a function that can be differentiated again, and stand in `jax.jit` and `vmap`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax

from tensorem.calls import called
from tensorem.errors import ArgumentError, ShapeError
from tensorem.ops import translated

from ._given import Argnums, Fn, Tree, floats, like, name_of, to_floats, to_number
from ._transform import Transform


@called
def grad(f: Fn, argnums: Argnums = 0, has_aux: bool = False) -> Fn:
    """The gradient of a function that gives one number, as a function of the same arguments.

    Args:
        f: A pure function of arrays, or of trees of them.
        argnums: The argument to differentiate in; a tuple of places gives a tuple of gradients.
        has_aux: Whether f gives (value, aux); the result then gives (gradient, aux).

    Raises:
        ArgumentError: From the result: there is no such argument, or f is no pure function.
        ShapeError: From the result: f gives more than one number.
        DTypeError: From the result: f does not lead from floats to floats.

    Example:
        >>> import jax.numpy as jnp
        >>> cube = lambda x: x**3
        >>> [float(d(2.0)) for d in (grad(cube), grad(grad(cube)))]
        [12.0, 12.0]
        >>> grad(lambda x, y: jnp.sum(x * y), argnums=1)(jnp.ones(2), jnp.zeros(2)).tolist()
        [1.0, 1.0]
    """
    return Transform("grad", jax.grad, to_number)(f, argnums, has_aux)


@called
def value_and_grad(f: Fn, argnums: Argnums = 0, has_aux: bool = False) -> Fn:
    """The value and the gradient of a function in one pass: see `grad`.

    Args:
        f: A pure function that gives one number.
        argnums: The argument to differentiate in; a tuple of places gives a tuple of gradients.
        has_aux: Whether f gives (value, aux); the result then gives ((value, aux), gradient).

    Raises:
        ArgumentError: From the result, as `grad`.
        ShapeError: From the result: f gives more than one number.
        DTypeError: From the result: f does not lead from floats to floats.

    Example:
        >>> value, slope = value_and_grad(lambda x: x**2)(3.0)
        >>> float(value), float(slope)
        (9.0, 6.0)
    """
    return Transform("value_and_grad", jax.value_and_grad, to_number)(f, argnums, has_aux)


@called
def jacrev(f: Fn, argnums: Argnums = 0, has_aux: bool = False) -> Fn:
    """The Jacobian by reverse mode, one pass for each output: for few outputs.

    Shapes:
        x (*in), f(x) (*out)  ->  (*out, *in)

    Args:
        f: A pure function; where it gives a tree, so does the result.
        argnums: The argument to differentiate in; a tuple of places gives a tuple of Jacobians.
        has_aux: Whether f gives (value, aux); the result then gives (Jacobian, aux).

    Raises:
        ArgumentError: From the result, as `grad`.
        DTypeError: From the result: f does not lead from floats to floats.

    Example:
        >>> import jax.numpy as jnp
        >>> jacrev(lambda x: x * x)(jnp.array([1.0, 2.0])).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
    """
    return Transform("jacrev", jax.jacrev, to_floats)(f, argnums, has_aux)


@called
def jacfwd(f: Fn, argnums: Argnums = 0, has_aux: bool = False) -> Fn:
    """The Jacobian by forward mode, one pass for each input: for few inputs. As `jacrev`.

    Shapes:
        x (*in), f(x) (*out)  ->  (*out, *in)

    Args:
        f: A pure function; where it gives a tree, so does the result.
        argnums: The argument to differentiate in; a tuple of places gives a tuple of Jacobians.
        has_aux: Whether f gives (value, aux); the result then gives (Jacobian, aux).

    Raises:
        ArgumentError: From the result, as `grad`.
        DTypeError: From the result: f does not lead from floats to floats.

    Example:
        >>> import jax.numpy as jnp
        >>> jacfwd(lambda t: jnp.stack([t, t * t]))(3.0).tolist()
        [1.0, 6.0]
    """
    return Transform("jacfwd", jax.jacfwd, to_floats)(f, argnums, has_aux)


@called
def hessian(f: Fn, argnums: Argnums = 0) -> Fn:
    """The second derivatives of a function: forward over reverse.

    Shapes:
        x (*in), f(x) (*out)  ->  (*out, *in, *in)

    Args:
        f: A pure function.
        argnums: The argument to differentiate in; of a tuple of places, all pairs.

    Raises:
        ArgumentError: From the result, as `grad`.
        DTypeError: From the result: f does not lead from floats to floats.

    Example:
        >>> import jax.numpy as jnp
        >>> hessian(lambda x: x[0] ** 2 * x[1])(jnp.array([1.0, 2.0])).tolist()
        [[4.0, 2.0], [2.0, 0.0]]
    """
    return Transform("hessian", jax.hessian, to_floats)(f, argnums)


@called
def vjp(f: Fn, *primals: Tree) -> tuple[Tree, Callable[[Tree], Tree]]:
    """The value of f, and the function that pulls a cotangent of it back: v -> v · (df/dx).

    Returns:
        (value, pull). pull gives the product for each argument: a tuple, or of one argument that
        alone, as in torch.func.

    Raises:
        ArgumentError: f is no pure function, or there are no arguments.
        ShapeError: From pull: the cotangent has not the shapes of the value.
        DTypeError: f does not lead from floats to floats, or the cotangent has other dtypes.

    Example:
        >>> import jax.numpy as jnp
        >>> value, pull = vjp(lambda x: x * x, jnp.array([1.0, 2.0]))
        >>> pull(jnp.array([1.0, 10.0])).tolist()
        [2.0, 40.0]
    """
    given = floats("vjp", f, primals, tuple(range(len(primals))))
    value, back = jax.vjp(to_floats("vjp", f), *given)

    def pull(cotangent: Tree) -> Tree:
        found = back(like("vjp", "a cotangent", cotangent, value))
        return found[0] if len(found) == 1 else found

    return value, pull


@called
def jvp(f: Fn, primals: tuple[Tree, ...], tangents: tuple[Tree, ...]) -> tuple[Tree, Tree]:
    """The value of f and its derivative along tangents: (df/dx) · v.

    Args:
        f: A pure function.
        primals: Its arguments, a tuple.
        tangents: A direction for each, of its shapes and dtypes.

    Returns:
        (value, derivative), of the same shapes.

    Raises:
        ArgumentError: f is no pure function, or primals are no tuple.
        ShapeError: The tangents have not the shapes of the primals.
        DTypeError: f does not lead from floats to floats, or the tangents have other dtypes.

    Example:
        >>> import jax.numpy as jnp
        >>> value, slope = jvp(lambda x: x * x, (jnp.array([1.0, 2.0]),), (jnp.array([1.0, 10.0]),))
        >>> slope.tolist()
        [2.0, 40.0]
    """
    value, slope = jax.jvp(to_floats("jvp", f), *_directed("jvp", f, primals, tangents))
    return value, slope


@called
def hvp(f: Fn, primals: tuple[Tree, ...], tangents: tuple[Tree, ...]) -> Tree:
    """The product of the Hessian of f and tangents, without the Hessian: forward over reverse.

    Args:
        f: A pure function that gives one number.
        primals: Its arguments, a tuple; the Hessian is that in all of them.
        tangents: A direction for each, of its shapes and dtypes.

    Returns:
        The product for each argument: a tuple, or of one argument that alone.

    Raises:
        ArgumentError: f is no pure function, or primals are no tuple.
        ShapeError: f gives more than one number, or the tangents have other shapes.
        DTypeError: f does not lead from floats to floats, or the tangents have other dtypes.

    Example:
        >>> import jax.numpy as jnp
        >>> hvp(lambda x: x[0] ** 2 * x[1], (jnp.array([1.0, 2.0]),), (jnp.ones(2),)).tolist()
        [6.0, 2.0]
    """
    given, along = _directed("hvp", f, primals, tangents)
    gradient = jax.grad(to_number("hvp", f), tuple(range(len(given))))
    found = jax.jvp(gradient, given, along)[1]
    return found[0] if len(given) == 1 else found


def _directed(
    name: str, f: Fn, primals: object, tangents: object
) -> tuple[tuple[Tree, ...], tuple[Tree, ...]]:
    for what, given in ("primals", primals), ("tangents", tangents):
        if not isinstance(given, tuple | list):
            raise ArgumentError(
                f"takes {what} as a tuple with an entry for each argument of f, got "
                f"{type(given).__name__}.",
                help="of one argument: (x,).",
            )
    xs = floats(name, f, tuple(primals), tuple(range(len(primals))))  # type: ignore[arg-type]
    return xs, like(name, "tangents", tuple(tangents), xs)  # type: ignore[arg-type]


@called
def vmap(f: Fn, in_dims: Any = 0, out_dims: Any = 0) -> Fn:
    """The function that does f for every entry along an axis, all at once.

    Args:
        f: A function of arrays, such as a gradient.
        in_dims: The axis of each argument: one number for all, or a tuple with a number, a tree of
            numbers or None for each; None holds an argument fixed.
        out_dims: Where the axis stands in what comes out.

    Raises:
        ShapeError: From the result: the arguments have no such axis, or several sizes.
        ArgumentError: From the result: f is no pure function.

    Example:
        >>> import jax.numpy as jnp
        >>> slopes = vmap(grad(lambda w, x: jnp.sum(w * x) ** 2), in_dims=(None, 0))
        >>> slopes(jnp.ones(2), jnp.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[6.0, 12.0], [42.0, 56.0]]
    """

    @wraps(f)
    def mapped(*xs: Tree, **kw: Tree) -> Tree:
        try:
            with translated(name_of(f), ArgumentError):
                return jax.vmap(f, in_dims, out_dims)(*xs, **kw)
        except (TypeError, ValueError) as error:
            if not str(error).startswith(("vmap ", "axis ")):
                raise
            raise ShapeError(f"vmap takes axes that are there: {_in_words(error)}.") from error

    return mapped


def _in_words(error: Exception) -> str:
    """What JAX says of axes, in one line and in the words of the arguments here."""
    said = " ".join(str(error).removeprefix("vmap ").split()).rstrip(".;")
    return said.replace("in_axes", "in_dims").replace("out_axes", "out_dims")
