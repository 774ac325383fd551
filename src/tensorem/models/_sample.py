"""What a diffusion draws: DDIM, and DDPM as that which draws in every step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorem import functional as F
from tensorem import nn, rand
from tensorem.calls import FROM_0_TO_1, called, integer, number
from tensorem.errors import ArgumentError, DataError, LayerError, ShapeError
from tensorem.shapes import format_shape

from ._diffusion import Diffusion
from ._schedule import Schedule

Array = jax.Array
Limits = tuple[float, float]


@called
def ddim(
    model: nn.Model,
    count: int,
    steps: int = 50,
    *,
    eta: float = 0.0,
    seed: int = 0,
    clip: tuple[float, float] | None = None,
    conditions: tuple[ArrayLike, ...] = (),
) -> Array:
    """Samples of a diffusion in some of its steps; only where they begin is drawn if eta is 0.

    Sample i depends on the seed and i, and not on how many there are.

    Shapes:
        ->  (count, ...)

    Args:
        model: A model of `Diffusion`, trained.
        steps: How many of the schedule's are taken, at equal distances.
        eta: How much is drawn anew in each step; 1 is as much as in DDPM.
        clip: The least and the greatest number of data; what is told of the data in a step is
            clipped to them.
        conditions: What is known of each sample: arrays (count, ...), as many as the denoiser takes
            behind the step.

    Raises:
        LayerError: The model is no `Diffusion`.
        ArgumentError: A number is out of range, or clip is no pair that rises.
        ShapeError: The model was built for examples with a named size, or conditions are not those
            that the denoiser takes.
        DataError: What is drawn is NaN.

    Example:
        >>> from tensorem import models
        >>> layer = Diffusion(models.denoising_mlp(2, 8), models.linear_schedule(20))
        >>> ddim(nn.build(layer, ("N", 2)), 3, steps=5, clip=(-1.0, 1.0)).shape
        (3, 2)

    Source:
        Song et al. 2021 (DDIM), equations 12 and 16.
    """
    layer = _require_diffusion(model)
    schedule, eta = layer.schedule, number("eta", eta, FROM_0_TO_1)
    walk = _Walk.of(schedule, integer("steps", steps, 1, schedule.steps), eta)
    keys = _keys(seed, integer("count", count, 1))
    said = layer.predicts, _limits(clip)
    denoiser = model.submodel("denoiser")
    shape, dtype = _example(denoiser)
    given = _given(denoiser, conditions, count)
    with model.precision():
        start = _normal(keys, 0, shape, dtype)
        arrays = dict(denoiser.params), dict(denoiser.buffers)
        drawn = walk.rows(dtype), keys if eta else None
        samples: Array = _walked(denoiser.built, said, arrays, start, given, *drawn)
    if bool(jnp.isnan(samples).any()):
        raise DataError(
            "A diffusion draws NaN.", because="the model holds NaN, or it has no such condition."
        )
    return samples


@called
def ddpm(
    model: nn.Model,
    count: int,
    *,
    seed: int = 0,
    clip: tuple[float, float] | None = None,
    conditions: tuple[ArrayLike, ...] = (),
) -> Array:
    """Samples of a diffusion in all of its steps, with what is drawn in each: `ddim` with eta 1.

    The variance of a step is the smaller of the paper's two, that of data which are one point.

    Shapes:
        ->  (count, ...)

    Args:
        clip: As in `ddim`.
        conditions: As in `ddim`.

    Raises:
        LayerError: As `ddim`.
        ArgumentError: As `ddim`.
        ShapeError: As `ddim`.
        DataError: As `ddim`.

    Example:
        >>> from tensorem import models
        >>> layer = Diffusion(models.denoising_mlp(2, 8), models.linear_schedule(20))
        >>> ddpm(nn.build(layer, ("N", 2)), 3).shape
        (3, 2)

    Source:
        Ho et al. 2020, algorithm 2.
    """
    steps = _require_diffusion(model).schedule.steps
    samples: Array = ddim(model, count, steps, eta=1.0, seed=seed, clip=clip, conditions=conditions)
    return samples


@dataclass(frozen=True)
class _Walk:
    """The steps down to the data: ᾱ now and after, and the deviation of what is drawn anew."""

    t: NDArray[np.int32]
    now: NDArray[np.float64]
    after: NDArray[np.float64]
    sigma: NDArray[np.float64]

    @classmethod
    def of(cls, schedule: Schedule, steps: int, eta: float) -> _Walk:
        t = np.linspace(schedule.steps - 1, 0, steps).round().astype(np.int32)
        now = np.array(schedule.alpha_bars)[t]
        after = np.append(now[1:], 1.0)
        sigma = eta * np.sqrt((1 - after) / (1 - now) * (1 - now / after))
        return cls(t, now, after, sigma)

    def rows(self, dtype: Any) -> tuple[Array, ...]:
        """What a compiled program goes through, step by step."""
        fresh = np.sqrt(1 - self.after - self.sigma**2)
        numbers = (self.now, np.sqrt(self.after), fresh, self.sigma)
        return (jnp.asarray(self.t), *(jnp.asarray(v, dtype) for v in numbers))


@partial(jax.jit, static_argnums=(0, 1))
def _walked(
    built: Any,
    said: tuple[str, Limits | None],
    arrays: Any,
    x: Array,
    given: tuple[Array, ...],
    rows: Any,
    keys: Any,
) -> Array:
    built.require_unchanged()  # while it is traced
    predicts, clip = said

    def step(x: Array, row: tuple[Array, ...]) -> tuple[Array, None]:
        t, now, kept, fresh, sigma = row
        prediction, _ = built.layer.call(arrays, x, jnp.broadcast_to(t, x.shape[:1]), *given)
        data, noise = _told(predicts, now, x, prediction)
        data = data if clip is None else F.clamp(data, *clip)
        new = kept * data + fresh * noise
        if keys is not None:  # the start was drawn at place 0
            new = new + sigma * _normal(keys, 1 + t, x.shape[1:], x.dtype)
        return new, None

    return jax.lax.scan(step, x, rows)[0]


def _told(predicts: str, a: Array, x: Array, prediction: Array) -> tuple[Array, Array]:
    """The data and the noise of which x at ᾱ = a is made, as a prediction says."""
    kept, lost = F.sqrt(a), F.sqrt(1 - a)
    if predicts == "velocity":
        return kept * x - lost * prediction, lost * x + kept * prediction
    if predicts == "noise":
        return (x - lost * prediction) / kept, prediction
    return prediction, (x - kept * prediction) / lost


def _keys(seed: int, count: int) -> Array:
    """A key for each sample, whatever the others are."""
    return jax.vmap(partial(jax.random.fold_in, rand.jax_key(seed)))(jnp.arange(count))


def _normal(keys: Array, place: int | Array, shape: tuple[int, ...], dtype: Any) -> Array:
    return jax.vmap(lambda k: jax.random.normal(jax.random.fold_in(k, place), shape, dtype))(keys)


def _require_diffusion(model: nn.Model) -> Diffusion:
    layer = model.layer
    if not isinstance(layer, Diffusion):
        raise LayerError(
            f"takes a model of models.Diffusion, got {layer.label()}.",
            help="nn.build(models.Diffusion(denoiser, schedule), input).",
        )
    return layer


def _example(denoiser: nn.Model) -> tuple[tuple[int, ...], Any]:
    """Shape and dtype of an example."""
    spec = cast(Any, denoiser.input)[0]
    shape = tuple(spec.shape[1:])
    if not all(isinstance(size, int) for size in shape):
        raise ShapeError(
            f"takes a model of examples of one size, got {format_shape(spec.shape)}.",
            help='build it for integers: nn.build(layer, ("N", 1, 28, 28)).',
        )
    return shape, spec.dtype


def _given(denoiser: nn.Model, conditions: tuple[ArrayLike, ...], count: int) -> tuple[Array, ...]:
    """The conditions of samples, as the denoiser takes them."""
    wanted = denoiser.built.inputs[2:]
    given = tuple(jnp.asarray(c) for c in conditions)
    if [c.shape for c in given] != [(count, *spec.shape[1:]) for spec in wanted]:
        takes = [format_shape((count, *spec.shape[1:])) for spec in wanted]
        raise ShapeError(
            f"takes conditions of {', '.join(takes) or 'none'}, got "
            f"{', '.join(format_shape(c.shape) for c in given) or 'none'}."
        )
    return tuple(c.astype(spec.dtype) for c, spec in zip(given, wanted, strict=True))


def _limits(clip: tuple[float, float] | None) -> Limits | None:
    if clip is None:
        return None
    low, high = (number("clip", v) for v in clip)
    if low >= high:
        raise ArgumentError(f"takes clip as two numbers that rise, got {clip}.")
    return low, high
