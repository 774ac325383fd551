"""Layers carried across scan, vmap and remat: the same as without, draws and buffers included."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import nn
from tensorem.errors import ArgumentError, LayerError, ShapeError
from tensorem.nn import _transformed

KEY = jax.random.key(3)
BLOCK = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Dropout(0.3))
X = jnp.asarray(np.random.default_rng(0).standard_normal((6, 4)), jnp.float32)


def trained(model: nn.Model, x: Any) -> Any:
    """Output, buffers and gradient of a training step."""

    def total(params: Any) -> Any:
        y, buffers = model.train_apply(params, model.buffers, x, key=KEY)
        return jnp.sum(jnp.square(y)), (y, buffers)

    (_, (y, buffers)), grads = jax.value_and_grad(total, has_aux=True)(dict(model.params))
    return y, dict(buffers), grads


def same(a: Any, b: Any) -> None:
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert_close(one, other, 1e-4, 1e-4)


def test_a_loop_is_the_stack_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.build(nn.Repeat(BLOCK, 6), ("N", 4), seed=1)
    looped, value = trained(model, X), model(X)
    monkeypatch.setattr(_transformed, "UNROLLED", 6)
    written = nn.build(nn.Repeat(BLOCK, 6), ("N", 4), seed=1)
    same(looped, trained(written, X))
    assert_close(value, written(X))
    assert not np.allclose(looped[1]["0.1.running_mean"], looped[1]["5.1.running_mean"])


def test_the_program_does_not_grow_with_the_depth() -> None:
    def equations(times: int) -> int:
        model = nn.build(nn.Repeat(nn.Sequential(nn.Linear(4, 4), nn.Tanh()), times), ("N", 4))
        jaxpr = jax.make_jaxpr(model.apply)(dict(model.params), X).jaxpr
        [scan] = [e for e in jaxpr.eqns if e.primitive.name == "scan"]
        return len(scan.params["jaxpr"].eqns)

    assert equations(6) == equations(24)


def test_a_repeated_layer_is_read_and_saved_like_any_other(tmp_path: Any) -> None:
    layer = nn.Repeat(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), 5)
    model = nn.build(layer, ("N", 4))
    assert [n.op for n in tm.capture(model).nodes].count("loop") == 1
    exact = tm.evaluate(model, X, dtype="rational").to_float()
    assert_close(exact, model(X), 1e-5, 1e-6)
    loaded = tm.load(tm.save(model, tmp_path / "m"))
    assert np.array_equal(loaded(X), model(X))


def test_each_example_of_a_batch_is_mapped_alone() -> None:
    inner = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    model = nn.build(nn.MapBatch(inner), ("N", 4))
    one = nn.build(inner, (4,)).load_state_dict(
        {k.removeprefix("inner."): v for k, v in model.state_dict().items()}
    )
    assert_close(model(X), np.stack([one(x) for x in X]), 1e-5, 1e-6)
    drawn = nn.build(nn.MapBatch(nn.Dropout(0.5)), ("N", 4))
    y, _ = drawn.train_apply(drawn.params, drawn.buffers, jnp.ones((50, 4)), key=KEY)
    assert len({tuple(row.tolist()) for row in y}) > 4


def test_a_checkpoint_computes_again_and_changes_nothing() -> None:
    plain, again = nn.build(BLOCK, ("N", 4)), nn.build(nn.Checkpoint(BLOCK), ("N", 4))
    again = again.load_state_dict({f"inner.{k}": v for k, v in plain.state_dict().items()})
    y, _, grads = trained(again, X)
    wanted = {k.removeprefix("inner."): v for k, v in grads.items()}
    assert wanted.keys() == plain.params.keys() and bool(jnp.isfinite(y).all())
    text = str(jax.make_jaxpr(lambda p: trained(again.replace(params=p), X)[2])(dict(again.params)))
    assert "checkpoint" in text or "remat" in text
    assert_close(again(X), plain(X))


def test_a_layer_of_ones_own_carries_another() -> None:
    class Twice(nn.Layer):
        inner: nn.Layer

        def forward(self, x: Any) -> Any:
            each = nn.carry(self.inner)

            def body(state: Any, _: Any) -> Any:
                x, buffers = state
                return each(each.params, buffers, x, key=each.key), None

            (x, buffers), _ = jax.lax.scan(body, (x, each.buffers), None, length=2)
            each.keep(buffers)
            return x

    model = nn.build(Twice(nn.BatchNorm1d(4)), ("N", 4))
    _, buffers = model.train_apply(model.params, model.buffers, X)
    assert buffers["inner.num_batches_tracked"] == 2


def test_what_is_not_taken_is_said() -> None:
    with pytest.raises(ArgumentError, match="Repeat takes times as an integer of at least 1"):
        nn.Repeat(nn.ReLU(), 0)
    with pytest.raises(ShapeError, match=r"Repeat takes a layer that keeps the shape, got"):
        nn.build(nn.Repeat(nn.Linear(4, 3), 2), ("N", 4))
    with pytest.raises(ArgumentError, match="Lambda takes a function, got 3"):
        nn.Lambda(3)  # type: ignore[arg-type]
    with pytest.raises(LayerError, match="carry takes a layer within forward, got ReLU"):
        nn.carry(nn.ReLU())


def test_a_slice_of_a_sequence_is_one() -> None:
    whole = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert whole[:2] == nn.Sequential(nn.Linear(4, 3), nn.ReLU()) and whole[2] == nn.Linear(3, 2)
    assert nn.build(whole[1:], ("N", 3)).output.shape[1] == 2
