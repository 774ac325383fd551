"""Losses as values, several inputs and targets, parts of a batch, and half precision."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small
from small import ADAM, cnn, fit, mlp, rows, state_of

from tensorem import functional as F
from tensorem import losses, nn, optim, train
from tensorem.errors import ArgumentError, DataError, PathError, ResumeError, ShapeError

X, Y = rows(mlp(), 12).x, rows(mlp(), 12).y
SGD = optim.sgd(0.5)


def trained(loss: Any, targets: Any, **given: Any) -> train.Run:
    settings: Any = {"epochs": 2, "batch_size": 12, "optimizer": SGD, "progress": "none"}
    return train.fit(mlp(), (X, targets), loss, **settings | given)


def require_close(one: train.Run, other: train.Run, rtol: float = 1e-6) -> None:
    for name, value in one.model.params.items():
        scale = float(jnp.abs(value).max())
        np.testing.assert_allclose(other.model.params[name], value, atol=rtol * scale, rtol=0)


PARTS = [(n, "compiled") for n in (2, 3, 4, 5, 6, 12, 99)] + [(5, "eager")]


@pytest.mark.parametrize(("parts", "backend"), PARTS)
def test_a_batch_in_parts_is_the_whole_batch(parts: int, backend: Any) -> None:
    weights = jnp.asarray([3.0, 1.0, 0.5])
    loss = partial(losses.cross_entropy, weight=weights)  # the counts of the parts differ
    whole = trained(loss, Y)
    run = trained(loss, Y, backend=train.Compute(backend, accumulate=parts))
    require_close(whole, run)
    assert run.step == whole.step == 2
    assert run.history[1]["loss"] == pytest.approx(whole.history[1]["loss"], rel=1e-6)


def test_a_batch_norm_in_parts_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="accumulate=2 gives 1 the statistics of a part") as seen:
        fit(cnn(), backend=train.Compute(accumulate=2), epochs=1)
    assert [warning.filename for warning in seen] == [small.__file__]


@pytest.mark.filterwarnings("ignore:accumulate=3 gives 1")
def test_parts_are_counted_as_one_step_and_resumed(tmp_path: Path) -> None:
    given: Any = {"backend": train.Compute(accumulate=3), "callbacks": train.EMA(0.9)}
    whole = fit(cnn(), tmp_path / "whole", **given)
    assert int(whole.callback("ema").memory["steps"]) == whole.step == 9

    def stop(run: train.Run) -> None:
        if run.step == 4:
            raise KeyboardInterrupt

    stopping = (train.EMA(0.9), train.on_save(stop))
    with pytest.raises(KeyboardInterrupt):
        fit(cnn(), tmp_path / "run", checkpoint_every=1, **given | {"callbacks": stopping})
    run = train.resume(tmp_path / "run", cnn(), rows(cnn()), progress="none")
    assert run.plan.backend == train.Compute(accumulate=3)
    assert state_of(tmp_path / "run") == state_of(tmp_path / "whole")


def test_half_precision_computes_in_bfloat16_and_keeps_float32() -> None:
    seen: list[Any] = []

    def spy(output: Any, target: Any) -> Any:
        seen.append(output.dtype)
        return losses.cross_entropy(output, target)

    run = fit(cnn(), loss=spy, backend=train.Compute(precision="bf16"))
    assert {d.name for d in seen} == {"float32"}
    arrays = jax.tree.leaves((run.state.params, run.state.optimizer, run.model.buffers))
    assert {a.dtype.name for a in arrays} <= {"float32", "int32"}
    exact = fit(cnn())
    assert run.history[-1]["loss"] == pytest.approx(exact.history[-1]["loss"], rel=0.05)
    assert run.history[-1]["loss"] != exact.history[-1]["loss"]


def test_examples_count_by_their_weights() -> None:
    weights = np.arange(12, dtype=np.float32)
    run = trained(
        train.weighted("cross_entropy"), (Y, weights), metrics=(train.pick("accuracy", target=0),)
    )
    repeated = np.repeat(np.arange(12), weights.astype(int))
    same = train.fit(
        mlp(), (X[repeated], Y[repeated]), epochs=2, batch_size=66, optimizer=SGD, progress="none"
    )
    require_close(same, run, 1e-5)
    assert run.history[0]["loss"] == pytest.approx(same.history[0]["loss"], rel=1e-5)
    assert "accuracy_0" in run.history[0]


class Two(nn.Layer):
    """Two inputs, two outputs."""

    shared: nn.Linear
    scale: nn.Linear

    def forward(self, tokens: Any, mask: Any) -> Any:
        h = F.tanh(self.shared(tokens * mask))
        return {"classes": h, "size": self.scale(h)}


def two() -> nn.Model:
    layer = Two(nn.Linear(4, 3), nn.Linear(3, 1))
    return nn.build(layer, input=(("N", 4), ("N", 4)), seed=0)


SEVERAL = train.total(
    {
        "kind": train.pick("cross_entropy", output="classes", target="kind"),
        "size": (0.5, train.pick("mse", output="size", target="size")),
    }
)


def test_inputs_and_targets_by_name() -> None:
    mask = (X > -1).astype(np.float32)
    targets = {"kind": Y, "size": X[:, :1]}
    given: Any = {"epochs": 2, "progress": "none", "batch_size": 5, "optimizer": ADAM}
    named = train.fit(two(), ({"mask": mask, "tokens": X}, targets), SEVERAL, **given)
    ordered = train.fit(two(), ((X, mask), targets), SEVERAL, **given)
    require_close(named, ordered, 0.0)
    row = named.history[-1]
    assert row["loss"] == pytest.approx(row["kind"] + 0.5 * row["size"], rel=1e-6)
    scores = train.evaluate(named.model, ({"mask": mask, "tokens": X}, targets), SEVERAL)
    assert scores["loss"] == pytest.approx(scores["kind"] + 0.5 * scores["size"], rel=1e-6)
    assert sorted(scores) == ["kind", "loss", "size"]


def test_a_loss_that_sees_the_parameters_is_weight_decay() -> None:
    def size(model: train.View, inputs: Any, targets: Any) -> Any:
        total = sum((p**2).sum() for p in jax.tree.leaves(model.params))
        return 0.5 * total * len(inputs), len(inputs)

    loss = train.total({"fit": "cross_entropy", "size": (0.1, train.Objective(size))})
    decayed = trained("cross_entropy", Y, optimizer=optim.sgd(0.5, weight_decay=0.1))
    require_close(decayed, trained(loss, Y), 1e-5)
    require_close(decayed, trained(loss, Y, backend="eager"), 1e-5)


def test_a_loss_of_derivatives_in_the_input_solves_an_equation() -> None:
    layer = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    model, x = nn.build(layer, ("N", 1), seed=0), np.linspace(0, 1, 16, dtype=np.float32)[:, None]

    def residual(model: train.View, x: Any, y: Any) -> Any:
        def u(p: Any) -> Any:
            return model(p[None])[0, 0]

        wrong = jax.vmap(jax.grad(u))(x) - jax.vmap(u)(x)[:, None]  # u' = u, u(0) = 1
        start = (u(jnp.zeros(1)) - 1) ** 2
        return (wrong**2).sum() + start * len(x), len(x)

    given: Any = {"epochs": 600, "batch_size": 16, "optimizer": optim.adam(1e-2)}
    run = train.fit(model, (x, x), train.Objective(residual), progress="none", **given)
    np.testing.assert_allclose(run.model(x), np.exp(x), rtol=0.03)
    scores = train.evaluate(run.model, (x, x), train.Objective(residual))
    assert scores["loss"] == pytest.approx(run.history[-1]["loss"], abs=1e-3)


class Sparse(nn.Layer):
    """A layer that leaves a loss of its own in a buffer."""

    linear: nn.Linear

    def buffers(self) -> Any:
        return {"cost": nn.Buffer((), nn.init.zeros())}

    def forward(self, x: Any) -> Any:
        h = self.linear(x)
        if self.training:
            self.update(cost=jnp.abs(h).mean())
        return h


def test_a_layer_leaves_a_loss_of_its_own() -> None:
    model = nn.build(Sparse(nn.Linear(4, 3)), ("N", 4), seed=0)
    loss = train.total({"fit": "cross_entropy", "cost": (0.3, train.Auxiliary("cost"))})

    def whole(output: Any, targets: Any) -> Any:
        total, count = losses.cross_entropy(output, targets)
        return total + 0.3 * jnp.abs(output).mean() * count, count

    given: Any = {"epochs": 3, "batch_size": 12, "optimizer": SGD, "progress": "none"}
    require_close(train.fit(model, (X, Y), whole, **given), train.fit(model, (X, Y), loss, **given))


def test_a_run_records_how_a_loss_was_made(tmp_path: Path) -> None:
    def loss(weight: float) -> train.Total:
        return train.total({"fit": "cross_entropy", "far": (weight, train.Objective(far))})

    fit(mlp(), tmp_path, loss=loss(0.5), epochs=1)
    more: Any = {"epochs": 2, "progress": "none"}
    with pytest.raises(ResumeError, match=r"takes the loss Total\(.*'far', 0.5, Obj.*, got Total"):
        train.resume(tmp_path, mlp(), rows(mlp()), loss=loss(0.6), **more)
    with pytest.raises(ResumeError, match=r"takes its loss Total.* again, got none"):
        train.resume(tmp_path, mlp(), rows(mlp()), **more)
    assert train.resume(tmp_path, mlp(), rows(mlp()), loss=loss(0.5), **more).finished


def far(model: train.View, inputs: Any, targets: Any) -> Any:
    return (model.params["0.bias"] ** 2).sum() * len(inputs), len(inputs)


BAD: Any = 3j
WRONG: dict[str, Any] = {
    "total takes losses by name, got": lambda: train.total({}),
    "total takes the weight of a as a finite number, got 3j": lambda: train.total(
        {"a": (BAD, "mse")}
    ),
    "A loss takes a name or a function, got 3j": lambda: train.total({"a": BAD}),
    "An Objective takes a function, got 3j": lambda: train.Objective(BAD),
    r"weighted takes targets \(y, weights\), got": lambda: trained(train.weighted("mse"), Y),
    r"pick takes an output of \['classes', 'size'\], got 'c'": lambda: train.fit(
        two(), ((X, X), Y), train.pick("mse", output="c")
    ),
    "Compute takes accumulate as an integer of at least 1, got 0": lambda: train.Compute(
        accumulate=0
    ),
    "Compute takes precision of bf16, None, got 3j": lambda: train.Compute(precision=BAD),
    "The model takes inputs named tokens, mask, got a": lambda: train.fit(two(), ({"a": X}, Y)),
    "cross_entropy takes one array of targets, got 2": lambda: trained("cross_entropy", (Y, Y)),
    "Auxiliary takes a buffer of none, got 'cost'": lambda: trained(train.Auxiliary("cost"), Y),
    "metrics takes names that differ": lambda: trained(
        train.total({"accuracy": "cross_entropy"}), Y, metrics=("accuracy",)
    ),
    "takes as many targets as inputs": lambda: trained(train.weighted("mse"), (Y, Y[:3])),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_said(words: str) -> None:
    with pytest.raises((ArgumentError, DataError, ShapeError, PathError), match=words):
        WRONG[words]()


def test_an_equation_is_solved_by_second_derivatives_in_the_input() -> None:
    """Poisson: u'' = -pi^2 sin(pi x) with u = 0 at both ends, whose solution is sin(pi x)."""

    def residual(model: Any, x: Any, f: Any) -> Any:
        def u(p: Any) -> Any:
            return (1 - p**2) * model(p[None, None])[0, 0]

        second = jax.vmap(jax.grad(jax.grad(u)))(x[:, 0])
        return ((second - f[:, 0]) ** 2).sum(), len(x)

    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    f = -(np.pi**2) * np.sin(np.pi * x)
    net = nn.build(nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1)), ("N", 1), seed=0)
    rule = optim.lbfgs()
    run = train.fit(net, (x, f), train.Objective(residual), rule, 60, 64, progress="none")
    solved = (1 - x**2) * np.asarray(run.model(x))
    np.testing.assert_allclose(solved, np.sin(np.pi * x), atol=1e-3)
