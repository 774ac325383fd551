"""The benchmark without its clock: what is wanted of which figure, and what tables say."""

from __future__ import annotations

import pytest
from bench import fits, floors, handwritten, loops, tables
from bench.floors import Floor
from bench.interleave import Comparison, Timing
from bench.networks import ours
from bench.workloads import FAMILIES, kind_of


def timed(**micros: float) -> Comparison:
    """A comparison in which each variant took as long in every round."""
    timings = [
        Timing(name.replace("_", " "), (us,) * 3, (us,) * 3, 100.0) for name, us in micros.items()
    ]
    return Comparison("mlp64", tuple(timings), (0.0, 0.0))


@pytest.mark.parametrize(
    ("floor", "value", "said"),
    [
        (Floor(1.2), 1.2, "1.20, wanted at least 1.2: met"),
        (Floor(1.2), 1.1, "1.10, wanted at least 1.2: not met"),
        (Floor(2, at_most=True), 2.5, "2.50, wanted at most 2: not met"),
    ],
)
def test_a_figure_is_held_against_its_floor(floor: Floor, value: float, said: str) -> None:
    assert floor.says(value) == said


def test_every_workload_has_a_network_on_each_side() -> None:
    kinds = {kind_of(work) for work in (*floors.TRAINING, *fits.LOOPS, fits.LONG)}
    for networks in (FAMILIES, ours.NETWORKS, handwritten.NETWORKS):
        assert kinds <= networks.keys()


def test_every_way_to_call_fit_is_there() -> None:
    assert {*floors.FIT, *fits.AGAINST.values()} <= set(fits.WAYS) == loops.fits().keys()


def test_a_workload_is_held_against_the_best_peer() -> None:
    found = timed(tensorem=100.0, JAX_by_hand=80.0, PyTorch=300.0, Equinox=150.0)
    note = tables.of_training(found).note
    assert "JAX by hand 0.80, wanted at least 0.91: not met." in note
    assert "The best peer, Equinox: 1.50, wanted at least 1.9: not met." in note


def test_slow_layers_are_named() -> None:
    table = tables.of_layers([timed(tensorem=100.0, PyTorch=95.0, PyTorch_NHWC=80.0)])
    assert table.rows == (("mlp64", "100", "80", "NHWC", "0.80 (0.80 to 0.80)"),)
    assert table.note == "Slower than PyTorch by more than 10 %: mlp64."


def test_fit_is_held_against_the_loop_and_its_ways_against_fit() -> None:
    given = {fits.FIT: 104.0, fits.LOOP: 100.0, "fit, EMA": 130.0}
    note = tables.of_fit(timed(**given), fits.AGAINST).note
    assert "fit 1.04, wanted at most 1.05: met." in note
    assert "fit, EMA 1.25, wanted at most 1.05: not met." in note
