"""Explicit seeds, seedings and streams, and the original's initial values."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tensorem import nn, optim, rand
from tensorem.errors import ArgumentError, LayerError, PathError
from tensorem.shapes import Spec

SMALL = Spec(("N", 2), "float64")


def quickstart() -> nn.Layer:
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))


# Seeds that a layer carries


def test_a_seed_says_where_an_array_starts_and_nothing_else() -> None:
    plain = quickstart()
    model = nn.build(nn.Seeded(plain, {"2.weight": 7}), SMALL, seed=3)
    other = nn.build(plain, SMALL, seed=3)
    start = plain[2].parameters()["weight"]  # type: ignore[index]
    assert start is not None and np.array_equal(
        model.params["2.weight"], start.init(start.shape, seed=7)
    )
    assert list(model.params) == list(other.params)
    for path in {*model.params} - {"2.weight"}:
        assert np.array_equal(model.params[path], other.params[path])
    assert [info.path for info in model.built.table] == [info.path for info in other.built.table]


def test_the_outer_of_two_seeds_counts_and_another_initialiser_takes_it() -> None:
    layer = nn.Seeded(nn.Seeded(nn.Linear(3, 2), {"weight": 1, "bias": 2}), {"weight": 5})
    model = nn.build(layer, ("N", 3), init={"weight": nn.init.uniform(4, 5)})
    assert np.allclose(model.params["weight"], nn.init.uniform(4, 5)((2, 3), 5))


def test_a_layer_of_ones_own_may_say_its_seeds() -> None:
    class Net(nn.Layer):
        inner: nn.Linear

        def seeds(self) -> dict[str, int]:
            return {"inner.weight": 4}

        def forward(self, x: Any) -> Any:
            return self.inner(x)

    model = nn.build(Net(nn.Linear(3, 2)), ("N", 3))
    same = nn.build(nn.pure.linear(3, 2, seed_w=4), ("N", 3))
    assert np.array_equal(model.params["inner.weight"], same.params["weight"])


def test_seeds_that_mean_nothing_are_refused() -> None:
    with pytest.raises(PathError, match=r"Linear\(3 -> 2\) seeds 'wieght', which is no parameter"):
        nn.Seeded(nn.Linear(3, 2), {"wieght": 1})
    with pytest.raises(PathError, match="seeds 'running_mean', which is no parameter of it"):
        nn.Seeded(nn.BatchNorm2d(3), {"running_mean": 1})
    with pytest.raises(ArgumentError, match=r"integer from 0 to 2\*\*64 - 1, got -1"):
        nn.pure.linear(3, 2, seed_w=-1)
    with pytest.raises(ArgumentError, match="Seeded takes a dict from paths to seeds, got 3"):
        nn.Seeded(nn.Linear(3, 2), 3)  # type: ignore[arg-type]


def test_one_seed_for_two_arrays_is_refused() -> None:
    layer = nn.Sequential(nn.pure.linear(3, 3, seed_w=4), nn.pure.linear(3, 3, seed_w=4))
    with pytest.raises(LayerError, match=r"0\.weight and 1\.weight carry one seed, 4\."):
        nn.build(layer, ("N", 3))


@pytest.mark.parametrize(
    ("layer", "paths"),
    [
        (nn.pure.flatten_linear(6, 2, seed_w=1, seed_b=2), ["1.weight", "1.bias"]),
        (nn.pure.conv2d(1, 2, 3, seed_k=1, seed_b=2), ["weight", "bias"]),
        (nn.pure.embedding(5, 2, seed_w=1), ["weight"]),
        (nn.pure.rnn(2, 3, seed_w=1), ["weight_ih_l0", "weight_hh_l0"]),
        (nn.pure.gru(2, 3, seed_w=1), ["weight_ih_l0", "weight_hh_l0"]),
        (nn.pure.lstm(2, 3, seed_w=1), ["weight_ih_l0", "weight_hh_l0"]),
        (nn.pure.mamba(2, 3, seed_w=1), ["weight_u", "weight_delta", "weight_z"]),
        (nn.pure.numbered(quickstart()), ["0.weight", "0.bias", "2.weight", "2.bias"]),
    ],
)
def test_the_pure_layers_carry_their_seeds(layer: nn.Layer, paths: list[str]) -> None:
    from tensorem.layer import declarations

    carried = [p for p, d in declarations(layer).items() if getattr(d, "seed", None) is not None]
    assert carried == paths


# Seedings


def test_a_seeding_draws_in_order_from_the_first_member_of_its_stream() -> None:
    pair = nn.with_seeds(2, lambda a, b: (a, b))
    seeding = nn.in_turn(pair, nn.lift("x"), nn.with_seed(lambda seed: seed))
    for stream in (rand.SeedStream(5), rand.SeedStream.original(5)):
        (a, b, c), rest = stream.take(3)
        assert seeding(stream) == (((a, b), "x", c), rest)
        assert nn.run(stream, seeding) == ((a, b), "x", c)
    assert nn.run(5, pair) == rand.SeedStream(5).take(2)[0]


def test_the_global_stream_moves_by_what_is_drawn() -> None:
    nn.manual_seed(rand.SeedStream.original(0))
    members = rand.SeedStream.original(0).take(4)[0]  # reference notes, section 8.3
    assert members[:2] == (7960286522194355700, 13757245211066428519)
    assert nn.run_global(nn.with_seed(lambda seed: seed)) == members[0]
    assert nn.with_model(nn.with_seeds(9, lambda *seeds: seeds), len) == 9
    assert (nn.fresh_seed(), nn.next_seeds(1)) == (members[2], members[3:])
    nn.manual_seed(0)
    assert nn.next_seed() == rand.SeedStream(0).next()[0]


# The original's initial values


def test_a_linear_layer_starts_as_the_originals() -> None:
    # reference notes, section 8.3: Linear(2, 8) built with seed 0; explicit seed 0
    built = nn.build(nn.Linear(2, 8), SMALL, seed=0, init=nn.original)
    expected = [-0.34918436967913025, 0.6095068161633985, -0.6821964289695664, -0.2643943761784916]
    np.testing.assert_allclose(np.ravel(built.params["weight"])[:4], expected, rtol=1e-13)
    assert not np.any(built.params["bias"])
    pure = nn.build(nn.pure.linear(2, 8), SMALL, seed=9, init=nn.original)
    expected = [-0.4088817382816579, -0.34304267018323487]
    np.testing.assert_allclose(pure.params["weight"][0], expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("seed", "before", "after"),
    [
        (0, 1.3337174, 0.0060868),
        (1, None, 0.0238134),  # the notes' figure before is not that of the weights that give this
        (42, 0.5707881, 0.0105774),
    ],
)
def test_the_quickstart_gives_the_originals_losses(seed: int, before: Any, after: float) -> None:
    # reference notes, section 32: 200 steps of Adam over a grid, one point a step, in float64
    line = np.linspace(-1.0, 1.0, 5)
    x = np.array([(a, b) for a in line for b in line])
    y = 0.8 * np.maximum(x[:, :1] + x[:, 1:], 0) - 0.4 * np.maximum(x[:, 1:] - x[:, :1], 0) + 0.2
    model = nn.build(quickstart(), SMALL, seed=seed, init=nn.original)
    with model.precision():
        trained = model.replace(params=_trained(model, x, y, steps=200))
    losses = [float(np.mean(np.square(np.asarray(m(x)) - y))) for m in (model, trained)]
    expected = [losses[0] if before is None else before, after]
    np.testing.assert_allclose(losses, expected, rtol=0, atol=6e-8)
    if seed == 0:
        probes = trained(np.array([[0.0, 0.0], [0.25, -0.75]]))
        np.testing.assert_allclose(np.ravel(probes), [0.1758005, 0.1653633], rtol=0, atol=6e-8)


def _trained(model: nn.Model, x: Any, y: Any, steps: int) -> dict[str, Any]:
    """The parameters after steps over one point each, in turn."""
    adam, xs, ys = optim.adam(0.03).transform(), jnp.asarray(x), jnp.asarray(y)

    def step(carry: Any, i: Any) -> Any:
        params, state = carry
        loss = lambda params: jnp.mean(jnp.square(model.apply(params, xs[i]) - ys[i]))  # noqa: E731
        change, state = adam.update(jax.grad(loss)(params), state, params)
        return (jax.tree.map(jnp.add, params, change), state), None

    params = dict(model.params)
    order = jnp.arange(steps) % len(x)
    (params, _), _ = jax.jit(jax.lax.scan, static_argnums=0)(
        step, (params, adam.init(params)), order
    )
    return params


def test_the_original_draws_for_each_layer_in_order() -> None:
    layer = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(),
        nn.pure.linear(8, 3, seed_w=6), nn.Linear(3, 2),
    )  # fmt: skip
    model = nn.build(layer, ("N", 1, 4, 4), seed=1, init=nn.original)
    seeds = rand.SeedStream.original(1).take(7)[0]
    conv = nn.init.original_uniform(-0.1, 0.1)((2, 1, 3, 3), seeds[0])
    xavier = nn.init.original_xavier_uniform()
    assert np.array_equal(model.params["0.weight"], np.float32(conv))
    assert np.array_equal(model.params["4.weight"], np.float32(xavier((3, 8), 6)))
    assert np.array_equal(model.params["5.weight"], np.float32(xavier((2, 3), seeds[5])))


@pytest.mark.parametrize(
    ("layer", "order"),
    [(nn.RNN(2, 3), (0,)), (nn.GRU(2, 3), (0, 1, 2)), (nn.LSTM(2, 3), (1, 0, 2, 3))],
)
def test_gates_are_the_originals_matrices(layer: nn.Layer, order: tuple[int, ...]) -> None:
    model = nn.build(nn.Seeded(layer, {"weight_ih_l0": 5}), ("N", 4, 2), init=nn.original)
    fused = [nn.init.original_xavier_uniform()((3, 5), 5 + k) for k in order]
    both = np.concatenate([model.params["weight_ih_l0"], model.params["weight_hh_l0"]], axis=1)
    assert np.array_equal(both, np.float32(np.concatenate(fused)))
    assert not np.any(model.params["bias_hh_l0"])


def test_the_matrices_of_a_state_space_have_the_originals_numbers() -> None:
    layer = nn.Sequential(nn.Linear(2, 2), nn.original_mamba(2, 3), nn.Linear(3, 3))
    params = nn.build(layer, ("N", 4, 2), init=nn.original).params
    seeds, xavier = rand.SeedStream.original(0).take(5)[0], nn.init.original_xavier_uniform()
    for name, shape, k in (("u", (3, 2), 0), ("delta", (3, 5), 1), ("z", (3, 2), 2)):
        assert np.array_equal(params[f"1.weight_{name}"], np.float32(xavier(shape, seeds[2] + k)))
    assert np.array_equal(params["2.weight"], np.float32(xavier((3, 3), seeds[4])))


def test_a_stack_of_transformers_has_the_originals_numbers() -> None:
    one = nn.TransformerEncoderLayer(4, 2, 6, bias=False)
    layer = nn.Seeded(nn.TransformerEncoder(one, 2), {"layers.0.self_attn.in_proj_weight": 9})
    params = nn.build(layer, ("N", 3, 4), init=nn.original).params
    xavier = nn.init.original_xavier_uniform()
    for i, base in enumerate((9, 109)):  # reference notes, section 3: a stride of 100
        qkv = np.split(np.asarray(params[f"layers.{i}.self_attn.in_proj_weight"]), 3)
        out = params[f"layers.{i}.self_attn.out_proj.weight"]
        for k, weight in enumerate((*qkv, out)):
            assert np.array_equal(weight.T, np.float32(xavier((4, 4), base + k)))
        for name, shape, k in (("linear1", (6, 4), 3), ("linear2", (4, 6), 5)):
            weight = params[f"layers.{i}.{name}.weight"]
            assert np.array_equal(weight, np.float32(xavier(shape, base + k)))


def test_a_layer_that_the_original_has_not_is_named() -> None:
    layer = nn.Sequential(nn.GRU(2, 3, num_layers=2, returns="output"))
    with pytest.raises(LayerError, match=r"layers of the original, got 0\.weight_ih_l1, which is"):
        nn.build(layer, ("N", 4, 2), init=nn.original)
