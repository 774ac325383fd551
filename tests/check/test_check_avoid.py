"""Claims about unsafe sets: what is accepted is true at exact points, and no part is left out."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from checker_cases import (
    CASES,
    Case,
    Net,
    Unsafe,
    as_ibp,
    avoiding,
    certify,
    decimal,
    evaluate,
    fractions,
    write,
)

from tensorem.check import (
    MalformedError,
    Result,
    UnsupportedError,
    _claim,
    check,
    check_files,
)
from tensorem.check._numbers import EXACT, FLOAT64

MODES = ["float64", "exact"]


def run(case: Case, mode: str = "float64") -> Result:
    return check(case.document, case.arrays, case.claim, case.tensors, mode)


def absolute() -> Case:
    """y = |x| for x in [-1, 1], with the line y >= x."""
    net = Net((1, 1))
    ends = [net.op("relu", x) for x in ("x", net.op("neg", "x"))]
    net.op("add", *ends)
    case = certify(net, np.zeros((1, 1)), "1", np.random.default_rng(0))
    case.tensors["slope.v1"][:], case.tensors["slope.v2"][:] = 1, 0
    return case


def crossing() -> Case:
    """y = (x, 1 - x) for x in [-1, 2]."""
    net = Net((1, 1))
    weight, bias = net.array("w", [[1], [-1]]), net.array("b", [0, 1])
    net.op("linear", "x", weight, bias)
    return certify(net, np.full((1, 1), 0.5), "1.5", np.random.default_rng(0))


NEGATIVE: Unsafe = [[({0: "1"}, "-0.001")]]
BOTH: Unsafe = [[({0: "1"}, "0"), ({1: "1"}, "0")]]
HALVES = ((0, 0.0), (-1, 0.0), (-1, 0.0))


# --- what is accepted


@pytest.mark.parametrize("mode", MODES)
def test_bounds_of_an_output_from_both_sides(mode: str) -> None:
    case = crossing()
    result = run(avoiding(case, [[({0: "-1"}, "-2.5")], [({1: "1"}, "-1.25")]]), mode)
    assert result == Result(True, result.reason, result.margin)
    assert result.margin == pytest.approx(0.25) and "every margin is at least" in result.reason


@pytest.mark.parametrize("mode", MODES)
def test_a_set_that_no_inequality_alone_excludes_takes_a_sum(mode: str) -> None:
    case = avoiding(crossing(), BOTH)
    assert run(case, mode).margin == pytest.approx(1)
    case.tensors["multipliers"][0, 1] = 0
    assert not run(case, mode).accepted


@pytest.mark.parametrize("mode", MODES)
def test_a_box_that_must_be_cut(mode: str) -> None:
    assert not run(avoiding(absolute(), NEGATIVE), mode).accepted
    case = avoiding(absolute(), NEGATIVE, cuts=HALVES)
    assert run(case, mode).margin == pytest.approx(0.001)
    case.claim["unsafe"][0][0]["bound"] = "0"  # y(0) = 0
    assert not run(case, mode).accepted


def test_intervals_alone_carry_no_lines() -> None:
    case = avoiding(as_ibp(absolute()), [[({0: "-1"}, "-2.001")]], cuts=HALVES)
    assert run(case).accepted and run(case, "exact").accepted


def test_outputs_of_any_shape(tmp_path: Any) -> None:
    net = Net((1, 1, 2, 2))
    net.conv("x", 2, np.random.default_rng(0))
    case = certify(net, np.ones(net.shape), "0.1", np.random.default_rng(0))
    case = avoiding(case, [[({7: "1"}, "-100")]])
    assert check_files(*write(case, tmp_path)).accepted


# --- the truth, at exact points


def reached(case: Case, x: Any) -> bool:
    """Does an exact point of the box end in an unsafe set?"""
    y = evaluate(case.document, case.arrays, x)[case.document["outputs"][0]].ravel()
    return any(
        all(sum(Fraction(c) * y[i] for i, c in s["terms"]) <= Fraction(s["bound"]) for s in one)
        for one in case.claim["unsafe"]
    )


def points(case: Case, rng: Any, count: int) -> list[Any]:
    """The vertices nearest to nothing: exact corners and rationals between."""
    ends = [np.array(list(map(Fraction, case.claim[end])), object) for end in ("lower", "upper")]
    shape = case.tensors["center"].shape
    parts = [
        rng.choice([0, 1], len(ends[0])) if i % 2 else rng.integers(0, 8, len(ends[0]))
        for i in range(count)
    ]
    scale = [1 if i % 2 else 7 for i in range(count)]
    return [
        (ends[0] + (ends[1] - ends[0]) * fractions(p) / n).reshape(shape)
        for p, n in zip(parts, scale, strict=True)
    ]


def at_random(name: str, seed: int) -> Case:
    """Sets around the output at the centre, of which some are missed and some are not."""
    rng = np.random.default_rng(seed)
    case = CASES[name](1, str(rng.choice(["0.05", "0.3"])))
    y = evaluate(case.document, case.arrays, fractions(case.tensors["center"]))
    center = y[case.document["outputs"][0]].ravel()
    unsafe: Unsafe = []
    for _ in range(rng.integers(1, 3)):
        one = []
        for _ in range(rng.integers(1, 3)):
            terms = {int(i): f"{rng.normal():.3f}" for i in rng.permutation(3)[:2]}
            value = sum(Fraction(c) * center[i] for i, c in terms.items())
            one.append((terms, f"{float(value) + rng.normal(-0.3, 0.4):.5f}"))
        unsafe.append(one)
    n, cuts = len(case.tensors["center"].ravel()), [(-1, 0.0)]
    for _ in range(rng.integers(0, 4)):
        axis = int(rng.integers(n))
        cuts = [(axis, float(case.tensors["center"].ravel()[axis])), *cuts, (-1, 0.0)]
    case = avoiding(case, unsafe, cuts=cuts)
    shape = case.tensors["multipliers"].shape
    case.tensors["multipliers"] = rng.choice([0, 0.5, 1, 3], shape).astype(np.float32)
    return case


@pytest.mark.parametrize("name", ["mlp", "cnn", "residual"])
def test_no_accepted_claim_fails_at_an_exact_point(name: str) -> None:
    verdicts = []
    for seed in range(12):
        case = at_random(name, seed)
        accepted = run(case).accepted
        verdicts.append(accepted)
        met = any(reached(case, x) for x in points(case, np.random.default_rng(seed), 6))
        assert not (accepted and met), f"{name} {seed} is accepted and false"
    assert 0 < sum(verdicts) < len(verdicts)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_exact_arithmetic_proves_no_less(name: str) -> None:
    for seed in range(4):
        rounded, exact = (run(at_random(name, seed), mode).margin for mode in MODES)
        assert rounded is not None and exact is not None
        assert rounded <= exact <= rounded + 1e-9


@pytest.mark.parametrize("mode", MODES)
def test_an_affine_net_is_decided_to_the_last_digit(mode: str) -> None:
    """y = w x + b on a box of decimals: its greatest value is known exactly."""
    rng = np.random.default_rng(3)
    net = Net((1, 4))
    weight = rng.normal(size=(1, 4)).astype(np.float32)
    net.op("linear", "x", net.array("w", weight), net.array("b", [0.1]))
    case = certify(net, np.ones((1, 4)), "0.1", rng)
    lower, upper = ["0.1", "-0.7", "1e-3", "0.3"], ["0.2", "0.6", "1e-3", "0.7"]
    ends = np.array([lower, upper])[(weight > 0).astype(int)[0], range(4)]
    terms = zip(weight[0], ends, strict=True)
    greatest = sum(
        (Fraction(float(w)) * Fraction(e) for w, e in terms), Fraction(float(np.float32(0.1)))
    )
    least_step = Fraction(1, 10**59) if mode == "exact" else Fraction(1, 10**12)
    for c in ("1", "0.1"):
        bound = -Fraction(c) * greatest
        touched = avoiding(case, [[({0: "-" + c}, decimal(bound))]], (lower, upper))
        assert not run(touched, mode).accepted
        missed = avoiding(case, [[({0: "-" + c}, decimal(bound - least_step))]], (lower, upper))
        assert run(missed, mode).accepted


def test_decimals_are_enclosed() -> None:
    values = [Fraction(n, 10**k) for n in (-3, 1, 7, 10**17 + 1) for k in (0, 1, 20)]
    for a in (FLOAT64, EXACT):
        found = _claim.enclosed(values, a)
        assert all(
            x <= v <= y
            for x, v, y in zip(
                map(Fraction, found.lower), values, map(Fraction, found.upper), strict=True
            )
        )
    assert list(found.lower) == values


# --- what is left out is noticed


@pytest.mark.parametrize("side", [0, 1])
def test_no_part_of_a_box_is_left_out(side: int) -> None:
    """Each half in turn is where the claim is false."""
    unsafe: Unsafe = [[({side: "1"}, "-0.5")]]
    for cuts in (HALVES, ((0, 1.0), (0, 0.0), (-1, 0.0), (-1, 0.0), (-1, 0.0))):
        assert not run(avoiding(crossing(), unsafe, cuts=cuts)).accepted
    assert run(avoiding(crossing(), [[({side: "1"}, "-1.001")]], cuts=HALVES)).accepted


@pytest.mark.parametrize("last", [0, 1])
def test_no_unsafe_set_is_left_out(last: int) -> None:
    sets: Unsafe = [[({0: "1"}, "-1.001")], [({0: "1"}, "0")]]
    case = avoiding(crossing(), sets[::-1] if last else sets)
    assert not run(case).accepted


def test_a_cut_outside_the_box_helps_nobody() -> None:
    case = avoiding(crossing(), BOTH, cuts=((0, 5.0), (-1, 0.0), (-1, 0.0)))
    assert run(case).reason == "a lower bound is not below its upper bound"


Change = Callable[[Case], Any]

REJECTED: list[tuple[Change, str]] = [
    (lambda c: c.claim.update(lower=["0"] * 2, upper=["1"] * 2), "the box is not one of 1 inputs"),
    (lambda c: c.claim["unsafe"][0][0]["terms"][0].__setitem__(0, 1), "an output that the graph"),
    (lambda c: c.claim["unsafe"][0][0]["terms"][0].__setitem__(0, -1), "an output that the graph"),
    (lambda c: c.tensors["cut_axis"].__setitem__(0, 1), "across an axis that there is not"),
    (lambda c: c.tensors["cut_axis"].__setitem__(0, -1), "not one whole tree"),
    (lambda c: c.tensors["cut_axis"].__setitem__(2, 0), "not one whole tree"),
    (lambda c: c.tensors["cut_axis"].__setitem__(1, -2), "across an axis that there is not"),
    (lambda c: c.tensors["cut_at"].fill(np.nan), "`cut_at` is not finite"),
    (lambda c: c.tensors["multipliers"].fill(-1), "a multiplier is negative"),
    (lambda c: c.tensors["multipliers"].fill(np.inf), "a multiplier is negative or not finite"),
    (lambda c: c.tensors["multipliers"].fill(0), "a margin is not proved positive"),
    (lambda c: c.tensors["slope.v1"].fill(2), "`slope.v1` leaves [0, 1]"),
    (lambda c: c.tensors["outputs"].fill(3), "does not give the recorded outputs"),
    (lambda c: c.claim.update(graph="0" * 64), "about another graph"),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("change", "words"), REJECTED)
def test_a_rejected_claim_says_why(change: Change, words: str, mode: str) -> None:
    case = avoiding(absolute(), NEGATIVE, cuts=HALVES)
    change(case)
    result = run(case, mode)
    assert not result.accepted and words in result.reason


def test_a_negative_multiplier_would_prove_what_is_false() -> None:
    """y0 - y1 + 3 is positive, but the first set is reached."""
    case = avoiding(crossing(), [[({0: "1"}, "10"), ({1: "1"}, "20")]])
    case.tensors["multipliers"][:] = [[-1, 0]]
    assert not run(case).accepted


INEQUALITY = {"terms": [[0, "1"]], "bound": "0"}


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"version": 1}, UnsupportedError, "version is not 2"),
        ({"eps": "0"}, MalformedError, "missing or unknown fields: eps"),
        ({"lower": []}, MalformedError, "lower is not a list of at least one"),
        ({"lower": "0"}, MalformedError, "lower is not a list of at least one"),
        ({"lower": [0]}, MalformedError, "box is not a decimal"),
        ({"lower": ["2"]}, MalformedError, "box is empty, or its ends are not of one length"),
        ({"lower": ["0", "0"]}, MalformedError, "its ends are not of one length"),
        ({"lower": ["0"] * 2**21}, UnsupportedError, "the claim is longer than 8388608 characters"),
        ({"unsafe": []}, MalformedError, "unsafe is not a list of at least one"),
        ({"unsafe": [[]]}, MalformedError, "set is not a list of at least one"),
        ({"unsafe": [[3]]}, MalformedError, "an inequality of the claim takes terms and bound"),
        ({"unsafe": [[INEQUALITY | {"x": 1}]]}, MalformedError, "takes terms and bound"),
        ({"unsafe": [[INEQUALITY | {"terms": []}]]}, MalformedError, "terms is not a list of at"),
        ({"unsafe": [[INEQUALITY | {"terms": [[0]]}]]}, MalformedError, "not a place and a coeff"),
        ({"unsafe": [[INEQUALITY | {"terms": [[True, "1"]]}]]}, MalformedError, "not a place and"),
        ({"unsafe": [[INEQUALITY | {"terms": [[0, "1"]] * 2}]]}, MalformedError, "output twice"),
        (
            {"unsafe": [[INEQUALITY | {"terms": [[0, "nan"]]}]]},
            MalformedError,
            "coefficient is not",
        ),
        ({"unsafe": [[INEQUALITY | {"bound": None}]]}, MalformedError, "bound is not a decimal"),
    ],
)
def test_a_malformed_claim(change: dict[str, Any], kind: type[Exception], words: str) -> None:
    case = avoiding(absolute(), NEGATIVE)
    case.claim |= change
    with pytest.raises(kind, match=words):
        run(case)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("cut_axis", None, "`cut_axis` is missing"),
        ("cut_axis", np.zeros(3, np.float32), "takes int32 of shape"),
        ("cut_axis", np.zeros((3, 1), np.int32), r"takes int32 of shape \(3,\)"),
        ("cut_at", np.zeros(2, np.float32), r"takes float32 of shape \(3,\)"),
        ("multipliers", np.ones((2, 2), np.float32), r"takes float32 of shape \(2, 1\)"),
        ("slope.v1", np.ones((1, 1), np.float32), r"takes float32 of shape \(2, 1, 1\)"),
    ],
)
def test_tensors_of_another_form(name: str, array: Any, words: str) -> None:
    case = avoiding(absolute(), NEGATIVE, cuts=HALVES)
    case.tensors.pop(name)
    case.tensors |= {} if array is None else {name: array}
    with pytest.raises(MalformedError, match=words):
        run(case)


def test_more_parts_or_inequalities_than_can_be_checked() -> None:
    case = avoiding(absolute(), NEGATIVE)
    for count, mode in [(2**23 + 1, "float64"), (2**15 + 1, "exact")]:
        case.tensors["cut_axis"] = np.broadcast_to(np.int32(-1), count)
        with pytest.raises(UnsupportedError, match=f"a check in {mode} arithmetic would take"):
            run(case, mode)
    case.tensors["cut_axis"] = np.broadcast_to(np.int32(-1), 2**25 + 1)
    with pytest.raises(UnsupportedError, match="more parts than there is memory"):
        run(case)
    case = avoiding(absolute(), NEGATIVE)
    case.claim["unsafe"] = [[INEQUALITY] * 2**13] * 2 + [[INEQUALITY]]
    with pytest.raises(UnsupportedError, match="more than 16384 inequalities"):
        run(case)
    net = Net((1, 2**11))
    net.op("neg", "x")
    case = certify(net, np.zeros(net.shape), "0", np.random.default_rng(0))
    with pytest.raises(UnsupportedError, match="too many inequalities for so many outputs"):
        run(avoiding(case, [[({0: "1"}, "-1")] * (2**13 + 1)]))
    with pytest.raises(UnsupportedError, match="a check in exact arithmetic would take"):
        run(avoiding(case, [[({0: "1"}, "-1")] * 2**12]), "exact")


def test_a_tree_that_only_grows_is_refused_before_it_is_cut() -> None:
    case = avoiding(absolute(), NEGATIVE)
    case.tensors["cut_axis"] = np.zeros(10**5 + 1, np.int32)
    case.tensors["cut_at"] = np.zeros(10**5 + 1, np.float32)
    leaves = 5 * 10**4 + 1
    for name, array in case.tensors.items():
        if name == "multipliers" or "." in name:
            case.tensors[name] = np.broadcast_to(array[:1], (leaves, *array.shape[1:]))
    assert run(case).reason == "the cuts are not one whole tree"
