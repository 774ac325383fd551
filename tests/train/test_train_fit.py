"""What fit learns: against PyTorch, against exact means, and the same in every cutting."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from small import ADAM, BATCH, EPOCHS, SIZE, STEPS, cnn, fit, mlp, resume, rows

from close import assert_close
from tensorem import data, nn, optim, train
from tensorem.errors import ArgumentError, DataError, LayerError

RULES = {
    "sgd": (optim.sgd(0.1), lambda t, p: t.optim.SGD(p, 0.1)),
    "momentum": (
        optim.sgd(0.1, momentum=0.9, weight_decay=0.01),
        lambda t, p: t.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
    ),
    "adam": (ADAM, lambda t, p: t.optim.Adam(p, 1e-2)),
}


@pytest.mark.parametrize("rule", RULES)
def test_steps_are_those_of_pytorch(rule: str) -> None:
    torch = pytest.importorskip("torch")
    model, ours, theirs = mlp(), *RULES[rule]
    peer = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    peer.load_state_dict({k: torch.tensor(np.asarray(v)) for k, v in model.state_dict().items()})
    batches, moved = train.feed(rows(model), BATCH, seed=7), theirs(torch, peer.parameters())
    x, y = torch.tensor(rows(model).x.copy()), torch.tensor(rows(model).y.copy()).long()
    for epoch in range(2):
        for batch in (torch.tensor(b) for block in batches.blocks(epoch) for b in block):
            moved.zero_grad()
            torch.nn.functional.cross_entropy(peer(x[batch]), y[batch]).backward()
            moved.step()
    run = fit(model, optimizer=ours, epochs=2)
    for name, value in peer.state_dict().items():
        assert_close(run.model.params[name], value.numpy(), rtol=2e-5, atol=2e-6)


def test_the_loss_of_an_epoch_is_the_mean_over_its_examples() -> None:
    # Without moving, every step sees the same model: the mean is that of the whole data.
    model = mlp()
    run = fit(model, optimizer=optim.sgd(0.0), epochs=1)
    given = rows(model)
    logits = np.asarray(model(given.x), np.float64)
    each = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(given)), given.y]
    assert len(given) % BATCH != 0
    assert_close(run.history[0]["loss"], each.mean(), rtol=1e-6, atol=0)
    right = (logits.argmax(axis=1) == given.y).mean()
    assert run.history[0]["accuracy"] == pytest.approx(right, rel=1e-12)


def ended(model: nn.Model, pace: train.Pace, seen: list[int]) -> train.State:
    runner = train.Runner(train.Task(model), ADAM)
    batches, state = train.feed(rows(model), BATCH, seed=7), runner.init(seed=7)
    for _ in range(EPOCHS):
        empty = train.Record.empty(runner.task.names)
        for after, record in runner.chunks(state, empty, batches, pace):
            seen.append(len(record))
            state = after
    return state


def test_the_length_of_chunks_changes_no_bit() -> None:
    cut: list[list[int]] = [[], [], []]
    paces = (train.Pace(seconds=0.0), train.Pace(every=2), train.Pace(seconds=1e6))
    ends = [ended(cnn(), pace, seen) for pace, seen in zip(paces, cut, strict=True)]
    assert len(cut[0]) > len(cut[2])
    for other in ends[1:]:
        assert jax.tree.all(jax.tree.map(same_bits, arrays(ends[0]), arrays(other)))


def arrays(state: train.State) -> Any:
    return replace(state, key=jax.random.key_data(state.key))


def same_bits(a: Any, b: Any) -> bool:
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("build", [mlp, cnn])
def test_eager_and_compiled_agree(build: Any) -> None:
    compiled, eager = fit(build()), fit(build(), backend="eager")
    for name, value in compiled.model.state_dict().items():
        assert_close(eager.model.state_dict()[name], value, rtol=1e-4, atol=1e-5)
    assert eager.history[-1]["loss"] == pytest.approx(compiled.history[-1]["loss"], rel=1e-5)


class Mask(nn.Layer):
    """Writes what its dropout let through into a buffer."""

    drop: nn.Dropout

    def buffers(self) -> Any:
        return {"seen": nn.Buffer((16,), nn.init.zeros())}

    def parameters(self) -> Any:
        return {"scale": nn.Parameter((3,), nn.init.ones())}

    def forward(self, x: Any) -> Any:
        y = self.drop(jax.numpy.ones(16))
        if self.training:
            self.update(seen=y)
        return x * self.scale


def test_a_mask_differs_from_step_to_step_and_not_from_run_to_run() -> None:
    model = nn.build(Mask(nn.Dropout(0.5)), ("N", 3))
    runner = train.Runner(train.Task(model), optim.sgd(0.0))
    x, y = np.ones((2, 3), np.float32), np.zeros(2, np.int32)

    def masks(seed: int) -> list[bytes]:
        state, seen = runner.init(seed), []
        for _ in range(3):
            state, _ = runner.step(state, x, y)
            seen.append(np.asarray(state.buffers["seen"]).tobytes())
        return seen

    assert len(set(masks(0))) == 3
    assert masks(0) == masks(0)
    assert set(masks(0)).isdisjoint(masks(1))


class Two(nn.Layer):
    """Two inputs, one of them normalised and thinned out."""

    left: nn.Linear
    right: nn.Linear
    drop: nn.Dropout

    def forward(self, a: Any, b: Any) -> Any:
        return self.left(a) + self.right(self.drop(b))


def test_a_layer_of_ones_own_with_two_inputs_trains() -> None:
    layer = Two(nn.Linear(4, 3), nn.Linear(2, 3), nn.Dropout(0.1))
    model = nn.build(layer, (("N", 4), ("N", 2)))
    given = rows(mlp())
    pair = ((given.x, given.x[:, :2].copy()), given.y)
    run = train.fit(model, pair, epochs=12, batch_size=BATCH, optimizer=ADAM, progress="none")
    assert run.history[-1]["loss"] < run.history[0]["loss"]
    assert train.predict(run.model, pair[0]).shape == (len(given), 3)


def test_a_loss_may_be_a_function_and_must_return_a_pair() -> None:
    model = nn.build(nn.Linear(4, 1), ("N", 4))
    x = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    pair = (x, (x @ np.array([[1.0], [2.0], [0.0], [-1.0]])).astype(np.float32))

    def huber(output: Any, target: Any) -> tuple[Any, Any]:
        apart = jax.numpy.abs(output - target)
        return jax.numpy.where(apart < 1, apart**2 / 2, apart - 0.5).sum(), apart.size

    run = train.fit(model, pair, huber, optim.sgd(0.3), epochs=60, progress="none")
    assert run.history[-1]["loss"] < 1e-3 * run.history[0]["loss"]
    assert "accuracy" not in run.history[0]
    with pytest.raises(ArgumentError, match=r"mean takes its result as \(sum, count\)"):
        train.fit(model, pair, lambda_named_mean, progress="none")


def lambda_named_mean(output: Any, target: Any) -> Any:
    return ((output - target) ** 2).mean()


lambda_named_mean.__name__ = "mean"


def test_the_model_that_goes_in_stays_as_it_is() -> None:
    model = mlp()
    before = {k: np.asarray(v).tobytes() for k, v in model.state_dict().items()}
    run = fit(model)
    assert {k: np.asarray(v).tobytes() for k, v in model.state_dict().items()} == before
    trained = {k: np.asarray(v).tobytes() for k, v in run.model.state_dict().items()}
    assert trained != before
    # What is done with the state afterwards does not reach the model of the run.
    train.Runner(run.task, ADAM).step(run.state, rows(model).x, rows(model).y)
    assert {k: np.asarray(v).tobytes() for k, v in run.model.state_dict().items()} == trained


def test_the_seed_decides_everything() -> None:
    def bits(seed: int) -> list[bytes]:
        return [np.asarray(v).tobytes() for v in fit(cnn(), seed=seed).model.params.values()]

    assert bits(1) == bits(1)
    assert bits(1) != bits(2)


def test_history_has_a_row_per_epoch_with_validation_and_rate() -> None:
    schedule = optim.step_lr(0.1, step_size=3, gamma=0.5)
    rule = optim.chain(optim.clip_grad_norm(1.0), optim.sgd(schedule))
    run = fit(mlp(), validation=rows(mlp(), 10), optimizer=rule)
    assert [row["epoch"] for row in run.history] == [1, 2, 3]
    assert [row["step"] for row in run.history] == [3, 6, STEPS]
    assert [row["lr"] for row in run.history] == pytest.approx([0.1, 0.05, 0.025])
    expected = train.evaluate(run.model, rows(mlp(), 10))
    assert {k: run.history[-1][f"val_{k}"] for k in expected} == expected
    assert repr(run).startswith("Run(3 of 3 epochs, loss ")


def test_the_rows_within_an_epoch_are_means_over_the_steps_between(tmp_path: Any) -> None:
    fit(mlp(), tmp_path, log_every=2)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    steps = [line for line in lines if "in_epoch" in line]
    assert len(lines) - len(steps) == EPOCHS
    assert [json.loads(line)["step"] for line in steps] == [2, 4, 6, 8]


def test_drop_last_leaves_the_smaller_batch_out() -> None:
    assert fit(mlp(), drop_last=True).step == 2 * EPOCHS
    with pytest.raises(ArgumentError, match="drop_last takes a batch_size up to the 22 examples"):
        fit(mlp(), drop_last=True, batch_size=23)


def test_a_batch_larger_than_the_data_is_the_data() -> None:
    assert fit(mlp(), batch_size=100).step == EPOCHS


def test_the_order_is_that_of_a_loader() -> None:
    batches = train.feed(rows(mlp()), BATCH, seed=7)
    loader = data.Loader(rows(mlp()), BATCH, shuffle=True, seed=7)
    for epoch in range(3):
        assert batches.order(epoch).tolist() == loader.order(epoch).tolist()
        visited = [y.tolist() for _, y in loader.epoch(epoch)]
        chosen = [rows(mlp()).y[b].tolist() for block in batches.blocks(epoch) for b in block]
        assert chosen == visited
    assert len(batches) == len(loader)


def test_a_loss_that_is_not_finite_stops_and_names_epoch_and_step(tmp_path: Any) -> None:
    model, seen = nn.build(nn.Linear(4, 1), ("N", 4)), list[train.NonFinite]()
    x = np.full((6, 4), 1e10, np.float32)
    with pytest.raises(DataError, match="got inf in the loss at epoch 2, step 3") as caught:
        train.fit(
            model,
            (x, np.zeros((6, 1), np.float32)),
            "mse",
            optim.sgd(1e-15),
            batch_size=3,
            path=tmp_path,
            progress="none",
            callbacks=train.on_nonfinite(seen.append),
        )
    assert "a smaller learning rate than 1e-15" in caught.value.help
    assert caught.value.where == f"{tmp_path}, whose last checkpoint is of step 2"
    assert (seen[0].epoch, seen[0].step, len(seen[0].examples)) == (2, 3, 3)
    assert seen[0].path == tmp_path


def test_a_parameter_that_is_not_finite_is_never_saved(tmp_path: Any) -> None:
    saved: list[int] = []

    def steep(output: Any, target: Any) -> tuple[Any, Any]:
        # Its value is finite at 0; its slope is not.
        return jax.numpy.sqrt(jax.numpy.abs(output * 0.0)).sum(), output.size

    hooks = train.on_save(lambda run: saved.append(run.step))
    with pytest.raises(DataError, match=r"got nan in the parameter (bias|weight) at epoch 1"):
        train.fit(
            nn.build(nn.Linear(4, 3), ("N", 4)),
            rows(mlp()),
            steep,
            batch_size=22,
            path=tmp_path,
            progress="none",
            callbacks=hooks,
        )
    assert saved == [0]


def digits() -> tuple[data.Dataset, data.Dataset]:
    given = data.digits()
    return given.train.append(given.test).shuffle(seed=0).split(1437)


def learned(seed: int) -> float:
    layer = nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
    )
    seen, unseen = digits()
    model = nn.build(layer, ("N", 1, 8, 8), seed=seed)
    run = train.fit(model, seen, optimizer=ADAM, epochs=8, seed=seed, progress="none")
    return train.evaluate(run.model, unseen)["accuracy"]


def test_digits_are_learned() -> None:
    assert learned(0) >= 0.97


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 5))
def test_digits_are_learned_from_every_seed(seed: int) -> None:
    assert learned(seed) >= 0.97


def test_means_need_only_sums_and_counts() -> None:
    record = train.Record.empty(("loss",)).followed_by([[1e8, 1], [1, 1], [-1e8, 1]])
    assert record.means() == {"loss": 1 / 3}
    assert record.means(1, 2) == {"loss": 1.0}
    assert record.first_nonfinite() is None
    assert record.followed_by([[math.nan, 1]]).first_nonfinite() == 3


def test_a_run_that_a_hook_kept_says_that_it_went_on() -> None:
    kept: list[train.EpochEvent] = []
    models: list[nn.Model] = []
    fit(mlp(), callbacks=train.on_epoch_end(kept.append))
    with pytest.raises(LayerError, match="This run, of step 3, went on since") as caught:
        _ = kept[0].run.model
    assert caught.value.help == "keep run.model in the callback, not the run."
    last = fit(mlp(), callbacks=train.on_epoch_end(lambda event: models.append(event.run.model)))
    np.testing.assert_array_equal(models[-1].params["0.bias"], last.model.params["0.bias"])


def test_infinite_sums_of_both_signs_are_no_number() -> None:
    record = train.Record.empty(("loss",)).followed_by([[math.inf, 1], [-math.inf, 1]])
    assert math.isnan(record.means()["loss"])
    assert record.means(0, 1) == {"loss": math.inf}


def test_a_run_that_a_hook_kept_knows_its_step(tmp_path: Any) -> None:
    kept: list[train.Run] = []
    fit(mlp(), tmp_path, callbacks=train.on_epoch_end(lambda event: kept.append(event.run)))
    assert [run.step for run in kept] == [3, 6, STEPS]
    with pytest.raises(LayerError, match="This run, of step 6, went on since"):
        _ = kept[1].model


@pytest.mark.parametrize("backend", ["eager", train.Compute(accumulate=2)])
def test_the_norm_of_gradients_is_that_of_torch(tmp_path: Any, backend: Any) -> None:
    torch = pytest.importorskip("torch")
    given, model = rows(mlp()), mlp()
    rule = optim.chain(optim.clip_grad_norm(0.1), optim.sgd(0.05))
    held: Any = {"validation": given, "metrics": ("grad_norm", "accuracy"), "log_every": 1}
    run = fit(model, tmp_path, optimizer=rule, batch_size=SIZE, epochs=2, backend=backend, **held)
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    theirs.load_state_dict({k: torch.tensor(np.asarray(a)) for k, a in model.params.items()})
    step, norms = torch.optim.SGD(theirs.parameters(), 0.05), []
    for _ in range(2):
        step.zero_grad()
        y = torch.tensor(given.y.astype(np.int64))
        torch.nn.functional.cross_entropy(theirs(torch.tensor(given.x)), y).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.1)))
        step.step()
    assert [row["grad_norm"] for row in run.history] == pytest.approx(norms, rel=1e-5)
    assert "val_accuracy" in run.history[0] and "val_grad_norm" not in run.history[0]
    again = resume(tmp_path, mlp(), epochs=3, validation=given)
    assert again.history[:2] == run.history and "grad_norm" in again.history[2]
    assert "grad_norm" not in train.evaluate(run.model, given, metrics=run.plan.metrics)
    first, *_ = (row for row in train.read_rows(tmp_path / "log.jsonl") if "in_epoch" in row)
    assert first["grad_norm"] == run.history[0]["grad_norm"]
