"""Splits, samplers and transforms are functions of a seed; PyTorch computes the same pixels."""

from __future__ import annotations

import colorsys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tensorem import data
from tensorem.data import Dataset, Loader, transforms
from tensorem.errors import ArgumentError, DataError, TensoremError

DRAW = np.random.default_rng(0)
LABELS = np.repeat([0, 1, 2], [60, 30, 10])
ROWS = Dataset(np.arange(100.0), LABELS)
IMAGES = DRAW.random((6, 3, 8, 10)).astype(np.float32)
KEYS = transforms.row_keys(0, 0, np.arange(6))


def numbers(part: Dataset) -> list[int]:
    return [int(v) for v in part.x]


def test_a_stratified_split_keeps_proportions() -> None:
    first, rest = data.random_split(ROWS, 0.7, seed=3, stratify=ROWS.y)
    assert first.class_counts().tolist() == [42, 21, 7]
    assert sorted(numbers(first) + numbers(rest)) == list(range(100))
    again = data.random_split(ROWS, 0.7, seed=3, stratify=ROWS.y)[0]
    assert numbers(again) == numbers(first) != numbers(data.random_split(ROWS, 70)[0])


def test_groups_stay_whole() -> None:
    people = np.arange(100) // 7
    first, rest = data.random_split(ROWS, 0.5, groups=people)
    assert not {people[i] for i in numbers(first)} & {people[i] for i in numbers(rest)}
    assert 50 <= len(first) < 57
    folds = data.k_fold(ROWS, 3, groups=people)
    assert sorted(i for _, test in folds for i in numbers(test)) == list(range(100))
    for train, test in folds:
        assert not {people[i] for i in numbers(train)} & {people[i] for i in numbers(test)}
    # The place of every cut lies in the one large group.
    assert all(len(test) for _, test in data.k_fold(ROWS, 4, groups=np.maximum(np.arange(100), 96)))


def test_folds_cover_every_row_once() -> None:
    folds = data.k_fold(ROWS, 10, stratify=ROWS.y)
    assert {tuple(test.class_counts().tolist()) for _, test in folds} == {(6, 3, 1)}
    assert sorted(i for _, test in folds for i in numbers(test)) == list(range(100))
    assert all(len(train) + len(test) == 100 for train, test in folds)


def test_filter_concat_and_counts() -> None:
    assert len(ROWS.filter(lambda x, y: y == 2)) == 10
    assert len(data.concat([ROWS, ROWS, ROWS])) == 300
    assert ROWS.class_counts().tolist() == [60, 30, 10]


def order(sampler: data.Sampler, epoch: int = 0, seed: int = 0) -> list[int]:
    return Loader(ROWS, 7, sampler=sampler, seed=seed).order(epoch).tolist()


def test_weights_are_probabilities() -> None:
    seen = Counter(order(data.WeightedRandomSampler(np.r_[0.0, 1, 3, np.zeros(97)], 40_000)))
    assert seen.keys() == {1, 2} and abs(seen[2] / 40_000 - 0.75) < 0.01
    once = data.WeightedRandomSampler(np.r_[np.zeros(50), np.ones(50)], 50, replacement=False)
    assert sorted(order(once)) == list(range(50, 100))
    first = [
        order(data.WeightedRandomSampler(np.r_[9, np.ones(99)], 1, False), k)[0] for k in range(600)
    ]
    assert abs(first.count(0) / 600 - 9 / 108) < 0.04


def test_classes_come_equally_often() -> None:
    sampler = data.BalancedSampler(LABELS, 90)
    assert np.bincount(LABELS[order(sampler)]).tolist() == [30, 30, 30]
    assert order(sampler) == order(sampler) != order(sampler, 1) != order(sampler, 1, seed=2)
    assert len(set(order(sampler))) > 60  # no row of a frequent class twice before all once


def test_processes_share_an_epoch() -> None:
    whole = Loader(ROWS, 7, shuffle=True).order(4).tolist()
    parts = [order(data.DistributedSampler(3, rank), 4) for rank in range(3)]
    assert {len(part) for part in parts} == {34} and set().union(*parts) == set(range(100))
    assert parts[1] == (whole + whole[:2])[1::3]
    cut = [order(data.DistributedSampler(3, rank, drop_last=True), 4) for rank in range(3)]
    assert sum(map(len, cut)) == len(set().union(*cut)) == 99


