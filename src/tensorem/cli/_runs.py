"""Run folders: where the next one goes, and what is in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from tensorem.disk import RunFiles, exists, is_file, make_folder, make_new_folder
from tensorem.errors import DataError, FileError

from ._flags import require_within
from ._recipe import Recipe, splits, unseen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tensorem.data import Dataset


@contextmanager
def new_run(path: Path | None, name: str) -> Iterator[Path]:
    """The folder for a new run: one that was named, or else the next of runs/NAME-0001, ...

    The next one is made, so that it is nobody else's, and removed if nothing comes into it.

    Raises:
        FileError: A new run would replace something in it, or it cannot be made.
    """
    if path is not None:
        yield _require_new(RunFiles(path))
        return
    made = _made(name)
    try:
        yield made
    finally:
        with suppress(OSError):
            made.rmdir()


def _made(name: str, root: Path = Path("runs")) -> Path:
    """What exists is passed over when making it fails: to look first would let two find one."""
    make_folder(root)
    for number in count(1):
        with suppress(FileExistsError):
            return make_new_folder(root / f"{name}-{number:04}")
    raise AssertionError


def require_run(run: Path) -> Path:
    """The folder, if it holds a trained model.

    Raises:
        FileError: It does not.
    """
    files = RunFiles(run)
    if not is_file(files.weights):
        raise FileError(
            f"A run is a folder with {files.weights.name} and {files.graph.name}, got {run}.",
            help=_how_to_get_one(files),
        )
    return run


def _how_to_get_one(files: RunFiles) -> str:
    run = files.folder
    if not is_file(files.state):
        return "tensorem train makes one; so does tensorem demo."
    if is_file(files.recipe):
        return f"it was stopped; tensorem resume {quote(str(run))} goes on with it."
    return "it is a run of train.fit: run = train.resume(path, model, data), then run.model."


def _require_new(files: RunFiles) -> Path:
    """The folder, if a new run replaces nothing there.

    Of a folder that holds a run, training says so itself; one that was killed before its first
    checkpoint left its recipe and flags alone, and may begin again.
    """
    if is_file(files.state) or _is_recipe(files):
        return files.folder
    for file in written(files):
        if exists(file):
            raise FileError(
                f"{files.folder} takes a new run, got a folder that holds {file.name}.",
                help="choose another path.",
            )
    return files.folder


def _is_recipe(files: RunFiles) -> bool:
    others = [file for file in written(files) if file not in (files.recipe, files.settings)]
    try:
        return not any(map(exists, others)) and bool(Recipe.load(files.folder))
    except FileError:
        return False


def written(files: RunFiles) -> tuple[Path, ...]:
    """What the commands write into a run folder, beside what training writes."""
    return (
        files.weights, files.graph, files.recipe, files.settings, files.scores, files.outcomes,
        files.robustness, files.counterexamples, files.certificates, files.report, files.graph_page,
    )  # fmt: skip


def examples(run: Path, data: str | None) -> Dataset:
    """What the run was not trained on: of its own data, or of the data that a command was given.

    Raises:
        FileError: Neither the command nor the run names any.
        DataError: The run's own file is not the one that it was trained on.
    """
    if data is None and not is_file(RunFiles(run).recipe):
        raise FileError(f"{run} does not say what its data is.", help="pass --data digits.")
    recipe = recipe_of(run)
    return splits(recipe).test if data is None else unseen(recipe, data)


def recipe_of(run: Path) -> Recipe:
    """The recipe of a run; where there is none, that of a classifier of bundled data.

    Raises:
        FileError: It is malformed.
    """
    return Recipe.load(run) if is_file(RunFiles(run).recipe) else Recipe()


def require_rows(index: Sequence[int], size: int) -> None:
    """Raise unless every number is one of a test example."""
    for i in index:
        require_within("--index", i, 0, size - 1)


def outputs(model: Callable[..., Any], x: NDArray[Any]) -> NDArray[Any]:
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
