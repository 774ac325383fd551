"""recipe.json: which data and which layers a run was made of, for the commands that follow."""

from __future__ import annotations

import hashlib
import json
import re
import traceback
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorem import disk
from tensorem.errors import ArgumentError, DataError, FileError, TensoremError

if TYPE_CHECKING:
    from tensorem.data import Dataset, Splits
    from tensorem.nn import Layer, Model

BUNDLED = ("digits", "iris")
LOSSES = ("cross_entropy", "mse")


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
        header: Whether the first line of a CSV file names its columns.
        sha256: Of the CSV file that was trained on; an edited one would mix the examples anew,
            and some of those for testing would have been trained on.
    """

    data: str = "digits"
    target: str = "-1"
    classes: tuple[str, ...] = ()
    loss: str = "cross_entropy"
    layers: str = "mlp"
    hidden: tuple[int, ...] = (64,)
    header: bool = True
    sha256: str = ""

    def save(self, run: Path) -> None:
        """Write it into a run folder."""
        disk.write_whole(
            disk.RunFiles(run).recipe, (json.dumps(asdict(self), indent=1) + "\n").encode()
        )

    @staticmethod
    def load(run: Path) -> Recipe:
        """The recipe in a run folder.

        Raises:
            FileError: It is missing or malformed.
        """
        if not disk.is_folder(run):
            raise FileError(
                f"A run is a folder that tensorem train made, got {run}, which is no folder."
            )
        file = disk.RunFiles(run).recipe
        if not disk.is_file(file):
            raise FileError(
                f"{run} holds no {file.name}, so it is no run of tensorem train that began.",
                help="name the folder of a run; one of train.fit goes on with train.resume(path, "
                "model, data), and one that never began is trained again in another folder.",
            )
        try:
            found = disk.parse_json(disk.read_whole(file))
            if not isinstance(found, dict):
                raise ValueError("it holds no object")
            for name in ("classes", "hidden"):
                if not isinstance(found[name], list):
                    raise ValueError(f"{name} is {found[name]!r}")
                found[name] = tuple(found[name])
            recipe = Recipe(**found)
            recipe._require_kinds()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FileError(f"{file} is not the recipe of a run.", because=str(error)) from None
        return recipe

    def _require_kinds(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not type(field.default):
                raise ValueError(f"{field.name} is {value!r}")
        if not all(type(width) is int and width > 0 for width in self.hidden):
            raise ValueError(f"hidden is {self.hidden!r}")
        if not all(isinstance(name, str) for name in self.classes):
            raise ValueError(f"classes is {self.classes!r}")
        if self.loss not in LOSSES:
            raise ValueError(f"loss is {self.loss!r}")


def signed(recipe: Recipe) -> Recipe:
    """The recipe with the hash of its CSV file.

    Raises:
        FileError: The CSV file cannot be read.
    """
    return recipe if recipe.data in BUNDLED else replace(recipe, sha256=_sha256(recipe.data))


def _sha256(path: str) -> str:
    return hashlib.sha256(disk.read_whole(Path(path))).hexdigest()


def splits(recipe: Recipe) -> Splits:
    """The examples of a recipe: those to train on and those to test on.

    Raises:
        FileError: The CSV file cannot be read.
        DataError: The file is not the one that was trained on, a cell is not what it should be, or
            there are too few rows.
        ArgumentError: There is no such data.
    """
    from tensorem import data

    if recipe.data in BUNDLED:
        return data.digits() if recipe.data == "digits" else data.iris()
    _require_csv(recipe.data)
    if recipe.sha256 and recipe.sha256 != _sha256(recipe.data):
        raise DataError(
            f"The run takes the {recipe.data} that it was trained on, got another.",
            because="other rows would put examples that were trained on among those to test on.",
            help="bring the file back, or score the model on other data: --data FILE.",
        )
    found = _rows(recipe)
    if len(found) < 2:
        raise DataError(
            "A .csv file takes at least 2 rows, to train on some and to test on others, got 1.",
            where=recipe.data,
        )
    train, test = found.shuffle(seed=0).split(0.8)
    return data.Splits(train, test, recipe.classes)


def unseen(recipe: Recipe, other: str) -> Dataset:
    """What a run was not trained on: of bundled data and of its own file a part, of others all.

    Args:
        recipe: That of the run.
        other: "digits", "iris" or a CSV file.

    Raises:
        FileError: The CSV file cannot be read.
        DataError: A cell is not what it should be.
        ArgumentError: There is no such data.
    """
    given = replace(recipe, data=other)
    if other in BUNDLED:
        return splits(given).test
    _require_csv(other)
    return splits(given).test if _sha256(other) == recipe.sha256 else _rows(given)


def _require_csv(data: str) -> None:
    if not data.lower().endswith(".csv"):
        raise ArgumentError(f"--data takes {', '.join(BUNDLED)} or a .csv file, got {data!r}.")


def _rows(recipe: Recipe) -> Dataset:
    from tensorem import data

    number = re.fullmatch(r"-?[0-9]+", recipe.target)
    column = int(recipe.target) if number else recipe.target
    if recipe.loss == "mse":
        return data.read_csv(recipe.data, y=[column], header=recipe.header)
    names = recipe.classes or None
    return _with_classes(data.read_csv(recipe.data, y=column, classes=names, header=recipe.header))


def layers(recipe: Recipe, examples: Splits) -> Layer:
    """The layers of a recipe, for examples of this shape.

    Raises:
        ArgumentError: There are no such layers, or they do not take such examples.
    """
    if _is_of_the_user(recipe.layers):
        return _from_file(recipe.layers)
    outputs = _classes(examples) if recipe.loss == "cross_entropy" else 1
    makers = {"cnn": _cnn, "mlp": _mlp}
    if recipe.layers not in makers:
        raise ArgumentError(f"--layers takes cnn, mlp or FILE.py:NAME, got {recipe.layers!r}.")
    return makers[recipe.layers](examples.train.x.shape[1:], outputs, recipe.hidden)


def built(recipe: Recipe, examples: Splits, seed: int = 0) -> Model:
    """The model of a recipe, with its initial values.

    Raises:
        ArgumentError: There are no such layers, or those of a file of the user's own raise.
    """
    from tensorem import nn

    layer = layers(recipe, examples)
    try:
        return nn.build(layer, input=examples.train.input, seed=seed)
    except TensoremError:
        raise
    except Exception as error:
        if not _is_of_the_user(recipe.layers):
            raise
        raise _raised("a layer that builds", recipe.layers, error) from error


def _is_of_the_user(place: str) -> bool:
    return place.partition(":")[0].endswith(".py")


def _with_classes(found: Dataset) -> Dataset:
    """Numbers of classes as integers."""
    import numpy as np

    from tensorem import data

    whole = (found.y == np.rint(found.y)) & (found.y >= 0) & (found.y < 2**31)
    if not whole.all():
        raise DataError(
            f"cross_entropy takes classes 0, 1, ..., got {found.y[~whole][0]:g} in the target "
            "column.",
            help="name the classes (--classes red green), or meet numbers (--loss mse).",
        )
    return data.Dataset(found.x, found.y.astype(np.int32))


def _classes(examples: Splits) -> int:
    """As many as have names, or occur: a rare one perhaps in the test examples alone."""
    greatest = max(int(part.y.max()) for part in (examples.train, examples.test))
    return max(greatest + 1, len(examples.classes))


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
    if not disk.is_file(Path(file)):
        raise FileError(f"--layers takes FILE.py:NAME, got {place!r}: there is no file {file}.")
    try:
        found = runpy.run_path(file).get(name)
    except (Exception, SystemExit) as error:
        raise _raised("FILE.py:NAME", place, error) from error
    if not isinstance(found, nn.Layer):
        kind = "not there" if found is None else f"of type {type(found).__name__}"
        raise ArgumentError(
            f"--layers takes FILE.py:NAME with a layer, got {place!r}, which is {kind}.",
            help=f"define it in the file, for example: {name or 'layer'} = nn.Sequential(...).",
        )
    return found


def _raised(takes: str, place: str, error: BaseException) -> ArgumentError:
    """What code of the user's own raises is bad input, and said with its line."""
    return ArgumentError(
        f"--layers takes {takes}, got {place!r}, which raises {type(error).__name__}.",
        where=_line(error, place.partition(":")[0]),
        because=str(error),
    )


def _line(error: BaseException, file: str) -> str:
    """Where in a file an error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    return f"{file}, line {line}" if line else file