def test_parts_are_visited_one_after_another() -> None:
    rows = data.RandomSampler().rows(0, 0, (4, 5, 6))
    part = np.searchsorted([4, 9], rows, side="right")
    assert sorted(rows.tolist()) == list(range(15)) and (np.diff(part) != 0).sum() == 2


ALL = transforms.Compose(
    transforms.RandomHorizontalFlip(),
    transforms.RandomVerticalFlip(),
    transforms.RandomCrop(8, padding=2),
    transforms.RandomResizedCrop((8, 10)),
    transforms.RandomRotation(30),
    transforms.ColorJitter(0.3, 0.3, 0.3, 0.2),
    transforms.RandomErasing(),
    transforms.Resize(6),
    transforms.CenterCrop(5),
    transforms.Normalize((0.5, 0.4, 0.3), 0.2),
)
PICTURES = Dataset(DRAW.random((23, 3, 8, 10)).astype(np.float32), np.arange(23) % 3)


def batches(workers: int, transform: Any = ALL, start: int = 0) -> list[tuple[bytes, bytes]]:
    loader = Loader(PICTURES, 5, True, 1, transform=transform, workers=workers)
    return [(x.tobytes(), y.tobytes()) for x, y in loader.epoch(2, start)]


@pytest.mark.parametrize("last", [transforms.MixUp(3), transforms.CutMix(3)])
def test_workers_cannot_matter(last: Any) -> None:
    transform = transforms.Compose(ALL, last)
    alone = batches(0, transform)
    assert alone == batches(1, transform) == batches(4, transform)
    assert alone[3:] == batches(4, transform, start=3)


def test_a_row_does_not_depend_on_its_batch() -> None:
    by_row = [
        {int(x): image for x, image in zip(loader.order(1), seen, strict=True)}
        for loader in (Loader(PICTURES, n, True, 1, transform=ALL) for n in (4, 23))
        for seen in [np.concatenate([x for x, _ in loader.epoch(1)])]
    ]
    assert all((by_row[0][i] == by_row[1][i]).all() for i in range(23))
    assert by_row[0][0].shape == (3, 5, 5) and by_row[0][0].dtype == np.float32


def test_a_row_that_comes_again_is_changed_anew() -> None:
    weights = data.WeightedRandomSampler(np.r_[1, np.zeros(22)], 4)
    loader = Loader(PICTURES, 4, sampler=weights, transform=transforms.RandomRotation(45))
    ((x, _),) = loader.epoch(0)
    assert len({image.tobytes() for image in x}) == 4


def test_pixels_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    functional, images = torch.nn.functional, torch.from_numpy(IMAGES)
    for size in ((5, 4), (16, 13)):
        ours = transforms.Resize(size)(IMAGES, LABELS[:6], KEYS)[0]
        theirs = functional.interpolate(images, size, mode="bilinear", align_corners=False)
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)
    square, angle = IMAGES[..., :8], np.deg2rad([0.0, 15, -40, 90, 33, 180])
    c, s = np.cos(angle), np.sin(angle)
    # The grid goes from places of the result to places of the image: x right, y down.
    theta = np.stack([np.stack([c, -s, 0 * c], 1), np.stack([s, c, 0 * c], 1)], 1)
    grid = functional.affine_grid(
        torch.from_numpy(theta).float(), square.shape, align_corners=False
    )
    theirs = functional.grid_sample(torch.from_numpy(square), grid, align_corners=False)
    np.testing.assert_allclose(transforms.rotated(square, angle), theirs.numpy(), atol=1e-5)
    np.testing.assert_allclose(
        transforms.rotated(square, np.full(6, np.pi / 2)), np.rot90(square, axes=(2, 3)), atol=1e-6
    )


