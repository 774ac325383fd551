"""Networks and properties of VNN-COMP: no verdict against a point that ONNX Runtime found."""

from __future__ import annotations

import csv
import gzip
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import tensorem as tm
from tensorem.verify import Property, avoids, vnnlib

BENCHMARKS = Path(__file__).parents[3] / "shared" / "bench" / "vnncomp"
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not BENCHMARKS.exists(), reason="VNN-COMP's files are not here"),
]
TRUTH = {"proved": "unsat", "refuted": "sat"}


def reached_by_sampling(file: Path, given: Property, more: list[np.ndarray]) -> bool:
    """Does ONNX Runtime reach an unsafe set at random points of the box, or at these?"""
    session = pytest.importorskip("onnxruntime").InferenceSession(str(file))
    ends = [np.array(list(map(float, end))) for end in (given.lower, given.upper)]
    rng = np.random.default_rng(0)
    points = [rng.uniform(*ends) for _ in range(500)]
    [entry] = session.get_inputs()
    shape = [n if isinstance(n, int) else 1 for n in entry.shape]
    runs = (
        session.run(None, {entry.name: x.astype(np.float32).reshape(shape)})[0]
        for x in [*points, *more]
    )
    return any(map(given.reached_by, runs))


@pytest.mark.parametrize(
    ("folder", "rows"),
    [
        ("acasxu", range(46, 70, 2)),
        ("rl_benchmarks", range(0, 50, 5)),
        ("tllverifybench", range(4)),
    ],
)
def test_verdicts_agree_with_points_and_with_other_tools(
    folder: str, rows: range, tmp_path: Path
) -> None:
    pytest.importorskip("vnnlib")
    listed = list(csv.DictReader((BENCHMARKS / folder / "expected.csv").read_text().splitlines()))
    decided = 0
    for row in (listed[i] for i in rows):
        file = tmp_path / "model.onnx"
        file.write_bytes(gzip.decompress((BENCHMARKS / folder / f"{row['onnx']}.gz").read_bytes()))
        [given] = vnnlib(BENCHMARKS / folder / f"{row['vnnlib']}.gz")
        found = avoids(tm.onnx.load(file), given, parts=300)
        point: tuple[Fraction, ...] = found.counterexample or ()
        more = [np.array(point, object).astype(np.float32)] if point else []
        reached = reached_by_sampling(file, given, more)
        assert (found.verdict == "refuted") <= reached, f"{row}: no counterexample of ONNX Runtime"
        assert not (found.verdict == "proved" and reached), f"{row}: proved, and false"
        if row["expected"] in ("sat", "unsat") and found.verdict != "unknown":
            assert TRUTH[found.verdict] == row["expected"], row
            decided += 1
    assert decided > len(rows) // 2
