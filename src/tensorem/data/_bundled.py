"""The data sets that ship with the package; `_files/ATTRIBUTION.md` says where they come from."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from ._dataset import Dataset, Splits


@cache
def digits() -> Splits:
    """1797 handwritten digits as grey images of 8x8; every fifth, in file order, to test on.

    The file goes from writer to writer, so a tail would hold writers that are not trained on.

    Shapes:
        x float32 (n, 1, 8, 8) in [0, 1], y int32 (n,) from 0 to 9

    Example:
        >>> digits().test
        Dataset of 360: x float32 (360, 1, 8, 8), y int32 (360,)

    Source:
        Alpaydin and Kaynak 1998, UCI Machine Learning Repository, doi 10.24432/C50P49.
    """
    arrays = _load("digits.npz")
    images = (arrays["images"][:, np.newaxis] / 16.0).astype(np.float32)
    everything = Dataset(images, arrays["labels"].astype(np.int32))
    held_out = np.arange(len(everything)) % 5 == 0
    train, test = (everything.select(rows) for rows in (~held_out, held_out))
    return Splits(train, test, tuple("0123456789"))


@cache
def iris() -> Splits:
    """150 iris flowers of three species, four lengths each in cm; every fifth flower to test on.

    The file is ordered by species, so both parts are shuffled, always in the same way.

    Shapes:
        x float32 (n, 4), y int32 (n,) from 0 to 2

    Example:
        >>> iris().train
        Dataset of 120: x float32 (120, 4), y int32 (120,)

    Source:
        Fisher 1936, UCI Machine Learning Repository, doi 10.24432/C56C76.
    """
    arrays = _load("iris.npz")
    lengths = (arrays["measurements"] / 10.0).astype(np.float32)
    flowers = Dataset(lengths, arrays["labels"].astype(np.int32))
    held_out = np.arange(len(flowers)) % 5 == 4
    train, test = (flowers.select(rows).shuffle(seed=0) for rows in (~held_out, held_out))
    return Splits(train, test, ("setosa", "versicolor", "virginica"))


def _load(name: str) -> dict[str, Any]:
    file = resources.files("tensorem.data") / "_files" / name
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return dict(arrays)
