"""Counterexamples by projected gradient ascent, kept inside the box.

Source: Madry et al. 2018, section 2.1, with steps that shrink.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

STEPS = 20


def worst(
    outputs: Callable[[Array], Array], center: Array, lower: Array, upper: Array, label: Array
) -> tuple[Array, Array]:
    """The point of a box found to raise another output most above that of the label.

    Args:
        outputs: One input -> (classes,) outputs.
        center: Where the ascent starts; so does another from a corner.
        lower: Least input.
        upper: Greatest input.
        label: The output that should be greatest.

    Returns:
        The point, and by how much it misses: at least 0 if it is a counterexample.
    """

    def miss(x: Array) -> Array:
        y = outputs(x)
        others = jnp.where(jnp.arange(y.size) == label, -jnp.inf, y)
        return jnp.max(others) - y[label]

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