def test_hue_turns_as_in_colorsys() -> None:
    pixels = np.vstack([DRAW.random((20, 3)), np.eye(3), [[0.5] * 3, [0, 0, 0]]])
    turned = transforms._turned(pixels[:, :, np.newaxis, np.newaxis], np.full((25, 1, 1), 0.3))
    for pixel, found in zip(pixels, turned, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        expected = colorsys.hsv_to_rgb((hue + 0.3) % 1, saturation, value)
        np.testing.assert_allclose(found.ravel(), expected, atol=1e-12)


def test_colours_by_hand() -> None:
    lighter = transforms.ColorJitter(brightness=0.5)(IMAGES, LABELS[:6], KEYS)[0]
    factor = 1 + 0.5 * (2 * transforms.draws(KEYS, (4,))[:, 0] - 1)
    expected = np.clip(IMAGES * factor[:, None, None, None], 0, 1)
    np.testing.assert_allclose(lighter, expected, rtol=1e-5)
    grey = np.broadcast_to(IMAGES[:, :1], IMAGES.shape)
    same = transforms.ColorJitter(saturation=0.9, hue=0.5)(grey, LABELS[:6], KEYS)[0]
    np.testing.assert_allclose(same, grey, atol=1e-6)


def test_flips_and_crops_move_pixels() -> None:
    always = transforms.RandomHorizontalFlip(1.0)(IMAGES, LABELS[:6], KEYS)[0]
    assert (always == IMAGES[..., ::-1]).all()
    crop = transforms.RandomCrop((3, 4))(IMAGES, LABELS[:6], KEYS)[0]
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES, (3, 4), (2, 3))
    for part, places in zip(crop, windows, strict=True):
        assert (places == part[:, None, None]).all(axis=(0, 3, 4)).any()
    erased = transforms.RandomErasing(1.0)(IMAGES + 1, LABELS[:6], KEYS)[0]
    share = (erased == 0).mean(axis=(1, 2, 3))
    assert (share < 0.5).all() and share.max() > 0
    assert ((erased == 0) | (erased == IMAGES + 1)).all()


def test_mixing_mixes_classes_as_inputs() -> None:
    x, y = transforms.MixUp(3)(IMAGES, np.arange(6) % 3, KEYS)
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
    share = y[0, 0]
    np.testing.assert_allclose(x[0], share * IMAGES[0] + (1 - share) * IMAGES[5], atol=1e-5)
    x, y = transforms.CutMix(3)(IMAGES, np.arange(6) % 3, KEYS)
    taken = (x == np.roll(IMAGES, 1, axis=0)).all(axis=1).mean()
    np.testing.assert_allclose(y[0, 2], taken, atol=1e-6)
    assert 0 < taken < 1


def given(**more: Any) -> Callable[[], object]:
    return lambda: Loader(ROWS, 7, **more)


