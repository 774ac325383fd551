"""ONNX files of others: the cases of the onnx package with their results, and what is refused."""

from __future__ import annotations

import gzip
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorem as tm
from tensorem import onnx as ours
from tensorem.errors import ArgumentError, CaptureError, FileError, TensoremError
from tensorem.graph import Graph, to_jax

onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

CASES = Path(onnx.__file__).parent / "backend" / "test" / "data"
KINDS = ("pytorch-converted", "pytorch-operator", "simple")
NAMED = [path for kind in KINDS for path in sorted((CASES / kind).iterdir())]
REFUSED = {
    "test_operator_pow": "takes operand 1 as a constant",
    "test_sequence_model8": "takes operand 1 as a constant",
    "test_gradient_of_add": "got ai.onnx.preview.training.Gradient",
    "test_gradient_of_add_and_mul": "got ai.onnx.preview.training.Gradient",
    "test_strnorm": "got StringNormalizer",
}
"""Why a case of the package is not read, by the start of its name."""
SHAPES = {"test_expand": 1}
"""Cases in which an input is a shape: it is given as a constant."""
BENCH = Path(__file__).parents[3] / "shared" / "bench" / "vnncomp"


def _values(folder: Path, kind: str) -> list[np.ndarray]:
    count = len(list(folder.glob(f"{kind}_*.pb")))
    parts = (folder / f"{kind}_{i}.pb" for i in range(count))
    return [numpy_helper.to_array(TensorProto.FromString(part.read_bytes())) for part in parts]


def _run(graph: Graph, inputs: list[np.ndarray]) -> tuple[Any, ...]:
    dtypes = [graph.specs[name].dtype for name in graph.inputs]
    results = to_jax(graph)(*[x.astype(d) for x, d in zip(inputs, dtypes, strict=True)])
    return results if isinstance(results, tuple) else (results,)


