from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from tensorem import optim
from tensorem.errors import ArgumentError
from tensorem.optim import Optimizer, Schedule

RULES: list[Optimizer | Schedule] = [
    optim.sgd(0.1),
    optim.sgd(1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    optim.adam(optim.step_lr(1e-3, 10)),
    optim.adam(1e-3, weight_decay=0.1, maximize=True),
    optim.adamw(optim.cosine_lr(1e-3, 100, 1e-5), betas=(0.8, 0.95), weight_decay=0.1),
    optim.chain(optim.clip_grad_norm(1.0), optim.adam(optim.exponential_lr(0.1, 0.99))),
    optim.constant(0.3),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_descriptions_go_through_json(rule: Optimizer | Schedule) -> None:
    text = json.dumps(rule.to_json())
    assert optim.from_json(json.loads(text)) == rule
    assert hash(optim.from_json(json.loads(text))) == hash(rule)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_repr_is_the_call(rule: Optimizer | Schedule) -> None:
    assert eval(repr(rule), vars(optim)) == rule


def test_names_are_those_of_the_makers() -> None:
    assert optim.adam(1e-3).to_json() == {
        "name": "adam",
        "arguments": {
            "lr": 1e-3,
            "betas": [0.9, 0.999],
            "eps": 1e-8,
            "weight_decay": 0.0,
            "maximize": False,
        },
    }


ERRORS: list[tuple[Any, str]] = [
    (
        lambda: optim.sgd(-0.1),
        "sgd takes lr as a finite number of at least 0 or a schedule, got -0.1.",
    ),
    (
        lambda: optim.adam(math.nan),
        "adam takes lr as a finite number of at least 0 or a schedule, got nan.",
    ),
    (
        lambda: optim.adamw("1"),
        "adamw takes lr as a finite number of at least 0 or a schedule, got '1'.",
    ),
    (
        lambda: optim.sgd(True),
        "sgd takes lr as a finite number of at least 0 or a schedule, got True.",
    ),
    (lambda: optim.sgd(1, momentum=1.0), "sgd takes momentum as a number in [0, 1), got 1.0."),
    (
        lambda: optim.sgd(1, weight_decay=-1),
        "sgd takes weight_decay as a finite number of at least 0, got -1.",
    ),
    (
        lambda: optim.sgd(1, nesterov=True),
        "sgd takes nesterov with a momentum above 0, got momentum 0.",
    ),
    (
        lambda: optim.sgd(1, 0.9, nesterov=0.5),
        "sgd takes nesterov as True or False, got 0.5.",
    ),
    (lambda: optim.adam(1, maximize=1), "adam takes maximize as True or False, got 1."),
    (
        lambda: optim.adam(1, weight_decay=-1),
        "adam takes weight_decay as a finite number of at least 0, got -1.",
    ),
    (
        lambda: optim.step_lr(0.1),
        "step_lr takes (lr, step_size, gamma=0.1): missing a required argument: 'step_size'.",
    ),
    (
        lambda: optim.step_lr(0.1, True),
        "step_lr takes step_size as an integer of at least 1, got True.",
    ),
    (
        lambda: optim.adam(1, 0.9, foo=1),
        "adam takes (lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, *, "
        "maximize=False): got an unexpected keyword argument 'foo'.",
    ),
    (lambda: optim.adam(1, (0.9, 1.0)), "adam takes betas[1] as a number in [0, 1), got 1.0."),
    (lambda: optim.adamw(1, (-0.1, 0.9)), "adamw takes betas[0] as a number in [0, 1), got -0.1."),
    (lambda: optim.adam(1, 0.9), "adam takes betas as a pair, got 0.9."),
    (lambda: optim.adam(1, eps=-1.0), "adam takes eps as a finite number of at least 0, got -1.0."),
    (
        lambda: optim.clip_grad_norm(0.0),
        "clip_grad_norm takes max_norm as a finite number above 0, got 0.0.",
    ),
    (lambda: optim.chain(), "chain takes one or more optimizers, got ()."),
    (
        lambda: optim.constant(math.inf),
        "constant takes lr as a finite number of at least 0, got inf.",
    ),
    (
        lambda: optim.step_lr(1, 0),
        "step_lr takes step_size as an integer of at least 1, got 0.",
    ),
    (
        lambda: optim.exponential_lr(1, 0),
        "exponential_lr takes gamma as a finite number above 0, got 0.",
    ),
    (
        lambda: optim.cosine_lr(0.1, 10, min_lr=0.2),
        "cosine_lr takes min_lr up to lr = 0.1, got 0.2.",
    ),
]


@pytest.mark.parametrize(("make", "text"), ERRORS)
def test_errors_word_by_word(make: Any, text: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()
    assert str(error.value) == text


def test_numbers_of_numpy_are_kept_as_numbers_of_python() -> None:
    rules = [
        optim.adam(np.float32(0.5), betas=(np.float32(0.5), np.float16(0.25)), eps=np.float64(1)),
        optim.sgd(optim.step_lr(0.1, np.int64(3)), np.float32(0.5), nesterov=np.bool_(True)),
        optim.clip_grad_norm(np.float32(2.0)),
    ]
    for rule in rules:
        assert optim.from_json(json.loads(json.dumps(rule.to_json()))) == rule
        assert eval(repr(rule), vars(optim)) == rule
    assert dict(rules[0].arguments)["betas"] == (0.5, 0.25)
    assert type(dict(rules[2].arguments)["max_norm"]) is float


def test_half_a_number_does_not_hold_the_usual_eps() -> None:
    half = np.dtype("float16")
    with pytest.raises(ArgumentError) as error:
        optim.check_dtype(optim.chain(optim.clip_grad_norm(1.0), optim.adam(1e-3)), half)
    assert str(error.value) == (
        "adam takes an eps that float16 holds, got 1e-08.\n"
        "  help: adam(..., eps=1e-4), or train in bfloat16."
    )
    for rate in (1e300, 1e-300):
        with pytest.raises(ArgumentError, match="sgd takes an lr that float32 holds, got 1e"):
            optim.check_dtype(optim.sgd(rate), np.dtype("float32"))
    for fine in (
        optim.sgd(0.1),
        optim.sgd(0.0),
        optim.adamw(0.1, eps=1e-4),
        optim.adam(0.1, eps=0.0),
    ):
        optim.check_dtype(fine, half)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ([], "An optimizer takes a name and arguments"),
        ({"name": "adam"}, "An optimizer takes a name and arguments"),
        ({"name": "os", "arguments": {}}, "An optimizer takes a name of sgd, adam, .* got 'os'"),
        (
            {"name": "adam", "arguments": {"rate": 1}},
            r"adam takes \(lr=.*\): got an unexpected keyword argument 'rate'",
        ),
        (
            {"name": "sgd", "arguments": {"momentum": 0.9, "nesterov": "no"}},
            "sgd takes nesterov as True or False, got 'no'.",
        ),
        ({"name": "adam", "arguments": 3}, "adam takes its own arguments, got 3"),
        ({"name": "chain", "arguments": {}}, "chain takes its own arguments"),
        ({"name": "chain", "arguments": {"optimizers": [1]}}, "chain takes one or more"),
        (
            {"name": "adam", "arguments": {"lr": -1}},
            "adam takes lr as a finite number of at least 0",
        ),
        ({"name": ["adam"], "arguments": {}}, "An optimizer takes a name of"),
    ],
)
def test_broken_descriptions_are_refused(description: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        optim.from_json(description)
