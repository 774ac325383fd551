"""Other readings of a model, and files of other tools: seconds, or how many times as long."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.interleave import in_turns, seconds_of
from bench.variants import is_installed

EPS = 0.01


def exchange(rounds: int, only: Callable[[str], bool]) -> Iterator[tuple[str, float]]:
    """(the name of a figure in `bench.floors.EXCHANGE`, the figure)."""
    from tensorem import runtime

    runtime.prepare()
    for name, measure in _MEASURES.items():
        if only(name) and ("ONNX" not in name or is_installed("onnx")):
            yield name, measure(rounds)


def _captured(make: Callable[[], Any]) -> Callable[[int], float]:
    """Seconds, the first time in this process; what follows finds traces of functions."""

    def measure(rounds: int) -> float:
        import tensorem as tm
        from tensorem import graph

        model = make()
        return seconds_of(lambda: graph.to_jax(tm.capture(model).bind(N=1)))

    return measure


def _resnet() -> Any:
    from tensorem import models, nn

    return nn.build(models.resnet18(), input=("N", 3, 224, 224), seed=0)


def _transformer() -> Any:
    from tensorem import nn

    layer = nn.TransformerEncoderLayer(128, 4, 512, 0.0, "gelu", norm_first=True)
    return nn.build(nn.TransformerEncoder(layer, 12), input=("N", 64, 128), seed=0)


def _perceptron(*sizes: int) -> Any:
    from tensorem import models, nn

    first, *hidden, last = sizes
    return nn.build(models.mlp(first, last, tuple(hidden)), input=("N", first), seed=0)


def _exact(rounds: int) -> float:
    """Seconds for an image of the bundled digits by 64-128-10."""
    import tensorem as tm
    from tensorem import data

    model, x = _perceptron(64, 128, 10), np.asarray(data.digits().test.x[:1]).reshape(1, 64)
    found = in_turns({"exact": lambda: tm.evaluate(model, x, dtype="rational")}, rounds)
    return statistics.median(found["exact"])


def _rigorous(rounds: int) -> float:
    """Intervals of 64 rows through 784-128-128-10, over the same in NumPy's float64."""
    import tensorem as tm

    model, x = _perceptron(784, 128, 128, 10), _rows()
    graph = tm.capture(model)
    box = tm.domains.Interval.of(x - EPS, x + EPS)
    weights = [np.asarray(a, np.float64) for a in model.state_dict().values()]

    def plain() -> Any:
        h = x.astype(np.float64)
        for weight, bias in zip(weights[::2], weights[1::2], strict=True):
            h = h @ weight.T + bias
            h = np.maximum(h, 0) if len(bias) > 10 else h
        return h

    work = {"ours": lambda: tm.evaluate(graph, box, dtype="interval"), "plain": plain}
    return _ratio(work, "ours", "plain", rounds)


def _fast(rounds: int) -> float:
    """Intervals without directed rounding, compiled, over the compiled float32 pass."""
    import jax

    import tensorem as tm
    from tensorem import graph
    from tensorem.verify._bounds import Propagation

    model, x = _perceptron(784, 128, 128, 10), _rows()
    one = Propagation.of(tm.capture(model).bind(N=1))
    lower, upper = (jax.numpy.asarray(x + side)[:, None] for side in (-EPS, EPS))
    output = one.graph.outputs[0]
    run, given = jax.jit(graph.to_jax(tm.capture(model).bind(N=64))), jax.numpy.asarray(x)

    def ours() -> Any:
        return jax.block_until_ready(one.intervals(lower, upper).boxes[output].lower)

    work = {"ours": ours, "float32": lambda: jax.block_until_ready(run(given))}
    return _ratio(work, "ours", "float32", rounds)


def _rows() -> Any:
    return np.random.default_rng(0).random((64, 784), np.float32)


def _imported(rounds: int) -> float:
    """A file of 100 MB: two linear maps of 3536 x 3536."""
    import onnx

    import tensorem as tm

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.onnx"
        tm.onnx.export(_perceptron(3536, 3536, 3536), path)
        if path.stat().st_size < 100_000_000:
            raise RuntimeError(f"The file has {path.stat().st_size} bytes.")
        work = {"ours": lambda: tm.onnx.load(path), "onnx": lambda: onnx.load(path)}
        return _ratio(work, "ours", "onnx", rounds)


def _ratio(work: dict[str, Callable[[], Any]], of: str, to: str, rounds: int) -> float:
    found = in_turns(work, rounds)
    return statistics.median(a / b for a, b in zip(found[of], found[to], strict=True))


_MEASURES: dict[str, Callable[[int], float]] = {
    "capture and to_jax, ResNet-18": _captured(_resnet),
    "capture and to_jax, 12 layers": _captured(_transformer),
    "exact evaluation of an image": _exact,
    "rigorous intervals over NumPy": _rigorous,
    "fast intervals over float32": _fast,
    "ONNX import over onnx.load": _imported,
}
