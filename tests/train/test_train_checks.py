"""Bad data and arguments end in one clear error before the first step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from small import fit, mlp, rows

from tensorem import data, losses, metrics, nn, optim, train
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError, TensoremError
from tensorem.shapes import Spec

X, Y = rows(mlp()).x, rows(mlp()).y


def put(array: Any, index: Any, value: Any) -> Any:
    changed = np.array(array)
    changed[index] = value
    return changed


CASES: dict[str, tuple[Any, type[TensoremError], str, str]] = {
    "features": (
        (X[:, :3], Y),
        ShapeError,
        r"The model takes \(N, 4\), got \(22, 3\)\.",
        "data, x",
    ),
    "rank": ((X[:, 0], Y), ShapeError, r"The model takes \(N, 4\), got \(22,\)\.", "data, x"),
    "float64": (
        (X.astype(np.float64) + 1e-12, Y),
        DTypeError,
        "takes float32, got float64 with values that float32 does not hold",
        "data, x",
    ),
    "text": ((X.astype(str), Y), DTypeError, "A model takes numbers, got <U32", "data, x"),
    "names": ((X, np.array(["a", "b"] * 11)), DTypeError, "takes numbers, got <U1", "data, y"),
    "nan": ((put(X, (5, 2), np.nan), Y), DataError, "got nan in example 5", "data, x"),
    "infinite": ((put(X, (0, 0), -np.inf), Y), DataError, "got -inf in example 0", "data, x"),
    "label above": (
        (X, put(Y, 4, 3)),
        DataError,
        "takes classes from 0 to 2, got 3",
        r"data, y: target\[4\]",
    ),
    "label below": (
        (X, put(Y, 0, -1)),
        DataError,
        "takes classes from 0 to 2, got -1",
        r"data, y: target\[0\]",
    ),
    "label shape": ((X, Y[:, None]), ShapeError, "cross_entropy takes classes", "data, y"),
    "float labels": ((X, Y.astype(np.float32)), ShapeError, "cross_entropy takes", "data, y"),
    "huge labels": (
        (X, Y.astype(np.int64) + 2**40),
        DataError,
        r"targets take values below 2\*\*31, got larger",
        "",
    ),
    "mask": (
        (np.ma.masked_greater(X, 0), Y),
        DataError,
        "Training takes an array, got one with a mask",
        "",
    ),
    "no examples": ((X[:0], Y[:0]), DataError, "at least one example, got none", ""),
    "lengths": ((X, Y[:5]), DataError, "as many targets as inputs", ""),
    "scalar": ((X, np.float32(1)), DataError, "y with examples along axis 0, got a scalar", ""),
    "two inputs": (((X, X), Y), ShapeError, "The model takes 1 inputs, got 2", "data"),
    "not data": ([X, Y], DataError, r"takes a Dataset or a pair \(x, y\), got list", ""),
    "both parts": (data.digits(), DataError, "got Splits", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_data_is_named_before_the_first_step(case: str) -> None:
    given, error, words, where = CASES[case]
    with pytest.raises(error, match=words) as caught:
        train.fit(mlp(), given, progress="none")
    if where:
        import re

        assert re.fullmatch(where, caught.value.where)


def test_bad_validation_data_is_named_too() -> None:
    with pytest.raises(DataError, match="got 9") as caught:
        fit(mlp(), validation=(X, put(Y, 1, 9)))
    assert caught.value.where == "validation, y: target[1]"


def test_numbers_that_fit_are_converted() -> None:
    given = (X.astype(np.float64), Y.astype(np.int64))
    assert fit(mlp()).history == train_on(given).history


def train_on(given: Any) -> train.Run:
    return train.fit(
        mlp(), given, epochs=3, batch_size=8, seed=7, progress="none", optimizer=optim.adam(1e-2)
    )


def test_a_target_of_another_shape_is_never_broadcast() -> None:
    model = nn.build(nn.Linear(4, 1), ("N", 4))
    with pytest.raises(ShapeError, match=r"mse takes .* \(22, 1\) and \(22,\)"):
        train.fit(model, (X, X[:, 0]), "mse", progress="none")


def test_a_fixed_number_of_examples_is_refused() -> None:
    model = nn.build(nn.Linear(4, 3), (8, 4))
    with pytest.raises(ShapeError, match=r"takes \(8, 4\), got \(22, 4\)") as caught:
        train.fit(model, (X, Y), progress="none")
    assert "give it a name" in caught.value.help


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"epochs": 0}, "takes epochs as an integer of at least 1, got 0"),
        ({"epochs": 2.5}, "takes epochs as an integer of at least 1, got 2.5"),
        ({"batch_size": 0}, "takes batch_size as an integer of at least 1, got 0"),
        ({"backend": "fast"}, "backend takes compiled, eager, got 'fast'"),
        ({"loss": "quadratic"}, "A loss takes a name of .*, got 'quadratic'"),
        ({"loss": 3}, "A loss takes a name or a function, got 3"),
        ({"metrics": ("f1",)}, "A metric takes a name of .*, got 'f1'"),
        ({"optimizer": 0.1}, "takes an optimizer of tensorem.optim, got 0.1"),
        ({"seed": -1}, "A seed takes"),
        ({"drop_last": "no"}, "Training takes drop_last as True or False, got 'no'"),
        ({"callbacks": print}, "callbacks takes values with name, when, init and update, got <b"),
        ({"metrics": "accuracy"}, "metrics takes a tuple of names or functions, got 'accuracy'"),
        ({"path": ""}, "A path takes a text or a Path, got ''"),
        ({"path": 3}, "A path takes a text or a Path, got 3"),
        ({"progress": 3}, r"notebook, plain, none, or a train\.Display, got 3"),
        (
            {"progress": "loud"},
            "progress takes auto, live, notebook, plain, none, or a train.Display, got 'loud'",
        ),
    ],
)
def test_an_argument_out_of_range_is_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        fit(mlp(), **given)


@pytest.mark.parametrize(
    ("optimizer", "count"),
    [(optim.clip_grad_norm(1.0), 0), (optim.chain(optim.adam(0.1), optim.sgd(0.1)), 2)],
)
def test_an_optimizer_has_one_learning_rate(optimizer: optim.Optimizer, count: int) -> None:
    words = rf"takes an optimizer with one learning rate, got .* with {count}\."
    with pytest.raises(ArgumentError, match=words):
        fit(mlp(), optimizer=optimizer)
    with pytest.raises(ArgumentError, match=words):
        train.Runner(train.Task(mlp()), optimizer)


def lr(output: Any, target: Any) -> tuple[Any, Any]:
    return output.sum(), 1


@pytest.mark.parametrize("metrics", [("accuracy", "accuracy"), (lr,), (lambda o, t: 0,) * 2])
def test_metrics_have_names_of_their_own(metrics: Any) -> None:
    with pytest.raises(ArgumentError, match="metrics takes names that differ, also from loss, ep"):
        fit(mlp(), metrics=metrics)


def test_a_loss_that_counts_nothing_says_so() -> None:
    def nothing(output: Any, target: Any) -> tuple[Any, Any]:
        return output.sum(), 0.0

    with pytest.raises(DataError) as caught:
        fit(mlp(), loss=nothing)
    assert str(caught.value) == (
        "Training takes a loss that counts something in every step, got the count 0 at epoch 1, "
        "step 1.\n"
        "  because: a mean over nothing is no number.\n"
        "  help:    a loss gives (sum, count): return how many examples the sum is over."
    )
    assert math.isnan(train.evaluate(mlp(), (X, Y), nothing)["loss"])


def test_a_metric_that_counts_nothing_has_no_value() -> None:
    def nothing(output: Any, target: Any) -> tuple[Any, Any]:
        return output.sum(), 0.0

    run = fit(mlp(), metrics=(nothing,))
    assert [row["nothing"] for row in run.history] == [None] * len(run.history)
    assert math.isnan(train.evaluate(mlp(), (X, Y), metrics=(nothing,))["nothing"])


def turned(output: Any, target: Any) -> Any:
    return output.sum() * (1 + 1j), 1


def counted(output: Any, target: Any) -> Any:
    return output.sum(), 1j


@pytest.mark.parametrize(
    ("score", "got"), [(turned, "complex64 and int32"), (counted, "float32 and complex64")]
)
def test_a_complex_score_is_refused(score: Any, got: str) -> None:
    words = rf"takes its result as \(sum, count\), two real numbers, got {got}\."
    for scores in ({"loss": score}, {"metrics": (score,)}):
        with pytest.raises(ArgumentError, match=words) as caught:
            fit(mlp(), **scores)
        assert "no order" in caught.value.because and caught.value.help


def test_numbers_of_numpy_are_numbers() -> None:
    assert fit(mlp(), epochs=np.int64(1), batch_size=np.int32(8)).plan.epochs == 1


def array_sums(output: Any, target: Any) -> Any:
    return output, target


def one_number(output: Any, target: Any) -> Any:
    return output.sum()


def decides(output: Any, target: Any) -> Any:
    return (output.sum() if output.sum() > 0 else 0.0), 1


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (array_sums, r"array_sums .* two numbers, got shapes \(22, 3\) and \(22,\)"),
        (one_number, r"one_number takes its result as \(sum, count\), two numbers, got"),
        (decides, "decides asks for the values of an array, not only its shape"),
    ],
)
def test_a_loss_of_ones_own_gives_two_numbers(loss: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        fit(mlp(), loss=loss)


def test_a_loss_of_ones_own_may_count_with_python() -> None:
    def squares(output: Any, target: Any) -> Any:
        return (output**2).sum(), len(target)

    assert fit(mlp(), loss=squares).finished


def test_lists_of_numbers_are_arrays() -> None:
    whole = np.round(X)
    assert train_on((whole.tolist(), Y.tolist())).history == train_on((whole, Y)).history


def test_a_layer_is_not_a_model_yet() -> None:
    layer: Any = nn.Linear(4, 3)
    with pytest.raises(ArgumentError, match="takes a model, got Linear") as caught:
        train.fit(layer, (X, Y))
    assert caught.value.help.startswith("model = nn.build(layer")


def test_a_loss_by_name_takes_one_output() -> None:
    class Two(nn.Layer):
        def forward(self, x: Any) -> Any:
            return x, x

    model = nn.build(Two(), ("N", 4))
    with pytest.raises(ShapeError, match=r"cross_entropy takes one output, got 2\.") as caught:
        train.evaluate(model, (X, Y))
    assert caught.value.help.startswith("pass a loss of your own")


def test_targets_of_text_are_no_numbers() -> None:
    with pytest.raises(DTypeError, match="mse takes numbers as targets, got <U1"):
        losses.check_targets("mse", Spec(("N", 1)), np.array([["a"]]))


def test_an_index_out_of_range_is_said_to_be_one() -> None:
    layer = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2))
    model = nn.build(layer, Spec(("N", 2), "int32"))
    x, y = np.array([[0, 1], [1, 7], [2, 3]], np.int32), np.array([0, 1, 0])
    words = "F.embedding takes indices from 0 to 4, got 7"
    with pytest.raises(DataError, match=words) as caught:
        train.fit(model, (x, y), batch_size=1, epochs=1, progress="none")
    assert "of epoch 1 holds it" in caught.value.because
    for use in (model, lambda x: train.predict(model, x), lambda x: train.evaluate(model, (x, y))):
        with pytest.raises(DataError, match=words) as caught:
            use(x)
        assert caught.value.where == "index[1, 1]"
    assert jax.jit(model)(x[1:2]).shape == (1, 2)  # in a trace nobody sees values


def _own(output: Any, target: Any) -> Any:
    return (output**2).sum(), output.size


def _right(output: Any, target: Any) -> Any:
    return metrics.accuracy(output, target)


NO_CLASS = (np.ones((4, 3), np.float32), np.array([0, 1, 5, 0]))


@pytest.mark.parametrize("metric", ["accuracy", metrics.accuracy, _right])
def test_a_metric_refuses_classes_that_are_none_before_the_run(metric: Any) -> None:
    model = nn.build(nn.Linear(3, 2), ("N", 3))
    stream = train.Stream(lambda epoch: iter([NO_CLASS]), steps=1)
    words, scores = "accuracy takes classes from 0 to 1, got 5", {"metrics": (metric,)}
    for use in (
        lambda: train.fit(model, NO_CLASS, _own, **scores, progress="none"),
        lambda: train.fit(model, stream, _own, batch_size=4, **scores, progress="none"),
        lambda: train.evaluate(model, NO_CLASS, _own, **scores),
    ):
        with pytest.raises(DataError, match=words) as caught:
            use()
        assert caught.value.where == "data, y: target[2]"


def test_a_later_batch_of_a_stream_is_looked_at_too() -> None:
    model = nn.build(nn.Linear(3, 2), ("N", 3))
    good = (NO_CLASS[0], np.zeros(4, np.int64))
    stream = train.Stream(lambda epoch: iter([good, NO_CLASS]), steps=2)
    with pytest.raises(DataError, match="accuracy takes classes from 0 to 1, got 5") as caught:
        train.fit(model, stream, _own, batch_size=4, metrics=(_right,), progress="none")
    assert caught.value.where == "epoch 1, batch 2, y: target[2]"


def test_a_loss_given_as_a_function_refuses_classes_that_are_none() -> None:
    model = nn.build(nn.Linear(3, 2), ("N", 3))
    with pytest.raises(DataError, match="cross_entropy takes classes from 0 to 1, got 5"):
        train.fit(model, NO_CLASS, losses.cross_entropy, progress="none")


class Named(nn.Layer):
    def forward(self, x: Any) -> Any:
        return x["a"]


def test_a_model_of_a_dict_is_not_one_to_train() -> None:
    model: Any = nn.build(Named(), {"a": ("N", 4)})
    for use in (
        lambda: train.fit(model, ({"a": X}, Y)),
        lambda: train.evaluate(model, ({"a": X}, Y)),
        lambda: train.predict(model, {"a": X}),
    ):
        with pytest.raises(ShapeError, match=r"models of arrays, got one that takes {'a': float32"):
            use()


def test_a_dict_names_the_inputs_of_forward() -> None:
    with pytest.raises(DataError, match="The model takes inputs named xs, got a"):
        train.fit(mlp(), ({"a": X}, Y))


@dataclass
class Scaled:
    factors: list[float]

    def __call__(self, output: Any, target: Any) -> Any:
        return (output**2).sum() * self.factors[0], output.size


@dataclass(frozen=True)
class Whole:
    factor: Any

    def __call__(self, output: Any, target: Any) -> Any:
        return (output**2).sum() * self.factor, output.size


def test_a_score_has_a_hash() -> None:
    with pytest.raises(ArgumentError, match=r"A loss takes a function that can be hashed") as e:
        fit(mlp(), loss=Scaled([2.0]))
    assert e.value.because == "unhashable type: 'Scaled'" and "frozen=True" in e.value.help
    with pytest.raises(ArgumentError, match=r"A metric takes a function that can be hashed"):
        fit(mlp(), metrics=(Scaled([2.0]),))
    with pytest.raises(ArgumentError, match="function that can be hashed") as e:
        fit(mlp(), loss=Whole([2.0]))
    assert e.value.because == "unhashable type: 'list'"
    rows = [fit(mlp(), loss=Whole(n), optimizer=optim.sgd(0.0)).history[0] for n in (1.0, 2.0)]
    assert rows[1]["loss"] == 2 * rows[0]["loss"]


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_model_begins_with_finite_parameters(value: float, tmp_path: Path) -> None:
    model = mlp()
    weight = model.params["2.weight"].at[0, 0].set(value)
    model = model.replace(params={**model.params, "2.weight": weight})
    words = f"takes a model of finite parameters, got {value} in 2.weight"
    for path in (None, tmp_path / "run"):
        with pytest.raises(DataError, match=words):
            fit(model, path)
    assert not (tmp_path / "run").exists()


COUNTS: dict[str, Any] = {
    "Training takes batch_size": lambda n: train.feed((X, Y), n).batch_size,
    "Training takes epochs": lambda n: fit(mlp(), epochs=n).plan.epochs,
    "A Pace takes every": lambda n: train.Pace(every=n).every,
    "A Stream takes steps": lambda n: train.Stream(lambda k: [(X, Y)], n).steps,
}


@pytest.mark.parametrize("takes", COUNTS)
def test_a_count_is_an_integer_of_at_least_1(takes: str) -> None:
    assert [type(COUNTS[takes](n)) for n in (3, np.int64(3), np.uint8(3))] == [int] * 3
    for wrong in (0, -1, True, 3.0, "3", np.int64(0), np.array([3])):
        with pytest.raises(ArgumentError, match=f"{takes} as an integer of at least 1, got "):
            COUNTS[takes](wrong)


def test_a_loss_of_ones_own_that_does_not_fit_is_a_shape_error() -> None:
    def halves(output: Any, target: Any) -> Any:
        return (output[:5] * target[:, None]).sum(), 1

    with pytest.raises(ShapeError, match="halves does not fit: mul got incompatible shapes"):
        fit(mlp(), loss=halves)
