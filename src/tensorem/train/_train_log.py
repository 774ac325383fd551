"""The original's log of a run: named curves over steps, in a JSON of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tensorem.calls import integer, named
from tensorem.disk import make_folder, parse_json, path_of, read_whole, write_whole
from tensorem.errors import ArgumentError, FileError

from ._log import Entry

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_SINGLE = "#4e79a7"


@dataclass(frozen=True)
class Series:
    """One curve of a `TrainLog`.

    Args:
        name: What is measured.
        values: A number for each step of the log; NaN where nothing was measured.
        color: Of the curve, as CSS writes it.
    """

    name: str
    values: tuple[float, ...]
    color: str = "#0a7"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(map(float, self.values)))


@dataclass(frozen=True)
class TrainLog:
    """Curves over one axis of steps, and notes.

    As JSON: an object of title, steps, series (objects of name, values, color) and notes; what is
    no finite number is the text "NaN", "Infinity" or "-Infinity".

    Args:
        title: What was run.
        steps: The axis, integers of at least 0.
        series: Curves with a value for each step.
        notes: Lines of text.

    Raises:
        ArgumentError: A step is no such integer, or a curve has another length.

    Example:
        >>> log = TrainLog("xor", (0, 10), (Series("loss", (0.5, math.nan)),), ("seed=0",))
        >>> print(log.to_json())
        {"title": "xor", "steps": [0, 10], "series": [{"name": "loss", "values": [0.5, "NaN"], \
"color": "#0a7"}], "notes": ["seed=0"]}
        >>> TrainLog.from_json(log.to_json()).series[0].values
        (0.5, nan)
    """

    title: str
    steps: tuple[int, ...]
    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("steps", "series", "notes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        with named("TrainLog"):
            for step in self.steps:
                integer("steps", step, 0)
        for curve in self.series:
            if len(curve.values) != len(self.steps):
                raise ArgumentError(
                    f"TrainLog takes a value for each of {len(self.steps)} steps, got "
                    f"{len(curve.values)} of {curve.name}."
                )

    @staticmethod
    def of(rows: Iterable[Entry], title: str = "Training") -> TrainLog:
        """The log of `run.history`, or of the rows of a run folder's log: a curve for each column.

        Example:
            >>> TrainLog.of([{"epoch": 1, "step": 4, "loss": 0.5, "lr": 0.1}]).series[0].name
            'loss'
        """
        rows = list(rows)
        columns = dict.fromkeys(k for row in rows for k, v in row.items() if _is_curve(k, v))
        curves = (Series(k, tuple(row.get(k, math.nan) for row in rows)) for k in columns)
        return TrainLog(title, tuple(row["step"] for row in rows), tuple(curves))

    def to_json(self) -> str:
        """The text of its JSON."""
        curves = [
            {"name": s.name, "values": list(map(_written, s.values)), "color": s.color}
            for s in self.series
        ]
        whole = {"title": self.title, "steps": self.steps, "series": curves, "notes": self.notes}
        return json.dumps(whole)

    @staticmethod
    def from_json(text: str | bytes) -> TrainLog:
        """The log that a text holds.

        Raises:
            FileError: It is not the JSON of such a log.
        """
        try:
            return _read(parse_json(text))
        except (ArgumentError, KeyError, TypeError, ValueError) as error:
            raise FileError(
                "A TrainLog takes JSON of title, steps, series and notes.", because=str(error)
            ) from None

    def write_json(self, path: str | Path) -> Path:
        """Write it into a file, in a folder that is made.

        Raises:
            ArgumentError: path is no path.
            FileError: It cannot be written.
        """
        file = path_of(path)
        make_folder(file.parent)
        write_whole(file, self.to_json().encode())
        return file

    @staticmethod
    def read_json(path: str | Path) -> TrainLog:
        """The log in a file.

        Raises:
            ArgumentError: path is no path.
            FileError: It cannot be read, or holds something else.
        """
        file = path_of(path)
        try:
            return TrainLog.from_json(read_whole(file))
        except FileError as error:
            raise error.with_notes(where=str(file)) from None


def _is_curve(name: str, value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and name not in ("epoch", "in_epoch", "step")


def _written(value: float) -> float | str:
    special = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return value if math.isfinite(value) else special[str(value)]


def _read(whole: Any) -> TrainLog:
    curves = tuple(
        Series(_text(s["name"]), tuple(map(_number, _list(s["values"]))), _text(s["color"]))
        for s in _list(whole["series"])
    )
    notes = tuple(map(_text, _list(whole["notes"])))
    return TrainLog(_text(whole["title"]), tuple(_list(whole["steps"])), curves, notes)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"it has {value!r} in place of a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"it has {value!r} in place of a text")
    return value


def _number(value: object) -> float:
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise TypeError(f"it has {value!r} in place of a number")


@dataclass(frozen=True)
class MetricHistory:
    """Several numbers for each of some steps; `push` gives a history with one more.

    Args:
        names: What is measured.
        steps: Where.
        rows: A row of numbers for each step, in the order of the names.

    Example:
        >>> history = MetricHistory(("loss", "accuracy")).push(0, (0.7, 0.5)).push(10, (0.2, 0.9))
        >>> history.to_train_log("digits").series[1].values
        (0.5, 0.9)
    """

    names: tuple[str, ...]
    steps: tuple[int, ...] = ()
    rows: tuple[tuple[float, ...], ...] = ()

    def push(self, step: int, values: Iterable[float]) -> MetricHistory:
        """The history with a row more.

        Raises:
            ArgumentError: There is not one value for each name.
        """
        row = tuple(map(float, values))
        if len(row) != len(self.names):
            raise ArgumentError(
                f"MetricHistory takes a value for each of {', '.join(self.names)}, got {len(row)}."
            )
        return replace(self, steps=(*self.steps, step), rows=(*self.rows, row))

    def to_train_log(self, title: str, notes: Iterable[str] = ()) -> TrainLog:
        """A curve for each name."""
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.names)
        curves = tuple(Series(n, c) for n, c in zip(self.names, columns, strict=True))
        return TrainLog(title, self.steps, curves, tuple(notes))


@dataclass(frozen=True)
class Curve:
    """One number for each of some steps; `push` gives a curve with one more.

    Args:
        name: What is measured.
        steps: Where.
        values: A number for each step.

    Example:
        >>> Curve().push(0, 0.7).push(10, 0.2).to_train_log("xor").series[0].values
        (0.7, 0.2)
    """

    name: str = "loss"
    steps: tuple[int, ...] = ()
    values: tuple[float, ...] = ()

    def push(self, step: int, value: float) -> Curve:
        """The curve with a point more."""
        return replace(self, steps=(*self.steps, step), values=(*self.values, float(value)))

    def to_train_log(self, title: str, notes: Iterable[str] = ()) -> TrainLog:
        """A log of this curve alone."""
        return TrainLog(title, self.steps, (Series(self.name, self.values, _SINGLE),), tuple(notes))


Values = Mapping[str, float]
"""Numbers by the names of what is measured."""
