"""How much of the data is left in each step of a diffusion."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import functional as F
from tensorem.calls import AT_LEAST_0, called, integer, number
from tensorem.errors import ArgumentError

Array = jax.Array


@dataclass(frozen=True)
class Schedule:
    """The share of the data in the variance at each step, ᾱ: x_t = √ᾱ_t x + √(1 - ᾱ_t) noise.

    Args:
        alpha_bars: ᾱ of step 0, 1, ...; they fall, between 1 and 0.

    Raises:
        ArgumentError: There is none, or they do not fall between 1 and 0.

    Example:
        >>> schedule = linear_schedule(1000)
        >>> schedule.steps, round(schedule.alpha_bars[-1], 6)
        (1000, 4e-05)
    """

    alpha_bars: tuple[float, ...] = field(repr=False)
    steps: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", len(self.alpha_bars))
        if not self.steps or (np.diff([1.0, *self.alpha_bars, 0.0]) >= 0).any():
            raise ArgumentError(
                "A Schedule takes alpha_bars that fall between 1 and 0, got "
                f"{np.array(self.alpha_bars)}."
            )


@called
def linear_schedule(steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> Schedule:
    """ᾱ_t = Π (1 - β) with β from start to end in equal steps.

    Args:
        steps: How many there are; with fewer than 1000, noise is left out unless end is greater.

    Raises:
        ArgumentError: steps is below 1, or start or end does not lie between 0 and 1.

    Example:
        >>> linear_schedule(2, 0.5, 0.5).alpha_bars
        (0.5, 0.25)

    Source:
        Ho et al. 2020, section 4.
    """
    betas = np.linspace(number("start", start), number("end", end), integer("steps", steps, 1))
    if betas.min() <= 0 or betas.max() >= 1:
        raise ArgumentError(f"takes start and end between 0 and 1, got {start} and {end}.")
    return Schedule(tuple(np.cumprod(1 - betas).tolist()))


@called
def cosine_schedule(steps: int = 1000, offset: float = 0.008) -> Schedule:
    """ᾱ that falls as a squared cosine, so that less is noise alone; β is at most 0.999.

    Raises:
        ArgumentError: steps is below 1, or offset below 0.

    Example:
        >>> [round(a, 3) for a in cosine_schedule(4).alpha_bars]
        [0.847, 0.494, 0.144, 0.0]

    Source:
        Nichol and Dhariwal 2021, equation 17.
    """
    s = number("offset", offset, AT_LEAST_0)
    places = np.arange(integer("steps", steps, 1) + 1) / steps
    curve = np.cos((places + s) / (1 + s) * np.pi / 2) ** 2
    betas = np.minimum(1 - curve[1:] / curve[:-1], 0.999)
    return Schedule(tuple(np.cumprod(1 - betas).tolist()))


def alpha_bars(schedule: Schedule, t: Array, x: Array) -> Array:
    """ᾱ of the step of each example, to be multiplied with examples like x."""
    table = jnp.asarray(schedule.alpha_bars, x.dtype)
    return F.reshape(table[t], (t.shape[0], *(1,) * (x.ndim - 1)))


@called
def noised(schedule: Schedule, x: Array, noise: Array, t: Array) -> Array:
    """Examples at steps of a diffusion: √ᾱ_t x + √(1 - ᾱ_t) noise.

    Shapes:
        x, noise (N, ...), t (N,), integers  ->  (N, ...)

    Example:
        >>> schedule = Schedule((0.25,))
        >>> noised(schedule, jnp.ones((1, 1)), jnp.zeros((1, 1)), jnp.array([0])).tolist()
        [[0.5]]

    Source:
        Ho et al. 2020, equation 4.
    """
    return mixed(alpha_bars(schedule, t, x), x, noise)


def mixed(a: Array, x: Array, noise: Array) -> Array:
    """√a x + √(1 - a) noise."""
    return F.add(F.mul(F.sqrt(a), x), F.mul(F.sqrt(F.sub(1.0, a)), noise))
