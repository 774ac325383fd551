"""Figures as tables: rows of text, for a terminal or as markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import floors
from bench.acas import Widths
from bench.bounds import Bounding
from bench.checker import Checking
from bench.first import First
from bench.interleave import Comparison, Quartiles, Timing, quartiles
from bench.startup import Startup
from bench.variants import BY_HAND, OURS
from bench.workloads import FAMILIES, kind_of


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


def of_training(found: Comparison) -> Table:
    """One row per variant; the ratios are to the first."""
    return _of_comparison(
        f"Training step, {found.work}: {FAMILIES[kind_of(found.work)].what}",
        found,
        f"{_calm(found)} {_goal(found, floors.TRAINING[found.work])}",
    )


def _of_comparison(title: str, found: Comparison, note: str) -> Table:
    columns = "step, us", "quartiles", "fastest", "processor, us", "memory, MiB", "time / ours"
    first = found.timings[0]
    rows = tuple(_row(timing, first) for timing in found.timings)
    return Table(title, ("variant", *columns), rows, note)


def _calm(found: Comparison) -> str:
    """How many rounds, and what others took of the machine meanwhile."""
    _, typical, _ = quartiles(found.others)
    return (
        f"{len(found.timings[0].wall)} rounds; other processes took {typical:.0%} of the machine "
        f"in the median slice, at most {max(found.others):.0%}."
    )


def _goal(found: Comparison, floor: floors.Floor) -> str:
    """How JAX by hand and the best peer stand to ours, beside what is wanted."""
    by_hand = found.over(BY_HAND, OURS)
    peers = {t.name: found.over(t.name, OURS) for t in found.timings}
    peers = {name: ratio for name, ratio in peers.items() if name not in (OURS, BY_HAND)}
    said = [f"{BY_HAND} {floors.BY_HAND.says(by_hand)}."]
    if peers:
        best = min(peers, key=lambda name: peers[name])
        said.append(f"The best peer, {best}: {floor.says(peers[best])}.")
    return " ".join(said)


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


def of_firsts(found: Sequence[First]) -> Table:
    """Seconds to the first step, and memory."""
    rows = [
        (one.work, one.variant, f"{one.cold:.2f}", f"{one.warm:.2f}", f"{one.peak:.0f}")
        for one in found
    ]
    return Table(
        "From the start of a process to the end of its first step",
        ("workload", "variant", "cold, s", "warm, s", "memory, MiB"),
        tuple(rows),
        "Cold: the caches of compiled programs are empty; warm: as the run before left them.",
    )


def of_depths(found: Sequence[tuple[str, float, float]]) -> Table:
    """Seconds of the shallow and of the deep network."""
    rows = [
        (name, f"{shallow:.2f}", f"{deep:.2f}", floors.DEPTH[name].says(deep / shallow))
        for name, shallow, deep in found
    ]
    return Table(
        "Depth: built, compiled and run once, with an empty cache",
        ("", "shallow, s", "deep, s", "deep / shallow"),
        tuple(rows),
    )


def of_layers(found: Sequence[Comparison]) -> Table:
    """Each layer beside PyTorch's best."""
    columns = "layer", "tensorem, us", "PyTorch, us", "layout", "time / ours"
    slow = [one.work for one in found if len(one.timings) > 1 and one.best() < floors.LAYER.wanted]
    note = f"Slower than PyTorch by more than 10 %: {'; '.join(slow) or 'none'}."
    return Table("Layers, forward and backward", columns, tuple(map(_layer, found)), note)


def _layer(found: Comparison) -> tuple[str, ...]:
    ours, *theirs = found.timings
    us = f"{quartiles(ours.wall)[1]:.0f}"
    if not theirs:
        return found.work, us, "", "", ""
    best = min(theirs, key=lambda timing: timing.over(ours)[1])
    layout = "NHWC" if best.name.endswith("NHWC") else ""
    least, ratio, most = best.over(ours)
    spread = f"{ratio:.2f} ({least:.2f} to {most:.2f})"
    return found.work, us, f"{quartiles(best.wall)[1]:.0f}", layout, spread


def of_fit(found: Comparison, against: Mapping[str, str]) -> Table:
    """Every way to call `fit`, over what it is held against."""
    ratios = {
        name: found.over(name, against.get(name, "fit"))
        for name in (timing.name for timing in found.timings)
        if name in floors.FIT
    }
    said = [f"{name} {floors.FIT[name].says(ratio)}." for name, ratio in ratios.items()]
    title = f"`fit`, {found.work}: {FAMILIES[kind_of(found.work)].what}"
    return _of_comparison(title, found, " ".join([_calm(found), *said]))


def of_generation(found: Sequence[Comparison]) -> Table:
    """Tokens in a second."""
    rows = [
        (one.work, timing.name, f"{1e6 / quartiles(timing.wall)[1]:.0f}", _held(one, timing))
        for one in found
        for timing in one.timings
    ]
    return Table(
        "Tokens behind a cache, one text, the likeliest token",
        ("model", "variant", "tokens / s", "time / ours"),
        tuple(rows),
    )


def _held(found: Comparison, timing: Timing) -> str:
    return "1" if timing.name == OURS else floors.GENERATE.says(found.over(timing.name, OURS))


def of_figures(title: str, found: Mapping[str, float], wanted: Mapping[str, floors.Floor]) -> Table:
    """Single figures beside what is wanted of them."""
    rows = [(name, wanted[name].says(value)) for name, value in found.items()]
    return Table(title, ("", "figure"), tuple(rows))


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
    beside = "; auto_LiRPA is not installed" if theirs is None else f", auto_LiRPA's {theirs:.4g}"
    if found.theirs is not None and found.net in floors.BOUNDS:
        ratio = found.theirs[1] / found.ours[1]
        beside += f"; its time over ours {floors.BOUNDS[found.net].says(ratio)}"
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
