"""`tensorem train`: layers and data in, a run folder out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tensorem.errors import ArgumentError

from . import _exit
from ._recipe import Recipe, layers, splits
from ._runs import next_run
from ._terminal import print_json, show_model

if TYPE_CHECKING:
    from tensorem.train import Run


@dataclass(frozen=True)
class Train:
    """Train a model on bundled data or a CSV file; Ctrl-C saves, --resume continues."""

    data: str = "digits"
    """digits, iris, or a .csv file."""

    layers: str = "mlp"
    """cnn, mlp, or FILE.py:NAME for a layer of your own."""

    hidden: tuple[int, ...] = (64,)
    """Widths of the hidden layers of an mlp."""

    target: str = "-1"
    """The column of a CSV file that holds the targets: its name or number."""

    classes: tuple[str, ...] = ()
    """The texts in that column for class 0, class 1, ..."""

    loss: Literal["cross_entropy", "mse"] = "cross_entropy"
    """What is made small."""

    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    """How gradients move the parameters."""

    lr: float = 1e-3
    """The learning rate."""

    epochs: int = 20
    """How often every example is visited."""

    batch_size: int = 32
    """Examples in a step."""

    seed: int = 0
    """Where initial values, order and random draws come from."""

    backend: Literal["compiled", "eager"] = "compiled"
    """compiled: many steps in one program; eager: layer by layer."""

    path: Path | None = None
    """The run folder to make; runs/NAME-0001 if not given."""

    resume: Path | None = None
    """A run folder to continue; all else is as it was there."""

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
        print(f"saved in {folder}\nnext: tensorem show {folder}")
        return _exit.OK


def _begun(given: Train) -> tuple[Run, dict[str, float]]:
    from tensorem import nn, optim, train

    recipe = Recipe(given.data, given.target, given.classes, given.loss, given.layers, given.hidden)
    found = splits(recipe)
    model = nn.build(layers(recipe, found.train), input=found.train.input, seed=given.seed)
    path = given.path or next_run(Path(given.data).stem)
    if not given.json:
        show_model(model)
    makers: dict[str, Any] = {"adam": optim.adam, "adamw": optim.adamw, "sgd": optim.sgd}
    run = train.fit(
        model, found.train, given.loss, makers[given.optimizer](given.lr), given.epochs,
        given.batch_size, given.seed, backend=given.backend, path=path,
        progress="none" if given.json else "auto", hooks=_saving(recipe),
    )  # fmt: skip
    return run, train.evaluate(run.model, found.test, given.loss)


def _resumed(given: Train) -> tuple[Run, dict[str, float]]:
    from tensorem import nn, train

    assert given.resume is not None
    if given.path is not None:
        raise ArgumentError("--resume takes no --path: a run is continued where it lies.")
    recipe = Recipe.load(given.resume)
    found = splits(recipe)
    model = nn.build(layers(recipe, found.train), input=found.train.input)
    run = train.resume(
        given.resume, model, found.train,
        progress="none" if given.json else "auto", hooks=_saving(recipe),
    )  # fmt: skip
    return run, train.evaluate(run.model, found.test, recipe.loss)


def save_scores(scores: dict[str, float], run: Path) -> None:
    """Write down how the model does on examples that it was not trained on."""
    import json

    from tensorem import disk

    disk.write_whole(run / "scores.json", (json.dumps(scores, indent=1) + "\n").encode())


def _saving(recipe: Recipe) -> Any:
    """With each checkpoint also the recipe, and the model as others can read it."""
    from tensorem import files, train

    def save(run: Run) -> None:
        assert run.path is not None
        if run.step == 0:
            recipe.save(run.path)
        files.save(run.model, run.path)

    return train.Hooks(on_save=save)
