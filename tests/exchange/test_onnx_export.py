"""Every layer as an ONNX file: it is valid, ONNX Runtime computes the same, and we read it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tensorem import Spec, nn, ops
from tensorem import functional as F
from tensorem import onnx as ours
from tensorem.errors import FileError, MeaningError
from tensorem.graph import Graph, capture, graph_of, to_jax
from tensorem.nn.examples import EXAMPLES, Example
from tensorem.onnx._rows import ROWS

onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

WITHOUT = {"conv2d_dk", "cumprod"}
"""Ops that ONNX lacks: the gradient of a convolution in its kernel, and products along an axis."""


def test_every_row_is_written_or_has_a_reason() -> None:
    assert set(ROWS) | WITHOUT == set(ops.TABLE) and not set(ROWS) & WITHOUT


def _inputs(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    specs = [graph.specs[name] for name in graph.inputs]
    return [
        rng.integers(0, 2, s.shape).astype(s.dtype) if s.dtype == "bool" or "int" in s.dtype
        else rng.normal(size=s.shape).astype(s.dtype)
        for s in specs
    ]  # fmt: skip


def _agree(graph: Graph, path: Path, *sizes: int) -> None:
    """ONNX Runtime and the graph give the same, at other sizes too."""
    session = runtime.InferenceSession(path)
    bound = graph.bind(**dict(zip(sorted(graph.names), sizes * 4, strict=False)))
    inputs = _inputs(bound)
    trees = jax.tree.unflatten(jax.tree.structure(bound.takes), inputs)
    wanted = jax.tree.leaves(to_jax(bound)(*trees))
    names = [info.name for info in session.get_inputs()]
    got = session.run(None, dict(zip(names, inputs, strict=True)))
    for a, b in zip(got, wanted, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-5, atol=1e-5)


def _written(example: Example, tmp_path: Path) -> tuple[Graph, Path]:
    graph = graph_of(nn.build(example.layer, input=example.input))
    ours.export(graph, path := tmp_path / "layer.onnx")
    onnx.checker.check_model(path, full_check=True)
    return graph, path


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.title)
def test_a_layer_computes_the_same_elsewhere(example: Example, tmp_path: Path) -> None:
    graph, path = _written(example, tmp_path)
    _agree(graph, path, 2, 7)


BACK = [e for e in EXAMPLES if not e.name][::4]


@pytest.mark.parametrize("example", BACK, ids=lambda e: e.title)
def test_a_file_of_ours_is_read_back(example: Example, tmp_path: Path) -> None:
    graph, path = _written(example, tmp_path)
    again = ours.load(path)
    assert [again.specs[n] for n in again.inputs] == [graph.specs[n] for n in graph.inputs]
    _agree(again, path, 2, 7)


def test_one_file_serves_every_size(tmp_path: Path) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)
    graph = graph_of(nn.build(layer, input=("N", "T", 8)))
    ours.export(graph, path := tmp_path / "encoder.onnx")
    for sizes in ((1, 5), (3, 17), (2, 1)):
        _agree(graph, path, *sizes)


def test_what_users_write_of_jax_numpy_is_written(tmp_path: Path) -> None:
    """Whole numbers, remainders, powers, products, choices between several."""

    def f(x: Any) -> Any:
        whole = jnp.floor(x) + jnp.ceil(x) * jnp.round(3 * x) + jax.lax.round(4 * x)
        curved = jnp.arctan(x) + (jnp.abs(x) + 1) ** x + x % 0.7
        chosen = jnp.select([x > 1, x > 0], [x, 2 * x], 0.25)
        return whole + curved + chosen + x.prod(1, keepdims=True), jnp.argmin(x, 1), jnp.isfinite(x)

    graph = capture(f, Spec(("N", 4), "float32"))
    ours.export(graph, path := tmp_path / "numpy.onnx")
    _agree(graph, path, 3)


@pytest.mark.parametrize("name", ["log1p", "expm1"])
def test_what_is_spelt_out_is_exact_near_0(name: str, tmp_path: Path) -> None:
    row: Any = ops.TABLE[name]
    graph = capture(lambda x: row(x), (6,))
    ours.export(graph, path := tmp_path / "f.onnx")
    x = np.array([1e-12, -1e-7, 1e-3, 0, 30, -0.5], np.float32)
    [got] = runtime.InferenceSession(path).run(None, {"x0": x})
    np.testing.assert_allclose(got, getattr(np, name)(x.astype(float)), rtol=5e-7)


def test_a_whole_sort_is_written_of_a_named_size_too(tmp_path: Path) -> None:
    graph = capture(lambda x: F.argsort(x, 1), Spec(("N", "T"), "float32"))
    ours.export(graph, path := tmp_path / "sort.onnx")
    for sizes in ((2, 5), (3, 1)):
        _agree(graph, path, *sizes)


def test_what_onnx_lacks_is_named(tmp_path: Path) -> None:
    node = {"size": (2, 2), "stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    row: Any = ops.TABLE["conv2d_dk"]
    graph = capture(lambda x, y: row(x, y, **node, groups=1), (1, 1, 4, 4), (1, 1, 3, 3))
    with pytest.raises(MeaningError, match="takes ops that ONNX has, got `conv2d_dk`"):
        ours.export(graph, tmp_path / "g.onnx")


def test_a_file_that_cannot_be_written_is_ours(tmp_path: Path) -> None:
    model = nn.build(nn.ReLU(), input=("N",))
    with pytest.raises(FileError):
        ours.export(model, tmp_path / "none" / ("x" * 300))
