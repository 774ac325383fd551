"""The mean width of CROWN on ACAS-Xu 1_1: the box of property 3, cut into 256 parts."""

from __future__ import annotations

import gzip
import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "bench" / "vnncomp" / "acasxu"
UNCUT = 4
"""The input that is not cut; the other four are cut into 4 parts each."""


@dataclass(frozen=True)
class Widths:
    """Bounds of the five outputs on the 256 boxes.

    Args:
        crown: Mean width of CROWN's bounds, met with those of interval propagation.
        ibp: Mean width of interval propagation alone.
        compiling: Seconds to trace and compile CROWN.
        running: Seconds for all boxes, compiled; the median of five.
    """

    crown: float
    ibp: float
    compiling: float
    running: float


def widths(uncut: int = UNCUT) -> Widths | None:
    """The figures; None where the data is not there."""
    if not FOLDER.is_dir():
        return None
    return _measured(*boxes(uncut))


def _measured(lower: Array, upper: Array) -> Widths:
    import jax

    from tensorem import runtime

    runtime.prepare()
    ibp, crown = _bounds(_graph())
    started = time.perf_counter()
    found = jax.block_until_ready(crown(lower, upper))
    compiling = time.perf_counter() - started
    seconds = [_seconds(lambda: jax.block_until_ready(crown(lower, upper))) for _ in range(5)]
    return Widths(
        _mean_width(found), _mean_width(ibp(lower, upper)), compiling, float(np.median(seconds))
    )


def _mean_width(ends: tuple[Any, Any]) -> float:
    return float(np.mean(ends[1] - ends[0]))


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _bounds(graph: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """(lower, upper of the input) -> (lower, upper of the output), by intervals and by CROWN."""
    import jax.numpy as jnp

    from tensorem.verify import Propagation

    propagation, output = Propagation.of(graph), graph.outputs
    while not isinstance(output, str):
        (output,) = output

    def ibp(lower: Any, upper: Any) -> tuple[Any, Any]:
        box = propagation.intervals(lower, upper).boxes[output]
        return box.lower, box.upper

    def crown(lower: Any, upper: Any) -> tuple[Any, Any]:
        bounds = propagation.crown(lower, upper)
        box: Any = bounds.boxes[output]
        size = box.lower[0].size
        unit = jnp.eye(size, dtype=box.lower.dtype).reshape(1, size, *box.shape[1:])
        rows = jnp.broadcast_to(unit, (len(lower), *unit.shape[1:]))
        low = propagation.lower(rows, output, bounds).reshape(box.shape)
        high = -propagation.lower(-rows, output, bounds).reshape(box.shape)
        return jnp.maximum(low, box.lower), jnp.minimum(high, box.upper)

    return ibp, crown


def _graph() -> Any:
    """The network as a graph of ours: five inputs, six layers of 50 ReLUs, five outputs."""
    import tensorem as tm
    from tensorem import functional as F

    mean, *layers = _weights()
    pairs = list(zip(layers[::2], layers[1::2], strict=True))

    def network(x: Any) -> Any:
        x = x - mean.reshape(1, 5)
        for weight, bias in pairs[:-1]:
            x = F.relu(F.linear(x, weight.T, bias))
        return F.linear(x, pairs[-1][0].T, pairs[-1][1])

    return tm.capture(network, (1, 5))


def _weights() -> list[Array]:
    import onnx

    content = _unpacked(FOLDER / "onnx" / "ACASXU_run2a_1_1_batch_2000.onnx.gz")
    graph = onnx.load_model_from_string(content).graph
    operations = [node.op_type for node in graph.node]
    expected = ["Sub", "Flatten", *["MatMul", "Add", "Relu"] * 6, "MatMul", "Add"]
    if operations != expected:
        raise ValueError(f"ACAS-Xu 1_1 takes the operations {expected}, got {operations}.")
    return [onnx.numpy_helper.to_array(array) for array in graph.initializer]


def boxes(uncut: int) -> tuple[Array, Array]:
    """(256, 1, 5) lower and upper ends: all inputs but one cut into four equal parts."""
    ends = [np.linspace(*end, 2 if i == uncut else 5) for i, end in enumerate(_property())]
    parts = [list(itertools.pairwise(cuts)) for cuts in ends]
    both = np.asarray(list(itertools.product(*parts)), np.float32)
    return both[:, np.newaxis, :, 0], both[:, np.newaxis, :, 1]


def _property() -> Iterator[tuple[float, float]]:
    """Lower and upper end of each input."""
    text = _unpacked(FOLDER / "vnnlib" / "prop_3.vnnlib.gz").decode()
    found = {
        (sign, int(i)): float(value)
        for sign, i, value in re.findall(r"\((<=|>=) X_(\d) (\S+?)\)", text)
    }
    return ((found[">=", i], found["<=", i]) for i in range(5))


def _unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())
