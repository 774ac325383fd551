"""Figures as tables: rows of text, for a terminal or as markdown."""

from __future__ import annotations

from dataclasses import dataclass

from bench.acas import Widths
from bench.bounds import Bounding
from bench.checker import Checking
from bench.interleave import Comparison, Quartiles, Timing, quartiles
from bench.startup import Startup


@dataclass(frozen=True)
class Table:
    """Text in rows and columns, with a note below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def markdown(self) -> str:
        """The table as GitHub reads it."""
        cells = [self.columns, ("---",) * len(self.columns), *self.rows]
        lines = ["| " + " | ".join(row) + " |" for row in cells]
        return "\n".join([f"### {self.title}", "", *lines, "", self.note]).rstrip() + "\n"


def of_comparison(found: Comparison, what: str, floor: float) -> Table:
    """One row per variant; the ratios are to the first."""
    first = found.timings[0]
    _, typical, _ = quartiles(found.others)
    return Table(
        f"Training step, {found.work}: {what}",
        (
            "variant",
            "step, us",
            "quartiles",
            "fastest",
            "processor, us",
            "memory, MiB",
            "time / ours",
        ),
        tuple(_row(timing, first) for timing in found.timings),
        f"{len(first.wall)} rounds; other processes took {typical:.0%} of the machine in the "
        f"median slice, at most {max(found.others):.0%}. {_goal(found, floor)}",
    )


def _goal(found: Comparison, floor: float) -> str:
    """How the best of PyTorch and JAX by hand stand to ours, beside what is wanted."""
    first, *others = found.timings
    ratios = {timing.name: timing.over(first)[1] for timing in others}
    torches = [ratio for name, ratio in ratios.items() if name.startswith("PyTorch")]
    goals = [("JAX by hand", ratios["JAX by hand"], 0.91)]
    goals += [("PyTorch's best", min(torches), floor)] if torches else []
    return " ".join(
        f"{name} {ratio:.2f}, wanted {wanted}: {'met' if ratio >= wanted else 'not met'}."
        for name, ratio, wanted in goals
    )


def _row(timing: Timing, first: Timing) -> tuple[str, ...]:
    low, middle, high = quartiles(timing.wall)
    _, cpu, _ = quartiles(timing.cpu)
    least, ratio, most = timing.over(first)
    return (
        timing.name,
        f"{middle:.0f}",
        f"{low:.0f} to {high:.0f}",
        f"{min(timing.wall):.0f}",
        f"{cpu:.0f}",
        f"{timing.peak:.0f}",
        "1" if timing is first else f"{ratio:.2f} ({least:.2f} to {most:.2f})",
    )


def of_startup(found: Startup) -> Table:
    """Every run."""
    runs = [("cold", run) for run in found.cold] + [("second time", run) for run in found.warm]
    return Table(
        "tensorem demo, from start to end",
        ("", "seconds", "processor, s", "taken by others"),
        tuple((n, f"{r.seconds:.1f}", f"{r.cpu:.1f}", f"{r.others:.0%}") for n, r in runs),
    )


def of_bounding(found: Bounding) -> Table:
    """CROWN on one box, what auto_LiRPA takes for it, and the checker."""
    timings = {"ours": found.ours, "auto_LiRPA": found.theirs, "checker": found.checking}
    rows = [
        (name, *(f"{ms:.2f}" for ms in times), f"{times[1] / found.ours[1]:.2f}")
        for name, times in timings.items()
        if times is not None
    ]
    ours, theirs = found.margins
    beside = "" if theirs is None else f", auto_LiRPA's {theirs:.4g}"
    return Table(
        f"CROWN on one box, {found.net}",
        ("variant", "lower quartile, ms", "median, ms", "upper quartile, ms", "time / ours"),
        tuple(rows),
        f"The first bound took {found.first:.1f} s. The least margin is {ours:.4g}{beside}.",
    )


def of_widths(found: Widths | None) -> Table:
    """Mean widths, or a word that they were not measured."""
    title = "ACAS-Xu 1_1, the 256 boxes of property 3: mean width of the outputs"
    if found is None:
        return Table(title, ("method", "mean width"), (), "Not measured: the data is not there.")
    rows = (("CROWN", f"{found.crown:.4f}"), ("intervals", f"{found.ibp:.1f}"))
    note = (
        f"CROWN: {found.running:.3f} s for all boxes, after {found.compiling:.1f} s of tracing and "
        "compiling (or reading from the compile cache)."
    )
    return Table(title, ("method", "mean width"), rows, note)


def of_checking(found: Checking) -> Table:
    """Milliseconds per certificate."""
    rows = (("float64 with error terms", found.milliseconds), ("exact rationals", found.exact))
    return Table(
        f"Checking a certificate of the digits network ({found.certificates} certificates)",
        ("mode", "ms", "quartiles"),
        tuple((mode, *_spread(figures)) for mode, figures in rows),
    )


def _spread(figures: Quartiles) -> tuple[str, str]:
    low, middle, high = figures
    return f"{middle:.1f}", f"{low:.1f} to {high:.1f}"
