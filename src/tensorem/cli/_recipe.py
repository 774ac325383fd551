"""recipe.json: which data and which layers a run was made of, for the commands that follow."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorem.errors import ArgumentError, DataError, FileError

if TYPE_CHECKING:
    from tensorem.data import Dataset, Splits
    from tensorem.nn import Layer

FILE = "recipe.json"
BUNDLED = ("digits", "iris")


@dataclass(frozen=True)
class Recipe:
    """What `tensorem train` was told about data and layers.

    Args:
        data: "digits", "iris" or a CSV file.
        target: The column of a CSV file that holds the targets; a name or a number.
        classes: The texts in that column for class 0, class 1, ...
        loss: "cross_entropy" or "mse".
        layers: "cnn", "mlp" or "FILE.py:NAME".
        hidden: The widths of an mlp's hidden layers.
    """

    data: str = "digits"
    target: str = "-1"
    classes: tuple[str, ...] = ()
    loss: str = "cross_entropy"
    layers: str = "mlp"
    hidden: tuple[int, ...] = (64,)

    def save(self, run: Path) -> None:
        """Write it into a run folder."""
        from tensorem import disk

        disk.write_whole(run / FILE, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @staticmethod
    def load(run: Path) -> Recipe:
        """The recipe in a run folder.

        Raises:
            FileError: It is missing or malformed.
        """
        from tensorem import disk

        try:
            fields = json.loads(disk.read_whole(run / FILE))
            for name in ("classes", "hidden"):
                fields[name] = tuple(fields[name])
            return Recipe(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FileError(
                f"{run / FILE} is not the recipe of a run.", because=str(error)
            ) from None


def splits(recipe: Recipe) -> Splits:
    """The examples of a recipe: those to train on and those to test on.

    Raises:
        FileError: The CSV file cannot be read.
        DataError: A cell is not what it should be.
    """
    from tensorem import data

    if recipe.data == "digits":
        return data.digits()
    if recipe.data == "iris":
        return data.iris()
    if not recipe.data.endswith(".csv"):
        raise ArgumentError(
            f"--data takes {', '.join(BUNDLED)} or a .csv file, got {recipe.data!r}."
        )
    column = int(recipe.target) if recipe.target.lstrip("-").isdigit() else recipe.target
    if recipe.loss == "mse":
        found, names = data.read_csv(recipe.data, y=[column]), tuple[str, ...]()
    else:
        found = _with_classes(data.read_csv(recipe.data, y=column, classes=recipe.classes or None))
        names = recipe.classes or tuple(map(str, range(_classes(found))))
    train, test = found.shuffle(seed=0).split(0.8)
    return data.Splits(train, test, names)


def layers(recipe: Recipe, examples: Dataset) -> Layer:
    """The layers of a recipe, for examples of this shape.

    Raises:
        ArgumentError: There are no such layers, or they do not take such examples.
    """
    if recipe.layers.partition(":")[0].endswith(".py"):
        return _from_file(recipe.layers)
    outputs = _classes(examples) if recipe.loss == "cross_entropy" else int(examples.y.shape[1])
    makers = {"cnn": _cnn, "mlp": _mlp}
    if recipe.layers not in makers:
        raise ArgumentError(f"--layers takes cnn, mlp or FILE.py:NAME, got {recipe.layers!r}.")
    return makers[recipe.layers](examples.x.shape[1:], outputs, recipe.hidden)


def _with_classes(found: Dataset) -> Dataset:
    """Numbers of classes as integers."""
    import numpy as np

    from tensorem import data

    if not np.array_equal(found.y, np.rint(found.y)) or found.y.min() < 0:
        raise DataError(
            "cross_entropy takes classes 0, 1, ..., got other numbers in the target column.",
            help="name the classes (--classes red green), or meet numbers (--loss mse).",
        )
    return data.Dataset(found.x, found.y.astype(np.int32))


def _classes(examples: Dataset) -> int:
    return int(examples.y.max()) + 1


def _cnn(shape: tuple[int, ...], outputs: int, hidden: tuple[int, ...]) -> Layer:
    from tensorem import nn

    if len(shape) != 3:
        raise ArgumentError(f"A cnn takes images (channels, height, width), got {shape}.")
    channels, height, width = shape
    return nn.Sequential(
        nn.Conv2d(channels, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * (height // 2) * (width // 2), outputs),
    )


def _mlp(shape: tuple[int, ...], outputs: int, hidden: tuple[int, ...]) -> Layer:
    import math
    from itertools import pairwise

    from tensorem import nn

    widths = (math.prod(shape), *hidden, outputs)
    parts: list[Any] = [nn.Flatten()] if len(shape) > 1 else []
    for i, (inputs, width) in enumerate(pairwise(widths)):
        parts += [nn.ReLU()] if i else []
        parts.append(nn.Linear(inputs, width))
    return nn.Sequential(*parts)


def _from_file(place: str) -> Layer:
    """A layer that a Python file of the user's own defines."""
    import runpy

    from tensorem import nn

    file, _, name = place.partition(":")
    if not Path(file).is_file():
        raise FileError(f"--layers takes FILE.py:NAME, got {place!r}: there is no file {file}.")
    found = runpy.run_path(file).get(name)
    if not isinstance(found, nn.Layer):
        raise ArgumentError(f"--layers takes FILE.py:NAME with a layer, got {place!r}.")
    return found
