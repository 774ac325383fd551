"""No mutant of a certificate is accepted unless exact arithmetic derives it too."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from checker_cases import CASES, TILES, Array, Case, Net, certify, cnn, evaluate, fractions, mlp

from tensorem.check import MalformedError, Result, UnsupportedError, _check, check, prepare
from tensorem.check._numbers import FLOAT64

Mutation = Callable[[Case, Any], None]


# --- mutations of the claim


def _eps(case: Case, rng: Any) -> None:
    old = Fraction(case.claim["eps"])
    scaled = float(old) * rng.choice([0, 0.5, 0.999, 1.000001, 1.001, 1.1, 2, 10])
    case.claim["eps"] = rng.choice([f"{scaled:.17f}", "-0.01", "nan", "0", case.claim["eps"] + "1"])


def _label(case: Case, rng: Any) -> None:
    case.claim["label"] = int(rng.integers(-1, 4))


def _clip(case: Case, rng: Any) -> None:
    choices = [
        None,
        ["0", "1"],
        ["-0.1", "1.1"],
        ["0.3", "0.7"],
        ["1", "0"],
        ["0"],
        "01",
        ["0", None],
    ]
    case.claim["clip"] = choices[rng.integers(len(choices))]


def _method(case: Case, rng: Any) -> None:
    case.claim["method"] = str(rng.choice(["ibp", "crown", "alpha"]))
    if case.claim["method"] == "ibp" and rng.random() < 0.8:
        case.tensors = {name: case.tensors[name] for name in ("center", "outputs")}


def _field(case: Case, rng: Any) -> None:
    name = str(rng.choice(sorted(case.claim)))
    values = [None, "", 2, 1.5, [], {}, "real", "float32", True]
    if rng.random() < 0.3:
        del case.claim[name]
    else:
        case.claim[name] = values[rng.integers(len(values))]


# --- mutations of the tensors


def _odd_number(old: float, rng: Any) -> float:
    choices = [np.nan, np.inf, -np.inf, 0.0, -old, old * 1.01, old + 0.1, 1e30, old * 0.5]
    choices += [float(np.nextafter(np.float32(old), np.float32(side))) for side in (-9e9, 9e9)]
    weights = np.array([0.3, 0.3, 0.3, 2, 2, 3, 2, 0.3, 2, 3, 3])
    return choices[rng.choice(len(choices), p=weights / weights.sum())]


def _entry(arrays: dict[str, Array], name: str, rng: Any) -> None:
    array = arrays[name].copy()
    i = tuple(rng.integers(n) for n in array.shape)
    if array.dtype == np.int32:
        array[i] = rng.integers(-1, 5)
    elif name.startswith("slope"):
        array[i] = rng.choice([-1e-7, 0, 0.25, 1, 1 + 2e-7, np.nan, -np.inf, rng.uniform()])
    else:
        array[i] = _odd_number(float(array[i]), rng)
    arrays[name] = array


def _lines(case: Case, rng: Any) -> None:
    names = [name for name in case.tensors if name not in ("center", "outputs")]
    for _ in range(rng.integers(1, 6) if names else 0):
        _entry(case.tensors, str(rng.choice(names)), rng)


def _all_slopes(case: Case, rng: Any) -> None:
    for name, array in case.tensors.items():
        if name.startswith("slope"):
            case.tensors[name] = rng.uniform(-0.01, 1, array.shape).astype(np.float32)


def _center(case: Case, rng: Any) -> None:
    _entry(case.tensors, "center", rng)


def _outputs(case: Case, rng: Any) -> None:
    _entry(case.tensors, "outputs", rng)


def _tensor(case: Case, rng: Any) -> None:
    name = str(rng.choice(sorted(case.tensors)))
    old = case.tensors.pop(name)
    forms = [None, old.ravel(), old[..., :-1], old.astype(np.float64)]
    form = forms[rng.integers(len(forms))]
    if form is not None:
        case.tensors[name] = form
    elif rng.random() < 0.5:
        case.tensors[name + "'"] = old


# --- mutations of weights and graph


def _weights(case: Case, rng: Any) -> None:
    for _ in range(rng.integers(1, 4)):
        _entry(case.arrays, str(rng.choice(sorted(case.arrays))), rng)


def _node(case: Case, rng: Any) -> dict[str, Any]:
    nodes = case.document["nodes"]
    return nodes[rng.integers(len(nodes))]  # type: ignore[no-any-return]


def _op(case: Case, rng: Any) -> None:
    ops = ["relu", "neg", "add", "sub", "stop_gradient", "linear", "exp", "leaky_relu", "flip"]
    _node(case, rng)["op"] = str(rng.choice(ops))


def _attr(case: Case, rng: Any) -> None:
    node = _node(case, rng)
    values = [-1, 0, 1, 2, 10**12, 0.5, "N", [], [0], [2, 2], [1, 1], None]
    for name, old in list(node["attrs"].items()):
        if isinstance(old, list) and old and rng.random() < 0.7:
            old[rng.integers(len(old))] = values[rng.integers(6)]
        else:
            node["attrs"][name] = values[rng.integers(len(values))]


def _operands(case: Case, rng: Any) -> None:
    node, names = _node(case, rng), sorted(case.document["specs"])
    if rng.random() < 0.5:
        node["inputs"].reverse()
    else:
        node["inputs"][rng.integers(len(node["inputs"]))] = str(rng.choice(names))


def _nodes(case: Case, rng: Any) -> None:
    nodes = case.document["nodes"]
    i, j = rng.integers(len(nodes), size=2)
    match rng.integers(3):
        case 0:
            del nodes[i]
        case 1:
            nodes.insert(j, nodes[i])
        case _:
            nodes[i], nodes[j] = nodes[j], nodes[i]


def _skip(case: Case, rng: Any) -> None:
    """Leave out a node: its users read its operand instead."""
    node = _node(case, rng)
    for other in case.document["nodes"]:
        swap = {node["outputs"][0]: node["inputs"][0]}
        other["inputs"] = [swap.get(name, name) for name in other["inputs"]]


def _spec(case: Case, rng: Any) -> None:
    specs = case.document["specs"]
    spec = specs[str(rng.choice(sorted(specs)))]
    values: list[Any] = [0, -1, 2, 2**70, "N", "8*M", "?", 1.0, None]
    if rng.random() < 0.2:
        spec["dtype"] = "float64"
    elif spec["shape"]:
        spec["shape"][rng.integers(len(spec["shape"]))] = values[rng.integers(len(values))]


def _hash(case: Case, rng: Any) -> None:
    name = str(rng.choice(["graph", "weights"]))
    case.claim[name] = "0" + case.claim[name][1:] if rng.random() < 0.9 else ""


CLAIM: list[Mutation] = [_eps, _eps, _label, _clip, _method, _field, _hash]
TENSORS: list[Mutation] = [_lines, _lines, _all_slopes, _center, _outputs, _tensor]
MODEL: list[Mutation] = [_weights, _weights, _op, _attr, _operands, _nodes, _skip, _spec]


# --- the law


def norm_net(seed: int = 0, eps: str = "0.01") -> Case:
    rng = np.random.default_rng(seed)
    net = Net((1, 2, 2, 2))
    h = net.op("relu", net.norm("x", rng))
    h = net.op("add", net.op("relu", net.conv(h, 2, rng)), h)
    h = net.op("avg_pool2d", h, **TILES | {"stride": [1, 1]}, divisor=4)
    net.linear(net.flatten(h), 3, rng)
    return certify(net, rng.uniform(0.2, 0.8, net.shape), eps, rng, ["0", "1"])


def verdict(case: Case, mode: str) -> Result:
    """The checker's result; what it refuses to read is not accepted either."""
    try:
        return check(case.document, case.arrays, case.claim, case.tensors, mode)
    except (MalformedError, UnsupportedError) as error:
        return Result(False, str(error))


