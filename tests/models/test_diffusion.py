"""Diffusion against a plain writing of the papers, and where the best denoiser is known."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

import tensorem as tm
from close import assert_close
from tensorem import models, nn, optim, train
from tensorem.errors import ArgumentError, DataError, LayerError, ShapeError

Floats = NDArray[np.float64]
MEAN, DEVIATION = 2.0, 0.5


class Best(nn.Layer):
    """What the best denoiser says of data that are normal, with a mean and a deviation."""

    schedule: models.Schedule
    mean: float
    deviation: float
    predicts: str = "noise"

    def forward(self, x: Any, t: Any) -> Any:
        a = jnp.asarray(self.schedule.alpha_bars, x.dtype)[t][:, None]
        lost = (1 - a) / (a * self.deviation**2 + 1 - a)  # the share of the noise in x
        noise = jnp.sqrt(1 - a) ** -1 * lost * (x - jnp.sqrt(a) * self.mean)
        data = (x - jnp.sqrt(1 - a) * noise) / jnp.sqrt(a)
        velocity = jnp.sqrt(a) * noise - jnp.sqrt(1 - a) * data
        return {"noise": noise, "velocity": velocity, "data": data}[self.predicts]


def best(schedule: models.Schedule, deviation: float, predicts: str = "noise") -> nn.Model:
    layer = Best(schedule, MEAN, deviation, predicts)
    return nn.build(models.Diffusion(layer, schedule, predicts), ("N", 1))


def normals(count: int, place: int, seed: int = 0) -> Floats:
    """What sample i draws at a place: of the seed, i and the place."""
    fold = jax.random.fold_in
    keys = [fold(fold(jax.random.key(seed), i), place) for i in range(count)]
    return np.asarray(jax.vmap(lambda k: jax.random.normal(k, (1,)))(jnp.stack(keys)), np.float64)


def test_schedules_are_those_of_the_papers() -> None:
    betas = np.linspace(1e-4, 0.02, 1000)
    assert_close(models.linear_schedule().alpha_bars, np.cumprod(1 - betas), rtol=1e-12)
    f = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    cosine = models.cosine_schedule().alpha_bars
    assert_close(cosine[:-1], f[1:-1] / f[0], rtol=1e-9)  # the last β is held below 1
    assert cosine[-1] == pytest.approx(cosine[-2] * 1e-3)


def test_a_noised_example_has_the_moments_of_the_forward_process() -> None:
    schedule = models.linear_schedule(20, 0.01, 0.3)
    x, t = jnp.full((4000, 1), 3.0), jnp.full(4000, 7)
    noise = jax.random.normal(jax.random.key(1), x.shape)
    share = np.prod(1 - np.linspace(0.01, 0.3, 20)[:8])
    there = models.noised(schedule, x, noise, t)
    assert_close(there, np.sqrt(share) * 3 + np.sqrt(1 - share) * np.asarray(noise), rtol=1e-5)
    assert abs(float(there.mean()) - 3 * share**0.5) < 5 * (1 - share) ** 0.5 / 4000**0.5
    assert abs(float(there.var()) / (1 - share) - 1) < 5 * (2 / 4000) ** 0.5


@pytest.mark.parametrize("predicts", ["noise", "velocity", "data"])
def test_the_objective_is_what_the_denoiser_is_asked_for(predicts: str) -> None:
    """A best denoiser of one point misses nothing; its samples are that point, in one step."""
    model = best(models.cosine_schedule(50), 0.0, predicts)
    x = jnp.full((64, 1), MEAN)
    for key in (None, jax.random.key(3)):
        out: Any = model(x) if key is None else model.train_apply(model.params, {}, x, key=key)[0]
        total, count = models.denoising(out, x)
        assert float(count) == 64 and float(total) / 64 < 1e-7
    assert_close(models.ddim(model, 3, steps=1), np.full((3, 1), MEAN), rtol=1e-3)


def test_training_draws_anew_and_evaluation_does_not() -> None:
    model = best(models.cosine_schedule(50), 1.0)
    x = jnp.zeros((4, 1))
    key = jax.random.key
    first, second = (model.train_apply({}, {}, x, key=key(i))[0]["target"] for i in (0, 1))
    assert (first != second).all()
    assert (model(x)["target"] == model(x)["target"]).all()


def test_ddim_brings_a_normal_distribution_back() -> None:
    schedule = models.linear_schedule(200, 1e-3, 0.05)
    a = np.array(schedule.alpha_bars)
    x = start = normals(60, 0)
    for t in range(199, -1, -1):
        after = a[t - 1] if t else 1.0
        noise = np.sqrt(1 - a[t]) * (x - np.sqrt(a[t]) * MEAN) / (a[t] * DEVIATION**2 + 1 - a[t])
        data = (x - np.sqrt(1 - a[t]) * noise) / np.sqrt(a[t])
        x = np.sqrt(after) * data + np.sqrt(1 - after) * noise
    found = np.asarray(models.ddim(best(schedule, DEVIATION), 60, steps=200))
    assert_close(found, x, rtol=1e-4)
    # of equal steps without end the map is affine: deviations become deviations
    spread = DEVIATION * (start - np.sqrt(a[-1]) * MEAN)
    assert np.abs(x - MEAN - spread / np.sqrt(a[-1] * DEVIATION**2 + 1 - a[-1])).max() < 0.05


def test_ddpm_is_algorithm_2() -> None:
    schedule = models.linear_schedule(40, 1e-3, 0.3)
    a = np.array(schedule.alpha_bars)
    alpha = a / np.append(1.0, a[:-1])
    x = normals(60, 0, seed=5)
    for t in range(39, -1, -1):
        noise = np.sqrt(1 - a[t]) * (x - np.sqrt(a[t]) * MEAN) / (a[t] * DEVIATION**2 + 1 - a[t])
        x = (x - (1 - alpha[t]) / np.sqrt(1 - a[t]) * noise) / np.sqrt(alpha[t])
        if t:
            variance = (1 - a[t - 1]) / (1 - a[t]) * (1 - alpha[t])
            x = x + np.sqrt(variance) * normals(60, 1 + t, seed=5)
    found = models.ddpm(best(schedule, DEVIATION), 60, seed=5)
    assert_close(found, x, rtol=1e-3)
    assert abs(x.mean() - MEAN) < 0.2 and abs(x.std() - DEVIATION) < 0.15


def test_a_sample_depends_on_the_seed_and_its_place_and_is_clipped() -> None:
    model = best(models.cosine_schedule(20), DEVIATION)
    draw = partial(models.ddim, model, steps=4, eta=0.5)
    five = draw(5, seed=1)
    assert_close(five[:2], draw(2, seed=1))
    assert (draw(5, seed=2) != five).all() and float(five.max()) > 2
    assert float(draw(5, seed=1, clip=(-1.0, 1.0)).max()) <= 1


class Known(nn.Layer):
    """The best denoiser of data that are a point, which is told."""

    def forward(self, x: Any, t: Any, point: Any) -> Any:
        return point + 0 * x


def test_a_sample_is_of_its_condition() -> None:
    layer = models.Diffusion(Known(), models.cosine_schedule(20), "data")
    model = nn.build(layer, (("N", 1), ("N", 1)))
    points = np.array([[3.0], [-1.0], [7.0]], np.float32)
    assert_close(model(points, points)["prediction"], points)
    for draw in (models.ddpm, partial(models.ddim, steps=4)):
        assert_close(draw(model, 3, conditions=(points,)), points, rtol=1e-3)
    for given in ((), (points[:2],), (points, points)):
        with pytest.raises(ShapeError, match=r"ddim takes conditions of \(3, 1\), got"):
            models.ddim(model, 3, 4, conditions=given)
    with pytest.raises(DataError, match="A diffusion draws NaN"):
        models.ddim(model, 3, 4, conditions=(points * np.nan,))


@pytest.mark.long
def test_a_denoiser_of_classes_knows_no_other() -> None:
    layer = models.Diffusion(models.denoising_unet(1, (4,), classes=3), models.cosine_schedule(5))
    model = nn.build(layer, (("N", 1, 2, 2), tm.Spec(("N",), "int32")))
    zero, one = (models.ddim(model, 2, 2, conditions=([c, c],)) for c in (0, 1))
    assert (zero != one).any()
    with pytest.raises(DataError, match="it has no such condition"):
        models.ddim(model, 1, 2, conditions=([3],))


@pytest.mark.long
def test_a_denoiser_learns_two_points() -> None:
    x = np.repeat(np.array([[-1.0], [1.0]], np.float32), 256, 0)
    layer = models.Diffusion(models.denoising_mlp(1, 32, 2), models.cosine_schedule(30), "velocity")
    run = train.fit(
        nn.build(layer, ("N", 1)), (x, x), models.denoising, optimizer=optim.adam(3e-3),
        batch_size=128, epochs=60, progress="none", metrics=(),
    )  # fmt: skip
    drawn = np.asarray(models.ddim(run.model, 100, steps=30))
    assert np.mean(np.abs(np.abs(drawn) - 1) < 0.25) > 0.9
    assert 0.25 < (drawn > 0).mean() < 0.75


def test_what_is_refused() -> None:
    schedule = models.linear_schedule(5)
    model = best(schedule, 1.0)
    for call, message in (
        (lambda: models.Schedule(()), "alpha_bars that fall between 1 and 0"),
        (lambda: models.Schedule((0.5, 0.5)), "alpha_bars that fall between 1 and 0"),
        (lambda: models.linear_schedule(0), "linear_schedule takes steps"),
        (lambda: models.linear_schedule(5, 0.0), "takes start and end between 0 and 1"),
        (lambda: models.cosine_schedule(0), "cosine_schedule takes steps"),
        (lambda: models.cosine_schedule(5, -1), "cosine_schedule takes offset"),
        (lambda: models.Diffusion(nn.Identity(), schedule, "score"), "predicts"),
        (lambda: models.denoising_mlp(2, 8, 0), "denoising_mlp takes depth"),
        (lambda: models.denoising_unet(1, ()), "denoising_unet takes the widths of a level"),
        (lambda: models.denoising_unet(1, (0,)), "denoising_unet takes widths"),
        (lambda: models.ddim(model, 0, 5), "ddim takes count"),
        (lambda: models.ddim(model, 1, 6), "ddim takes steps"),
        (lambda: models.ddim(model, 1, 5, eta=2), "ddim takes eta"),
        (lambda: models.ddim(model, 1, 5, clip=(1.0, 0.0)), "ddim takes clip as two numbers"),
        (lambda: models.ddpm(model, 0), "ddim takes count"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()
    with pytest.raises(LayerError, match=r"ddpm takes a model of models\.Diffusion, got Linear"):
        models.ddpm(nn.build(nn.Linear(1, 1), ("N", 1)), 1)
    named = nn.build(models.Diffusion(Best(schedule, 0.0, 1.0), schedule), ("N", "D"))
    with pytest.raises(ShapeError, match=r"a model of examples of one size, got \(N, D\)"):
        models.ddim(named, 1, 1)
