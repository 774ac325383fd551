"""Counterexamples by projected gradient ascent, kept inside the box.

Source: Madry et al. 2018, section 2.1, with steps that shrink.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

STEPS = 20


def above(outputs: Array, label: Array) -> Array:
    """By how much another output is above that of the label: at least 0 if it is refuted."""
    others = jnp.where(jnp.arange(outputs.size) == label, -jnp.inf, outputs)
    return jnp.max(others) - outputs[label]


def worst(
    miss: Callable[[Array], Array], center: Array, lower: Array, upper: Array
) -> tuple[Array, Array]:
    """The point of a box found at which a function is greatest.

    Args:
        miss: One input -> a number: by how much a claim is missed there.
        center: Where the ascent starts; so does another from a corner.
        lower: Least input.
        upper: Greatest input.

    Returns:
        The point, and the number there.
    """

    def step(i: int, best: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, champion, record = best
        score, slope = jax.value_and_grad(miss)(x)
        better = score > record
        reach = (upper - lower) * 0.5 * (1 - i / STEPS)
        x_next = jnp.clip(x + reach * jnp.sign(slope), lower, upper)
        return x_next, jnp.where(better, x, champion), jnp.maximum(score, record)

    def ascent(start: Array) -> tuple[Array, Array]:
        _, x, score = lax.fori_loop(0, STEPS, step, (start, start, -jnp.inf))
        return x, score

    corner = jnp.where(jax.grad(miss)(center) > 0, upper, lower)
    points, scores = jax.vmap(ascent)(jnp.stack([center, corner]))
    first = jnp.argmax(scores)
    return points[first], scores[first]
