"""The original's log of an experiment: what was run, with what, what it gave and left behind."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tensorem.disk import path_of
from tensorem.errors import ArgumentError

from ._train_log import Series, TrainLog, Values

_OFF = ("false", "off", "none", "no", "disabled")


@dataclass(frozen=True)
class ConfigEntry:
    """A setting of an experiment."""

    key: str
    value: str


@dataclass(frozen=True)
class Artifact:
    """A file that an experiment leaves behind.

    Args:
        name: What it is called.
        path: Where it is.
        kind: What it is.
        description: More of it.
    """

    name: str
    path: str
    kind: str = "file"
    description: str = ""


@dataclass(frozen=True)
class RunInfo:
    """What was run: names, a group, tags, settings."""

    project: str = "tensorem"
    name: str = ""
    run_id: str = ""
    group: str = ""
    tags: tuple[str, ...] = ()
    config: tuple[ConfigEntry, ...] = ()

    def notes(self) -> tuple[str, ...]:
        """A line for each thing that is said."""
        said = {
            "project": self.project,
            "run_name": self.name,
            "run_id": self.run_id,
            "group": self.group,
            "tags": ",".join(self.tags),
            **{f"config.{entry.key}": entry.value for entry in self.config},
        }
        return tuple(f"{key}={value}" for key, value in said.items() if value)


@dataclass(frozen=True)
class ExperimentLog:
    """What an experiment measured, one row for each step, so that all curves are aligned.

    Args:
        run: What was run.
        metrics: The names of what is measured; `log` adds others.
        rows: (step, numbers by name), in the order of the steps.
        artifacts: What it left behind.
        colors: Of curves that have one of their own.

    Example:
        >>> log = ExperimentLog(RunInfo(name="xor"), ("loss", "accuracy"))
        >>> log = log.log(0, "loss", 0.7).log(0, "accuracy", 0.5).log(10, "loss", 0.2)
        >>> [(curve.name, curve.values) for curve in log.to_train_log().series]
        [('loss', (0.7, 0.2)), ('accuracy', (0.5, nan))]
    """

    run: RunInfo = RunInfo()
    metrics: tuple[str, ...] = ()
    rows: tuple[tuple[int, Values], ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    colors: tuple[tuple[str, str], ...] = ()

    def log(self, step: int, name: str, value: float, color: str = "#4e79a7") -> ExperimentLog:
        """The log with a number more, in the row of its step."""
        metrics = self.metrics if name in self.metrics else (*self.metrics, name)
        colors = {**dict(self.colors), name: color}
        known = replace(self, metrics=metrics, colors=tuple(colors.items()))
        return known.log_row(step, {name: value})

    def log_row(self, step: int, values: Values) -> ExperimentLog:
        """The log with several numbers more, in the row of their step.

        Raises:
            ArgumentError: A name is none of the metrics.
        """
        unknown = [name for name in values if name not in self.metrics]
        if unknown:
            known = ", ".join(self.metrics) or "no metrics"
            raise ArgumentError(f"ExperimentLog takes values of {known}, got {unknown[0]!r}.")
        rows = dict(self.rows)
        rows[step] = {**rows.get(step, {}), **{k: float(v) for k, v in values.items()}}
        return replace(self, rows=tuple(sorted(rows.items())))

    def add_artifact(self, artifact: Artifact) -> ExperimentLog:
        """The log with a file more."""
        return replace(self, artifacts=(*self.artifacts, artifact))

    def to_train_log(self, title: str = "") -> TrainLog:
        """The curves, with what was run in the notes; the title may be that of the run."""
        colors, files = dict(self.colors), self.artifacts
        curves = tuple(
            Series(n, tuple(row.get(n, math.nan) for _, row in self.rows), colors.get(n, "#0a7"))
            for n in self.metrics
        )
        left = (f"artifact.{a.name}={a.path} kind={a.kind} {a.description}".strip() for a in files)
        steps = tuple(step for step, _ in self.rows)
        notes = (*self.run.notes(), *left)
        return TrainLog(title or self.run.name or "Training", steps, curves, notes)


@dataclass(frozen=True)
class LogDestination:
    """Where a log goes: into a file, or nowhere.

    Args:
        path: The file; None for nowhere.

    Example:
        >>> LogDestination.parse("off").is_enabled, LogDestination.parse("out/log.json").path.name
        (False, 'log.json')
    """

    path: Path | None = None

    @staticmethod
    def parse(text: str | Literal[False]) -> LogDestination:
        """Of a flag: a path; or false, off, none, no or disabled.

        Raises:
            ArgumentError: It is no path.
        """
        is_off = text is False or text.lower() in _OFF
        return LogDestination(None if is_off else path_of(text))

    @property
    def is_enabled(self) -> bool:
        """Whether anything is written."""
        return self.path is not None

    def write_train_log(self, log: TrainLog) -> Path | None:
        """Write a log, if it goes anywhere.

        Raises:
            FileError: It cannot be written.
        """
        return None if self.path is None else log.write_json(self.path)
