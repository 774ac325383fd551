from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorem.data import Dataset, Loader, digits, iris
from tensorem.errors import ArgumentError, DataError, DTypeError
from tensorem.shapes import Spec


def numbered(n: int) -> Dataset:
    """n examples that carry their own number, in x and in y."""
    return Dataset(np.repeat(np.arange(n, dtype=np.float32)[:, None], 2, 1), np.arange(n))


def test_rows_stay_together() -> None:
    data = numbered(20).shuffle(3)
    assert np.array_equal(data.x[:, 0], data.y)
    assert sorted(data.y.tolist()) == list(range(20))
    assert data.y.tolist() != list(range(20))
    assert data.y.tolist() == numbered(20).shuffle(3).y.tolist()


@pytest.mark.parametrize(
    ("at", "sizes"),
    [(0, (0, 100)), (7, (7, 93)), (100, (100, 0)), (0.29, (29, 71)), (1.0, (100, 0))],
)
def test_split(at: float, sizes: tuple[int, int]) -> None:
    left, right = numbered(100).split(at)
    assert (len(left), len(right)) == sizes
    assert left.append(right).y.tolist() == list(range(100))


@pytest.mark.parametrize("at", [-1, 101, 1.5, float("nan"), True, "3"])
def test_split_refuses_other_places(at: float) -> None:
    words = r"A split of 100 rows takes at as (a number in \[0, 1\]|an integer of at (least|most))"
    with pytest.raises(ArgumentError, match=words):
        numbered(100).split(at)


def test_take_map_and_items() -> None:
    data = numbered(5).take(2).map(lambda x, y: (10 * x, y + 1))
    assert [(x.tolist(), int(y)) for x, y in data] == [([0, 0], 1), ([10, 10], 2)]
    assert data[1][0].tolist() == [10, 10]
    assert data.input == Spec(("N", 2))


def test_arrays_are_read_only() -> None:
    given_x = np.zeros((2, 1))
    data = Dataset(given_x, np.zeros(2))
    with pytest.raises(ValueError, match="read-only"):
        data.x[0] = 1
    given_x[0] = 1  # the caller's own array is still theirs


def test_lengths_must_be_equal() -> None:
    with pytest.raises(DataError) as error:
        Dataset(np.zeros((3, 2)), np.zeros(4))
    assert str(error.value) == (
        "A Dataset takes as many targets as inputs, got x (3, 2) and y (4,)."
    )


def test_scalars_text_and_objects_are_refused() -> None:
    with pytest.raises(DataError, match=r"takes y with rows along its first axis, got a scalar\."):
        Dataset(np.zeros(3), np.float32(1))  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match=r"takes y of float32, .* got <U1\."):
        Dataset(np.zeros(2), np.array(["a", "b"]))
    with pytest.raises(DTypeError, match=r"takes x of float32, .* got object\."):
        Dataset(np.array([None, 1]), np.zeros(2))


def test_append_takes_equal_specs() -> None:
    with pytest.raises(
        DataError, match=r"concat takes x of float32 \(N, 2\), got float64 \(3, 2\)\."
    ):
        numbered(2).append(Dataset(np.zeros((3, 2)), np.arange(3)))


@given(
    n=st.integers(0, 30),
    batch_size=st.integers(1, 12),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    epoch=st.integers(0, 5),
)
def test_batches_cover_the_epoch(
    n: int, batch_size: int, shuffle: bool, drop_last: bool, epoch: int
) -> None:
    loader = Loader(numbered(n), batch_size, shuffle, seed=1, drop_last=drop_last)
    batches = [y.tolist() for _, y in loader.epoch(epoch)]
    seen = [i for batch in batches for i in batch]
    assert len(batches) == len(loader)
    assert all(len(batch) == batch_size for batch in batches[: n // batch_size])
    assert seen == loader.order(epoch)[: len(seen)].tolist()
    assert len(seen) == (n - n % batch_size if drop_last else n)
    assert sorted(loader.order(epoch).tolist()) == list(range(n))


def test_order_depends_on_seed_and_epoch_alone() -> None:
    orders = {
        (seed, epoch): tuple(Loader(numbered(50), 7, True, seed).order(epoch).tolist())
        for seed in range(4)
        for epoch in range(4)
    }
    assert len(set(orders.values())) == 16
    assert orders[2, 3] == tuple(Loader(numbered(50), 13, True, 2).order(3).tolist())


def test_loader_errors() -> None:
    with pytest.raises(ArgumentError, match="takes batch_size as an integer of at least 1"):
        Loader(numbered(3), 0)
    with pytest.raises(ArgumentError, match="A seed takes an integer"):
        Loader(numbered(3), 1, seed=-1)
    with pytest.raises(ArgumentError, match="the epoch as an integer of at least 0, got -1"):
        Loader(numbered(3), 1).epoch(-1)
    with pytest.raises(ArgumentError, match=r"write `for x, y in loader\.epoch\(k\)`"):
        list(Loader(numbered(3), 1))


def test_digits() -> None:
    splits = digits()
    assert (len(splits.train), len(splits.test)) == (1437, 360)
    assert splits.train.x.dtype == np.float32 and splits.train.y.dtype == np.int32
    assert splits.train.x.shape[1:] == (1, 8, 8)
    everything = splits.train.append(splits.test)
    assert (everything.x.min(), everything.x.max()) == (0.0, 1.0)
    # Class counts of optdigits.tes as its documentation states them.
    assert np.bincount(everything.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (16 * splits.test.x[0, 0, 0]).tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert splits.classes[int(splits.test.y[0])] == str(int(splits.test.y[0]))


def test_iris() -> None:
    splits = iris()
    assert np.bincount(splits.train.y).tolist() == [40, 40, 40]
    assert np.bincount(splits.test.y).tolist() == [10, 10, 10]
    everything = splits.train.append(splits.test)
    # Fisher's means of the four measurements of setosa.
    setosa = everything.x[everything.y == 0].astype(np.float64).mean(axis=0)
    assert np.round(setosa, 3).tolist() == [5.006, 3.428, 1.462, 0.246]
    assert splits.classes == ("setosa", "versicolor", "virginica")


def test_a_mask_is_not_lost_in_silence() -> None:
    with pytest.raises(DataError, match="A Dataset takes x as an array, got one with a mask"):
        Dataset(np.ma.masked_greater(np.arange(3.0), 1), np.zeros(3))


@pytest.mark.parametrize(
    ("x", "because"),
    [
        ([[1, 2], [3, 4], [5]], "row 2 holds 1 value, row 0 holds 2 values."),
        ([[1, 2], 3], "row 1 holds a single value, row 0 holds 2 values."),
        ([np.ones((2, 3)), np.ones((2, 4))], "row 1 holds an array of shape (2, 4), row 0 holds"),
        (
            [[[1], [2]], [[1], [2, 3]]],
            "row 1 is ragged itself: row 1 holds 2 values, row 0 holds 1 value.",
        ),
    ],
)
def test_ragged_rows_are_named(x: Any, because: str) -> None:
    with pytest.raises(DataError, match="takes x as an array, got list") as caught:
        Dataset(x, np.zeros(2))
    assert because in caught.value.because
