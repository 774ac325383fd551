"""One display with three faces: a live bar, a table in a notebook, one plain line per epoch."""

from __future__ import annotations

import math
import shutil
import sys
import time
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, cast

from tensorem.errors import ArgumentError

from ._log import Entry, is_rate

if TYPE_CHECKING:
    from rich.progress import Progress

WIDE = 60
"""Columns from which on there is room for a bar."""

FACES = ("auto", "live", "notebook", "plain", "none")


@dataclass(frozen=True)
class Moment:
    """Where a run stands.

    Args:
        epoch: The current epoch, from 0.
        epochs: How many there will be.
        done: The steps done in this epoch.
        steps: The steps of an epoch.
        loss: The mean loss of this epoch so far; None before the first step.
    """

    epoch: int
    epochs: int
    done: int
    steps: int
    loss: float | None = None


class Display(Protocol):
    """What shows the progress of a run."""

    def moved(self, moment: Moment) -> None:
        """Called at the start and after each chunk of steps."""

    def finished(self, moment: Moment, row: Entry, seconds: float) -> None:
        """Called after each epoch with its row of the log and the time that it took."""

    def close(self) -> None:
        """Called once, at the end, after an error as well."""


def display_of(progress: str | Display) -> Display:
    """The display of a name; `auto` looks where the output goes.

    Raises:
        ArgumentError: The name is none of the faces.
    """
    if all(hasattr(progress, name) for name in ("moved", "finished", "close")):
        return cast(Display, progress)
    if not isinstance(progress, str) or progress not in FACES:
        raise ArgumentError(
            f"progress takes {', '.join(FACES)}, or a train.Display, got {progress!r}."
        )
    faces: dict[str, type[Display]] = {
        "live": Live,
        "notebook": Notebook,
        "plain": Plain,
        "none": Silent,
    }
    return faces[_face() if progress == "auto" else progress]()


def _face() -> str:
    if _in_notebook():
        return "notebook"
    return "live" if sys.stdout.isatty() else "plain"


def _in_notebook() -> bool:
    """A shell of IPython with a kernel; IPython is never loaded to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def cells(moment: Moment, row: Entry, seconds: float) -> dict[str, str]:
    """A row of the log as a reader sees it: title -> text."""
    shown = {"epoch": f"{moment.epoch + 1:>{len(str(moment.epochs))}}/{moment.epochs}"}
    numbers = {k: v for k, v in row.items() if k not in ("epoch", "step") and not is_rate(k)}
    shown |= {k: "-" if v is None else f"{v:.4f}" for k, v in numbers.items()}
    shown |= {k: f"{v:.3g}" for k, v in row.items() if is_rate(k) and v is not None}
    return shown | {"time": f"{seconds:.2f} s"}


def line(moment: Moment, row: Entry, seconds: float, columns: int = 0) -> str:
    """A row of the log as one line; as several, broken between cells, where columns are few."""
    shown = cells(moment, row, seconds)
    time = shown.pop("time")
    lines = [""]
    for cell in [*(f"{title} {text}" for title, text in shown.items()), time]:
        longer = f"{lines[-1]}  {cell}" if lines[-1] else cell
        if columns and len(longer) > columns and lines[-1]:
            lines.append(f"  {cell}")
        else:
            lines[-1] = longer
    return "\n".join(lines)


@dataclass(eq=False)
class Silent:
    """Shows nothing."""

    def moved(self, moment: Moment) -> None: ...

    def finished(self, moment: Moment, row: Entry, seconds: float) -> None: ...

    def close(self) -> None: ...


@dataclass(eq=False)
class Plain:
    """One line per epoch: for pipes, files and batch systems."""

    def moved(self, moment: Moment) -> None: ...

    def finished(self, moment: Moment, row: Entry, seconds: float) -> None:
        # Without a terminal and without COLUMNS a line is as long as it is: a file has no width.
        columns = shutil.get_terminal_size((0, 0)).columns
        print(line(moment, row, seconds, columns), flush=True)

    def close(self) -> None: ...


@dataclass(eq=False)
class Live:
    """A moving bar for the epoch, with at most twenty or so lines of epochs above it."""

    _bar: Progress | None = None

    def moved(self, moment: Moment) -> None:
        if self._bar is None:
            self._bar = self._started(moment)
        self._bar.update(
            self._bar.task_ids[0],
            description=f"epoch {moment.epoch + 1}/{moment.epochs}",
            completed=moment.done,
            text=_text(moment),
        )

    def finished(self, moment: Moment, row: Entry, seconds: float) -> None:
        every = math.ceil(moment.epochs / 20)
        if (moment.epoch + 1) % every == 0 or moment.epoch + 1 == moment.epochs:
            assert self._bar is not None  # it moved before
            console = self._bar.console
            text = line(moment, row, seconds, console.width)
            console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _started(self, moment: Moment) -> Progress:
        from rich import get_console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        drawn = (BarColumn(20),) if get_console().width >= WIDE else ()
        numbers = (MofNCompleteColumn(), TextColumn("{task.fields[text]}"))
        bar = Progress(TextColumn("{task.description}"), *drawn, *numbers, transient=True)
        bar.add_task("", total=moment.steps, text="")
        bar.start()
        return bar


@dataclass(eq=False)
class Notebook:
    """One table in the output of the cell, updated in place."""

    _rows: list[dict[str, str]] = field(default_factory=list)
    _handle: Any = None
    _shown: float = -math.inf

    def moved(self, moment: Moment) -> None:
        # Each update travels to the browser: a few in a second are enough.
        if time.monotonic() - self._shown > 0.25:
            self._shown = time.monotonic()
            self._show(_bar(moment))

    def finished(self, moment: Moment, row: Entry, seconds: float) -> None:
        self._rows.append(cells(moment, row, seconds))
        self.moved(moment)

    def close(self) -> None:
        if self._rows:
            self._show("")

    def _show(self, bar: str) -> None:
        from IPython.display import (  # pyright: ignore[reportMissingImports]
            HTML,
            display,
        )

        page = HTML(bar + _table(self._rows[-20:]))
        if self._handle is None:
            self._handle = display(page, display_id=True)
            return
        self._handle.update(page)


def _text(moment: Moment) -> str:
    if moment.loss is None:
        return "compiling" if moment.epoch == 0 else ""
    return f"loss {moment.loss:.4f}"


def _bar(moment: Moment) -> str:
    bar = f"<progress value='{moment.done}' max='{moment.steps}'></progress>"
    return f"<div>epoch {moment.epoch + 1}/{moment.epochs} {bar} {escape(_text(moment))}</div>"


def _table(rows: list[dict[str, str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(title)}</th>" for title in rows[-1])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row.values()) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
