"""The original's runner, a range of learning rates, and statistics of an average."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from small import ADAM, cnn, fit, mlp, rows

from tensorem import nn, optim, train
from tensorem.errors import ArgumentError

DATA = rows(mlp())
BAD: Any = 3


def test_a_runner_trains_by_steps_and_by_epochs_as_fit_does() -> None:
    task = train.classification(mlp())
    first = train.instantiate(task)
    runner, report = first.fit(DATA, train.LoaderFitConfig(2, ADAM, batch_size=8, seed=7))
    same, _ = first.fit(DATA, train.FitConfig(6, ADAM, batch_size=8, seed=7))
    whole = fit(mlp(), epochs=2)
    for name, value in whole.model.params.items():
        np.testing.assert_array_equal(runner.params[name], value)
        np.testing.assert_array_equal(same.params[name], value)
    assert report.after == runner.mean_loss(DATA) < report.before == first.mean_loss(DATA)
    scores = train.evaluate(whole.model, DATA)
    correct, total = runner.accuracy(DATA)
    assert correct / total == scores["accuracy"] and total == len(DATA)
    assert runner.predict_class(DATA.x[0]) == int(np.argmax(whole.model(DATA.x[:1])[0]))
    few, _ = first.fit(DATA, train.steps(2))
    assert few.mean_loss(DATA) < first.mean_loss(DATA)


def test_a_mode_is_a_value() -> None:
    runner = train.instantiate(train.classification(cnn()))
    x = rows(cnn()).x[:4]
    training = runner.train_mode()
    assert (runner.is_training, training.is_training) == (False, True)
    assert training.eval_mode().mode == "eval" == runner.mode
    evaluated, drawn = runner.predict_batch(x), training.predict_batch(x)
    np.testing.assert_array_equal(evaluated, runner.task.model(x))
    assert np.abs(evaluated - drawn).max() > 1e-3  # dropout, and statistics of the batch
    np.testing.assert_allclose(runner.predict(x[1]), evaluated[1], rtol=1e-5, atol=1e-6)


def test_backward_gives_gradients_and_running_statistics() -> None:
    data, runner = rows(cnn()), train.instantiate(train.classification(cnn()))
    grads, after = runner.backward(data.x, data.y)
    assert grads.keys() == runner.params.keys()
    counts = [r.task.model.buffers["1.num_batches_tracked"] for r in (runner, after)]
    assert list(map(int, counts)) == [0, 1]
    plain = train.instantiate(train.classification(mlp()))
    found, _ = plain.backward(DATA.x, DATA.y)
    steepest = fit(mlp(), epochs=1, batch_size=22, optimizer=optim.sgd(1.0))
    for name, grad in found.items():
        moved = plain.params[name] - steepest.model.params[name]
        np.testing.assert_allclose(grad, moved, rtol=1e-4, atol=1e-6)


def test_statistics_of_an_average_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    layer = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))
    model = nn.build(layer, ("N", 4), seed=3)
    model = fit(model, epochs=1, loss=lambda output, y: (output.sum(), len(y))).model
    theirs = torch.nn.Sequential(
        torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.ReLU(), torch.nn.Linear(3, 2)
    )
    theirs.load_state_dict({k: torch.tensor(np.asarray(v)) for k, v in model.state_dict().items()})
    batches = train.feed(DATA, 8, seed=5).blocks(0)
    loader = [torch.tensor(DATA.x[r]) for block in batches for r in block]
    torch.optim.swa_utils.update_bn(loader, theirs)
    ours = train.update_bn(model, DATA, batch_size=8, seed=5)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=1e-5, atol=1e-6)


def test_the_range_of_rates_leaves_no_trace() -> None:
    model = mlp()
    before = jax.tree.map(np.array, dict(model.params))
    curve = train.lr_find(model, DATA, optimizer=optim.sgd, rates=(1e-4, 100.0), batch_size=8)
    for name, value in before.items():
        np.testing.assert_array_equal(model.params[name], value)
    assert len(curve.rates) == len(curve.losses) <= 100
    assert curve.rates[0] == pytest.approx(1e-4) and np.isfinite(curve.losses).all()
    assert 1e-3 < curve.suggestion < 100
    assert len(curve.plot().splitlines()) == 10
    first = train.evaluate(model, DATA.select(train.feed(DATA, 8).blocks(0)[0][0]))["loss"]
    assert curve.losses[0] == pytest.approx(first, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: train.instantiate(BAD), "instantiate takes a task, got int"),
        (lambda: train.TaskRunner(train.Task(mlp()), BAD), "takes mode of train, eval, got 3"),
        (lambda: train.FitConfig(0), "FitConfig takes steps as an integer of at least 1, got 0"),
        (lambda: train.epochs(0), "LoaderFitConfig takes epochs as an integer of at least 1"),
        (lambda: train.lr_find(mlp(), DATA, rates=(1.0, 0.1)), "lr_find takes rates that grow"),
        (lambda: train.lr_find(mlp(), DATA, rates=BAD), "lr_find takes rates as a pair, got 3"),
        (lambda: train.lr_find(mlp(), DATA, rates=(0.0, 1.0)), "lr_find takes rates as a finite"),
        (lambda: train.lr_find(mlp(), DATA, steps=1), "takes steps as an integer of at least 2"),
        (
            lambda: train.lr_find(mlp(), DATA, optimizer=optim.sgd, rates=(1e9, 1e12)),
            "lr_find takes a first rate at which the loss stays",
        ),
    ],
)
def test_what_is_wrong_is_said(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()
