"""What train and resume share: examples held out, what is written, and what is said at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from tensorem.errors import ArgumentError

from . import _exit
from ._recipe import Recipe, splits, validated
from ._terminal import print_json

if TYPE_CHECKING:
    from tensorem.data import Dataset, Splits
    from tensorem.nn import Model
    from tensorem.train import Callbacks, Run


def parts(recipe: Recipe) -> tuple[Splits, Dataset | None]:
    """The examples, and apart from those to train on the ones that are scored after each epoch."""
    found = splits(recipe)
    if not recipe.validation:
        return found, None
    rest, held = validated(recipe, found.train)
    if not len(rest) or not len(held):
        raise ArgumentError(
            f"--validation takes a share that leaves examples on both sides, got "
            f"{recipe.validation} of {len(found.train)}."
        )
    return replace(found, train=rest), held


def saving(recipe: Recipe, text: str | None) -> Callbacks:
    """With each checkpoint also the recipe, the flags, and the model as others can read it."""
    from tensorem import disk, files, train

    def save(run: Run) -> None:
        assert run.path is not None
        files.save(_kept(run), run.path)

    def begin(run: Run) -> None:
        assert run.path is not None
        recipe.save(run.path)
        if text is not None:
            disk.write_whole(disk.RunFiles(run.path).settings, text.encode(errors="replace"))

    return train.on_train_start(begin), train.on_save(save)


def telling(folder: Path | None) -> Callbacks:
    from tensorem import train

    return () if folder is None else train.tensorboard(folder)


def ended(run: Run, recipe: Recipe, found: Splits, as_json: bool) -> int:
    """Score, save and say what a run gave."""
    from tensorem import train

    assert run.path is not None
    model = _kept(run)
    score = train.evaluate(model, found.test, recipe.loss, run.plan.metrics)
    save_scores(score, run.path)
    _save_outcomes(model, recipe, found, run.path)
    folder = str(run.path)
    if as_json:
        print_json({"run": folder, "test": score, "history": list(run.history)})
        return _exit.OK
    if run.stopped:
        print(f"stopped: {run.stopped}")
    shown = "  ".join(f"{name} {value:.4f}" for name, value in score.items())
    print(f"test: {shown}")
    print(f"saved in {folder}\nnext: tensorem show {quote(folder)}")
    return _exit.OK


def _kept(run: Run) -> Model:
    """What is saved: the best model where that was asked for."""
    kept = {callback.name for callback, _ in run.callbacks}
    return run.callback("best").model if "best" in kept else run.model


def save_scores(scores: dict[str, float], run: Path) -> None:
    """Write down how the model does on examples that it was not trained on."""
    import json

    from tensorem import disk

    disk.write_whole(disk.RunFiles(run).scores, (json.dumps(scores, indent=1) + "\n").encode())


def _save_outcomes(model: Model, recipe: Recipe, found: Splits, run: Path) -> None:
    """What the report draws of the examples that were not trained on."""
    from tensorem import report

    columns = recipe.columns.numbers if recipe.columns else ()
    report.examine(model, found.test, classes=found.classes, columns=columns).save(run)
