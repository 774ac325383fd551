"""Descriptions of optimizers and schedules: what they take, say, and become."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import optax
import pytest

from close import assert_close
from tensorem import optim
from tensorem.errors import ArgumentError
from tensorem.optim import OPTIMIZERS, SCHEDULES, Optimizer, Schedule

GIVEN: dict[str, list[Any]] = {
    "chain": [optim.clip_grad_norm(1.0), optim.adam(optim.exponential_lr(0.1, 0.99))],
    "clip_grad_norm": [1.0],
    "clip_grad_value": [0.5],
    "groups": [{"a.*": optim.sgd(0.1), "b.*": None, "*": optim.muon()}],
    "scaled": [optim.adam(0.1)],
    "from_optax": [optax.adabelief(1e-3)],
    "constant": [0.3],
    "step_lr": [0.1, optim.epochs(1.5)],
    "multi_step_lr": [0.1, (10, 20)],
    "exponential_lr": [0.1, 0.5],
    "cosine_restarts_lr": [0.1, 10],
    "warmup_lr": [optim.cosine_lr(0.1), optim.fraction(0.1)],
    "one_cycle_lr": [0.1],
    "cyclic_lr": [0.01, 0.1],
    "function": [optax.constant_schedule(0.1)],
}
"""Row -> what it is made of, where it has no defaults."""


def made(name: str) -> Optimizer | Schedule:
    if name == "sequential_lr":
        return optim.sequential_lr(0.1, optim.cosine_lr(0.1), milestones=(10,))
    rule: Optimizer | Schedule = (OPTIMIZERS | SCHEDULES)[name].make(
        *GIVEN.get(name, [0.1][: name in SCHEDULES])
    )
    return rule


RULES = {name: made(name) for name in OPTIMIZERS | SCHEDULES}
CODE = ("from_optax", "function")


@pytest.mark.parametrize("name", sorted(RULES.keys() - set(CODE)))
def test_descriptions_go_through_json_and_the_repr_is_the_call(name: str) -> None:
    rule = RULES[name]
    text = json.dumps(rule.to_json())
    assert optim.from_json(json.loads(text)) == rule
    assert hash(optim.from_json(json.loads(text))) == hash(rule)
    assert eval(repr(rule), vars(optim)) == rule
    assert not optim.needs_code(json.loads(text))


@pytest.mark.parametrize("name", CODE)
def test_of_code_its_place_is_recorded(name: str) -> None:
    text = json.dumps(RULES[name].to_json())
    assert "optax" in text and optim.needs_code(json.loads(text))
    words = f"{name} takes .* got 'optax.*\n  because: a run records where its code stands"
    with pytest.raises(ArgumentError, match=words):
        optim.from_json(json.loads(text))


ARGUMENTS = [(name, key) for name, row in (OPTIMIZERS | SCHEDULES).items() for key in row.arguments]


@pytest.mark.parametrize(
    ("name", "key"), [(n, k) for n, k in ARGUMENTS if (OPTIMIZERS | SCHEDULES)[n].spread != k]
)
def test_every_argument_of_every_row_has_a_range(name: str, key: str) -> None:
    row = (OPTIMIZERS | SCHEDULES)[name]
    given = {k: v for k, v in RULES[name].arguments if k != row.spread} | {key: "no"}
    with pytest.raises(ArgumentError, match=rf"^{name} takes .*got 'no'\."):
        row.make(*dict(RULES[name].arguments).get(row.spread, ()), **given)


OLD = [
    (
        {
            "name": "adam",
            "arguments": {
                "lr": 1e-3,
                "betas": [0.9, 0.999],
                "eps": 1e-8,
                "weight_decay": 0.0,
                "maximize": False,
            },
        },
        optim.adam(1e-3),
    ),
    (
        {
            "name": "sgd",
            "arguments": {
                "lr": {
                    "name": "cosine_lr",
                    "arguments": {"lr": 0.1, "total_steps": 9, "min_lr": 0.0},
                },
                "momentum": 0.0,
                "weight_decay": 0.0,
                "nesterov": False,
                "maximize": False,
            },
        },
        optim.sgd(optim.cosine_lr(0.1, 9)),
    ),
]


@pytest.mark.parametrize(("recorded", "rule"), OLD)
def test_runs_that_were_recorded_before_still_load(recorded: Any, rule: Optimizer) -> None:
    assert optim.from_json(recorded) == rule


# Steps of the papers' formulas in NumPy, of which PyTorch has none.
def lamb(p: Any, g: Any, s: dict[str, Any], t: int) -> Any:
    """You et al. 2020, algorithm 2: lr 0.1, betas (0.8, 0.9), eps 1e-6, decay 0.3."""
    s["m"], s["v"] = 0.8 * s["m"] + 0.2 * g, 0.9 * s["v"] + 0.1 * g**2
    u = s["m"] / (1 - 0.8**t) / (np.sqrt(s["v"] / (1 - 0.9**t)) + 1e-6) + 0.3 * p
    return p - 0.1 * np.linalg.norm(p) / np.linalg.norm(u) * u


def lion(p: Any, g: Any, s: dict[str, Any], t: int) -> Any:
    """Chen et al. 2023, algorithm 2: lr 0.1, betas (0.8, 0.9), decay 0.3."""
    u, s["m"] = np.sign(0.8 * s["m"] + 0.2 * g), 0.9 * s["m"] + 0.1 * g
    return p - 0.1 * (u + 0.3 * p)


@pytest.mark.parametrize("paper", [lamb, lion])
def test_a_paper_in_numpy(paper: Any) -> None:
    import jax

    rule = OPTIMIZERS[paper.__name__].make(0.1, (0.8, 0.9), weight_decay=0.3)
    expected, s = np.array([[1.0, -2.0], [0.5, 3.0]]), {"m": 0.0, "v": 0.0}
    with jax.enable_x64(True):
        p = jax.numpy.asarray(expected)
        transform = rule.transform()
        state, update = transform.init(p), jax.jit(transform.update)
        for t in range(1, 51):
            g = np.random.default_rng(t).normal(size=p.shape)
            move, state = update(g, state, p)
            p, expected = p + move, paper(expected, g, s, t)
            assert_close(np.asarray(p), expected, rtol=1e-11)


@pytest.mark.parametrize("name", ["adam", "nadam", "radam", "adagrad", "adafactor", "lbfgs"])
def test_moments_stay_in_the_dtype_of_the_parameter(name: str) -> None:
    import jax

    transform = OPTIMIZERS[name].make().transform()
    p = jax.numpy.ones((2, 3), "bfloat16")
    state = transform.init(p)
    forms = jax.eval_shape(transform.update, p, state, p)
    assert jax.tree.map(lambda a: a.dtype, forms[1]) == jax.tree.map(lambda a: a.dtype, state)
    assert forms[0].dtype == p.dtype


def rates(schedule: Schedule, steps_per_epoch: int, epochs: int, at: list[int]) -> list[float]:
    function = schedule.over(steps_per_epoch, epochs).function()
    return [float(np.asarray(function(t))) for t in at]


def test_schedules_count_steps_epochs_or_fractions_of_a_run() -> None:
    half = [0.8, 0.8, 0.4, 0.4, 0.2]
    at = [0, 9, 10, 19, 20]
    for size in (10, optim.epochs(2), optim.fraction(0.5)):
        assert_close(rates(optim.step_lr(0.8, size, 0.5), 5, 4, at), half, rtol=1e-6)
    for whole in (optim.cosine_lr(0.8), optim.linear_lr(0.8, 1, 0), optim.polynomial_lr(0.8)):
        assert_close(rates(whole, 5, 4, [0, 10, 20]), [0.8, 0.4, 0.0])
    assert optim.epochs(0.01).steps(optim.Clock(5, 20)) == 1


def test_a_fraction_within_is_of_what_is_left() -> None:
    warm = optim.warmup_lr(optim.cosine_lr(0.8), optim.fraction(0.2))
    assert_close(rates(warm, 5, 4, [0, 2, 4, 12, 20]), [0, 0.4, 0.8, 0.4, 0])
    two = optim.sequential_lr(
        optim.linear_lr(0.8, 0, 1), optim.linear_lr(0.8, 1, 0), milestones=(optim.epochs(1),)
    )
    assert_close(rates(two, 4, 3, [0, 2, 4, 8, 12]), [0, 0.4, 0.8, 0.4, 0])
    nested = optim.chain(optim.clip_grad_norm(1.0), optim.groups({"*": optim.sgd(warm)}))
    assert "fraction" not in repr(nested.over(5, 4)) and "fraction" in repr(nested)


def test_a_length_that_is_not_known_is_asked_for() -> None:
    for schedule in (optim.cosine_lr(0.1), optim.step_lr(0.1, optim.epochs(1))):
        with pytest.raises(
            ArgumentError, match=r"takes the length of its run to know the steps of"
        ):
            schedule.function()
        with pytest.raises(ArgumentError, match=r"help:\s+train\.fit knows it; else say it:"):
            optim.sgd(schedule).transform()


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        (
            ("0.*", "*.bias"),
            "groups takes a pattern for every parameter, got none for 1.weight.\n"
            '  help: "*": ... as the last has all others; None leaves them as they are.',
        ),
        (
            ("head.*", "*"),
            "groups takes patterns that have a parameter each, got 'head.*' with none.\n"
            "  help: near: 0.weight, 0.bias, 1.weight.",
        ),
        (
            ("*", "0.*"),
            "groups takes patterns that have a parameter each, got '0.*' with none.\n"
            "  because: patterns before it have all that it fits.",
        ),
    ],
)
def test_patterns_and_parameters_find_each_other(patterns: tuple[str, ...], words: str) -> None:
    params = {f"{i}.{name}": np.zeros((2, 2)) for i in (0, 1) for name in ("weight", "bias")}
    with pytest.raises(ArgumentError) as error:
        optim.check_params(optim.groups(dict.fromkeys(patterns, optim.sgd())), params)
    assert str(error.value) == words


def test_each_group_is_stepped_by_its_own_and_frozen_ones_keep_nothing() -> None:
    import jax

    rule = optim.groups({"*.bias": optim.sgd(0.5), "0.*": None, "*": optax.adam(0.1)})
    params = {k: jax.numpy.ones(3) for k in ("0.bias", "0.weight", "1.weight")}
    transform = rule.transform()
    state = transform.init(params)
    updates, state = transform.update(params, state, params)
    assert {k: float(u[0]) for k, u in updates.items()} == pytest.approx(
        {"0.bias": -0.5, "0.weight": 0.0, "1.weight": -0.1}, rel=1e-5
    )
    assert sum(a.size for a in jax.tree.leaves(state)) == 3 + 3 + 1  # mean, square, count
    assert optim.frozen_of(rule, params) == {"0.weight"}
    assert optim.rates_of(rule) == {"lr[*.bias]": 0.5}


def test_muon_takes_matrices() -> None:
    with pytest.raises(ArgumentError, match=r"muon takes matrices, got bias of shape \(3,\)\."):
        optim.check_params(optim.muon(), {"w": np.zeros((2, 2)), "bias": np.zeros(3)})


def test_a_plot_has_a_column_for_each_step() -> None:
    lines = optim.plot(optim.step_lr(1.0, optim.epochs(1), 0.5), 4, steps_per_epoch=2).splitlines()
    assert lines[0] == "        1 |**"
    assert lines[3] == "    0.571 |  **"
    assert lines[-1] == "     step  0  3"


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
        lambda: optim.sgd(1, 0.9, 0.5, nesterov=True),
        "sgd takes nesterov with a dampening of 0, got dampening 0.5.",
    ),
    (
        lambda: optim.multi_step_lr(1, (3, 3)),
        "multi_step_lr takes milestones that increase, got (3, 3).",
    ),
    (
        lambda: optim.multi_step_lr(1, 3),
        "multi_step_lr takes milestones as a tuple of steps, got 3.",
    ),
    (
        lambda: optim.sequential_lr(0.1, 0.2, milestones=(1, 2)),
        "sequential_lr takes a milestone between two schedules, got 2 schedules and 2 milestones.",
    ),
    (
        lambda: optim.sequential_lr(milestones=(1,)),
        "sequential_lr takes one or more schedules, got none.",
    ),
    (
        lambda: optim.groups({3: optim.sgd()}),  # type: ignore[dict-item]
        f"groups takes a dictionary of patterns and optimizers, got {{3: {optim.sgd()!r}}}.\n"
        '  help: optim.groups({"backbone.*": optim.adam(1e-5), "*": optim.adam(1e-3)}).',
    ),
    (lambda: optim.fraction(1.5), "fraction takes part as a number in (0, 1], got 1.5."),
    (lambda: optim.epochs(0), "epochs takes count as a finite number above 0, got 0."),
    (
        lambda: optim.one_cycle_lr(0.1, 9, anneal_strategy="cosine"),
        "one_cycle_lr takes anneal_strategy as one of cos, linear, got 'cosine'.",
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
        "step_lr takes step_size as an integer of at least 1, optim.epochs(...) or "
        "optim.fraction(...), got True.",
    ),
    (
        lambda: optim.adam(1, 0.9, foo=1),
        "adam takes (lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, "
        "amsgrad=False, *, maximize=False): got an unexpected keyword argument 'foo'.",
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
        "step_lr takes step_size as an integer of at least 1, optim.epochs(...) or "
        "optim.fraction(...), got 0.",
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
    half = {"weight": np.zeros(3, np.float16)}
    with pytest.raises(ArgumentError) as error:
        optim.check_params(optim.chain(optim.clip_grad_norm(1.0), optim.adam(1e-3)), half)
    assert str(error.value) == (
        "adam takes an eps that float16 holds, got 1e-08.\n"
        "  help: adam(..., eps=1e-4), or train in bfloat16."
    )
    for rate in (1e300, 1e-300):
        with pytest.raises(ArgumentError, match="sgd takes an lr that float32 holds, got 1e"):
            optim.check_params(optim.sgd(rate), {"weight": np.zeros(3, np.float32)})
    for fine in (
        optim.sgd(0.1),
        optim.sgd(0.0),
        optim.adamw(0.1, eps=1e-4),
        optim.adam(0.1, eps=0.0),
    ):
        optim.check_params(fine, half)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ([], "An optimizer takes a name and arguments"),
        ({"name": "adam"}, "An optimizer takes a name and arguments"),
        (
            {"name": "os", "arguments": {}},
            "An optimizer takes a name of chain, .*, adam, .* got 'os'",
        ),
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


def test_a_rate_is_the_same_in_any_company() -> None:
    rule = optim.adam(optim.cosine_lr(0.1, 300))
    together = optim.learning_rates(rule, range(300))
    assert together == [optim.learning_rates(rule, [step])[0] for step in range(300)]
    assert optim.learning_rates(rule, []) == []
    assert [r["lr"] for r in together[::100]] == pytest.approx([0.1, 0.075, 0.025], rel=1e-6)
