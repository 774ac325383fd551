"""`tensorem train`: layers and data in, a run folder out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal

from tensorem.errors import ArgumentError

from . import _exit
from ._flags import Count, Names, Place, Rate, Seed, Total, Widths
from ._recipe import BUNDLED, Recipe, built, is_table, learnt, splits
from ._runs import new_run
from ._terminal import print_json, show

if TYPE_CHECKING:
    from tensorem.train import Callbacks, Run


@dataclass(frozen=True)
class Train:
    """Train a model on bundled data or a CSV file; Ctrl-C saves, --resume continues."""

    data: str = "digits"
    """digits, iris; a .csv, .csv.gz, .parquet or .npz file (x, y); a folder of pictures."""

    layers: str = "mlp"
    """cnn, mlp, or FILE.py:NAME for a layer of your own."""

    hidden: Widths = (64,)
    """Widths of the hidden layers of an mlp."""

    no_header: bool = False
    """The first line of the CSV file is data, not the names of the columns."""

    delimiter: str = ","
    """What stands between the cells of the CSV file."""

    decimal: Literal[".", ","] = "."
    """What stands before the decimals of its numbers."""

    encoding: str = "utf-8"
    """Of its text."""

    drop: Names = ()
    """Its columns that are no inputs."""

    categories: Names = ()
    """Its columns whose numbers are names, such as a postcode."""

    target: str = "-1"
    """The column of a CSV file that holds the targets: its name or number."""

    classes: Names = ()
    """The texts in that column for class 0, class 1, ...; those that are there if not given."""

    loss: Literal["auto", "cross_entropy", "mse"] = "auto"
    """What is made small; auto: mse where a CSV file's targets are many numbers."""

    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    """How gradients move the parameters."""

    lr: Rate = 1e-3
    """The learning rate."""

    epochs: Total = None
    """How often every example is visited, 20 if not given; with --resume, another total."""

    batch_size: Count = 32
    """Examples in a step."""

    seed: Seed = 0
    """Where initial values, order and random draws come from."""

    backend: Literal["compiled", "eager"] = "compiled"
    """compiled: many steps in one program; eager: layer by layer."""

    path: Place = None
    """The run folder to make; runs/NAME-0001 if not given."""

    resume: Place = None
    """A run folder to continue; all but --epochs is as it was there."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        run, score = _resumed(self) if self.resume else _begun(self)
        assert run.path is not None
        save_scores(score, run.path)
        folder = str(run.path)
        if self.json:
            print_json({"run": folder, "test": score, "history": list(run.history)})
            return _exit.OK
        shown = "  ".join(f"{name} {value:.4f}" for name, value in score.items())
        print(f"test: {shown}")
        print(f"saved in {folder}\nnext: tensorem show {quote(folder)}")
        return _exit.OK


def _begun(given: Train) -> tuple[Run, dict[str, float]]:
    from tensorem import optim, train

    recipe = _recipe(given)
    found = splits(recipe)
    model = built(recipe, found, given.seed)
    makers: dict[str, Any] = {"adam": optim.adam, "adamw": optim.adamw, "sgd": optim.sgd}
    with new_run(given.path, Path(given.data).stem) as path:
        if not given.json:
            show(model)
            _tell_columns(recipe)
        run = train.fit(
            model, found.train, recipe.loss, makers[given.optimizer](given.lr), given.epochs or 20,
            given.batch_size, given.seed, backend=given.backend, path=path,
            progress="none" if given.json else "auto", callbacks=_saving(recipe),
        )  # fmt: skip
    return run, train.evaluate(run.model, found.test, recipe.loss)


def _tell_columns(recipe: Recipe) -> None:
    """What was made of the columns, and what to say if the target is something else."""
    if recipe.columns is None:
        return
    for feature in recipe.columns.features:
        if not feature.plain:
            print(f"column {feature.column}: {feature.told()}")
    from tensorem.data import shown

    classes = recipe.columns.classes
    made = (
        f"{len(classes)} classes: {', '.join(shown(classes))}" if classes else "numbers to be met"
    )
    other = "mse" if classes else "cross_entropy"
    print(f"target {recipe.columns.target}: {made} (else --loss {other})")


_OF_FILES = (
    "no_header", "delimiter", "decimal", "encoding", "drop", "categories", "target", "classes",
)  # fmt: skip


def _recipe(given: Train) -> Recipe:
    about_files = [name for name in _OF_FILES if _changed(given, name)]
    if given.classes and given.loss == "mse":
        raise ArgumentError("--classes is about --loss cross_entropy, got --loss mse.")
    if given.layers != "mlp" and _changed(given, "hidden"):
        raise ArgumentError(f"--hidden is about --layers mlp, got --layers {given.layers}.")
    meets = given.data in BUNDLED and given.loss == "mse"
    if meets or (about_files and not is_table(given.data)):
        flag = _flag(about_files[0]) if about_files else "--loss mse"
        raise ArgumentError(f"{flag} is about a .csv file, got --data {given.data}.")
    told = Recipe(
        given.data, given.target, given.classes, layers=given.layers, hidden=given.hidden,
        header=not given.no_header, delimiter=given.delimiter, decimal=given.decimal,
        encoding=given.encoding, drop=given.drop, categories=given.categories,
    )  # fmt: skip
    return learnt(told, given.loss)


def _resumed(given: Train) -> tuple[Run, dict[str, float]]:
    from tensorem import train

    assert given.resume is not None
    _require_alone(given)
    recipe = Recipe.load(given.resume)
    found = splits(recipe)
    model = built(recipe, found)
    run = train.resume(
        given.resume, model, found.train, epochs=given.epochs,
        progress="none" if given.json else "auto", callbacks=_saving(recipe),
    )  # fmt: skip
    return run, train.evaluate(run.model, found.test, recipe.loss)


def _require_alone(given: Train) -> None:
    """A flag that would change nothing is refused."""
    for name in [field.name for field in fields(given)]:
        if name not in ("resume", "epochs", "json") and _changed(given, name):
            raise ArgumentError(f"--resume takes no {_flag(name)}: it is as it was in the run.")


def _changed(given: Train, name: str) -> bool:
    return bool(getattr(given, name) != getattr(Train, name))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def save_scores(scores: dict[str, float], run: Path) -> None:
    """Write down how the model does on examples that it was not trained on."""
    import json

    from tensorem import disk

    disk.write_whole(disk.RunFiles(run).scores, (json.dumps(scores, indent=1) + "\n").encode())


def _saving(recipe: Recipe) -> Callbacks:
    """With each checkpoint also the recipe, and the model as others can read it."""
    from tensorem import files, train

    def save(run: Run) -> None:
        assert run.path is not None
        files.save(run.model, run.path)

    def begin(run: Run) -> None:
        assert run.path is not None
        recipe.save(run.path)

    return train.on_train_start(begin), train.on_save(save)