def _require_close(got: tuple[Any, ...], wanted: list[np.ndarray]) -> None:
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert np.shape(a) == b.shape
        np.testing.assert_allclose(np.asarray(a, float), b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", NAMED, ids=lambda p: p.name)
def test_a_case_of_the_onnx_package_gives_its_results(case: Path) -> None:
    why = [reason for start, reason in REFUSED.items() if case.name.startswith(start)]
    if why:
        with pytest.raises(CaptureError, match=why[0]):
            ours.load(case / "model.onnx")
        return
    for data in case.glob("test_data_set_*"):
        inputs, constants = _values(data, "input"), {}
        for place in (i for start, i in SHAPES.items() if case.name.startswith(start)):
            names = [info.name for info in onnx.load(case / "model.onnx").graph.input]
            constants[names[place]] = inputs.pop(place)
        graph = ours.load(case / "model.onnx", constants=constants)
        _require_close(_run(graph, inputs), _values(data, "output"))


@pytest.mark.long
@pytest.mark.parametrize("path", sorted((CASES / "light").glob("*.onnx")), ids=lambda p: p.stem)
def test_a_classic_network_agrees_with_onnx_runtime(path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    graph, x = ours.load(path), np.random.default_rng(0)
    inputs = [x.random(graph.specs[n].shape).astype(np.float32) for n in graph.inputs]
    session = runtime.InferenceSession(path)
    names = [info.name for info in session.get_inputs()]
    wanted = session.run(None, dict(zip(names, inputs, strict=True)))
    np.testing.assert_allclose(_run(graph, inputs)[0], wanted[0], rtol=1e-4, atol=1e-5)


NETWORKS = sorted(BENCH.glob("**/*.onnx.gz"))[::6] if BENCH.is_dir() else []


@pytest.mark.skipif(not NETWORKS, reason="../shared/bench is not there")
@pytest.mark.parametrize("packed", NETWORKS, ids=lambda p: p.name.removesuffix(".onnx.gz"))
def test_a_network_of_the_verification_competition_agrees(packed: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    (path := tmp_path / "net.onnx").write_bytes(gzip.decompress(packed.read_bytes()))
    graph = ours.load(path)
    graph = graph.bind(**dict.fromkeys(graph.names, 1))
    rng, session = np.random.default_rng(0), runtime.InferenceSession(path)
    inputs = [rng.random(graph.specs[n].shape).astype(np.float32) for n in graph.inputs]
    names = [info.name for info in session.get_inputs()]
    _require_close(_run(graph, inputs), session.run(None, dict(zip(names, inputs, strict=True))))


def _saved(tmp_path: Path, *nodes: Any, inputs: Any = None, arrays: Any = (), **more: Any) -> Path:
    x = helper.make_tensor_value_info("x", 1, inputs or ["N", 4])
    y = helper.make_tensor_value_info("y", 1, None)
    graph = helper.make_graph(list(nodes), "g", [x], [y], list(arrays))
    onnx.save_model(helper.make_model(graph, **more), path := tmp_path / "m.onnx")
    return path


def test_sizes_keep_their_names_or_take_numbers(tmp_path: Path) -> None:
    path = _saved(tmp_path, helper.make_node("Flatten", ["x"], ["y"]), inputs=["batch", "time", 3])
    assert str(ours.load(path).specs["x0"]) == "float32 (batch, time, 3)"
    graph = ours.load(path, sizes={"batch": "N", "time": 5})
    assert str(graph.specs[graph.outputs[0]]) == "float32 (N, 15)"
    with pytest.raises(ArgumentError, match=r"takes sizes for batch, time, got tme\."):
        ours.load(path, sizes={"tme": 5})
    with pytest.raises(ArgumentError, match=r"takes constants for the inputs x, got z\."):
        ours.load(path, constants={"z": 5})


def test_a_size_without_a_word_is_named_after_its_place(tmp_path: Path) -> None:
    path = _saved(tmp_path, helper.make_node("Relu", ["x"], ["y"]), inputs=["?", "?", 3])
    assert str(ours.load(path).specs["x0"]) == "float32 (x_0, x_1, 3)"
    assert str(ours.load(path, sizes={"x_1": 4}).specs["x0"]) == "float32 (x_0, 4, 3)"


def test_bounds_may_be_computed(tmp_path: Path) -> None:
    axes = numpy_helper.from_array(np.array([0, 1]), "a")
    mean = helper.make_node("ReduceMean", ["x", "a"], ["m"], keepdims=0)
    path = _saved(tmp_path, mean, helper.make_node("Clip", ["x", "m"], ["y"]), arrays=[axes])
    got = to_jax(ours.load(path, sizes={"N": 1}))(np.array([[0, 1, 2, 5]], np.float32))
    assert np.asarray(got).tolist() == [[2, 2, 2, 5]]


def test_the_graph_of_a_file_has_every_meaning(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.eye(4, dtype=np.float32)[:2] * 3, "w")
    gemm = helper.make_node("Gemm", ["x", "w"], ["h"], transB=1)
    relu = helper.make_node("Relu", ["h"], ["y"])
    graph = ours.load(_saved(tmp_path, gemm, relu, arrays=[weight]))
    assert set(graph.arrays) == {"w"}
    x = np.array([[0.5, -2, 7, 7]], np.float32)
    exact = tm.evaluate(graph, x, dtype="rational")
    assert exact.fractions().ravel().tolist() == [Fraction(3, 2), 0]


def test_a_missing_operator_is_named_with_its_file(tmp_path: Path) -> None:
    path = _saved(tmp_path, helper.make_node("NonMaxSuppression", ["x"], ["y"]))
    with pytest.raises(CaptureError, match="got NonMaxSuppression") as caught:
        ours.load(path)
    assert caught.value.where == str(path)


def test_an_operand_of_another_form_names_the_node(tmp_path: Path) -> None:
    path = _saved(tmp_path, helper.make_node("Reshape", ["x", "x"], ["y"], name="here"))
    with pytest.raises(CaptureError, match="Reshape 'here' takes operand 1 as a constant"):
        ours.load(path)
    path = _saved(tmp_path, helper.make_node("Transpose", ["x"], ["y"], perm=[0, 5]))
    with pytest.raises(TensoremError, match="Transpose -> y"):
        ours.load(path)
    path = _saved(tmp_path, helper.make_node("Relu", ["nothing"], ["y"]))
    with pytest.raises(FileError, match="'nothing', got a name that nothing before it makes"):
        ours.load(path)


def _changed(path: Path, change: Any) -> Path:
    model = onnx.load(path, load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def _outside(model: Any) -> None:
    tensor = model.graph.initializer.add(name="w", data_type=1, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def _short(model: Any) -> None:
    model.graph.initializer.add(name="w", data_type=1, dims=[2**40], raw_data=b"1234")


def _text(model: Any) -> None:
    model.graph.initializer.add(name="w", data_type=8, dims=[1], string_data=[b"a"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_outside, "takes its data from a file in the folder of the model"),
        (_short, "w takes values of its shape"),
        (_text, "w takes numbers"),
        (lambda m: m.ClearField("graph"), "takes a graph and its opset"),
        (lambda m: setattr(m, "ir_version", 99), "takes an IR version up to"),
    ],
)
def test_a_hostile_file_is_one_error(tmp_path: Path, change: Any, words: str) -> None:
    path = _changed(_saved(tmp_path, helper.make_node("Relu", ["x"], ["y"])), change)
    with pytest.raises(FileError, match=words):
        ours.load(path)


def test_what_is_no_onnx_is_one_error(tmp_path: Path) -> None:
    (path := tmp_path / "x.onnx").write_bytes(b"\x80\x04no model")
    with pytest.raises(FileError, match="takes an ONNX model, got something else"):
        ours.load(path)
    with pytest.raises(FileError, match="No such file"):
        ours.load(tmp_path / "none.onnx")


def test_every_byte_may_be_changed(tmp_path: Path) -> None:
    """A file that was cut or overwritten is read, or refused in our words."""
    path = CASES / "pytorch-converted" / "test_Conv2d_padding" / "model.onnx"
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(60):
        mutant = bytearray(data[: rng.integers(1, len(data))] if rng.random() < 0.3 else data)
        for place in rng.integers(0, len(mutant), 3):
            mutant[place] = rng.integers(0, 256)
        (broken := tmp_path / "m.onnx").write_bytes(bytes(mutant))
        with suppress(TensoremError):
            ours.load(broken)


def test_what_a_form_of_an_operator_needs_is_said(tmp_path: Path) -> None:
    scales = numpy_helper.from_array(np.array([1, 1, 2], np.float32), "s")
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], name="up")
    path = _saved(tmp_path, node, inputs=["N", 1, "W"], arrays=[scales])
    with pytest.raises(CaptureError, match="Resize 'up' takes an image whose sizes are numbers"):
        ours.load(path)
    graph = ours.load(path, sizes={"N": 1, "W": 2})
    got = to_jax(graph)(np.array([[[1, 2]]], np.float32))
    assert np.asarray(got).tolist() == [[[1, 1, 2, 2]]]
