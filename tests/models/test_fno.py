"""Fourier neural operators against NumPy's FFT, on several grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import models, nn
from tensorem.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(0)


def by_fft(x: np.ndarray, weight: np.ndarray, modes: tuple[int, ...]) -> np.ndarray:
    """The layer as the paper's authors write it: an FFT, products at its corners, its inverse."""
    axes = tuple(range(2, x.ndim))
    z, w = np.fft.rfftn(x, axes=axes), weight[..., 0] + 1j * weight[..., 1]
    out = np.zeros((x.shape[0], w.shape[1], *z.shape[2:]), complex)
    kept = np.ix_(*(np.r_[:m, -m:0] for m in modes[:-1]), np.arange(modes[-1]))
    at = "xyz"[: len(modes)]
    out[(slice(None), slice(None), *kept)] = np.einsum(
        f"ni{at},io{at}->no{at}", z[(slice(None), slice(None), *kept)], w
    )
    return np.fft.irfftn(out, x.shape[2:], axes=axes)


@pytest.mark.parametrize(
    ("modes", "grid"), [((4,), (8,)), ((3,), (11,)), ((2, 3), (5, 7)), ((1, 2, 2), (4, 5, 4))]
)
def test_a_spectral_convolution_is_that_of_an_fft(
    modes: tuple[int, ...], grid: tuple[int, ...]
) -> None:
    model = nn.build(models.SpectralConv(2, 3, modes), ("N", 2, *grid), seed=1)
    x = RNG.normal(size=(2, 2, *grid)).astype(np.float32)
    found = by_fft(x, np.asarray(model.params["weight"], np.float64), modes)
    assert_close(model(x), found, rtol=1e-4, atol=1e-5)


def test_an_operator_is_the_same_on_a_finer_grid() -> None:
    """A function without frequencies above those of a grid: its image there is that on any."""
    model = nn.build(models.fno(1, 1, (3,), 4, 1), ("N", 1, "T"), seed=2)

    def f(points: int) -> np.ndarray:
        t = 2 * np.pi * np.arange(points) / points
        return (np.sin(t) + 0.5 * np.cos(2 * t))[None, None].astype(np.float32)

    coarse, fine = (np.asarray(model(f(n))) for n in (16, 64))
    assert_close(fine[..., ::4], coarse, rtol=1e-4, atol=1e-5)


def test_an_operator_moves_with_its_input() -> None:
    model = nn.build(models.fno(2, 1, (2, 2), 3, 2), (1, 2, 6, 8))
    x = RNG.normal(size=(1, 2, 6, 8)).astype(np.float32)
    moved = model(np.roll(x, (2, 3), (2, 3)))
    assert_close(moved, np.roll(np.asarray(model(x)), (2, 3), (2, 3)), rtol=1e-4, atol=1e-5)


def test_every_meaning_reads_a_spectral_convolution() -> None:
    model = nn.build(models.SpectralConv(1, 1, (2,)), (1, 1, 6))
    assert not any(tm.coverage(model).values())
    x = RNG.normal(size=(1, 1, 6)).astype(np.float32)
    assert_close(tm.evaluate(model, x, dtype="rational").to_float(), model(x))
    assert "cos" not in {n.op for n in tm.capture(model).nodes}  # its waves are numbers


def test_a_file_of_a_named_grid_takes_every_grid(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnxruntime")
    model = nn.build(models.fno(1, 1, (2, 2), 2, 1), ("N", 1, "H", "W"))
    tm.onnx.export(tm.capture(model), tmp_path / "fno.onnx")
    session = onnx.InferenceSession(tmp_path / "fno.onnx")
    for grid in ((4, 4), (7, 9)):
        x = RNG.normal(size=(3, 1, *grid)).astype(np.float32)
        assert_close(session.run(None, {session.get_inputs()[0].name: x})[0], model(x), rtol=1e-4)


def test_what_is_refused() -> None:
    for call, message in (
        (lambda: models.SpectralConv(0, 1, (1,)), "in_channels"),
        (lambda: models.SpectralConv(1, 0, (1,)), "out_channels"),
        (lambda: models.SpectralConv(1, 1, ()), "modes of 1 to 3 axes"),
        (lambda: models.SpectralConv(1, 1, (0,)), "modes"),
        (lambda: models.fno(1, 1, (2,), 4, 0), "fno takes depth"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()
    for shape in ((1, 1, 7), (1, 2, 8), (1, 1, 8, 8)):
        with pytest.raises(ShapeError, match=r"takes \(N, 1, 8 or more\), got"):
            nn.build(models.SpectralConv(1, 1, (4,)), shape)
