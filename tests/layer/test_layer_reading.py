"""What is read when: a model means what its code said when it was built, in every reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import nn, train, verify
from tensorem.errors import LayerError, PathError
from tensorem.layer import spelled

SCALE = 2.0


def helper(x: Any) -> Any:
    return x * 2.0


class Net(nn.Layer):
    inner: nn.Linear
    scale = 2.0

    def forward(self, x: Any) -> Any:
        return self.inner(x) * 2.0


def by_attribute(self: Net, x: Any) -> Any:
    return self.inner(x) * self.scale


def by_global(self: Net, x: Any) -> Any:
    return self.inner(x) * SCALE


def by_helper(self: Net, x: Any) -> Any:
    return helper(self.inner(x))


def twice(x: Any) -> Any:
    return x * 3.0


CHANGES: dict[str, tuple[Callable[..., Any], tuple[Any, str, Any]]] = {
    "forward": (Net.forward, (Net, "forward", lambda self, x: self.inner(x) * 3.0)),
    "attribute": (by_attribute, (Net, "scale", 3.0)),
    "global": (by_global, (None, "SCALE", 3.0)),
    "helper": (by_helper, (None, "helper", twice)),
    "sub-layer": (
        Net.forward,
        (nn.Linear, "forward", lambda self, x: 1.5 * x @ self.weight.T),
    ),
}
X = np.ones((1, 1), np.float32)


def built() -> nn.Model:
    model = nn.build(Net(nn.Linear(1, 1, bias=False)), input=("N", 1))
    return model.replace(params={"inner.weight": jnp.ones((1, 1))})


def change(patch: pytest.MonkeyPatch, name: str) -> nn.Model:
    """A model that was called once, and then its code changed."""
    before, (where, attribute, value) = CHANGES[name]
    patch.setattr(Net, "forward", before)
    model = built()
    assert float(model(X)[0, 0]) == 2
    patch.setitem(globals(), attribute, value) if where is None else patch.setattr(
        where, attribute, value
    )
    return model


@pytest.mark.parametrize("name", CHANGES)
def test_a_model_built_again_means_the_new_code(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = change(monkeypatch, name)
    for new in (built(), old.rebuild()):
        assert float(new(X)[0, 0]) == 3
        assert float(tm.evaluate(new, X, dtype="float64")[0, 0]) == 3
        assert train.predict(new, X).tolist() == [[3]]


@pytest.mark.parametrize("name", CHANGES)
def test_a_model_not_built_again_never_means_the_new_code(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = change(monkeypatch, name)
    assert float(model(X)[0, 0]) == 2  # what was compiled stays what it is
    two = np.ones((2, 1), np.float32)
    readings: list[Callable[[], Any]] = [
        lambda: model(two),
        lambda: model.replace(params=model.params)(two),
        lambda: tm.evaluate(model, X, dtype="float64"),
        lambda: tm.evaluate(model, X),
        lambda: tm.capture(model),
        lambda: tm.save(model, tmp_path),
        lambda: model.apply(model.params, X),
        lambda: model.train_apply(model.params, {}, X),
        lambda: jax.jit(model.apply)(model.params, X),
        lambda: verify.robust(model, X[0], 0, eps=0.1),
        lambda: train.evaluate(model, (two, two), loss="mse"),
    ]
    for reading in readings:
        with pytest.raises(LayerError, match="Net computes something else than when it was built"):
            reading()


def test_code_that_is_put_back_is_the_old_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        model = change(patch, "forward")
    assert float(model(np.ones((3, 1), np.float32))[2, 0]) == 2
    assert model.rebuild() is model


def test_a_layer_that_declares_other_arrays_is_not_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    model = built()
    monkeypatch.setattr(nn.Linear, "parameters", lambda self: {})
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: x)
    with pytest.raises(PathError, match=r"inner.weight has no place here"):
        model.rebuild()


def test_equal_models_share_a_program() -> None:
    assert built().built.evaluate is built().built.evaluate
    assert built().built == built().built


def test_a_model_is_an_argument_of_a_program_by_what_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = jax.jit(lambda model, x: model(x))
    assert float(run(built(), X)[0, 0]) == 2
    change(monkeypatch, "attribute")
    assert float(run(built(), X)[0, 0]) == 3


def test_a_setting_of_jax_is_no_change_of_code() -> None:
    model = nn.build(nn.Linear(3, 2), input=("N", 3))
    with jax.default_matmul_precision("highest"):
        assert model(np.ones((1, 3), np.float32)).shape == (1, 2)
    with jax.enable_x64(True):
        assert model(np.ones((2, 3), np.float32)).dtype == "float32"
    with jax.disable_jit():
        model(np.ones((3, 3), np.float32))


def test_a_spelling_says_what_a_program_computes() -> None:
    x = jnp.ones(3)

    def words(f: Callable[..., Any]) -> Any:
        return spelled(f, x)[0]

    table = np.arange(100.0, dtype=np.float32)
    other = np.concatenate([table[:50], table[50:] + 1])
    same = [lambda x: x * 2, lambda x: 2 * x * 1.5, lambda x: x + table[:3] * table.sum()]
    for f in same:
        assert words(f) == words(f) and words(f).sha256() == words(f).sha256()
    alike = [
        lambda x: x,
        lambda x: x * 2,
        lambda x: x * -2,
        lambda x: x * 0.0,
        lambda x: x * -0.0,
        lambda x: x * 2 + 1,
        lambda x: x + jnp.sum(table),
        lambda x: x + jnp.sum(other),
        lambda x: jnp.cumsum(x),
        lambda x: jnp.cumsum(x[::-1]),
        lambda x: jax.lax.scan(lambda c, y: (c + y, c), 0.0, x)[1],
        lambda x: jax.lax.scan(lambda c, y: (c + y, y), 0.0, x)[1],
    ]
    assert len({words(f) for f in alike}) == len(alike)


def test_a_derivative_rule_of_ones_own_is_code_that_no_trace_says() -> None:
    @jax.custom_vjp
    def f(x: Any) -> Any:
        return x * 2

    f.defvjp(lambda x: (f(x), None), lambda residuals, g: (g,))
    one, two = (spelled(f, jnp.ones(3))[0] for _ in range(2))
    assert one.words == two.words and one != two and not one.whole
    assert spelled(jax.nn.relu, jnp.ones(3))[0].whole  # a rule of JAX's own
