"""A runner by hand: it refuses what fit refuses, and a state that is used up."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from small import ADAM, BATCH, fit, mlp, rows
from test_train_checks import CASES, X, Y

from tensorem import train
from tensorem.errors import ArgumentError, DataError, TensoremError


def runner() -> train.Runner:
    return train.Runner(train.Task(mlp()), ADAM)


def refusal(use: Any) -> TensoremError:
    with pytest.raises(TensoremError) as caught:
        use()
    return caught.value


PAIRS = [name for name, case in CASES.items() if isinstance(case[0], tuple)]


@pytest.mark.parametrize("case", PAIRS)
def test_a_batch_is_checked_as_the_data_of_fit_is(case: str) -> None:
    given, error, _, _ = CASES[case]
    by_hand, state = runner(), runner().init(0)
    ours = refusal(lambda: by_hand.step(state, *given))
    theirs = refusal(lambda: train.fit(mlp(), given, progress="none"))
    assert type(ours) is type(theirs) is error and ours.what == theirs.what
    assert ours.where == theirs.where.replace("data", "batch")
    assert int(state.step) == 0  # the state is still whole
    by_hand.step(state, X, Y)


def test_rows_are_never_left_out_or_repeated() -> None:
    by_hand = runner()
    for x, y in ((X, Y[:3]), (X[:2], Y[:5])):
        with pytest.raises(DataError, match="takes as many targets as inputs, got shapes"):
            by_hand.step(by_hand.init(0), x, y)


def test_steps_by_hand_are_those_of_fit() -> None:
    by_hand, state = runner(), runner().init(7)
    for block in train.feed(rows(mlp()), BATCH, seed=7).blocks(0):
        for batch in block:
            # Lists, and the wider dtypes of NumPy, mean the same numbers.
            state, _ = by_hand.step(state, X[batch].astype(np.float64), Y[batch].tolist())
    for name, value in fit(mlp(), epochs=1).model.params.items():
        np.testing.assert_array_equal(state.params[name], value)


def test_a_state_is_used_up_once() -> None:
    by_hand, batches = runner(), train.feed((X, Y), BATCH)
    again: tuple[Any, ...] = (
        lambda state: by_hand.step(state, X, Y),
        lambda state: by_hand.epoch(state, batches),
    )
    for first in again:
        for second in again:
            state = by_hand.init(0)
            after, _ = first(state)
            with pytest.raises(ArgumentError, match="A step takes a state that is whole") as e:
                second(state)
            assert e.value.because == "a state is used up by the step it goes into."
            assert "go on with the state that came back" in e.value.help
            second(after)


def test_a_hook_that_uses_up_the_state_is_told_so(tmp_path: Any) -> None:
    hooks = train.on_epoch_end(lambda event: runner().step(event.run.state, X, Y) and None)
    with pytest.raises(ArgumentError, match="A step takes a state that is whole"):
        fit(mlp(), tmp_path, checkpoint_every=1, callbacks=hooks)


WRONG: dict[str, Any] = {
    "A Runner takes a task, got Model": lambda: train.Runner(cast(Any, mlp()), ADAM),
    "optimizer of tensorem.optim, got 3": lambda: train.Runner(train.Task(mlp()), cast(Any, 3)),
    "A step takes a state, got int": lambda: runner().step(cast(Any, 3), X, Y),
    "epoch takes batches, got tuple": lambda: runner().epoch(runner().init(), cast(Any, (X, Y))),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_runner_takes_what_it_is_made_for(words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        WRONG[words]()
