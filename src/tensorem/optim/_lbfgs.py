"""L-BFGS without a line search, over all parameters as one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import optax
    from jax import Array


class Memory(NamedTuple):
    """What is kept: the last point and gradient, and the pairs of their changes, newest last."""

    taken: Array
    point: Array
    grad: Array
    moves: Array
    turns: Array
    weights: Array
    scale: Array


def scale_by_lbfgs(history_size: int) -> optax.GradientTransformation:
    """The gradient times the inverse Hessian that the last changes of the gradient tell of."""
    import jax
    import jax.numpy as jnp
    import optax
    from jax.flatten_util import ravel_pytree

    def init(params: Any) -> Memory:
        flat, _ = ravel_pytree(params)
        zero, pairs = jnp.zeros_like(flat), jnp.zeros((history_size, flat.size), flat.dtype)
        weights, one = jnp.zeros(history_size, flat.dtype), jnp.ones((), flat.dtype)
        return Memory(jnp.zeros((), jnp.int32), flat, zero, pairs, pairs, weights, one)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        (g, back), (p, _) = ravel_pytree(updates), ravel_pytree(params)
        memory = _remembered(state, g, p)
        first = jnp.minimum(1.0, 1 / jnp.sum(jnp.abs(g)))
        direction = jnp.where(state.taken == 0, first * g, _direction(memory, g))
        return back(direction), memory

    def _remembered(state: Memory, g: Array, p: Array) -> Memory:
        s, y = p - state.point, g - state.grad
        curvature = y @ s
        kept = (state.taken > 0) & (curvature > 1e-10)

        def put(old: Array, new: Array) -> Array:
            return jnp.where(kept, jnp.roll(old, -1, 0).at[-1].set(new), old)

        scale = jnp.where(kept, curvature / (y @ y), state.scale)
        pairs = put(state.moves, s), put(state.turns, y), put(state.weights, 1 / curvature)
        taken: Any = optax.safe_increment(state.taken)
        return Memory(taken, p, g, *pairs, scale)

    def _direction(memory: Memory, g: Array) -> Array:
        pairs = (memory.moves, memory.turns, memory.weights)

        def back(q: Array, pair: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            s, y, weight = pair
            a = weight * (s @ q)
            return q - a * y, a

        def forth(r: Array, pair: Any) -> tuple[Array, None]:
            (s, y, weight), a = pair
            return r + s * (a - weight * (y @ r)), None

        q, kept = jax.lax.scan(back, g, pairs, reverse=True)
        return jax.lax.scan(forth, q * memory.scale, (pairs, kept))[0]

    return optax.GradientTransformation(init, update)
