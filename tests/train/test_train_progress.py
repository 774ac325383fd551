"""The three faces of the display."""

from __future__ import annotations

import io
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from small import fit, mlp, rows

from tensorem.train import _progress
from tensorem.train._progress import Moment, cells, display_of, line

ROW = {"epoch": 3, "step": 30, "loss": 0.12345, "accuracy": 0.5, "val_loss": None, "lr": 1e-3}


def test_a_row_is_one_line() -> None:
    assert line(Moment(2, 20, 10, 10), ROW, 1.5) == (
        "epoch  3/20  loss 0.1235  accuracy 0.5000  val_loss -  lr 0.001  1.50 s"
    )


@pytest.mark.parametrize("columns", [10, 40, 60])
def test_few_columns_break_a_line_between_its_cells(columns: int) -> None:
    whole = line(Moment(2, 20, 10, 10), ROW, 1.5)
    lines = line(Moment(2, 20, 10, 10), ROW, 1.5, columns).splitlines()
    assert "  ".join(part.strip() for part in lines) == whole
    single = [*(f"{k} {v}" for k, v in cells(Moment(2, 20, 10, 10), ROW, 1.5).items()), "1.50 s"]
    assert all(len(part) <= columns or part.strip() in single for part in lines)
    assert all(part.startswith("  ") for part in lines[1:])


def test_plain_prints_a_line_per_epoch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    fit(mlp(), validation=rows(mlp()), progress="auto")
    lines = capsys.readouterr().out.splitlines()
    assert [text[:9] for text in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all(" val_accuracy " in text and "\x1b" not in text for text in lines)


def test_none_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    fit(mlp(), progress="none")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("columns", ["30", "200"])
def test_live_keeps_lines_within_the_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    for name, value in (("COLUMNS", columns), ("NO_COLOR", "1"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    assert _progress._face() == "live"
    fit(mlp(), progress="auto")
    text = out.getvalue()
    assert "epoch 3/3" in text
    assert "\x1b[3" not in text  # no colour
    assert "…" not in text  # no number is cut
    done = [part for part in text.split("\n") if "accuracy" in part]
    assert done and all(len(part.split("\r")[-1]) <= int(columns) + 20 for part in done)


def test_live_shows_at_most_some_twenty_of_many_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    live, printed = _progress.Live(), list[str]()
    live._bar = SimpleNamespace(
        console=SimpleNamespace(print=lambda text, **_: printed.append(text), width=80)
    )
    for epoch in range(1001):
        live.finished(Moment(epoch, 1001, 1, 1), ROW, 0.0)
    assert len(printed) <= 21 and printed[-1].startswith("epoch 1001/1001")


def test_a_notebook_updates_one_display(monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[str] = []
    handle = SimpleNamespace(update=lambda page: pages.append(page))

    def display(page: str, display_id: bool) -> Any:
        assert display_id and not pages
        pages.append(page)
        return handle

    fake, inner = ModuleType("IPython"), ModuleType("IPython.display")
    fake.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    inner.HTML, inner.display = str, display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "IPython.display", inner)
    assert _progress._face() == "notebook"
    fit(mlp(), progress="auto")
    assert "compiling" in pages[0]
    assert pages[-1].count("<tr>") == 4 and "<progress" not in pages[-1]


def test_a_display_of_ones_own_hears_everything() -> None:
    heard: list[str] = []

    class Own:
        def moved(self, moment: Moment) -> None:
            heard.append(f"{moment.epoch}:{moment.done}/{moment.steps}")

        def finished(self, moment: Moment, row: Any, seconds: float) -> None:
            heard.append(f"row {row['epoch']}")

        def close(self) -> None:
            heard.append("closed")

    own = Own()
    assert display_of(own) is own
    fit(mlp(), progress=own, epochs=2)
    assert heard[0] == "0:0/3" and heard[-1] == "closed"
    assert [text for text in heard if text.startswith("row")] == ["row 1", "row 2"]
    assert "0:3/3" in heard and "1:3/3" in heard
