"""Unsafe sets: proved where no point reaches them, refuted by a point that does, cut in between."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import functional as F
from tensorem import nn
from tensorem.errors import ArgumentError, CertificateError, MeaningError, ShapeError
from tensorem.verify import Inequality, Property, avoids

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def corners() -> tm.graph.Graph:
    """y = (|x0| + |x1|, x0)."""
    return tm.capture(
        lambda x: jnp.concatenate([jnp.sum(F.relu(x) + F.relu(-x), 1, keepdims=True), x[:, :1]], 1),
        (1, 2),
    )


@pytest.fixture(scope="module")
def network() -> nn.Model:
    layers = nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 2)
    return nn.build(nn.Sequential(*layers), ("N", 3), seed=1)


def test_a_box_is_cut_until_every_part_is_proved(corners: tm.graph.Graph, tmp_path: Path) -> None:
    far = Property.of([-1, -1], [1, 0.75], [[({0: 1}, "-0.1")], [({0: -1}, "-2.5")]])
    proof = avoids(corners, far)
    assert proof.verdict == "proved" and proof.parts > 1 and proof.check()
    assert "proved" in repr(proof) and avoids(corners, far, parts=1).verdict == "unknown"
    tm.save(proof.classifier.stored, tmp_path)
    files = ("graph.json", "model.safetensors", proof.save(tmp_path / "far.safetensors"))
    for mode in ("float64", "exact"):
        assert tm.check.check_files(*(tmp_path / file for file in files), mode).accepted


def test_a_sum_of_inequalities_is_not_needed_where_cuts_do(corners: tm.graph.Graph) -> None:
    """No point has |x0| + |x1| <= 0.4 and x0 >= 0.5."""
    both = Property.of([-1, -1], [1, 1], [[({0: 1}, "0.4"), ({1: -1}, "-0.5")]])
    assert avoids(corners, both).verdict == "proved"


def test_a_sum_of_inequalities_proves_what_no_cut_does() -> None:
    """Beside x0 + x1 = 0 each inequality alone holds or does not, in every part."""
    opposite = [({0: 1, 1: 1}, "-0.001"), ({0: -1, 1: -1}, "-0.001")]
    unsafe = [opposite, [({0: 1}, "-1.5")], [*opposite, ({0: 1}, "1")]]
    found = avoids(tm.capture(lambda x: x, (1, 2)), Property.of([-1, -1], [1, 1], unsafe))
    assert found.verdict == "proved" and found.parts == 1 and found.check()
    assert np.allclose(found.arrays["multipliers"][0, :3], [0.5, 0.5, 1])


def test_the_checker_decides_what_it_bounds_more_closely() -> None:
    """A norm is one op of the prover, whose lines are flat, and several steps of the checker."""
    layers = nn.Linear(3, 4), nn.RMSNorm(4), nn.Linear(4, 2)
    model = nn.build(nn.Sequential(*layers), ("N", 3), seed=1)
    box = [0.5, 1.0, -0.7], [0.52, 1.02, -0.68]
    far = avoids(model, Property.of(*box, [[({0: 1}, -100)]]), parts=1)
    near = Property.of(*box, [[({0: 1}, round(far.margin - 100 + 0.01, 6))]])
    found = avoids(model, near, parts=1)
    assert found.verdict == "proved" and found.check() and found.margin > 0


def test_a_counterexample_lies_in_the_box_and_in_a_set_exactly(corners: tm.graph.Graph) -> None:
    """No float32 number is 0.1: the point is moved to the decimal."""
    touched = Property.of(["0.1", "-1"], ["0.1", 1], [[({0: 1}, "-1")], [({0: -1}, "-1.0999")]])
    found = avoids(corners, touched)
    assert found.verdict == "refuted" and found.check() and found.counterexample is not None
    x0, x1 = found.counterexample
    assert x0 == Fraction("0.1") and abs(x1) >= Fraction("0.9999") and abs(x1) <= 1
    with pytest.raises(CertificateError, match="belongs to a proof, got refuted"):
        found.to_bytes()


def test_a_strict_set_is_not_refuted_on_its_edge(corners: tm.graph.Graph) -> None:
    [[weak]] = Property.of([0.5, 0], [0.5, 0], [[({1: 1}, 0.5)]]).unsafe
    point = ("0.5", "0")
    strict = Property(point, point, ((Inequality(weak.terms, weak.bound, strict=True),),))
    assert avoids(corners, strict).verdict == "unknown"
    assert avoids(corners, Property(point, point, ((weak,),))).verdict == "refuted"


def test_verdicts_agree_with_points(network: nn.Model) -> None:
    """Bounds around the least output that was seen: below it proved, above it refuted."""
    xs = RNG.uniform(-0.3, 0.3, (4000, 3)).astype(np.float32)
    y = np.asarray(network(xs))
    least = (y[:, 0] - y[:, 1]).min()
    verdicts = {}
    for shift in (-0.3, -0.01, 0.01):
        unsafe = [[({0: 1, 1: -1}, float(np.float32(least + shift)))]]
        found = avoids(network, Property.of([-0.3] * 3, [0.3] * 3, unsafe), parts=300)
        assert found.verdict != ("proved" if shift > 0 else None)
        assert found.verdict == "unknown" or found.check()
        verdicts[shift] = found.verdict
    assert verdicts[-0.3] == "proved" and verdicts[0.01] == "refuted"


def test_what_the_checker_rejects_is_not_proved(
    corners: tm.graph.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Property.of([-1, -1], [1, 0.75], [[({0: 1}, "-0.1")]])
    monkeypatch.setattr(tm.check.Checker, "check", lambda *_: tm.check.Result(False, "no"))
    assert avoids(corners, far).verdict == "unknown"


def test_a_box_of_many_inputs_is_not_cut() -> None:
    wide = tm.capture(lambda x: F.relu(x) + F.relu(-x), (1, 65))
    low = Property.of([-1] * 65, [0.75] * 65, [[({0: 1}, "-0.1")]])
    found = avoids(wide, low)
    assert found.verdict == "unknown" and found.parts == 1 and not found.check()


def test_a_property_of_another_model(corners: tm.graph.Graph) -> None:
    unit = Property.of([0] * 2, [1] * 2, [[({0: 1}, 0)]])
    for wrong in (
        Property.of([0], [1], [[({0: 1}, 0)]]),
        Property.of([0] * 2, [1] * 2, [[({2: 1}, 0)]]),
    ):
        with pytest.raises(ShapeError, match="takes a property of 2 inputs and 2 outputs"):
            avoids(corners, wrong)
    with pytest.raises(ArgumentError, match="takes parts as an integer of at least 1"):
        avoids(corners, unit, parts=0)
    with pytest.raises(ShapeError, match="from one array to one"):
        avoids(tm.capture(lambda x: (x, x), (1, 2)), unit)
    with pytest.raises(MeaningError, match="takes a graph that the checker can check"):
        avoids(tm.capture(F.softsign, (1, 2)), unit)


def test_numbers_of_a_property() -> None:
    with pytest.raises(ArgumentError, match="a coefficient takes a finite number"):
        Property.of([0], [1], [[({0: float("nan")}, 0)]])
    with pytest.raises(ArgumentError, match="takes a box, got ends of different lengths"):
        Property.of([0], [1, 2], [[({0: 1}, 0)]])
    with pytest.raises(ArgumentError, match="or a lower one above an upper"):
        Property.of([2], [1], [[({0: 1}, 0)]])
    for empty in ([], [[]], [[({}, 0)]]):
        with pytest.raises(ArgumentError, match="unsafe sets of inequalities, got an empty one"):
            Property.of([0], [1], empty)
