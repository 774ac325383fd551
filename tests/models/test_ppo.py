"""Returns and advantages of a chain whose values are known exactly: a time limit is no death."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import models
from tensorem.errors import ArgumentError, DTypeError, ShapeError

HALF = Fraction(1, 2)
REWARDS = [Fraction(s + 1) for s in range(5)]
"""Of a chain 0 -> 1 -> 2 -> 3 -> 4 -> its end: the step out of state s gives s + 1."""
VALUES = [sum(HALF**k * r for k, r in enumerate(REWARDS[s:])) for s in range(5)] + [Fraction(0)]
"""The exact value of each state with a discount of 1/2, and 0 behind the end."""


def read(function: Any, *rows: Any) -> list[Fraction]:
    """A function of a rollout in exact arithmetic."""
    arrays = [np.array(r, bool if isinstance(r[0], bool) else np.float32) for r in rows]
    specs = [tm.Spec(a.shape, a.dtype.name) for a in arrays]
    exact: Any = tm.evaluate(tm.capture(function, *specs), *arrays, dtype="rational")
    return [Fraction(*v.as_integer_ratio()) for v in exact.to_float().tolist()]


def rollout(first: int, last: int) -> tuple[list[Fraction], list[Fraction], list[bool], list[bool]]:
    """Rewards, exact values of what is reached, and whether it ended or was cut off: states first
    to last, where 4 leads to the end.
    """
    states = range(first, last + 1)
    ends = [s == 4 for s in states]
    cut = [s == last and s != 4 for s in states]
    return [REWARDS[s] for s in states], [VALUES[s + 1] for s in states], ends, cut


@pytest.mark.parametrize("last", [2, 4])
def test_returns_of_a_chain_are_its_values_whether_it_ends_or_is_cut(last: int) -> None:
    rewards, ahead, ends, cut = rollout(0, last)
    returns = partial(models.discounted_returns, gamma=0.5)
    assert read(returns, rewards, ahead, ends, cut) == VALUES[: last + 1]
    # where the steps end without a word, the value stands for the rest too
    assert read(returns, rewards, ahead, ends, [False] * len(cut)) == VALUES[: last + 1]
    if last == 2:  # taken for a death, all values are too small
        died = read(returns, rewards, ahead, cut, [False] * 3)
        assert died == [1 + HALF * 2 + HALF**2 * 3, 2 + HALF * 3, 3]


def test_advantages_of_exact_values_are_0_across_deaths_and_cuts() -> None:
    """Three episodes one behind the other, whose critic is right: nothing is better than expected,
    though the next row belongs to another episode.
    """
    parts = [rollout(0, 2), rollout(1, 4), rollout(3, 3)]
    rewards, ahead, ends, cut = ([x for p in parts for x in p[i]] for i in range(4))
    values = VALUES[0:3] + VALUES[1:5] + VALUES[3:4]
    found = read(partial(models.gae, gamma=0.5, lam=0.5), rewards, values, ahead, ends, cut)
    assert found == [0] * 8


def test_advantages_are_those_of_a_plain_writing() -> None:
    rng = np.random.default_rng(0)
    rewards, values, ahead = rng.normal(size=(3, 9, 2)).astype(np.float32)
    ends, cut = rng.random((2, 9, 2)) < 0.25
    found = jax.jit(partial(models.gae, gamma=0.9, lam=0.8))(rewards, values, ahead, ends, cut)
    after, expected = np.zeros(2), np.zeros((9, 2))
    for t in reversed(range(9)):
        delta = rewards[t] + 0.9 * np.where(ends[t], 0, ahead[t]) - values[t]
        after = delta + 0.72 * np.where(ends[t] | cut[t], 0, after)
        expected[t] = after
    assert_close(found, expected, rtol=1e-4)


def test_the_objective_does_not_reward_to_go_too_far() -> None:
    ratio, advantage = np.array([0.5, 0.5, 1.0, 2.0, 2.0]), np.array([1.0, -1, 3, 1, -1])
    gained = np.minimum(ratio * advantage, np.clip(ratio, 0.8, 1.2) * advantage)

    def loss(log_prob: Any) -> Any:
        return models.ppo_clip(log_prob, jnp.zeros(5), jnp.asarray(advantage, jnp.float32))[0]

    total, slopes = jax.value_and_grad(loss)(jnp.log(jnp.asarray(ratio, jnp.float32)))
    assert_close(total, -gained.sum())
    assert_close(slopes, [-0.5, 0, -3, 0, 2])  # none where the clipped one counts


def test_what_is_refused() -> None:
    x, no = jnp.ones(3), jnp.zeros(3, bool)
    for f, args in ((models.gae, (x, x, x)), (models.discounted_returns, (x, x))):
        name = f.__name__
        with pytest.raises(ArgumentError, match=f"{name} takes gamma"):
            f(*args, no, no, gamma=1.5)
        with pytest.raises(ShapeError, match=rf"{name} takes arrays of one shape .*\(2,\)"):
            f(*args, no[:2], no)
        with pytest.raises(DTypeError, match=f"{name} takes truncated as truth values, got float"):
            f(*args, no, x)
    with pytest.raises(ArgumentError, match="gae takes lam"):
        models.gae(x, x, x, no, no, lam=-0.1)
    with pytest.raises(ArgumentError, match="ppo_clip takes clip"):
        models.ppo_clip(x, x, x, clip=0)
    with pytest.raises(ShapeError, match="ppo_clip takes three arrays of one shape"):
        models.ppo_clip(x, x, x[:2])
