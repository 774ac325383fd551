"""The original's samples, and tables that are written as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tensorem import data
from tensorem.data import synthetic
from tensorem.errors import ArgumentError, DataError


def test_points() -> None:
    assert [synthetic.linspace(2, 3, n).tolist() for n in (0, 1, 2)] == [[], [2], [2, 3]]
    square = synthetic.grid2_square(0, 2, 3)
    assert square.tolist() == [[x, y] for x in range(3) for y in range(3)]
    found = synthetic.regression(square, synthetic.affine2(0.5, -1, 2))
    assert found.y[:, 0].tolist() == [0.5 * x - y + 2 for x, y in square.tolist()]
    assert synthetic.regression(np.zeros((0, 2)), synthetic.affine2(1, 1, 1)).y.shape == (0, 1)


def test_bands() -> None:
    found = synthetic.bands()
    assert found.y.tolist() == [0, 1] * 3
    assert (found.x[::2] == found.x[1::2].swapaxes(2, 3)).all()
    assert found.x.sum(axis=(1, 2, 3)).tolist() == [8] * 6
    assert synthetic.band(4, 4, "horizontal", 3)[0].sum(axis=1).tolist() == [0, 0, 0, 4]
    probes = synthetic.band_probes()
    assert (np.stack(list(probes.values())) == found.x[2:]).all()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    names = ['a "b"', "x;y", "new\nline"]
    kinds = [names[i % 3] for i in range(50)]
    table = {"u,v": values[:, 0], "w": values[:, 1], "kind": kinds}
    for delimiter in ",;":
        data.write_csv(tmp_path / "x.csv", table, delimiter=delimiter)
        back = data.read_csv(tmp_path / "x.csv", classes=names, delimiter=delimiter)
        assert (back.x == values).all() and [names[i] for i in back.y] == kinds


def test_errors_word_by_word(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="band takes axis as one of vertical, horizontal"):
        synthetic.band(4, 4, "diagonal", 0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="takes offset as an integer of at least 0, got -1"):
        synthetic.band(4, 4, "vertical", -1)
    with pytest.raises(ArgumentError, match="bands takes at least one offset, got none"):
        synthetic.bands(offsets=())
    with pytest.raises(ArgumentError, match="linspace takes n as an integer of at least 0"):
        synthetic.linspace(0, 1, -1)
    with pytest.raises(DataError, match=r"takes points \(n, coordinates\), got \(3,\)"):
        synthetic.regression(np.zeros(3), synthetic.affine2(1, 1, 1))
    with pytest.raises(DataError, match=r"classes from 0 to 2, got \[3\]"):
        synthetic.one_hot([3], 3)
    with pytest.raises(DataError, match=r"columns of one length, got a \(2,\), b \(3,\)"):
        data.write_csv(tmp_path / "x.csv", {"a": [1, 2], "b": [1, 2, 3]})
    with pytest.raises(DataError, match="columns of one length, got none"):
        data.write_csv(tmp_path / "x.csv", {})
