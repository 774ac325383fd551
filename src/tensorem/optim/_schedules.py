"""Learning-rate schedules, each a row of the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from tensorem.errors import ArgumentError

from ._declare import schedule
from ._description import Clock, Duration, in_steps
from ._kinds import (
    Above0,
    Anneal,
    AtLeast0,
    Count,
    Flag,
    Function,
    MaybeSpan,
    Mode,
    Rate,
    Rates,
    Span,
    Spans,
    UpTo1,
    rate_at,
    steps,
)
from ._spans import WHOLE

if TYPE_CHECKING:
    import optax
    from jax import Array


@schedule()
def constant(lr: AtLeast0) -> optax.Schedule:
    """The same learning rate at every step.

    Raises:
        ArgumentError: lr is below 0 or not finite.

    Example:
        >>> constant(0.1)
        constant(lr=0.1)
    """
    import optax

    return optax.constant_schedule(lr)


@schedule()
def step_lr(lr: AtLeast0, step_size: Span, gamma: Above0 = 0.1) -> optax.Schedule:
    """lr gamma^floor(t / step_size) at step t.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> [round(float(step_lr(0.1, 2).function()(t)), 4) for t in range(5)]
        [0.1, 0.1, 0.01, 0.01, 0.001]

    Source:
        torch.optim.lr_scheduler.StepLR, stepped after each optimizer step.
    """
    import optax

    return optax.exponential_decay(lr, steps(step_size), gamma, staircase=True)


def _increasing(given: dict[str, Any]) -> None:
    milestones = given["milestones"]
    known = [m for m in milestones if not isinstance(m, Duration)]
    if any(a >= b for a, b in pairwise(known)):
        raise ArgumentError(f"takes milestones that increase, got {milestones!r}.")


@schedule(_increasing)
def multi_step_lr(lr: AtLeast0, milestones: Spans, gamma: Above0 = 0.1) -> optax.Schedule:
    """lr gamma^k at step t, where k milestones are at or before t.

    Args:
        milestones: Steps at which the rate falls, each a number of steps or a duration.

    Raises:
        ArgumentError: A value out of its range, or milestones that do not increase.

    Example:
        >>> [round(float(multi_step_lr(0.1, (1, 3)).function()(t)), 4) for t in range(4)]
        [0.1, 0.01, 0.01, 0.001]

    Source:
        torch.optim.lr_scheduler.MultiStepLR.
    """
    at = tuple(map(steps, milestones))

    def value(step: Any) -> Array:
        import jax.numpy as jnp

        passed = jnp.sum(jnp.asarray(step) >= jnp.asarray(at))
        return lr * jnp.asarray(gamma, float) ** passed

    return value


@schedule()
def exponential_lr(lr: AtLeast0, gamma: Above0) -> optax.Schedule:
    """lr gamma^t at step t; once in an epoch that is `step_lr(lr, epochs(1), gamma)`.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> [round(float(exponential_lr(0.1, 0.5).function()(t)), 4) for t in range(3)]
        [0.1, 0.05, 0.025]

    Source:
        torch.optim.lr_scheduler.ExponentialLR, stepped after each optimizer step.
    """
    import optax

    return optax.exponential_decay(lr, 1, gamma)


@schedule()
def linear_lr(
    lr: AtLeast0,
    start_factor: AtLeast0 = 1 / 3,
    end_factor: AtLeast0 = 1.0,
    total_steps: Span = WHOLE,
) -> optax.Schedule:
    """A line from lr start_factor to lr end_factor at total_steps, which then stays.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> [round(float(linear_lr(0.1, 0.5, 1, 2).function()(t)), 4) for t in range(4)]
        [0.05, 0.075, 0.1, 0.1]

    Source:
        torch.optim.lr_scheduler.LinearLR.
    """
    return _through([(0, lr * start_factor), (steps(total_steps), lr * end_factor)], "linear")


@schedule()
def polynomial_lr(lr: AtLeast0, total_steps: Span = WHOLE, power: Above0 = 1.0) -> optax.Schedule:
    """lr (1 - t / total_steps)^power at step t, and 0 from total_steps on.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> [round(float(polynomial_lr(0.1, 2, 2).function()(t)), 4) for t in range(3)]
        [0.1, 0.025, 0.0]

    Source:
        torch.optim.lr_scheduler.PolynomialLR.
    """
    import optax

    return optax.polynomial_schedule(lr, 0.0, power, steps(total_steps))


def _up_to_lr(given: dict[str, Any]) -> None:
    if given["min_lr"] > given["lr"]:
        raise ArgumentError(f"takes min_lr up to lr = {given['lr']}, got {given['min_lr']}.")


@schedule(_up_to_lr)
def cosine_lr(lr: Above0, total_steps: Span = WHOLE, min_lr: AtLeast0 = 0.0) -> optax.Schedule:
    """Half a cosine from lr at step 0 to min_lr at total_steps, and min_lr from then on.

    Raises:
        ArgumentError: A value out of its range, or min_lr above lr.

    Example:
        >>> [round(float(cosine_lr(0.1, 4).function()(t)), 4) for t in (0, 2, 4, 9)]
        [0.1, 0.05, 0.0, 0.0]

    Source:
        Loshchilov and Hutter 2017, equation 5, without restarts.
    """
    import optax

    return optax.cosine_decay_schedule(lr, steps(total_steps), alpha=min_lr / lr)


@schedule(_up_to_lr)
def cosine_restarts_lr(
    lr: Above0, first_steps: Span, factor: Count = 1, min_lr: AtLeast0 = 0.0
) -> optax.Schedule:
    """Half a cosine from lr towards min_lr, again and again.

    Args:
        first_steps: How long the first takes.
        factor: How many times longer each is than the one before it.

    Raises:
        ArgumentError: A value out of its range, or min_lr above lr.

    Example:
        >>> rate = cosine_restarts_lr(0.1, 2, factor=2).function()
        >>> [round(float(rate(t)), 4) for t in range(7)]
        [0.1, 0.05, 0.1, 0.0854, 0.05, 0.0146, 0.1]

    Source:
        Loshchilov and Hutter 2017, equation 5; CosineAnnealingWarmRestarts of PyTorch.
    """
    first = steps(first_steps)
    lengths = [first * factor**n for n in range(32)]  # the last begins after 2^31 steps

    def value(step: Any) -> Array:
        import jax.numpy as jnp

        t = jnp.asarray(step)
        if factor == 1:
            part = (t % first) / first
        else:
            begins = jnp.asarray([0.0, *accumulate(lengths)][:32], float)
            n = jnp.sum(t >= begins) - 1
            part = (t - begins[n]) / jnp.asarray(lengths, float)[n]
        return min_lr + (lr - min_lr) * (1 + jnp.cos(math.pi * part)) / 2

    return value


def _after_warmup(given: dict[str, Any], clock: Clock) -> dict[str, Any]:
    taken = in_steps(given["warmup_steps"], clock)
    left = Clock(clock.steps_per_epoch, max(1, clock.steps - taken))
    return given | {"warmup_steps": taken, "schedule": in_steps(given["schedule"], left)}


@schedule(over=_after_warmup)
def warmup_lr(schedule: Rate, warmup_steps: Span, start_factor: AtLeast0 = 0.0) -> optax.Schedule:
    """A line up to where a schedule begins, then the schedule, which counts from there.

    Args:
        schedule: What follows; a number stays as it is.
        warmup_steps: How long the line is.
        start_factor: What the line begins with, as a factor of what it ends with.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> rate = warmup_lr(cosine_lr(0.1, 4), warmup_steps=2).function()
        >>> [round(float(rate(t)), 4) for t in (0, 1, 2, 4, 6)]
        [0.0, 0.05, 0.1, 0.05, 0.0]

    Source:
        Goyal et al. 2017, section 2.2; LinearLR, then SequentialLR of PyTorch.
    """
    n = steps(warmup_steps)

    def value(step: Any) -> Array:
        import jax.numpy as jnp

        t = jnp.asarray(step)
        factor = start_factor + (1 - start_factor) * t / n
        return jnp.where(t < n, factor * rate_at(schedule, 0), rate_at(schedule, t - n))

    return value


def _one_more(given: dict[str, Any]) -> None:
    _increasing(given)
    if len(given["schedules"]) != len(given["milestones"]) + 1:
        raise ArgumentError(
            f"takes a milestone between two schedules, got {len(given['schedules'])} schedules "
            f"and {len(given['milestones'])} milestones."
        )


def _between(given: dict[str, Any], clock: Clock) -> dict[str, Any]:
    at = in_steps(given["milestones"], clock)
    lengths = [max(1, b - a) for a, b in pairwise((0, *at, clock.steps))]
    clocks = [Clock(clock.steps_per_epoch, n) for n in lengths]
    pairs = zip(given["schedules"], clocks, strict=True)
    return {"schedules": tuple(in_steps(s, c) for s, c in pairs), "milestones": at}


@schedule(_one_more, over=_between)
def sequential_lr(*schedules: Rates, milestones: Spans) -> optax.Schedule:
    """One schedule after another, each counting from where it begins.

    Args:
        schedules: Schedules; a number stays as it is.
        milestones: Where the second begins, the third, ...

    Raises:
        ArgumentError: None, a milestone too few or too many, or milestones that do not increase.

    Example:
        >>> rate = sequential_lr(0.1, exponential_lr(0.1, 0.5), milestones=(2,)).function()
        >>> [round(float(rate(t)), 4) for t in range(5)]
        [0.1, 0.1, 0.1, 0.05, 0.025]

    Source:
        torch.optim.lr_scheduler.SequentialLR.
    """
    at = tuple(map(steps, milestones))

    def value(step: Any) -> Array:
        import jax.numpy as jnp

        t, (first, *others) = jnp.asarray(step), schedules
        found = rate_at(first, t)
        for begin, other in zip(at, others, strict=True):
            found = jnp.where(t < begin, found, rate_at(other, jnp.maximum(t - begin, 0)))
        return jnp.asarray(found)

    return value


@schedule()
def one_cycle_lr(
    max_lr: AtLeast0,
    total_steps: Span = WHOLE,
    pct_start: UpTo1 = 0.3,
    anneal_strategy: Anneal = "cos",
    *,
    div_factor: Above0 = 25.0,
    final_div_factor: Above0 = 1e4,
    three_phase: Flag = False,
) -> optax.Schedule:
    """Up from max_lr / div_factor to max_lr, then down to the start / final_div_factor.

    The last of total_steps has the lowest rate, which then stays. Momentum is not changed.

    Args:
        pct_start: The part of the steps that go up.
        anneal_strategy: "cos" or "linear".
        three_phase: Whether it goes down as fast as up, and then to the lowest rate.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> rate = one_cycle_lr(0.1, 5, pct_start=0.5, div_factor=2, final_div_factor=10).function()
        >>> [round(float(rate(t)), 4) for t in (0, 4, 9)]
        [0.05, 0.005, 0.005]

    Source:
        Smith and Topin 2019; torch.optim.lr_scheduler.OneCycleLR.
    """
    total, start = steps(total_steps), max_lr / div_factor
    up, end = pct_start * total - 1, (total - 1, start / final_div_factor)
    if three_phase:
        return _through([(0, start), (up, max_lr), (2 * up, start), end], anneal_strategy)
    return _through([(0, start), (up, max_lr), end], anneal_strategy)


@schedule()
def cyclic_lr(
    base_lr: AtLeast0,
    max_lr: AtLeast0,
    step_size_up: Span = 2000,
    step_size_down: MaybeSpan = None,
    mode: Mode = "triangular",
    gamma: Above0 = 1.0,
) -> optax.Schedule:
    """Up from base_lr to max_lr and down again, without end.

    Args:
        step_size_down: As step_size_up where it is None.
        mode: "triangular"; "triangular2", each cycle half as high as the one before it;
            "exp_range", the height times gamma^t.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> rate = cyclic_lr(0.0, 0.1, 2, mode="triangular2").function()
        >>> [round(float(rate(t)), 4) for t in range(8)]
        [0.0, 0.05, 0.1, 0.05, 0.0, 0.025, 0.05, 0.025]

    Source:
        Smith 2017; torch.optim.lr_scheduler.CyclicLR.
    """
    up = steps(step_size_up)
    total = up + (up if step_size_down is None else steps(step_size_down))

    def value(step: Any) -> Array:
        import jax.numpy as jnp

        t = jnp.asarray(step)
        place = t % total
        scale = jnp.where(place <= up, place / up, (total - place) / max(total - up, 1))
        heights: dict[str, Any] = {
            "triangular": 1.0,
            "triangular2": 0.5 ** (t // total),
            "exp_range": gamma**t,
        }
        return jnp.asarray(base_lr + (max_lr - base_lr) * scale * heights[mode])

    return value


@schedule()
def function(rate: Function) -> optax.Schedule:
    """A schedule of optax, or any function of the step that JAX can trace.

    It stands in place of an lr by itself: `adam(optax.cosine_decay_schedule(1e-3, 100))`. A run
    records where its code stands, so that `train.resume` asks for the optimizer again.

    Raises:
        ArgumentError: It is no function.

    Example:
        >>> float(function(lambda step: 0.1 / (1 + step)).function()(1))
        0.05

    Source:
        torch.optim.lr_scheduler.LambdaLR.
    """
    return rate


def _through(points: list[tuple[float, float]], anneal: str) -> Callable[[Any], Array]:
    """The curve through points (step, rate), which stays at the last."""

    def value(step: Any) -> Array:
        import jax.numpy as jnp

        t = jnp.asarray(step)
        found = jnp.asarray(points[0][1], float)
        for (a, u), (b, v) in pairwise(points):
            part = jnp.clip((t - a) / max(b - a, 1e-9), 0, 1)
            share = part if anneal == "linear" else (1 - jnp.cos(math.pi * part)) / 2
            found = jnp.where(t > a, u + (v - u) * share, found)
        return found

    return value
