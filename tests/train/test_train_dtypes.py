"""A model of 64 or of 16 bits trains in its own dtype, through every door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small import state_of

from close import assert_close
from tensorem import nn, optim, train
from tensorem.errors import ArgumentError, DataError
from tensorem.shapes import Spec

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(20, 3))
Y = (X[:, 0] > 0).astype(np.int64)


def wide() -> nn.Model:
    layer = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.0), nn.Linear(4, 2))
    return nn.build(layer, Spec(("N", 3), "float64"))


def fit(data: Any = (X, Y), **given: Any) -> train.Run:
    settings = {"epochs": 2, "batch_size": 8, "progress": "none", "optimizer": optim.sgd(0.1)}
    return train.fit(wide(), data, **settings | given)


def same(a: nn.Model, b: nn.Model) -> None:
    for name in a.params:
        assert a.params[name].dtype == np.float64
        np.testing.assert_array_equal(a.params[name], b.params[name])


def test_a_step_is_that_of_pytorch_in_float64() -> None:
    torch = pytest.importorskip("torch")
    model = wide()
    own = {k: torch.tensor(np.asarray(v), requires_grad=True) for k, v in model.params.items()}
    hidden = torch.tanh(torch.tensor(X) @ own["0.weight"].T + own["0.bias"])
    logits = hidden @ own["3.weight"].T + own["3.bias"]
    torch.nn.functional.cross_entropy(logits, torch.tensor(Y)).backward()
    trained = fit(epochs=1, batch_size=20).model
    for name, value in own.items():
        expected = (value - 0.1 * value.grad).detach().numpy()
        assert_close(trained.params[name], expected, rtol=1e-14, atol=1e-15)


def test_every_backend_and_a_stream_give_64_bits() -> None:
    def batches(epoch: int) -> Any:
        order = train.feed((X, Y), 8).order(epoch)
        return ((X[order[i : i + 8]], Y[order[i : i + 8]]) for i in (0, 8, 16))

    run = fit()
    assert_close(fit(backend="eager").model.params["0.weight"], run.model.params["0.weight"], 1e-13)
    same(fit(train.Stream(batches, 3)).model, run.model)
    assert train.evaluate(run.model, (X, Y))["loss"] < run.history[0]["loss"]
    assert train.predict(run.model, X).dtype == np.float64
    assert not jax.config.jax_enable_x64


def test_a_resumed_run_has_the_same_bits(tmp_path: Path) -> None:
    fit(path=tmp_path, epochs=1)
    resumed = train.resume(tmp_path, wide(), (X, Y), epochs=2, progress="none")
    same(resumed.model, fit().model)


def test_a_state_dict_keeps_64_bits() -> None:
    trained = fit().model
    state = {name: np.asarray(array) for name, array in trained.params.items()}
    same(wide().load_state_dict(state), trained)


def narrow(dtype: str) -> nn.Model:
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2)]
    return nn.build(
        nn.Sequential(*layers, nn.Flatten(), nn.LayerNorm(16), nn.Linear(16, 2)),
        Spec(("N", 1, 2, 2), dtype),
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("backend", ["compiled", "eager"])
def test_a_narrow_model_trains_and_resumes_bit_for_bit(
    tmp_path: Path, dtype: str, backend: str
) -> None:
    y = np.arange(20) % 2
    x = DRAW.normal(size=(20, 1, 2, 2)) + 2 * y[:, None, None, None]
    rows = (x.astype(narrow(dtype).params["0.weight"].dtype), y)
    settings: dict[str, Any] = {"batch_size": 8, "progress": "none", "backend": backend}
    settings |= {"optimizer": optim.adamw(1e-2, eps=1e-4), "validation": rows}
    whole = train.fit(narrow(dtype), rows, epochs=2, path=tmp_path / "whole", **settings)
    train.fit(narrow(dtype), rows, epochs=1, path=tmp_path / "run", **settings)
    again = {"progress": "none", "validation": rows, "epochs": 2}
    train.resume(tmp_path / "run", narrow(dtype), rows, **again)
    assert state_of(tmp_path / "run") == state_of(tmp_path / "whole")
    assert {a.dtype.name for a in whole.model.params.values()} == {dtype}
    assert whole.history[-1]["loss"] < whole.history[0]["loss"]


def test_a_model_of_bfloat16_meets_numbers_of_bfloat16() -> None:
    """NumPy knows bfloat16 as no kind of float."""
    model = nn.build(nn.Linear(3, 2), Spec(("N", 3), "bfloat16"))
    x, y = (a.astype(jnp.bfloat16) for a in (X, X[:, :2]))
    assert train.fit(model, (x, y), loss="mse", epochs=1, progress="none").history
    with pytest.raises(DataError, match="mse takes finite targets, got inf"):
        train.fit(model, (x, np.full_like(y, np.inf)), loss="mse", progress="none")
    with pytest.raises(DataError, match="takes finite numbers, got nan in example 0"):
        train.fit(model, (x * np.nan, Y), progress="none")


def test_what_float32_holds_goes_into_a_model_of_float32() -> None:
    model = nn.build(nn.Linear(3, 2), ("N", 3))
    x = X.astype(jnp.bfloat16)
    assert train.fit(model, (x, Y), epochs=1, progress="none").history
    assert np.isnan(model(x * np.nan)).all()


def test_an_eps_that_is_zero_in_the_dtype_is_refused_before_the_run() -> None:
    with pytest.raises(ArgumentError, match="adam takes an eps that float16 holds, got 1e-08"):
        train.Runner(train.Task(narrow("float16")), optim.adam(1e-2))


def test_a_buffer_that_is_not_finite_ends_the_run() -> None:
    """A variance of 90000 is none of float16."""
    layers = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, momentum=1.0), nn.Flatten(), nn.Linear(4, 2)
    model = nn.build(nn.Sequential(*layers), Spec(("N", 1, 2, 2), "float16"))
    ones = {"0.weight": jnp.ones((1, 1, 1, 1), "float16"), "0.bias": jnp.zeros(1, "float16")}
    model = model.replace(params={**model.params, **ones})
    x = np.float16(300) * np.where(np.arange(80) % 2, 1, -1).reshape(20, 1, 2, 2)
    with pytest.raises(DataError, match=r"got inf in the buffer 1.running_var at epoch 1") as e:
        train.fit(
            model, (x.astype("float16"), Y), optimizer=optim.sgd(0.0), epochs=1, progress="none"
        )
    assert "inputs on a smaller scale" in e.value.help


def test_a_buffer_may_be_infinite_from_the_start() -> None:
    class Masked(nn.Layer):
        inner: nn.Linear

        def buffers(self) -> Any:
            return {"mask": nn.Buffer((2,), nn.init.constant(-np.inf))}

        def forward(self, x: Any) -> Any:
            return self.inner(x) + jnp.where(jnp.isfinite(self.mask), self.mask, 0)

    model = nn.build(Masked(nn.Linear(3, 2)), ("N", 3))
    run = train.fit(model, (X.astype("float32"), Y), epochs=1, progress="none")
    assert np.isinf(run.model.buffers["mask"]).all()