ERRORS: list[tuple[Callable[[], object], type[TensoremError], str]] = [
    (lambda: data.random_split(ROWS, 101), ArgumentError, "takes at as an integer of at most 100"),
    (
        lambda: data.random_split(ROWS, 1, stratify=[1]),
        ArgumentError,
        "stratify of shape (100,), got (1,)",
    ),
    (lambda: data.k_fold(ROWS, 101), ArgumentError, "k_fold takes k as an integer of at most 100"),
    (
        lambda: data.k_fold(ROWS, 2, groups=LABELS, stratify=LABELS),
        ArgumentError,
        "stratify or groups, got both",
    ),
    (lambda: ROWS.filter(lambda x, y: y), DataError, "gives bool (100,), got int64 (100,)"),
    (lambda: data.concat([]), DataError, "at least one data set, got none"),
    (
        lambda: Dataset([0.0], [0.5]).class_counts(),
        DataError,
        "targets of classes 0, 1, ..., got float64 (1,) with 0.5",
    ),
    (
        lambda: data.WeightedRandomSampler([1, -1]),
        ArgumentError,
        "weights of at least 0, one for each example, got [1.0, -1.0]",
    ),
    (
        lambda: data.WeightedRandomSampler([0, 1], replacement=False),
        ArgumentError,
        "to draw 2 rows, got 1 above 0",
    ),
    (
        lambda: order(data.WeightedRandomSampler([1, 1])),
        ArgumentError,
        "takes 100 weights, one for each example, got 2",
    ),
    (
        lambda: order(data.BalancedSampler([1, 1])),
        ArgumentError,
        "takes 100 labels, one for each example, got 2",
    ),
    (lambda: data.BalancedSampler([[1]]), ArgumentError, "labels, one for each example, got [[1]]"),
    (
        lambda: data.DistributedSampler(2, 2),
        ArgumentError,
        "takes rank as an integer of at most 1, got 2",
    ),
    (
        given(shuffle=True, sampler=data.RandomSampler()),
        ArgumentError,
        "A Loader takes shuffle or a sampler, got both",
    ),
    (given(workers=-1), ArgumentError, "A Loader takes workers as an integer of at least 0"),
    (
        lambda: list(Loader(ROWS, 7, transform=lambda x, y, k: (x[:1], y)).epoch(0)),
        DataError,
        "batches of 7 examples, got 1 inputs and 7 targets",
    ),
    (lambda: transforms.Normalize(0, 0), ArgumentError, "a finite mean and std above 0"),
    (
        lambda: transforms.RandomHorizontalFlip(2),
        ArgumentError,
        "RandomHorizontalFlip takes p as a number in [0, 1]",
    ),
    (lambda: transforms.RandomVerticalFlip(-1), ArgumentError, "RandomVerticalFlip takes p"),
    (
        lambda: transforms.RandomCrop(9)(IMAGES, LABELS[:6], KEYS),
        DataError,
        "A crop of 9x9 takes images at least as large, got 8x10",
    ),
    (lambda: transforms.CenterCrop(9)(IMAGES, LABELS[:6], KEYS), DataError, "A crop of 9x9"),
    (lambda: transforms.RandomCrop(0), ArgumentError, "RandomCrop takes size"),
    (lambda: transforms.Resize(0), ArgumentError, "Resize takes size"),
    (
        lambda: transforms.RandomResizedCrop(4, (0.5, 0.1)),
        ArgumentError,
        "takes scale as two ends above 0 up to 1, in order",
    ),
    (
        lambda: transforms.RandomErasing(0.5, ratio=(0, 1)),
        ArgumentError,
        "takes ratio as two ends above 0, in order",
    ),
    (lambda: transforms.RandomRotation(-1), ArgumentError, "RandomRotation takes degrees"),
    (lambda: transforms.ColorJitter(hue=1), ArgumentError, "takes hue as a number in [0, 0.5]"),
    (
        lambda: transforms.ColorJitter(0.1)(IMAGES[:, :1], LABELS[:6], KEYS),
        DataError,
        "takes images (n, 3, height, width), got (6, 1, 8, 10)",
    ),
    (lambda: transforms.MixUp(0), ArgumentError, "MixUp takes num_classes"),
    (lambda: transforms.CutMix(3, 0), ArgumentError, "CutMix takes alpha as a number above 0"),
    (
        lambda: transforms.MixUp(2)(IMAGES, np.arange(6), KEYS),
        DataError,
        "classes 0 to 1, got int64 (6,) from 0 to 5",
    ),
]


@pytest.mark.parametrize(("call", "kind", "text"), ERRORS)
def test_errors_word_by_word(
    call: Callable[[], object], kind: type[TensoremError], text: str
) -> None:
    with pytest.raises(kind) as error:
        call()
    assert text in str(error.value)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("transform", [None, lambda x, y, keys: (x + x.mean(), y + len(x))])
def test_batches_given_together_are_the_same_batches(transform: Any, workers: int) -> None:
    """Also where a transform mixes the examples of a batch."""
    given = Dataset(np.arange(22.0).reshape(11, 2), np.arange(11))
    loader = Loader(given, 3, shuffle=True, seed=1, transform=transform, workers=workers)
    for start in range(5):
        alone = list(loader.epoch(2, start))
        for together, sizes in ((2, (6, 3, 2)), (9, (9, 2))):
            found = list(loader.epoch(2, start, together))
            assert start or tuple(len(x) for x, _ in found) == sizes
            for pair in zip(zip(*alone, strict=True), zip(*found, strict=True), strict=True):
                np.testing.assert_array_equal(*map(np.concatenate, pair), strict=True)
    with pytest.raises(ArgumentError, match="takes together as an integer of at least 1, got 0"):
        loader.epoch(0, together=0)
