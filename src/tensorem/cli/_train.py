"""`tensorem train`: layers and data in, a run folder out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from tensorem.errors import ArgumentError

from ._flags import Count, Names, Place, Seed, Share, Total, Widths
from ._recipe import BUNDLED, Losses, Recipe, built, is_table, learnt
from ._rules import optimizer_of
from ._runs import new_run
from ._settings import flag, to_toml
from ._terminal import show
from ._training import ended, parts, saving, telling

if TYPE_CHECKING:
    from tensorem.train import Callbacks


@dataclass(frozen=True)
class Train:
    """Train a model on bundled data or your own; Ctrl-C saves, tensorem resume goes on."""

    config: Place = None
    """A TOML file of these flags, such as the run.toml of a run; flags that are given win."""

    data: str = "digits"
    """digits, iris, a .csv, .csv.gz, .parquet or .npz file, or a folder of pictures by class."""

    model: str = "mlp"
    """cnn, mlp, or FILE.py:NAME for a layer of your own, or a function that gives one."""

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

    loss: Losses = "auto"
    """What is made small; auto: mse where the targets are many numbers."""

    metrics: Names = ()
    """What else is measured; accuracy for classes if not given."""

    optimizer: str = "adam"
    """One of tensorem.optim, as a name or as it is called: "sgd(momentum=0.9)"."""

    lr: str | None = None
    """The learning rate, or a schedule: "cosine_lr(0.1)"; that of the optimizer if not given."""

    epochs: Count = 20
    """How often every example is visited."""

    batch_size: Count = 32
    """Examples in a step."""

    drop_last: bool = False
    """A smaller last batch is left out."""

    accumulate: Count = 1
    """In how many parts a batch is computed."""

    precision: Literal["float32", "bf16"] = "float32"
    """What the model computes in; parameters and optimizer stay float32."""

    devices: Count = 1
    """How many devices compute each batch together."""

    validation: Share = 0.0
    """The share of the training examples that is held out and scored after each epoch."""

    monitor: str = "auto"
    """What --patience and --keep-best watch; auto: val_loss, or loss without --validation."""

    patience: Total = None
    """Stop after so many epochs without a better value."""

    keep_best: bool = False
    """Save the model of the best epoch, not that of the last."""

    seed: Seed = 0
    """Where initial values, order and random draws come from."""

    backend: Literal["compiled", "eager"] = "compiled"
    """compiled: many steps in one program; eager: layer by layer."""

    log_every: Total = None
    """Steps between rows of the log, besides those of the epochs."""

    checkpoint_every: Total = None
    """Steps between checkpoints; one after each epoch if not given."""

    tensorboard: Place = None
    """Also write the numbers into this folder for TensorBoard."""

    path: Place = None
    """The run folder to make; runs/NAME-0001 if not given."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import train

        recipe, rule = _recipe(self), optimizer_of(self.optimizer, self.lr)
        found, held = parts(recipe)
        told = replace(
            self,
            optimizer=repr(rule),
            lr=None,
            loss=cast(Losses, recipe.loss),
            monitor=_monitor(self, recipe.loss),
        )
        model, text = built(recipe, found, self.seed), to_toml(told)
        with new_run(self.path, Path(self.data).stem) as path:
            if not self.json:
                show(model)
                _tell_columns(recipe)
                print(text)
            run = train.fit(
                model, found.train, recipe.loss, rule, self.epochs, self.batch_size, self.seed,
                validation=held, metrics=self.metrics or None, drop_last=self.drop_last,
                backend=_compute(self), path=path, checkpoint_every=self.checkpoint_every,
                log_every=self.log_every, progress="none" if self.json else "auto",
                callbacks=(saving(recipe, text), _watching(told), telling(self.tensorboard)),
            )  # fmt: skip
        return ended(run, recipe, found, self.json)


def _compute(given: Train) -> Any:
    from tensorem import train

    precision = None if given.precision == "float32" else given.precision
    devices = train.Mesh(given.devices) if given.devices > 1 else None
    return train.Compute(given.backend, given.accumulate, precision, devices)


def _monitor(given: Train, loss: str) -> str:
    """The column that is watched, which must be there."""
    from tensorem.metrics import METRICS
    from tensorem.train import OF_STEPS

    takes = (*METRICS, *OF_STEPS)
    if unknown := [name for name in given.metrics if name not in takes]:
        raise ArgumentError(f"--metrics takes {', '.join(takes)}, got {unknown[0]}.")
    usual = ("accuracy",) if loss == "cross_entropy" else ()
    known = ["loss", *(given.metrics or usual)]
    held = [name for name in known if given.validation and name not in OF_STEPS]
    columns = [*known, *(f"val_{name}" for name in held)]
    if given.monitor == "auto":
        return "val_loss" if given.validation else "loss"
    if given.monitor not in columns:
        raise ArgumentError(
            f"--monitor takes {', '.join(columns)}, got {given.monitor}.",
            help="" if given.validation else "--validation 0.2 makes columns of unseen examples.",
        )
    return given.monitor


def _watching(given: Train) -> Callbacks:
    """Early stopping, and the best model."""
    from tensorem import train

    mode: Literal["min", "max"] = "max" if given.monitor.endswith("accuracy") else "min"
    found: list[train.EarlyStopping | train.KeepBest] = []
    if given.patience is not None:
        found.append(train.EarlyStopping(given.monitor, given.patience, mode=mode))
    if given.keep_best:
        found.append(train.KeepBest(given.monitor, mode))
    return found


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
    if given.classes and given.loss not in ("auto", "cross_entropy"):
        raise ArgumentError(f"--classes is about --loss cross_entropy, got --loss {given.loss}.")
    if given.model != "mlp" and _changed(given, "hidden"):
        raise ArgumentError(f"--hidden is about --model mlp, got --model {given.model}.")
    meets = given.data in BUNDLED and given.loss not in ("auto", "cross_entropy")
    if meets or (about_files and not is_table(given.data)):
        asked = flag(about_files[0]) if about_files else f"--loss {given.loss}"
        raise ArgumentError(f"{asked} is about a .csv file, got --data {given.data}.")
    told = Recipe(
        given.data, given.target, given.classes, layers=given.model, hidden=given.hidden,
        header=not given.no_header, delimiter=given.delimiter, decimal=given.decimal,
        encoding=given.encoding, drop=given.drop, categories=given.categories,
        validation=given.validation,
    )  # fmt: skip
    return learnt(told, given.loss)


def _changed(given: Train, name: str) -> bool:
    return bool(getattr(given, name) != getattr(Train, name))
