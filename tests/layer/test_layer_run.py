"""The pure core: contexts, keys, buffers, eager against compiled, misuse under JAX transforms."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from close import assert_close
from tensorem import functional as F
from tensorem import nn
from tensorem.errors import DTypeError, LayerError, PathError, ShapeError
from tensorem.shapes import Spec


class Fusion(nn.Layer):
    left: nn.Linear
    right: nn.Linear
    norm: nn.BatchNorm2d
    drop: nn.Dropout

    def forward(self, x: Any, y: Any) -> Any:
        both = F.add(self.left(x), self.right(y))
        image = F.reshape(both, (both.shape[0], self.norm.num_features, 2, 2))
        return F.flatten(self.drop(F.relu(self.norm(image))), 1)


def fusion() -> nn.Model:
    layer = Fusion(nn.Linear(3, 8), nn.Linear(5, 8), nn.BatchNorm2d(2), nn.Dropout(0.5))
    return nn.build(nn.Sequential(layer, nn.Linear(8, 2)), input=(("N", 3), ("N", 5)))


def pair() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return tuple(jnp.asarray(rng.standard_normal((6, n)), "float32") for n in (3, 5))


def test_a_layer_of_ones_own_trains() -> None:
    model, xs = fusion(), pair()

    def loss(params: Any, buffers: Any, key: Any) -> Any:
        y, after = model.train_apply(params, buffers, *xs, key=key)
        return jnp.mean((y - 1.0) ** 2), after

    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    params, buffers, losses = model.params, model.buffers, []
    for i in range(30):
        (value, buffers), grads = step(params, buffers, jax.random.key(i))
        params = jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)
        losses.append(float(value))
    assert losses[-1] < 0.3 * losses[0]
    assert int(buffers["0.norm.num_batches_tracked"]) == 30
    assert all(float(jnp.abs(g).max()) > 0 for g in grads.values())
    trained = model.replace(params=params, buffers=buffers)
    assert trained(*xs).shape == (6, 2)
    np.testing.assert_array_equal(trained(*xs), trained(*xs))


def test_evaluation_is_the_same_through_call_and_apply() -> None:
    model, xs = fusion(), pair()
    np.testing.assert_allclose(model(*xs), model.apply(model.params, *xs), rtol=1e-5, atol=1e-6)


def test_eager_and_compiled_agree_in_training() -> None:
    model, xs, key = fusion(), pair(), jax.random.key(3)
    variables = (model.params, model.buffers)
    eager = nn.Context(training=True, key=key, run_leaf=nn.eager)
    y, after = model.layer.call(variables, *xs, ctx=eager)
    z, then = jax.jit(model.train_apply)(*variables, *xs, key=key)
    np.testing.assert_allclose(y, z, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(y) == 0, np.asarray(z) == 0)
    assert after.keys() == then.keys()
    for name in after:
        np.testing.assert_allclose(after[name], then[name], rtol=1e-5)


def test_eager_runs_give_gradients() -> None:
    model, xs = fusion(), pair()
    eager = nn.Context(run_leaf=nn.eager)

    def total(params: Any, ctx: nn.Context) -> Any:
        return jnp.sum(model.layer.call((params, model.buffers), *xs, ctx=ctx)[0])

    a = jax.grad(total)(model.params, eager)
    b = jax.jit(jax.grad(total), static_argnums=1)(model.params, nn.EVALUATION)
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-5, atol=1e-6)


def test_equal_leaves_share_one_compiled_program() -> None:
    seen = []

    class Noted(nn.Layer):
        def forward(self, x: Any) -> Any:
            seen.append(x)
            return x

    for _ in range(2):  # of one context; another one reads the code again
        seen.clear()
        eager = nn.Context(run_leaf=nn.eager)
        nn.Sequential(Noted(), nn.Tanh(), Noted()).call(({}, {}), jnp.ones((2, 9)), ctx=eager)
        assert len(seen) == 1


def test_dropout_keeps_the_right_share_and_scale() -> None:
    model = nn.build(nn.Dropout(0.25), ("N",))
    y, _ = model.train_apply({}, {}, jnp.ones(20000), key=jax.random.key(0))
    values, counts = np.unique(np.asarray(y), return_counts=True)
    np.testing.assert_allclose(values, [0, 4 / 3], rtol=1e-6)
    assert abs(counts[0] / 20000 - 0.25) < 0.02
    np.testing.assert_array_equal(model(jnp.ones(4)), np.ones(4))


@pytest.mark.parametrize(("p", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_dropout_at_its_ends(p: float, expected: float) -> None:
    model = nn.build(nn.Dropout(p), ("N",))
    y, _ = model.train_apply({}, {}, jnp.ones(8), key=jax.random.key(0))
    np.testing.assert_array_equal(y, np.full(8, expected))


class Draws(nn.Layer):
    count: int = 1

    def forward(self, x: Any) -> Any:
        return [jax.random.uniform(self.key()) for _ in range(self.count)]


class Calls(nn.Layer):
    a: nn.Layer
    b: nn.Layer

    def forward(self, x: Any) -> Any:
        return [*self.a(x), *self.a(x), *self.b(x)]


def test_every_path_call_and_draw_has_a_key_of_its_own() -> None:
    layer = Calls(Draws(2), Draws())
    run = lambda key: layer.call(({}, {}), 0.0, ctx=nn.Context(True, key))[0]  # noqa: E731
    drawn = [float(x) for x in run(jax.random.key(0))]
    assert len(set(drawn)) == 5
    assert [float(x) for x in run(jax.random.key(0))] == drawn
    assert not set(drawn) & {float(x) for x in run(jax.random.key(1))}


def test_a_draw_without_a_key_says_how_to_pass_one() -> None:
    model = nn.build(nn.Sequential(nn.Linear(3, 3), nn.Dropout()), ("N", 3))
    with pytest.raises(LayerError, match="Dropout draws random numbers, got no key") as caught:
        model.train_apply(model.params, model.buffers, jnp.ones((2, 3)))
    assert "key=jax.random.key(0)" in caught.value.help
    assert caught.value.where == "model[1] Dropout"


@pytest.mark.parametrize(("key", "got"), [(0, "int"), ("a", "str"), (jnp.zeros(3), "float32 (3,)")])
def test_a_key_that_is_none_is_refused(key: Any, got: str) -> None:
    model = nn.build(nn.Sequential(nn.Linear(3, 3), nn.Dropout()), ("N", 3))
    with pytest.raises(DTypeError) as caught:
        model.train_apply(model.params, model.buffers, jnp.ones((2, 3)), key=key)
    assert str(caught.value) == (
        f"train_apply takes one key of jax.random, got {got}.\n  help: jax.random.key(0)."
    )


def test_a_key_of_words_is_a_key() -> None:
    model = nn.build(nn.Dropout(), ("N", 3))
    old, new = (
        model.train_apply({}, {}, jnp.ones((2, 3)), key=make(0))[0]
        for make in (jax.random.PRNGKey, jax.random.key)
    )
    assert old.tolist() == new.tolist()


class Counter(nn.Layer):
    always: bool = False

    def buffers(self) -> Any:
        return {"count": nn.Buffer((), nn.init.zeros(), "int32")}

    def forward(self, x: Any) -> Any:
        if self.training or self.always:
            self.update(count=self.count + 1)
        return x + self.count.astype(x.dtype)


def test_a_buffer_changes_in_training_and_the_layer_sees_it() -> None:
    model = nn.build(Counter(), ("N",))
    y, buffers = model.train_apply({}, model.buffers, jnp.zeros(2))
    np.testing.assert_array_equal(y, [1, 1])
    assert int(buffers["count"]) == 1 and int(model.buffers["count"]) == 0
    np.testing.assert_array_equal(model.replace(buffers=buffers)(jnp.zeros(1)), [1])


def test_two_places_of_a_shared_layer_see_one_state() -> None:
    counter = nn.share(Counter())
    layer = nn.Sequential(counter, counter)
    model = nn.build(layer, ("N",))
    for run_leaf in (nn.Context().run_leaf, nn.eager):
        ctx = nn.Context(training=True, run_leaf=run_leaf)
        y, buffers = layer.call(({}, model.buffers), jnp.zeros(1), ctx=ctx)
        assert float(y[0]) == 3 and int(buffers["0.count"]) == 2


def test_update_outside_training_is_an_error() -> None:
    with pytest.raises(LayerError, match="updates count outside training") as caught:
        nn.build(Counter(always=True), ("N",))
    assert caught.value.help == "put it under `if self.training:`."


class Updates(nn.Layer):
    name: str
    shape: tuple[int, ...]

    def buffers(self) -> Any:
        return {"count": nn.Buffer((), nn.init.zeros())}

    def forward(self, x: Any) -> Any:
        if self.training:
            self.update(**{self.name: jnp.zeros(self.shape)})
        return x


def test_update_checks_name_and_shape() -> None:
    x = jnp.zeros(1)
    model = nn.build(Updates("cuont", ()), ("N",))
    with pytest.raises(PathError, match=r"has the buffers \['count'\], got 'cuont'"):
        model.train_apply({}, model.buffers, x)
    model = nn.build(Updates("count", (2,)), ("N",))
    with pytest.raises(ShapeError, match=r"buffer count takes float32 \(\), got float32 \(2,\)"):
        model.train_apply({}, model.buffers, x)


class Scans(nn.Layer):
    inner: nn.Layer

    def forward(self, x: Any) -> Any:
        return jax.lax.scan(lambda c, _: (self.inner(c), None), x, length=2)[0]


class Maps(nn.Layer):
    inner: nn.Layer

    def forward(self, x: Any) -> Any:
        return jax.vmap(self.inner)(x)


@pytest.mark.parametrize("outer", [Scans, Maps])
@pytest.mark.parametrize("inner", [nn.Dropout(), Counter()])
def test_state_and_randomness_under_a_raw_transform_are_our_error(outer: Any, inner: Any) -> None:
    model = nn.build(outer(inner), (3, 2))
    for run in (model.train_apply, jax.jit(model.train_apply)):
        with pytest.raises(LayerError, match="inside a JAX transform") as caught:
            run(model.params, model.buffers, jnp.ones((3, 2)), key=jax.random.key(0))
        assert caught.value.where == f"model.inner {inner.label()}"


@pytest.mark.parametrize("outer", [Scans, Maps])
def test_pure_layers_run_under_a_raw_transform(outer: Any) -> None:
    model = nn.build(outer(nn.Linear(3, 3)), (3, 3))
    y, _ = model.train_apply(model.params, {}, jnp.ones((3, 3)))
    assert y.shape == (3, 3)


class Tied(nn.Layer):
    embed: nn.Embedding

    def forward(self, index: Any) -> Any:
        return F.linear(self.embed(index), self.embed.weight)


def test_tying_is_use() -> None:
    model = nn.build(Tied(nn.Embedding(7, 3)), jax.ShapeDtypeStruct((2,), jnp.int32))
    assert list(model.params) == ["embed.weight"]
    w = np.asarray(model.params["embed.weight"])
    np.testing.assert_allclose(model([1, 4]), w[[1, 4]] @ w.T, rtol=1e-5)


def test_missing_variables_are_named() -> None:
    layer = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(
        PathError, match=r"Linear\(3 -> 2\) takes an array '0.weight', got none"
    ) as e:
        layer.call(({"0.wieght": 1}, {}), jnp.ones((1, 3)))
    assert e.value.help == "is it '0.wieght'?"


def test_a_switched_off_parameter_is_none() -> None:
    class Sees(nn.Layer):
        inner: nn.Linear

        def forward(self, x: Any) -> Any:
            assert self.inner.bias is None
            return self.inner(x)

    assert list(nn.build(Sees(nn.Linear(3, 2, bias=False)), ("N", 3)).params) == ["inner.weight"]


def test_batch_norm_needs_more_than_one_value_in_training() -> None:
    model = nn.build(nn.BatchNorm2d(2), ("N", 2, 1, 1))
    with pytest.raises(
        ShapeError, match=r"more than one value per channel to normalise by the batch, got \(1, 2"
    ):
        model.train_apply(model.params, model.buffers, jnp.ones((1, 2, 1, 1)))


def test_batch_norm_without_running_statistics_needs_more_than_one_value() -> None:
    layer = nn.BatchNorm2d(3, track_running_stats=False)
    model = nn.build(layer, ("N", 3, 1, 1))
    x = jnp.ones((1, 3, 1, 1))
    for call in (lambda: model(x), lambda: model.train_apply(model.params, model.buffers, x)):
        with pytest.raises(ShapeError) as caught:
            call()
        assert str(caught.value).startswith(
            "BatchNorm2d takes more than one value per channel to normalise by the batch, got "
            "(1, 3, 1, 1)."
        )
    with pytest.raises(ShapeError, match="more than one value per channel"):
        nn.build(layer, (1, 3, 1, 1))
    assert model(jnp.ones((2, 3, 1, 1))).shape == (2, 3, 1, 1)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_running_statistics_of_16_bits_are_those_of_pytorch(
    dtype: str, momentum: float | None
) -> None:
    torch = pytest.importorskip("torch")
    x = np.array([300.0, -300.0, 150.0, 40.0]).reshape(4, 1, 1, 1)
    theirs = torch.nn.BatchNorm2d(1, momentum=momentum).to(getattr(torch, dtype))
    spec = Spec(("N", 1, 1, 1), dtype)
    model = nn.build(nn.BatchNorm2d(1, momentum=momentum), spec)
    buffers = model.buffers
    for _ in range(3):
        y = theirs(torch.tensor(x).to(getattr(torch, dtype)))
        z, buffers = model.train_apply(model.params, buffers, jnp.asarray(x, dtype))
    assert_close(z.astype(float), y.detach().double().numpy(), rtol=2 * float(jnp.finfo(dtype).eps))
    for name in ("running_mean", "running_var"):
        assert buffers[name].dtype.name == dtype
        expected = getattr(theirs, name).double().numpy()
        assert_close(buffers[name].astype(float), expected, rtol=2 * float(jnp.finfo(dtype).eps))
