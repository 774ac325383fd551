"""Random numbers against the vectors of `torchlean.md` 8.3, against SciPy, and by counting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from close import assert_close
from tensorem import rand
from tensorem.errors import ArgumentError, DTypeError
from tensorem.rand import SeedStream, fold, key_of, mask, normal, permutation, splitmix64, uniform

seeds = st.integers(0, 2**64 - 1)


def test_splitmix64_vectors() -> None:
    assert splitmix64(0) == 0xE220A8397B1DCDAF
    assert splitmix64(1) == 0x910A2DEC89025CC1


@given(st.lists(seeds, min_size=1))
def test_the_array_form_is_the_integer_form(xs: list[int]) -> None:
    array = rand.splitmix64_array(np.array(xs, np.uint64))
    assert array.tolist() == [splitmix64(x) for x in xs]


def test_original_streams() -> None:
    assert SeedStream.original(0).take(4)[0] == (
        7960286522194355700,
        13757245211066428519,
        13819372491320860226,
        12918135221727111561,
    )
    assert SeedStream.original(42).take(4)[0] == (
        2949826092126892291,
        11303639812522640203,
        10446164177184317730,
        18114124049019561668,
    )


def test_keys() -> None:
    assert key_of(0, 0) == 16294208416658607535
    assert key_of(0, 1) == 10451216379200822465


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (
            key_of(0, 0),
            [0.30117025575600564, 0.6844469008501619, 0.30876562278717756, 0.23146131495013833],
        ),
        (
            key_of(7, 3),
            [0.4257112031336874, 0.5679273577407002, 0.2609850484877825, 0.12656223308295012],
        ),
        # The runtime initialiser of the original, seed 5.
        (
            key_of(5),
            [0.4419747714418918, 0.4907457143999636, 0.41714462102390826, 0.45652596559375525],
        ),
    ],
)
def test_uniform_vectors(key: int, expected: list[float]) -> None:
    assert uniform(key, 4, "float64").tolist() == expected


def test_normal_vector() -> None:
    expected = [-0.6202166977925353, 0.17817309474787923, 0.6575791527640226, -0.1121459182319918]
    assert_close(normal(key_of(0), 4, "float64"), expected, rtol=1e-15, atol=0)


def test_mask_vector() -> None:
    expected = [1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 1, 1, 1]
    assert mask(key_of(0), 16, keep=0.5).astype(int).tolist() == expected


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, [0.23606797284446657, 0.278566908556968, 0.8195337599609047, 0.6678668977692723]),
        (1, [0.23645552527159452, 0.3692706737201661, 0.5042420323006809, 0.7048832636792213]),
    ],
)
def test_original_initial_numbers(seed: int, expected: list[float]) -> None:
    assert rand.original_lcg_uniform(seed, 4).tolist() == expected


def test_original_weights_of_a_built_layer() -> None:
    limit = np.sqrt(6 / (2 + 8))
    first = (2 * rand.original_lcg_uniform(0, (8, 2))[0] - 1) * limit
    assert_close(first, [-0.4088817382816579, -0.34304267018323487], rtol=1e-14, atol=0)
    built = (2 * rand.original_lcg_uniform(7960286522194355700, (2, 2)) - 1) * limit
    expected = [
        [-0.34918436967913025, 0.6095068161633985],
        [-0.6821964289695664, -0.2643943761784916],
    ]
    assert_close(built, expected, rtol=1e-14, atol=0)


@given(seeds, st.integers(0, 40))
def test_the_vectorised_lcg_is_the_recurrence(seed: int, n: int) -> None:
    states, s = [], seed
    for _ in range(n):
        s = (1664525 * s + 1013904223) % 2**32
        states.append(s / 2**32)
    assert rand.original_lcg_uniform(seed, n).tolist() == states


@pytest.mark.parametrize(
    ("seed", "order", "following"),
    [(0, [0, 4, 2, 6, 5, 7, 1, 3], 1293799192), (2024, [4, 0, 2, 1, 3, 7, 5, 6], 1061809152)],
)
def test_original_shuffles(seed: int, order: list[int], following: int) -> None:
    shuffled, after = rand.original_shuffle(seed, 8)
    assert (shuffled.tolist(), after) == (order, following)


def test_original_streams_of_neighbouring_seeds_overlap() -> None:
    a, b = SeedStream.original(0).take(100)[0], SeedStream.original(1).take(100)[0]
    assert a[1:] == b[:-1]


def test_our_streams_of_neighbouring_seeds_share_nothing() -> None:
    drawn = [seed for s in range(64) for seed in SeedStream(s).take(64)[0]]
    assert len(set(drawn)) == len(drawn)


def test_neighbouring_seeds_give_unrelated_numbers() -> None:
    seeds = range(2000)
    first = [float(uniform(fold(s, "weight"), 1, "float64")[0]) for s in seeds]
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 4 / np.sqrt(len(first))


@given(seeds, st.integers(0, 100))
def test_a_stream_is_a_value(seed: int, n: int) -> None:
    taken, rest = SeedStream(seed).take(n)
    one_by_one, stream = [], SeedStream(seed)
    for _ in range(n):
        drawn, stream = stream.next()
        one_by_one.append(drawn)
    assert list(taken) == one_by_one
    assert stream == rest


@given(seeds, seeds, seeds)
def test_fold_is_one_to_one_in_seed_and_in_number(seed: int, other: int, k: int) -> None:
    assert (fold(seed, k) == fold(other, k)) == (seed == other)
    assert (fold(k, seed) == fold(k, other)) == (seed == other)


def test_fold_reads_paths_part_by_part() -> None:
    paths: list[tuple[int | str, ...]] = [
        ("0", "weight"),
        ("0.weight",),
        (0, "weight"),
        ("weight", "0"),
    ]
    assert len({fold(7, *p) for p in paths}) == len(paths)
    assert fold(7, "a", 3) == fold(fold(7, "a"), 3)
    assert fold(7) == 7


def test_float32_is_never_one_and_close_to_float64() -> None:

    wide, narrow = uniform(key_of(1), 200_000, "float64"), uniform(key_of(1), 200_000)
    assert narrow.dtype == np.float32
    assert (wide - narrow.astype(np.float64)).min() >= 0
    assert (wide - narrow.astype(np.float64)).max() < 2**-24
    top = rand._as_float(np.array([2**32 - 1], np.uint64), "float32")
    assert top.tolist() == [1 - 2**-24]


def test_distributions() -> None:
    stats = pytest.importorskip("scipy.stats")
    u = uniform(key_of(3), 100_000, "float64")
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    counts = np.bincount((u * 256).astype(int), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-3
    assert stats.kstest(normal(key_of(4), 100_000, "float64"), "norm").pvalue > 1e-3
    kept = int(mask(key_of(5), 100_000, keep=0.3).sum())
    assert stats.binomtest(kept, 100_000, 0.3).pvalue > 1e-3


def test_mask_at_the_ends() -> None:
    assert not mask(key_of(0), 1000, keep=0.0).any()
    assert mask(key_of(0), 1000, keep=1.0).all()
    with pytest.raises(ArgumentError, match=r"mask takes keep as a number in \[0, 1\], got 1\.5\."):
        mask(0, 1, keep=1.5)


def test_shapes_are_row_major() -> None:
    flat = uniform(9, 24)
    assert np.array_equal(uniform(9, (2, 3, 4)).ravel(), flat)
    assert uniform(9, ()).shape == ()
    assert normal(9, (0, 3)).shape == (0, 3)


@given(seeds, st.integers(0, 200))
def test_permutation_is_one(seed: int, n: int) -> None:
    order = permutation(seed, n)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(n))
    assert np.array_equal(order, permutation(seed, n))


def test_permutations_are_equally_likely() -> None:
    stats = pytest.importorskip("scipy.stats")
    codes = [int("".join(map(str, permutation(s, 4))), 4) for s in range(4800)]
    counts = np.unique(codes, return_counts=True)[1]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-3


def test_jax_key_keeps_all_bits() -> None:
    import jax

    def data(seed: int) -> list[int]:
        return list(map(int, jax.random.key_data(rand.jax_key(seed))))

    assert data(2**63 + 5) == [2**31, 5]
    assert data(12345) == list(map(int, jax.random.key_data(jax.random.key(12345))))


@pytest.mark.parametrize("bad", [-1, 2**64, 1.0, "0", None, True])
def test_what_is_not_a_seed_is_refused(bad: object) -> None:
    with pytest.raises(ArgumentError, match=r"A seed takes an integer from 0 to 2\*\*64 - 1, got"):
        SeedStream(bad)  # type: ignore[arg-type]


def test_draws_are_float32_or_float64() -> None:
    with pytest.raises(DTypeError, match=r"A draw takes a dtype of float32, float64, got int32\."):
        uniform(0, 1, "int32")


@pytest.mark.parametrize("shape", [-1, (2, -1), 2.5, (1.0,), "3"])
def test_what_is_no_shape_is_refused(shape: Any) -> None:
    for draw in (uniform, normal, rand.original_lcg_uniform):
        with pytest.raises(ArgumentError, match="A draw takes a shape of sizes of at least 0, got"):
            draw(0, shape)
    with pytest.raises(ArgumentError, match="A draw takes a shape of sizes of at least 0, got"):
        permutation(0, shape)
