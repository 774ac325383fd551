"""StableHLO: what is written is read back by JAX alone, and computes the same."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import files, nn
from tensorem.errors import ArgumentError, FileError

X = np.linspace(-1, 1, 3 * 64, dtype=np.float32).reshape(3, 1, 8, 8)
LAYER = nn.Sequential(
    *(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Flatten(), nn.Linear(32, 3), nn.Dropout(0.5)),
)


def test_a_model_is_read_back_by_jax_with_its_named_sizes(tmp_path: Path) -> None:
    model = nn.build(LAYER, input=("N", 1, 8, 8))
    path = tm.export_stablehlo(model, tmp_path / "m.stablehlo")
    program, alone = (
        files.load_stablehlo(path),
        jax.export.deserialize(bytearray(path.read_bytes())),
    )
    for x in (X, X[:1]):
        np.testing.assert_allclose(program(x), model(x), rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(program(x), alone.call(x))
    assert "stablehlo" in program.text or "module" in program.text
    with pytest.raises(ValueError, match="hape"):
        program(X[:, :, :4])


def test_a_graph_is_written_where_its_sizes_are_numbers(tmp_path: Path) -> None:
    graph = tm.capture(lambda x: jnp.tanh(x) * 2, ("N", 3))
    with pytest.raises(
        ArgumentError, match="takes a graph whose sizes are numbers, got N"
    ) as caught:
        tm.export_stablehlo(graph, tmp_path / "g")
    assert caught.value.help == "write graph.bind(N=1)"
    program = files.load_stablehlo(tm.export_stablehlo(graph.bind(N=2), tmp_path / "g"))
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(program(x), np.tanh(x) * 2, rtol=1e-6)


def test_what_is_no_program_or_no_model(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="takes a model or a graph, got function"):
        tm.export_stablehlo(lambda x: x, tmp_path / "f")  # type: ignore[arg-type]
    path = tmp_path / "x"
    for content in (b"", b"abc", bytes(200)):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"is no program of jax\.export"):
            files.load_stablehlo(path)
    with pytest.raises(FileError, match="cannot be read"):
        files.load_stablehlo(tmp_path / "none")
