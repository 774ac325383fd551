"""outcomes.safetensors: what a model says of examples that it was not trained on."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem import disk, nn, train
from tensorem.calls import called
from tensorem.data import Dataset
from tensorem.errors import FileError, GraphError, ShapeError
from tensorem.graph import Graph, graph_hash, graph_of, unroll, weights_hash
from tensorem.metrics import confusion_matrix

Array = NDArray[Any]
WORST = 12
"""How many examples are kept."""
POINTS = 1000
"""How many pairs of a target and what was said of it are kept."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What a model says of examples that it was not trained on.

    Args:
        graph: SHA-256 of the canonical graph.json of the model, as in a claim.
        weights: SHA-256 of its weights, as in a claim.
        classes: The names of the classes; empty where numbers are met.
        columns: The names of the numbers of an input, where it is a row of a table.
        confusion: How many of each class (rows) were said to be of each (columns).
        pairs: Targets and what was said of them, where numbers are met.
        index: The numbers of the worst examples, those of the greatest loss first.
        inputs: Their inputs.
        targets: Their classes, or their targets.
        said: The classes that they were said to be of, or the outputs.
        losses: -log of the probability of their class, or their mean squared error.

    Shapes:
        confusion (classes, classes), pairs (n, 2), inputs (worst, ...), all others (worst)
    """

    graph: str
    weights: str
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    confusion: Array
    pairs: Array
    index: Array
    inputs: Array
    targets: Array
    said: Array
    losses: Array

    def save(self, run: str | Path) -> None:
        """Write them into a run folder.

        Raises:
            FileError: It cannot be written.
        """
        arrays: disk.Arrays = {name: getattr(self, name) for name in _ARRAYS}
        texts = {"graph": self.graph, "weights": self.weights}
        texts |= {name: json.dumps(getattr(self, name)) for name in ("classes", "columns")}
        disk.write_whole(_file(run), disk.pack(arrays, texts))

    @staticmethod
    def load(run: str | Path) -> Outcomes:
        """Those in a run folder.

        Raises:
            FileError: The file is not of this format.
        """
        arrays, texts = disk.read_arrays(path := _file(run))
        try:
            classes, columns = _texts(texts["classes"]), _texts(texts["columns"])
            named = {name: arrays[name] for name in _ARRAYS}
            found = Outcomes(texts["graph"], texts["weights"], classes, columns, **named)
            found._require_fit()
            return found
        except (ValueError, KeyError, TypeError) as error:
            raise FileError(f"{path} holds no outcomes.", because=str(error)) from None

    def _require_fit(self) -> None:
        rows = {len(a) for a in (self.index, self.inputs, self.targets, self.said, self.losses)}
        known = len(self.classes)
        if self.confusion.shape != (known, known) or self.pairs.shape[1:] != (2,) or len(rows) > 1:
            raise ValueError("its arrays do not fit each other")


def _file(run: str | Path) -> Path:
    return disk.RunFiles(disk.path_of(run)).outcomes


_ARRAYS = ("confusion", "pairs", "index", "inputs", "targets", "said", "losses")


def _texts(said: str) -> tuple[str, ...]:
    found = disk.parse_json(said)
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"{said[:40]} is no list of texts")
    return tuple(found)


@called
def examine(
    model: nn.Model,
    examples: Dataset,
    *,
    classes: tuple[str, ...] = (),
    columns: tuple[str, ...] = (),
) -> Outcomes:
    """What a model says of examples: for each class how often which, and the worst ones.

    Targets of integers are classes, of which the model gives scores; others are numbers.

    Args:
        classes: The names of the classes; their numbers if not given.
        columns: The names of the numbers of an input, where it is a row of a table.

    Raises:
        ShapeError: The outputs are not a score for each class, or a number for each of the targets.

    Example:
        >>> from tensorem import data
        >>> model = nn.build(nn.Linear(4, 3), input=("N", 4))
        >>> examine(model, data.iris().test).confusion.sum()
        np.int64(30)
    """
    output = np.asarray(train.predict(model, examples.x), np.float64)
    made = _of_classes if examples.y.dtype.kind in "iu" else _of_numbers
    found, losses, said = made(output, examples.y, classes)
    worst = np.argsort(-losses, kind="stable")[:WORST]
    graph, weights = identity(graph_of(model))
    return Outcomes(
        graph=graph, weights=weights, columns=columns, **found,
        index=worst, inputs=examples.x[worst], targets=examples.y[worst].reshape(len(worst), -1),
        said=said[worst].reshape(len(worst), -1), losses=losses[worst],
    )  # fmt: skip


def identity(graph: Graph) -> tuple[str, str]:
    """How a claim names a model: without its loops, unless they are too long for any claim."""
    with suppress(GraphError):
        graph = unroll(graph)
    return graph_hash(graph), weights_hash(graph.arrays)


Found = tuple[dict[str, Any], Array, Array]
"""(what is known of all examples, the loss of each, what was said of each)"""


def _of_classes(output: Array, target: Array, classes: tuple[str, ...]) -> Found:
    if output.ndim != 2 or target.ndim != 1:
        raise ShapeError(
            f"examine takes a model with a score for each class, got outputs {output.shape} for "
            f"targets {target.shape}."
        )
    counts = confusion_matrix(output, target)
    names = (*classes, *map(str, range(len(classes), len(counts))))[: len(counts)]
    top = output.max(axis=1)
    logs = top + np.log(np.exp(output - top[:, None]).sum(axis=1))
    losses = logs - output[np.arange(len(target)), target]
    nothing = np.zeros((0, 2))
    return {"classes": names, "confusion": counts, "pairs": nothing}, losses, output.argmax(axis=1)


def _of_numbers(output: Array, target: Array, classes: tuple[str, ...]) -> Found:
    if output.size != target.size:
        raise ShapeError(
            f"examine takes a model with a number for each of the targets {target.shape}, got "
            f"outputs {output.shape}."
        )
    flat = output.reshape(len(target), -1)
    wanted = target.reshape(flat.shape).astype(np.float64)
    pairs = np.stack([wanted.ravel(), flat.ravel()], axis=1)
    every = -(-len(pairs) // POINTS)
    found = {"classes": (), "confusion": np.zeros((0, 0), np.int64), "pairs": pairs[::every]}
    return found, np.mean((flat - wanted) ** 2, axis=1), flat
