"""PPO: an actor, a critic, and what is learnt of the steps of episodes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import ABOVE_0, FROM_0_TO_1, called, number
from tensorem.errors import DTypeError, ShapeError
from tensorem.losses import Pair
from tensorem.shapes import format_shape

Array = jax.Array


def ppo_actor(observation: int, hidden: int, actions: int) -> nn.Sequential:
    """Scores of actions.

    Shapes:
        (*batch, observation)  ->  (*batch, actions)

    Example:
        >>> ppo_actor(4, 32, 2).output_shape((5, 4))
        (5, 2)

    Source:
        The original's `ppoActor`.
    """
    return nn.blocks.mlp(observation, actions, (hidden,), "tanh")


def ppo_critic(observation: int, hidden: int) -> nn.Sequential:
    """The value of a state.

    Shapes:
        (*batch, observation)  ->  (*batch, 1)

    Example:
        >>> ppo_critic(4, 32).output_shape((5, 4))
        (5, 1)

    Source:
        The original's `ppoCritic`.
    """
    return nn.blocks.mlp(observation, 1, (hidden,), "tanh")


@called
def discounted_returns(
    rewards: Array, next_values: Array, terminated: Array, truncated: Array, *, gamma: float = 0.99
) -> Array:
    """What follows a step: its reward and gamma times what follows the next one.

    Nothing follows where an episode terminated. Where it was truncated, or the steps end, the value
    of the state that was reached stands for what would have followed: a time limit is no death.

    Shapes:
        all (T, *environments), terminated and truncated truth values  ->  (T, *environments)

    Args:
        rewards: What each step gave.
        next_values: The critic's value of the state that each step reached; at the end of an
            episode that of its last observation, not of the first one of the next episode.
        terminated: Whether the episode ended there.
        truncated: Whether it was cut off there.
        gamma: The discount of a step.

    Raises:
        ShapeError: The shapes differ.
        DTypeError: terminated or truncated hold no truth values.
        ArgumentError: gamma is not in [0, 1].

    Example:
        >>> one, no = jnp.ones(2), jnp.zeros(2, bool)
        >>> discounted_returns(one, 8 * one, no, no, gamma=0.5).tolist()
        [3.5, 5.0]
        >>> discounted_returns(one, 8 * one, jnp.array([False, True]), no, gamma=0.5).tolist()
        [1.5, 1.0]

    Source:
        Sutton and Barto 2018, section 3.3; Pardo et al. 2018, section 2.
    """
    _check(rewards, next_values, terminated, truncated)
    alive = F.mul(number("gamma", gamma, FROM_0_TO_1), _where_not(terminated, rewards))

    def step(after: Array, row: tuple[Array, ...]) -> tuple[Array, Array]:
        reward, going, cut, ahead = row
        now = F.add(reward, F.mul(going, F.where(cut, ahead, after)))
        return now, now

    rows = rewards, alive, truncated, next_values
    return jax.lax.scan(step, next_values[-1], rows, reverse=True)[1]


@called
def gae(
    rewards: Array,
    values: Array,
    next_values: Array,
    terminated: Array,
    truncated: Array,
    *,
    gamma: float = 0.99,
    lam: float = 0.95,
) -> Array:
    """How much better than expected a step was: generalised advantage estimates.

    A_t = δ_t + gamma · lam · A_{t+1} with δ_t = r_t + gamma · V(next) - V. The next value is 0 if
    the episode terminated; nothing comes of later steps if it terminated or was truncated.

    Shapes:
        all (T, *environments), terminated and truncated truth values  ->  (T, *environments)

    Args:
        rewards: As in `discounted_returns`.
        values: The critic's value of the state before each step.
        next_values: As in `discounted_returns`.
        terminated: Whether the episode ended there.
        truncated: Whether it was cut off there.
        gamma: The discount of a step.
        lam: How much of later steps counts; 1 for all.

    Raises:
        ShapeError: The shapes differ.
        DTypeError: terminated or truncated hold no truth values.
        ArgumentError: gamma or lam is not in [0, 1].

    Example:
        >>> one, no = jnp.ones(2), jnp.zeros(2, bool)
        >>> gae(one, 4 * one, 8 * one, no, no, gamma=0.5, lam=0.5).tolist()
        [1.25, 1.0]

    Source:
        Schulman et al. 2016, equation 16.
    """
    _check(rewards, next_values, terminated, truncated, values)
    gamma, lam = number("gamma", gamma, FROM_0_TO_1), number("lam", lam, FROM_0_TO_1)
    alive = F.mul(gamma, _where_not(terminated, rewards))
    delta = F.sub(F.add(rewards, F.mul(alive, next_values)), values)

    def step(after: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        delta, carried = row
        now = F.add(delta, F.mul(carried, after))
        return now, now

    going_on = _where_not(jnp.logical_or(terminated, truncated), rewards)
    rows = delta, F.mul(gamma * lam, going_on)
    return jax.lax.scan(step, jnp.zeros_like(rewards[0]), rows, reverse=True)[1]


def _where_not(truth: Array, like: Array) -> Array:
    """1 where it is not so, 0 where it is."""
    return jnp.logical_not(truth).astype(like.dtype)


def _check(
    rewards: Array, next_values: Array, terminated: Array, truncated: Array, *others: Array
) -> None:
    shapes = [F.shape(x) for x in (rewards, next_values, terminated, truncated, *others)]
    if len(set(shapes)) > 1 or not rewards.ndim or not rewards.shape[0]:
        got = ", ".join(map(format_shape, shapes))
        raise ShapeError(f"takes arrays of one shape (T, *environments), got {got}.")
    for name, truth in (("terminated", terminated), ("truncated", truncated)):
        if truth.dtype != bool:
            raise DTypeError(f"takes {name} as truth values, got {truth.dtype}.")


@called
def ppo_clip(log_prob: Array, before: Array, advantage: Array, *, clip: float = 0.2) -> Pair:
    """The clipped objective of PPO, to be made small, and how many steps there are.

    -min(r A, clip(r, 1 - clip, 1 + clip) A), added up, with r = exp(log_prob - before): no step
    gains by going further than that from the actor that took it.

    Shapes:
        all of one shape  ->  sum (), count ()

    Args:
        log_prob: Logarithms of the probabilities of what was done, by the actor as it is now.
        before: The same, by the actor that did it.
        advantage: How much better than expected each was, such as `gae`, perhaps normalised.
        clip: How far a ratio of probabilities may go.

    Raises:
        ShapeError: The shapes differ.
        ArgumentError: clip is not above 0.

    Example:
        >>> [round(float(v), 4) for v in ppo_clip(jnp.ones(2), jnp.zeros(2), jnp.array([1.0, -1]))]
        [1.5183, 2.0]

    Source:
        Schulman et al. 2017, equation 7.
    """
    if not F.shape(log_prob) == F.shape(before) == F.shape(advantage):
        got = ", ".join(format_shape(F.shape(x)) for x in (log_prob, before, advantage))
        raise ShapeError(f"takes three arrays of one shape, got {got}.")
    far = number("clip", clip, ABOVE_0)
    ratio = F.exp(F.sub(log_prob, before))
    near = F.clamp(ratio, 1 - far, 1 + far)
    gained = F.minimum(F.mul(ratio, advantage), F.mul(near, advantage))
    return -F.sum(gained), jnp.asarray(log_prob.size, gained.dtype)
