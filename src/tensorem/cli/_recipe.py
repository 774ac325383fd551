"""recipe.json: which data and which layers a run was made of, for the commands that follow."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from tensorem import disk
from tensorem.data import Columns, Targets
from tensorem.errors import ArgumentError, DataError, FileError, TensoremError

from ._terminal import note, warnings_told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tensorem.data import Dataset, Splits, Table
    from tensorem.nn import Layer, Model

BUNDLED = ("digits", "iris")
Losses = Literal["auto", "cross_entropy", "mse", "l1", "smooth_l1", "huber"]
LOSSES = get_args(Losses)[1:]
TARGETS: dict[str, Targets] = dict.fromkeys(LOSSES, "numbers")
TARGETS |= {"auto": "auto", "cross_entropy": "classes"}
"""What a loss makes of a column of targets."""
VERSION = 2
"""Of the file; 1 said neither its version nor the columns."""


@dataclass(frozen=True)
class Recipe:
    """What `tensorem train` was told about data and layers.

    Args:
        data: "digits", "iris" or a CSV file.
        target: The column of a CSV file that holds the targets; a name or a number.
        classes: The texts in that column for class 0, class 1, ...
        loss: "cross_entropy", or one that meets numbers.
        layers: "cnn", "mlp" or "FILE.py:NAME".
        hidden: The widths of an mlp's hidden layers.
        header: Whether the first line of a CSV file names its columns.
        delimiter: What stands between its cells.
        decimal: What stands before the decimals of its numbers.
        encoding: Of its text.
        drop: Its columns that are no inputs.
        categories: Its columns whose numbers are names.
        sha256: Of the examples in the CSV file that was trained on, in version 1 of its bytes;
            others would be mixed anew, and some of those to test on would have been trained on.
        columns: What was learnt of the CSV file; None for bundled data, and in version 1, whose
            runs read every file by place and in its own units.
        validation: The share of the training examples that is held out and scored.
        version: Of the file.
    """

    data: str = "digits"
    target: str = "-1"
    classes: tuple[str, ...] = ()
    loss: str = "cross_entropy"
    layers: str = "mlp"
    hidden: tuple[int, ...] = (64,)
    header: bool = True
    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    drop: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    sha256: str = ""
    columns: Columns | None = None
    validation: float = 0.0
    version: int = 1

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
            for name in ("classes", "hidden", *(found.keys() & {"drop", "categories"})):
                if not isinstance(found[name], list):
                    raise ValueError(f"{name} is {found[name]!r}")
                found[name] = tuple(found[name])
            if found.get("columns") is not None:
                found["columns"] = Columns.from_json(found["columns"])
            recipe = Recipe(**found)
            recipe._require_kinds()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FileError(f"{file} is not the recipe of a run.", because=str(error)) from None
        return recipe

    def _require_kinds(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "columns" and type(value) is not type(field.default):
                raise ValueError(f"{field.name} is {value!r}")
        if not all(type(width) is int and width > 0 for width in self.hidden):
            raise ValueError(f"hidden is {self.hidden!r}")
        for texts in (self.classes, self.drop, self.categories):
            if not all(isinstance(name, str) for name in texts):
                raise ValueError(f"a list of names is {texts!r}")
        if not 0 <= self.validation < 1:
            raise ValueError(f"validation is {self.validation!r}")
        if self.loss not in LOSSES:
            raise ValueError(f"loss is {self.loss!r}")
        if not 1 <= self.version <= VERSION:
            raise ValueError(f"version is {self.version}, and this tensorem knows {VERSION}")


def learnt(recipe: Recipe, loss: str) -> Recipe:
    """The recipe with what its CSV file says: the columns, the classes, the loss and the hash.

    Args:
        recipe: What was told.
        loss: "auto", or the loss that was asked for.

    Raises:
        FileError: The CSV file cannot be read.
        DataError: The column of targets is not there, or neither few classes nor numbers.
        ArgumentError: There is no such data.
    """
    if recipe.data in BUNDLED:
        return replace(recipe, version=VERSION)

    _require_data(recipe.data)
    if not is_table(recipe.data):
        return _learnt_arrays(recipe, loss)
    table = table_of(recipe, recipe.data)
    _require_two(len(table.rows), recipe.data)
    columns = _columns(recipe, table, TARGETS["cross_entropy" if recipe.classes else loss])
    made = "cross_entropy" if columns.classes else _of_numbers(loss)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # who reads the rows to train on them says it
        sha256 = _digest(columns.examples(table))
    return replace(recipe, loss=made, sha256=sha256, columns=columns, version=VERSION)


def _of_numbers(loss: str) -> str:
    return "mse" if loss == "auto" else loss


def _learnt_arrays(recipe: Recipe, loss: str) -> Recipe:
    """Whole numbers are classes; pictures have them by the names of their folders."""
    found, classes = _arrays(recipe.data)
    whole = found.y.dtype.kind in "iu"
    if loss != "auto" and TARGETS[loss] != ("classes" if whole else "numbers"):
        raise ArgumentError(
            f"--loss {loss} takes other targets, got {found.y.dtype} in {recipe.data}."
        )
    names = recipe.classes or classes
    made = "cross_entropy" if whole else _of_numbers(loss)
    return replace(recipe, classes=names, loss=made, sha256=_digest(found), version=VERSION)


def _arrays(path: str) -> tuple[Dataset, tuple[str, ...]]:
    """The examples of an .npz file with x and y, or of a folder of pictures; and class names."""
    import numpy as np

    from tensorem import data

    if not path.lower().endswith(".npz"):
        folder = data.ImageFolder(path)
        return data.Dataset(*folder.batch(np.arange(len(folder)))), folder.classes
    found = data.open_npz(path).part(0)
    flat = found.y.ndim == 1 and found.y.dtype.kind == "f"
    return (data.Dataset(found.x, found.y[:, np.newaxis]) if flat else found), ()


def _columns(recipe: Recipe, table: Table, targets: Targets) -> Columns:
    """What the inputs become is learnt of the rows that are trained on."""
    import numpy as np

    from tensorem import data

    places = np.arange(len(table.rows))
    seen = _mixed(data.Dataset(places, places))[0]
    return data.learn_columns(
        table, _column(recipe.target), recipe.classes, targets, recipe.header,
        rows=validated(recipe, seen)[0].x,
        drop=list(map(_column, recipe.drop)), categories=list(map(_column, recipe.categories)),
    )  # fmt: skip


def table_of(recipe: Recipe, path: str | Path) -> Table:
    """The cells of a file, written as the one that was trained on.

    Raises:
        FileError: It cannot be read, or is Parquet and polars is not installed.
        DataError: It has no names, or rows of different lengths.
    """
    from tensorem import data

    if str(path).lower().endswith(".parquet"):
        return data.read_parquet(path)
    return data.read_table(path, recipe.header, recipe.delimiter, recipe.decimal, recipe.encoding)


def _identity(recipe: Recipe, found: Dataset) -> str:
    """What tells the examples of a recipe from others."""
    if recipe.columns is not None or not is_table(recipe.data):
        return _digest(found)
    return hashlib.sha256(disk.read_whole(Path(recipe.data))).hexdigest()


def _digest(found: Dataset) -> str:
    arrays = (disk.raw(array) for array in (found.x, found.y))
    return hashlib.sha256(b"".join(map(bytes, arrays))).hexdigest()


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
    _require_data(recipe.data)
    found = _rows(recipe)
    if recipe.sha256 and recipe.sha256 != _identity(recipe, found):
        raise DataError(
            f"The run takes the {recipe.data} that it was trained on, got another.",
            because="other rows would put examples that were trained on among those to test on.",
            help="bring the file back, or score the model on other data: --data FILE.",
        )
    _require_two(len(found), recipe.data)
    train, test = _mixed(found)
    return data.Splits(train, test, recipe.columns.classes if recipe.columns else recipe.classes)


def _require_two(rows: int, path: str) -> None:
    if rows < 2:
        raise DataError(
            "A .csv file takes at least 2 rows, to train on some and to test on others, got 1.",
            where=path,
        )


def _mixed(found: Dataset) -> tuple[Dataset, Dataset]:
    return found.shuffle(seed=0).split(0.8)


def validated(recipe: Recipe, seen: Dataset) -> tuple[Dataset, Dataset]:
    """Of examples that are not for testing: those to train on, and those scored meanwhile."""
    return seen.shuffle(seed=1).split(1 - recipe.validation)


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
        _require_no_columns(recipe, other)
        return splits(given).test
    _require_data(other)
    _tell_place(recipe, other)
    found = _rows(given)
    return _mixed(found)[1] if _identity(given, found) == recipe.sha256 else found


def rows(recipe: Recipe, path: Path) -> NDArray[Any]:
    """The inputs in a CSV file, which may do without targets.

    Raises:
        FileError: The CSV file cannot be read.
        DataError: A column of the model is not there, or a cell is not what it should be.
    """
    table = table_of(recipe, path)
    if recipe.columns is None:
        _tell_place(recipe, str(path))
        return table.numbers(range(len(table.names)))
    with warnings_told():
        found = recipe.columns.rows(table)
    _tell_others(recipe.columns, table)
    return found


def _tell_place(recipe: Recipe, path: str) -> None:
    """Say that columns are told by place, where a run knows no names."""
    if recipe.columns is None and is_table(path):
        note(f"{path} is read by place: the run knows no names of columns.")


def _tell_others(columns: Columns, table: Table) -> None:
    others = columns.others(table)
    if others and columns.named:
        note(f"{table.path} has columns that the model does not take: {', '.join(others)}.")


def _require_no_columns(recipe: Recipe, other: str) -> None:
    if recipe.columns is not None:
        raise ArgumentError(
            f"--data takes a .csv file with the columns {', '.join(recipe.columns.inputs)}, got "
            f"{other!r}."
        )


def is_table(path: str) -> bool:
    """Whether a file is a table by its name."""
    return path.lower().endswith((".csv", ".csv.gz", ".parquet"))


def _require_data(data: str) -> None:
    known = is_table(data) or data.lower().endswith(".npz") or Path(data).is_dir()
    if not known:
        raise ArgumentError(
            f"--data takes {', '.join(BUNDLED)} or a .csv, .csv.gz, .parquet or .npz file, or a "
            f"folder of pictures, got {data!r}."
        )


def _rows(recipe: Recipe) -> Dataset:
    from tensorem import data

    if not is_table(recipe.data):
        return _arrays(recipe.data)[0]
    if recipe.columns is not None:
        table = table_of(recipe, recipe.data)
        with warnings_told():
            found = recipe.columns.examples(table)
        _tell_others(recipe.columns, table)
        return found
    column = _column(recipe.target)
    if recipe.loss != "cross_entropy":
        return data.read_csv(recipe.data, y=[column], header=recipe.header)
    names = recipe.classes or None
    return _with_classes(data.read_csv(recipe.data, y=column, classes=names, header=recipe.header))


def _column(told: str) -> str | int:
    return int(told) if re.fullmatch(r"-?[0-9]+", told) else told


def layers(recipe: Recipe, examples: Splits) -> Layer:
    """The layers of a recipe, for examples of this shape.

    Raises:
        ArgumentError: There are no such layers, or they do not take such examples.
    """
    made = _layers(recipe, examples)
    return made if recipe.columns is None else _in_units(made, recipe.loss, examples.train)


def _in_units(layer: Layer, loss: str, examples: Dataset) -> Layer:
    """A layer that learns in numbers near 1, inside one that takes and gives those of the table."""
    from tensorem import data, nn

    first = data.Scale.of(examples.x)
    parts = [nn.Standardize(first.mean, first.std), layer]
    if loss != "cross_entropy":
        last = data.Scale.of(examples.y)
        parts.append(nn.Unstandardize(last.mean, last.std))
    return nn.Sequential(*parts)


def _layers(recipe: Recipe, examples: Splits) -> Layer:
    if _is_of_the_user(recipe.layers):
        return _from_file(recipe.layers)
    outputs = _classes(examples) if recipe.loss == "cross_entropy" else 1
    makers = {"cnn": _cnn, "mlp": _mlp}
    if recipe.layers not in makers:
        raise ArgumentError(f"--model takes cnn, mlp or FILE.py:NAME, got {recipe.layers!r}.")
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
        raise FileError(f"--model takes FILE.py:NAME, got {place!r}: there is no file {file}.")
    if not name:
        raise ArgumentError(
            f"--model takes FILE.py:NAME with a layer, got {place!r} without a name.",
            help=f"{file}:layer, where the file says layer = nn.Sequential(...).",
        )
    try:
        found = runpy.run_path(file).get(name)
    except (Exception, SystemExit) as error:
        raise _raised("FILE.py:NAME", place, error) from error
    if inspect.isfunction(found):
        found = _called(found, place)
    if not isinstance(found, nn.Layer):
        kind = "not there" if found is None else f"of type {type(found).__name__}"
        raise ArgumentError(
            f"--model takes FILE.py:NAME with a layer, got {place!r}, which is {kind}.",
            help=f"define it in the file, for example: {name} = nn.Sequential(...).",
        )
    return found


def _called(function: Callable[[], Any], place: str) -> Any:
    try:
        return function()
    except Exception as error:
        raise _raised("a function without arguments that gives a layer", place, error) from error


def _raised(takes: str, place: str, error: BaseException) -> ArgumentError:
    """What code of the user's own raises is bad input, and said with its line."""
    return ArgumentError(
        f"--model takes {takes}, got {place!r}, which raises {type(error).__name__}.",
        where=_line(error, place.partition(":")[0]),
        because=str(error),
    )


def _line(error: BaseException, file: str) -> str:
    """Where in a file an error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    return f"{file}, line {line}" if line else file
