"""Run folders: where the next one goes, and what is in one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from tensorem.errors import ArgumentError, DataError, FileError

from ._recipe import FILE, Recipe, splits, unseen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tensorem.data import Dataset


STATE = "state.safetensors"
_WRITTEN = (
    "model.safetensors", "graph.json", FILE, "scores.json", "robustness.json",
    "counterexamples.safetensors", "certificates", "report.html",
)  # fmt: skip
"""What the commands write into a run folder, beside what training writes."""


def next_run(name: str, root: Path = Path("runs")) -> Path:
    """The first of runs/NAME-0001, runs/NAME-0002, ... that does not exist."""
    number = 1
    while (root / f"{name}-{number:04}").exists():
        number += 1
    return root / f"{name}-{number:04}"


def require_run(run: Path) -> Path:
    """The folder, if it holds a trained model.

    Raises:
        FileError: It does not.
    """
    if not (run / "model.safetensors").is_file():
        raise FileError(
            f"A run is a folder with model.safetensors and graph.json, got {run}.",
            help=_how_to_get_one(run),
        )
    return run


def _how_to_get_one(run: Path) -> str:
    if not (run / STATE).is_file():
        return "tensorem train makes one; so does tensorem demo."
    if (run / FILE).is_file():
        return f"it was stopped; tensorem train --resume {quote(str(run))} goes on with it."
    return "it is a run of train.fit: run = train.resume(path, model, data), then run.model."


def require_new(run: Path) -> Path:
    """The folder, if a new run replaces nothing there.

    Raises:
        FileError: It would; of a folder that holds a run, training says so itself.
    """
    for name in () if (run / STATE).is_file() else _WRITTEN:
        if (run / name).exists():
            raise FileError(
                f"{run} takes a new run, got a folder that holds {name}.",
                help="choose another path.",
            )
    return run


def examples(run: Path, data: str | None) -> Dataset:
    """What the run was not trained on: of its own data, or of the data that a command was given.

    Raises:
        FileError: Neither the command nor the run names any.
        DataError: The run's own file is not the one that it was trained on.
    """
    if data is None and not (run / FILE).is_file():
        raise FileError(f"{run} does not say what its data is.", help="pass --data digits.")
    recipe = Recipe.load(run) if (run / FILE).is_file() else Recipe()
    return splits(recipe).test if data is None else unseen(recipe, data)


def require_rows(index: Sequence[int], size: int) -> None:
    """Raise unless every number is one of a test example."""
    for i in index:
        if i >= size:
            raise ArgumentError(f"--index takes integers from 0 to {size - 1}, got {i}.")


def outputs(model: Any, x: NDArray[Any]) -> NDArray[Any]:
    """The model's outputs for all inputs, a batch at a time.

    Raises:
        DataError: There are no inputs, or an output is not finite: it has no class, no score.
    """
    import numpy as np

    if len(x) == 0:
        raise DataError("A model takes at least one input here, got none.")
    parts = [np.asarray(model(x[i : i + 256])) for i in range(0, len(x), 256)]
    found = np.concatenate(parts)
    bad = np.argwhere(~np.isfinite(found))
    if len(bad):
        raise DataError(
            f"The model gives {found[tuple(bad[0])]} for input {bad[0][0]}, beyond float32.",
            help="are the inputs as large as those it was trained on?",
        )
    return found