DIGITS = 17


def edge(case: Case) -> tuple[str, str]:
    """The largest eps of 17 digits that exact arithmetic derives, and the next one."""
    checker = prepare(case.document, case.arrays)

    def derives(numerator: int, mode: str) -> bool:
        claim = case.claim | {"eps": _decimal(numerator)}
        return checker.check(claim, case.tensors, mode).accepted

    near = _last(lambda n: derives(n, "float64"), 0, 10**DIGITS - 1)
    last = _last(lambda n: derives(n, "exact"), near, near + 10**5)
    return _decimal(last), _decimal(last + 1)


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The last number that holds, between one that does and one that does not."""
    assert holds(low) and not holds(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _decimal(numerator: int) -> str:
    return f"0.{numerator:0{DIGITS}d}"


@cache
def bases() -> list[Case]:
    """Certificates with room to spare, and others at the very edge of what can be derived."""
    return [make(seed) for make in (mlp, cnn, norm_net) for seed in (1, 2)] + on_edge()


@cache
def on_edge() -> list[Case]:
    edges = [mlp(1), mlp(2), cnn(1), norm_net(1)]
    for case in edges:
        case.claim["eps"] = edge(case)[0]
    return edges


def mutant(rng: Any) -> tuple[Case, bool]:
    """A mutant, and whether its hashes still have to tell."""
    base = bases()[rng.integers(len(bases()))]
    case = base.copy()
    pool = [CLAIM, TENSORS, MODEL, MODEL + CLAIM + TENSORS][rng.integers(4)]
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        try:
            pool[rng.integers(len(pool))](case, rng)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            continue  # an earlier mutation left nothing to mutate here
    repaired = rng.random() < 0.85
    if repaired:
        _repair(case)
    model = (case.document, {k: v.tobytes() for k, v in case.arrays.items()})
    old = (base.document, {k: v.tobytes() for k, v in base.arrays.items()})
    return case, not repaired and model != old


def _repair(case: Case) -> None:
    """Make outputs and hashes fit the mutated model, so that the arithmetic has to tell."""
    try:
        with np.errstate(all="ignore"):
            case.record().rehash()
    except Exception:
        return


def assert_mutants_are_refused(count: int, seed: int) -> Counter[str]:
    """Raise if a mutant is accepted that its hashes, exact arithmetic or a vertex refute."""
    rng, seen = np.random.default_rng(seed), Counter[str]()
    for _ in range(count):
        case, stale = mutant(rng)
        result = verdict(case, "float64")
        seen["arithmetic"] += result.margin is not None
        seen["accepted"] += result.accepted
        if result.accepted:
            assert not stale, "accepted with stale hashes"
            assert verdict(case, "exact").accepted, f"not derived: {json.dumps(case.claim)}"
            assert_true_at_a_vertex(case, rng)
    return seen


def assert_true_at_a_vertex(case: Case, rng: Any) -> None:
    """Raise unless the claim holds at a random vertex, by the naive evaluator."""
    center = fractions(case.tensors["center"])
    x = center + Fraction(case.claim["eps"]) * rng.choice([-1, 1], center.shape).astype(object)
    if case.claim["clip"]:
        low, high = map(Fraction, case.claim["clip"])
        x = np.minimum(np.maximum(x, low), high)
    y = evaluate(case.document, case.arrays, x)[case.document["outputs"][0]][0]
    label = case.claim["label"]
    assert all(y[label] > y[j] for j in range(len(y)) if j != label)


def test_300_mutants() -> None:
    seen = assert_mutants_are_refused(300, 0)
    assert seen["arithmetic"] > 90 and 30 < seen["accepted"] < 200


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 11))
def test_10_000_mutants(seed: int) -> None:
    seen = assert_mutants_are_refused(1000, seed)
    assert seen["arithmetic"] > 300 and 100 < seen["accepted"] < 700


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_no_unmutated_certificate_is_refused(name: str) -> None:
    for seed in range(30):
        case = CASES[name](seed, "0.003")
        exact = verdict(case, "exact").margin
        assert exact is not None
        assert verdict(case, "float64").accepted == (exact > 1e-9)


def assert_refused_beyond_the_edge(case: Case, mode: str) -> None:
    """Raise if one of the first 30 steps of eps that cannot be derived is accepted."""
    checker, last = prepare(case.document, case.arrays), int(case.claim["eps"].removeprefix("0."))
    for step in range(1, 31):
        claim = case.claim | {"eps": _decimal(last + step)}
        assert not checker.check(claim, case.tensors, mode).accepted


def test_the_steps_beyond_the_edge_are_refused() -> None:
    """The eps that exact arithmetic just fails to derive, 17 digits after the point."""
    for case in on_edge():
        assert verdict(case, "exact").accepted
        assert_refused_beyond_the_edge(case, "float64")


def test_the_edge_catches_a_checker_without_error_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = on_edge()
    blind = dataclasses.replace(FLOAT64, gamma=lambda n: 0.0, tiny=0.0, up=lambda x: x)
    monkeypatch.setitem(_check.MODES, "float64", blind)
    # Without error terms a point has bounds in the wrong order, which the replay would refuse.
    monkeypatch.setattr(_check, "_replay", lambda *_: None)
    with pytest.raises(AssertionError):
        for case in cases:
            assert_refused_beyond_the_edge(case, "float64")


def test_the_law_catches_a_checker_that_skips_the_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_check, "graph_hash", lambda document: "0" * 64)
    monkeypatch.setattr(_check, "weights_hash", lambda arrays: "0" * 64)
    real = _check.parse_claim

    def planted(fields: Any) -> Any:
        return dataclasses.replace(real(fields), graph="0" * 64, weights="0" * 64)

    monkeypatch.setattr(_check, "parse_claim", planted)
    with pytest.raises(AssertionError, match="stale"):
        assert_mutants_are_refused(300, 0)
