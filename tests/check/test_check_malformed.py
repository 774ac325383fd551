"""Whatever a file holds, the answer is one clear line: never a traceback, never a hang."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checker_cases import (
    CASES,
    TILES,
    Array,
    Case,
    Net,
    as_ibp,
    certify,
    cnn,
    mlp,
    safetensors,
    with_header,
    write,
)

from tensorem.check import (
    MalformedError,
    UnsupportedError,
    __main__,
    _check,
    _program,
    check,
    check_files,
    prepare,
)
from tensorem.check.__main__ import main
from tensorem.check._numbers import EXACT

ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def run(case: Case, mode: str = "float64") -> Any:
    return check(case.document, case.arrays, case.claim, case.tensors, mode)


def header(**entries: Any) -> bytes:
    return json.dumps(entries).encode()


# --- safetensors


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "its header does not fit"),
        (b"\x08\0\0\0", "its header does not fit"),
        (b"\xff" * 8 + b"{}", "its header does not fit"),
        ((10**9).to_bytes(8, "little") + b"{}", "its header does not fit"),
        (with_header(b"{", b""), "is not JSON"),
        (with_header(b"\xff\xfe", b""), "is not JSON"),
        (with_header(b"[" * 100_000, b""), "is not JSON"),
        (with_header(b'{"a": ' + b"9" * 5000 + b"}", b""), "is not JSON"),
        (with_header(b"[]", b""), "is not a JSON object"),
        (with_header(b'{"a": 1, "a": 2}', b""), "key 'a' occurs twice"),
        (with_header(b'{"a": NaN}', b""), "NaN is not a number"),
        (with_header(b'{"a": -Infinity}', b""), "-Infinity is not a number"),
        (with_header(b'{"__metadata__": {"claim": 3}}', b""), "the metadata is not text"),
        (with_header(b'{"__metadata__": 3}', b""), "the metadata is not text"),
        (with_header(header(a=3), b""), "`a` takes dtype, shape and data_offsets"),
        (with_header(header(a=ENTRY | {"x": 1}), b"0" * 8), "takes dtype, shape and data_offsets"),
        (with_header(header(a=ENTRY | {"dtype": "F31"}), b"0" * 8), "has no known dtype"),
        (with_header(header(a=ENTRY | {"dtype": [1]}), b"0" * 8), "has no known dtype"),
        (with_header(header(a=ENTRY | {"shape": [-2]}), b"0" * 8), "are no sizes"),
        (with_header(header(a=ENTRY | {"shape": [2.0]}), b"0" * 8), "are no sizes"),
        (with_header(header(a=ENTRY | {"shape": [True, 2]}), b"0" * 8), "are no sizes"),
        (with_header(header(a=ENTRY | {"shape": [1] * 99 + [2]}), b"0" * 8), "are no sizes"),
        (with_header(header(a=ENTRY | {"shape": [10**30]}), b"0" * 8), "are no sizes"),
        (with_header(header(a=ENTRY | {"data_offsets": [0]}), b"0" * 8), "are no sizes"),
        (with_header(header(a=ENTRY | {"data_offsets": [8, 0]}), b"0" * 8), "does not fill"),
        (with_header(header(a=ENTRY | {"shape": [2**40, 2**40]}), b"0" * 8), "does not fill"),
        (with_header(header(a=ENTRY, b=ENTRY), b"0" * 8), "overlap or leave a gap"),
        (with_header(header(a=ENTRY | {"data_offsets": [8, 16]}), b"0" * 16), "overlap or leave"),
        (with_header(header(a=ENTRY), b"0" * 9), "the tensors take 8 bytes, the file holds 9"),
        (with_header(header(a=ENTRY), b"0" * 7), "the tensors take 8 bytes, the file holds 7"),
    ],
)
@pytest.mark.parametrize("place", [1, 2])
def test_a_malformed_safetensors_file(data: bytes, words: str, place: int, tmp_path: Path) -> None:
    paths = write(mlp(1), tmp_path)
    Path(paths[place]).write_bytes(data)
    with pytest.raises(MalformedError, match=words):
        check_files(*paths)


def test_a_certificate_holds_one_claim(tmp_path: Path) -> None:
    paths = write(mlp(1), tmp_path)
    Path(paths[2]).write_bytes(safetensors(mlp(1).tensors))
    with pytest.raises(MalformedError, match="the certificate's metadata is not one claim"):
        check_files(*paths)


def test_weights_of_another_dtype(tmp_path: Path) -> None:
    case = mlp(1)
    paths = write(case, tmp_path)
    data = Path(paths[1]).read_bytes().replace(b'"F32"', b'"I64"').replace(b"F32", b"U32")
    Path(paths[1]).write_bytes(data)
    with pytest.raises(MalformedError, match="does not fill its offsets"):
        check_files(*paths)
    Path(paths[1]).write_bytes(safetensors(case.arrays).replace(b'"F32"', b'"U32"'))
    with pytest.raises(UnsupportedError, match="has dtype U32; known are F32 and I32"):
        check_files(*paths)


@pytest.mark.parametrize("shape", [[0], [0, 2**47, 2**47], [0] * 32])
def test_an_empty_tensor(shape: list[int], tmp_path: Path) -> None:
    paths = write(mlp(1), tmp_path)
    empty = {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
    data = with_header(header(__metadata__={"claim": json.dumps(mlp(1).claim)}, e=empty), b"")
    Path(paths[2]).write_bytes(data)
    with pytest.raises(UnsupportedError, match="tensor `e` is empty"):
        check_files(*paths)


def test_missing_files(tmp_path: Path) -> None:
    paths = write(mlp(1), tmp_path)
    for place in range(3):
        wrong = [*paths[:place], str(tmp_path), *paths[place + 1 :]]
        with pytest.raises(MalformedError, match="is not a file"):
            check_files(*wrong)
        for name in ("a" * 300, "b" * 256):
            with pytest.raises(MalformedError, match="cannot be read: File name too long"):
                check_files(*paths[:place], name, *paths[place + 1 :])


# --- the graph


def set_attr(name: str, value: Any) -> Callable[[Case], None]:
    return lambda c: node_with(c, name)["attrs"].__setitem__(name, value)


def node_with(case: Case, attr: str) -> dict[str, Any]:
    return next(n for n in case.document["nodes"] if attr in n["attrs"])


def rename(case: Case, old: str, new: str) -> None:
    case.document = json.loads(json.dumps(case.document).replace(f'"{old}"', f'"{new}"'))


GRAPHS: list[tuple[Callable[[Case], Any], type[Exception], str]] = [
    (lambda c: c.document.pop("nodes"), MalformedError, "missing or unknown fields: nodes"),
    (lambda c: c.document.update(more=1), MalformedError, "missing or unknown fields: more"),
    (lambda c: c.document.update(format="x"), MalformedError, "does not say format"),
    (lambda c: c.document.update(version=2), UnsupportedError, "not of version 1"),
    (lambda c: c.document.update(version=True), UnsupportedError, "not of version 1"),
    (lambda c: c.document.update(nodes={}), MalformedError, "nodes takes a list"),
    (lambda c: c.document.update(nodes=[3]), MalformedError, "a node takes an object"),
    (lambda c: c.document.update(specs=[]), MalformedError, "specs takes an object"),
    (lambda c: c.document.update(inputs=["x", "x"]), UnsupportedError, "one input"),
    (lambda c: c.document.update(inputs=[3]), MalformedError, "named by printable text"),
    (lambda c: c.document.update(inputs=["\ud800"]), MalformedError, "named by printable text"),
    (lambda c: c.document.update(outputs=["z"]), MalformedError, "output `z` is not defined"),
    (lambda c: c.document["nodes"].reverse(), MalformedError, "used before it is defined"),
    (
        lambda c: c.document["nodes"][0].update(inputs=["v0", "0.weight"]),
        MalformedError,
        "value `v0` is used before it is defined",
    ),
    (
        lambda c: c.document["nodes"].append(c.document["nodes"][-1]),
        MalformedError,
        "defined twice",
    ),
    (
        lambda c: c.document["nodes"][0].update(outputs=["x"]),
        MalformedError,
        "`x` is defined twice",
    ),
    (lambda c: c.document["nodes"][0].update(outputs=["n"]), MalformedError, "`n` has no spec"),
    (lambda c: c.document["nodes"][0].update(outputs=[]), UnsupportedError, "with 0 outputs"),
    (lambda c: c.document["nodes"][0].update(body={}), UnsupportedError, "a loop"),
    (lambda c: c.document["nodes"][0].pop("attrs"), MalformedError, "takes op, inputs, outputs"),
    (lambda c: c.document["nodes"][0].update(op=3), MalformedError, "op is not text"),
    (lambda c: c.document["nodes"][1].update(op="tan"), UnsupportedError, "op `tan` is not one"),
    (lambda c: c.document["nodes"][1].update(op="add"), MalformedError, "`v1` has 1 operands"),
    (lambda c: c.document["nodes"][1].update(op="concat"), MalformedError, "takes attrs"),
    (lambda c: c.document["nodes"][1].update(inputs=[]), MalformedError, "has 0 operands"),
    (lambda c: c.document["nodes"][1]["attrs"].update(a=1), MalformedError, "takes attrs"),
    (
        lambda c: c.document["nodes"].__setitem__(slice(None), c.document["nodes"] * 5000),
        UnsupportedError,
        "more than 10000 nodes",
    ),
    (
        lambda c: c.document["specs"].update(z=c.document["specs"]["x"]),
        MalformedError,
        "differ: `z`",
    ),
    (lambda c: c.document["specs"].pop("x"), MalformedError, "value `x` has no spec"),
    (lambda c: c.document["specs"].update(x=3), MalformedError, "the spec of `x` takes an object"),
    (lambda c: c.document["specs"]["x"].pop("dtype"), MalformedError, "takes shape and dtype"),
    (lambda c: c.document["specs"]["x"].update(dtype="int32"), UnsupportedError, "has dtype int32"),
    (lambda c: c.document["specs"]["x"].update(shape=3), MalformedError, "a shape takes a list"),
    (lambda c: c.document["specs"]["x"].update(shape=[2**40] * 2), UnsupportedError, "too large"),
    (lambda c: c.document["specs"]["x"].update(shape=[0]), UnsupportedError, "is empty"),
    (lambda c: c.document["specs"]["x"].update(shape=[-4]), UnsupportedError, "is empty"),
    (lambda c: c.document["specs"]["x"].update(shape=[1] * 99), UnsupportedError, "many axes"),
    (lambda c: c.document["specs"]["x"].update(shape=["N-N"]), UnsupportedError, "is empty"),
    (lambda c: c.document["specs"]["x"].update(shape=["?"]), MalformedError, "is not a size"),
    (lambda c: c.document["specs"]["x"].update(shape=["2N"]), MalformedError, "is not a size"),
    (lambda c: c.document["specs"]["x"].update(shape=["N" * 999]), MalformedError, "not a size"),
    (lambda c: c.document["specs"]["x"].update(shape=[1.0]), MalformedError, "'1.0' is not a size"),
    (
        lambda c: c.document["specs"]["v0"].update(shape=[1, 2, 4, 5]),
        MalformedError,
        r"`v0` has shape \(1, 2, 4, 4\), the graph records \(1, 2, 4, 5\)",
    ),
    (set_attr("stride", [0, 1]), MalformedError, "2 integers from 1 on as `stride`"),
    (set_attr("stride", [1.0, 1]), MalformedError, "2 integers from 1 on as `stride`"),
    (set_attr("stride", [True, 1]), MalformedError, "2 integers from 1 on as `stride`"),
    (set_attr("stride", 1), MalformedError, "2 integers from 1 on as `stride`"),
    (set_attr("padding", [[-1, 1]] * 2), MalformedError, "2 pairs of integers from 0 on as"),
    (set_attr("padding", [[10**9] * 2] * 2), UnsupportedError, "takes more than 33554432 entries"),
    (set_attr("padding", [[10**30, 1]] * 2), MalformedError, "2 pairs of integers from"),
    (set_attr("padding", [1, 1]), MalformedError, "2 pairs of integers from 0 on as `padding`"),
    (set_attr("dilation", [9, 9]), MalformedError, "a kernel inside the image"),
    (set_attr("groups", 0), MalformedError, "groups that divide"),
    (set_attr("groups", 2), MalformedError, "as many channels as the kernel reads"),
    (set_attr("kernel_size", [3, 3]), MalformedError, "the graph records"),
    (set_attr("shape", [1, 9]), MalformedError, r"has shape \(1, 9\), the graph records \(1, 8\)"),
    (set_attr("shape", [2, 4]), MalformedError, "has shape"),
    (set_attr("shape", [-1, -8]), MalformedError, r"`v3` has shape \(-1, -8\), the graph records"),
    (set_attr("shape", [-1, 8, -1]), MalformedError, r"has shape \(-1, 8, -1\)"),
    (set_attr("shape", ["-N", -8]), MalformedError, r"has shape \(-1, -8\)"),
    (set_attr("shape", [1] * 99 + [8]), MalformedError, "has shape"),
    (set_attr("shape", [2**47] * 9), MalformedError, "has shape"),
]


@pytest.mark.parametrize(("change", "kind", "words"), GRAPHS)
def test_a_malformed_graph(
    change: Callable[[Case], Any], kind: type[Exception], words: str
) -> None:
    case = cnn(1)
    change(case)
    with pytest.raises(kind, match=words):
        prepare(case.document, case.arrays)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the graph is not JSON"),
        ("[1]", "the graph is not a JSON object"),
        ('{"a": 1, "a": 1}', "key 'a' occurs twice"),
        ("[" * 100_000, "the graph is not JSON"),
        ('{"a": 1e9999, "version": Infinity}', "Infinity is not a number"),
    ],
)
def test_a_graph_that_is_no_graph(text: str, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        prepare(text, {})


def test_a_graph_that_is_no_data() -> None:
    with pytest.raises(MalformedError, match=r"^the graph: Infinity is not a number$"):
        prepare({"a": float("inf")}, {})
    with pytest.raises(MalformedError, match="the graph is not JSON"):
        prepare({"a": object()}, {})
    cycle: dict[str, Any] = {}
    cycle["a"] = cycle
    with pytest.raises(MalformedError, match="the graph is not JSON"):
        prepare(cycle, {})


def test_a_reshape_makes_no_entries() -> None:
    case = cnn(1)
    case.document["specs"]["v3"]["shape"] = node_with(case, "shape")["attrs"]["shape"] = [1, 9]
    with pytest.raises(MalformedError, match="takes a shape of as many entries"):
        prepare(case.document, case.arrays)


@pytest.mark.parametrize(
    ("contract", "batch", "words"),
    [
        ([[1], [1, 2]], [[0], []], "equal sizes on contracted and batch axes"),
        ([[1, 2], [1]], [[], [0]], "equal sizes on contracted and batch axes"),
        ([[1], [2]], [[0], []], "equal sizes on contracted and batch axes"),
        ([[1], [1]], [[0], [0]], "equal sizes on contracted and batch axes"),
        ([[1], [1], [1]], [[0], [0]], "pairs as `contract` and `batch`"),
        ([[1], 2], [[0], [0]], "axes as `contract`"),
        ([[1, -2], [2, 2]], [[0], [0]], "axes as `contract`"),
        ([[1], [2]], [[True], [0]], "axes as `batch`"),
        ([[1], [2]], [[2**70], [0]], "axes as `batch`"),
        ([[1, 0], [2, 0]], [[0], [0]], "an axis only once"),
    ],
)
def test_a_malformed_dot(contract: Any, batch: Any, words: str) -> None:
    net = Net((2, 3, 5))
    weight = net.array("w", np.ones((2, 2, 3)))
    net.op("dot", "x", weight, contract=[[1], [2]], batch=[[0], [0]])
    net.op("reshape", "v0", shape=[1, 20])
    assert prepare(net.document, net.arrays)
    net.document["nodes"][0]["attrs"].update(contract=contract, batch=batch)
    with pytest.raises(MalformedError, match=words):
        prepare(net.document, net.arrays)


def one_op(op: str, *operands: Any, **attrs: Any) -> Net:
    net = Net((1, 3))
    names = [net.array(f"c{i}", v) if v is not None else "x" for i, v in enumerate(operands)]
    net.op(op, *names, **attrs)
    return net


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (one_op("linear", None, None), "operand 1 depends on the input"),
        (one_op("div", None, [[1, 0, 2]]), "a divisor may be zero"),
        (one_op("leaky_relu", None, negative_slope=1.5), "slope is not between 0 and 1"),
        (one_op("cast", None, dtype="int32"), "a cast to int32"),
        (
            one_op("batch_norm", None, *[np.ones(3)] * 3, -np.ones(3), eps=0.5),
            "var \\+ eps is not positive",
        ),
    ],
)
def test_what_is_not_supported_says_so(net: Net, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        prepare(net.document, net.arrays)


def test_a_batch_norm_without_channels_is_malformed() -> None:
    net = one_op("batch_norm", None, *[np.ones(3)] * 4, eps=0.5)
    net.document["nodes"][0]["inputs"][0] = "c1"
    with pytest.raises(MalformedError, match="takes channels on axis 1"):
        prepare(net.document, net.arrays)


def test_a_divisor_that_may_be_zero_for_all_one_knows_is_refused() -> None:
    """1 / sqrt(2) is known to 100 bits, and its difference from itself is not known to be 0."""
    net = Net((1, 2))
    one, zero = net.array("one", [1, 1]), net.array("zero", [0, 0])
    var = net.array("var", [2, 2])
    root = net.op("batch_norm", net.array("c", [[1, 1]]), one, zero, zero, var, eps=0)
    net.op("div", "x", net.op("sub", root, root))
    with pytest.raises(UnsupportedError, match="a divisor may be zero"):
        prepare(net.document, net.arrays)


def deep(count: int, weight: Array) -> Net:
    """A well-formed graph that is cheap to write and dear to check."""
    net, h = Net((1, len(weight))), "x"
    name = net.array("w", weight)
    for _ in range(count):
        h = net.op("relu", net.op("linear", h, name))
    return net


def test_a_graph_that_takes_for_ever_is_refused_at_once() -> None:
    net, h = Net((1, 2)), "x"
    for _ in range(6000):
        h = net.op("relu", h)
    with pytest.raises(UnsupportedError, match=r"would take .* multiplications"):
        prepare(net.document, net.arrays)


def exact_numbers_of(case: Case, monkeypatch: pytest.MonkeyPatch, words: str) -> int:
    """How many exact numbers are made until a case is refused."""
    made: list[int] = []

    def counted(x: Array) -> Array:
        made.append(x.size)
        return EXACT.numbers(x)

    monkeypatch.setitem(_check.MODES, "exact", replace(EXACT, numbers=counted))
    with pytest.raises(UnsupportedError, match=words):
        run(case, "exact")
    return sum(made)


def test_constants_that_take_for_ever_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net((1, 3))
    big = net.op("broadcast", net.array("one", 1.0), shape=[2**18], dims=[])
    for _ in range(3):
        big = net.op("add", big, big)
    part = net.op("slice", big, start=[0], stop=[3], step=[1])
    net.op("add", "x", net.op("reshape", part, shape=[1, 3]))
    case = certify(net, np.ones((1, 3)) * [3, 1, 1], "0.1", np.random.default_rng(0))
    assert run(case).accepted
    assert exact_numbers_of(case, monkeypatch, "takes more than 2097152 entries") == 0


def test_weights_of_many_digits_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each layer makes numbers 270 bits longer; the same graph of ones is affordable."""
    weight = np.eye(32)
    plain = deep(24, weight)
    assert len(prepare(plain.document, plain.arrays).program("exact").steps) == 49
    weight[0, 1:3] = 2.0**-140, 2.0**120
    net = deep(24, weight)
    case = certify(net, np.zeros((1, 32)), "0.1", np.random.default_rng(0))
    assert exact_numbers_of(case, monkeypatch, "exact arithmetic would take .* multipl") == 0


def assert_too_long(net: Net, *modes: str) -> None:
    with np.errstate(all="ignore"):
        case = certify(net, np.ones(net.shape), "0.1", np.random.default_rng(0))
    for mode in modes:
        with pytest.raises(UnsupportedError, match="to numbers of more than 8192 bits"):
            run(case, mode)


def test_constants_whose_digits_double_are_refused_at_once() -> None:
    net = Net((1, 2))
    h = net.array("third", np.full((1, 2), 1 + 2.0**-20))
    for _ in range(20):
        h = net.op("mul", h, h)
    net.op("add", "x", h)
    assert_too_long(net, "exact")
    for _ in range(20):
        h = net.op("mul", h, h)
    with pytest.raises(UnsupportedError, match="op `mul` of `v30`: a bound is not finite"):
        prepare(net.document, net.arrays)


def test_constants_without_a_common_denominator_are_refused_at_once() -> None:
    net, count = Net((1, 2)), 3000
    odd = net.array("odd", np.arange(3, 2 * count + 3, 2)[None])
    quotients = net.op("div", net.array("one", np.ones((1, count))), odd)
    net.op("add", "x", net.op("matmul", quotients, net.array("w", np.ones((count, 2)))))
    assert_too_long(net, "exact")


def test_a_product_of_thousands_of_weights_is_too_long_for_exact_arithmetic() -> None:
    net, h = Net((1, 2)), "x"
    weight = net.array("w", np.eye(2) * (1 + 2.0**-20))
    for _ in range(500):
        h = net.op("linear", h, weight)
    assert_too_long(net, "exact")


def test_exact_numbers_stay_short_where_lines_are_many() -> None:
    """A chord is a float64: with exact quotients the digits would multiply from bend to bend."""
    rng = np.random.default_rng(3)
    net, h = Net((1, 6)), "x"
    for _ in range(8):
        h = net.op("relu", net.linear(h, 6, rng))
    net.linear(h, 3, rng)
    case = certify(net, rng.normal(size=(1, 6)), "0.4", rng)
    assert run(case, "exact").margin is not None


def peak_megabytes(work: Callable[[], Any]) -> float:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_many_classes_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows at once would be twice 128 MB."""
    monkeypatch.setattr(_program, "CHUNK", 2**20)
    net = Net((1, 2))
    net.op("linear", "x", net.array("w", np.arange(2**13).reshape(2**12, 2)))
    case = certify(net, np.ones((1, 2)), "0.01", np.random.default_rng(0))
    assert run(case).accepted
    assert peak_megabytes(lambda: run(case)) < 100


@pytest.mark.parametrize("mode", ["float64", "exact"])
def test_rows_that_are_carried_back_in_parts_say_the_same(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES["residual"](1)
    whole = run(case, mode).margin
    monkeypatch.setattr(_program, "CHUNK", 500)
    assert 1 < prepare(case.document, case.arrays).program(mode).rows_at_once < 18
    assert run(case, mode).margin == pytest.approx(whole, rel=1e-12)


def test_moves_cost_no_steps_and_keep_no_large_values() -> None:
    net = Net((1, 2**20))
    for i in range(40):
        cut = net.op("slice", "x", start=[0, i], stop=[1, i + 2], step=[1, 1])
    net.document["outputs"] = [cut]
    tracemalloc.start()
    checker = prepare(net.document, net.arrays)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(checker.program("float64").steps) == 1 and kept < 2e6


# --- weights, claim, tensors


def test_weights_that_do_not_fit() -> None:
    case = mlp(1)
    name = case.document["arrays"][0]
    for array, kind, words in [
        (None, MalformedError, f"array `{name}` is missing from the weights"),
        (np.zeros(7, np.float32), MalformedError, "has shape"),
        (case.arrays[name].astype(np.float64), UnsupportedError, "has dtype float64"),
        (case.arrays[name] * np.float32(np.nan), MalformedError, "is not finite"),
    ]:
        arrays = {k: v for k, v in case.arrays.items() if k != name}
        arrays |= {} if array is None else {name: array}
        with pytest.raises(kind, match=words):
            prepare(case.document, arrays)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"eps": "-0.1"}, MalformedError, "eps is negative"),
        ({"eps": 0.1}, MalformedError, "eps is not a decimal"),
        ({"eps": "nan"}, MalformedError, "eps is not a decimal"),
        ({"eps": "1e999999999"}, MalformedError, "eps is not a decimal"),
        ({"eps": "1/3"}, MalformedError, "eps is not a decimal"),
        ({"eps": "9" * 99}, MalformedError, "eps is not a decimal"),
        ({"clip": ["1", "0"]}, MalformedError, "clip is empty"),
        ({"clip": ["0"]}, MalformedError, "clip is not a pair or null"),
        ({"clip": [0, 1]}, MalformedError, "clip is not a decimal"),
        ({"label": "1"}, MalformedError, "label is not an integer"),
        ({"label": True}, MalformedError, "label is not an integer"),
        ({"label": 1.0}, MalformedError, "label is not an integer"),
        ({"graph": "ab"}, MalformedError, "graph is not a SHA-256 in hex"),
        ({"weights": None}, MalformedError, "weights is not a SHA-256 in hex"),
        ({"more": 1}, MalformedError, "missing or unknown fields: more"),
        ({"format": "x"}, UnsupportedError, "format is not tensorem.certificate"),
        ({"version": 1.0}, UnsupportedError, "version is not 1"),
        ({"property": "true"}, UnsupportedError, "property is not robust"),
        ({"semantics": "float32"}, UnsupportedError, "semantics is not real"),
        ({"method": ["ibp"]}, UnsupportedError, "method is not crown or ibp"),
    ],
)
def test_a_malformed_claim(change: dict[str, Any], kind: type[Exception], words: str) -> None:
    case = mlp(1)
    case.claim |= change
    with pytest.raises(kind, match=words):
        run(case)


@pytest.mark.parametrize("claim", ["", "{", "[]", '{"a": 1, "a": 1}'])
def test_a_claim_that_is_no_claim(claim: str) -> None:
    with pytest.raises(MalformedError, match="the claim"):
        prepare(mlp(1).document, mlp(1).arrays).check(claim, mlp(1).tensors)


def test_tensors_that_are_not_the_certificates() -> None:
    case = cnn(1)
    del case.tensors["slope.v1"]
    with pytest.raises(MalformedError, match=r"tensor `slope.v1` is missing from the certificate"):
        run(case)
    case = cnn(1)
    case.tensors["slope.v9"] = case.tensors["slope.v1"]
    with pytest.raises(MalformedError, match=r"`slope.v9` is not one that this certificate takes"):
        run(case)
    case = cnn(1)
    case.tensors["pick_lower.v2"] = case.tensors["pick_lower.v2"].astype(np.float32)
    with pytest.raises(MalformedError, match=r"takes int32 of shape .* got float32 of shape"):
        run(case)
    case = cnn(1)
    case.tensors["center"] = case.tensors["center"].ravel()
    with pytest.raises(MalformedError, match=r"tensor `center` takes float32 of shape"):
        run(case)


def test_another_graph_is_said_before_tensors_that_do_not_fit_it() -> None:
    case = cnn(1)
    attrs = {**TILES, "divisor": 4}
    case.document["nodes"][2] |= {"op": "avg_pool2d", "attrs": attrs}
    assert run(case).reason == "the certificate is about another graph"
    with pytest.raises(MalformedError, match=r"`pick_.*.v2` is not one that this certificate"):
        run(case.rehash())


def test_a_label_takes_classes() -> None:
    case = cnn(1)
    case.document.update(outputs=["v0"])
    with pytest.raises(UnsupportedError, match=r"a label takes \(1, classes\)"):
        run(case.rehash())


def test_a_mode_that_is_none() -> None:
    with pytest.raises(UnsupportedError, match="mode 'fast' is not one of float64, exact"):
        run(mlp(1), "fast")


REJECTED: list[tuple[Callable[[Case], Any], str]] = [
    (lambda c: c.claim.update(label=3), "label 3 is not one of 3 classes"),
    (lambda c: c.claim.update(label=-1), "label -1 is not one of 3 classes"),
    (lambda c: c.claim.update(graph="0" * 64), "about another graph"),
    (lambda c: c.claim.update(weights="0" * 64), "about other weights"),
    (lambda c: c.claim.update(clip=["0.9", "1"]), "the centre lies outside the clip range"),
    (lambda c: c.tensors["center"].fill(np.nan), "`center` is not finite"),
    (lambda c: c.tensors["outputs"].fill(np.inf), "`outputs` is not finite"),
    (lambda c: c.tensors["outputs"].fill(0.5), "does not give the recorded outputs"),
    (lambda c: c.tensors["slope.v1"].fill(np.nan), "`slope.v1` leaves [0, 1]"),
    (lambda c: c.tensors["slope.v1"].fill(-1e-30), "`slope.v1` leaves [0, 1]"),
    (lambda c: c.tensors["slope.v1"].fill(1.0000001), "`slope.v1` leaves [0, 1]"),
    (lambda c: c.tensors["pick_lower.v2"].fill(4), "`pick_lower.v2` leaves the window"),
    (lambda c: c.tensors["pick_upper.v2"].fill(-1), "`pick_upper.v2` leaves the window"),
]


@pytest.mark.parametrize("mode", ["float64", "exact"])
@pytest.mark.parametrize(("change", "words"), REJECTED)
def test_a_rejected_claim_says_why(change: Callable[[Case], Any], words: str, mode: str) -> None:
    case = cnn(1)
    change(case)
    result = run(case, mode)
    assert not result.accepted and words in result.reason


def test_a_pick_of_padding_is_rejected() -> None:
    net = Net((1, 1, 2, 2))
    pooled = net.op("max_pool2d", "x", **TILES | {"padding": [[1, 1]] * 2}, dilation=[1, 1])
    net.flatten(pooled)
    case = certify(net, np.arange(4).reshape(1, 1, 2, 2), "0.01", np.random.default_rng(0))
    assert run(case).accepted
    case.tensors["pick_lower.v0"][0, 0, 0, 0] = 0
    assert run(case).reason == "`pick_lower.v0` picks padding"


@pytest.mark.parametrize(
    ("op", "attrs", "words"),
    [
        ("max_pool2d", {"padding": [[2, 0], [0, 0]], "dilation": [1, 1]}, "windows that meet the"),
        ("max_pool2d", {"padding": [[0, 2], [0, 0]], "dilation": [1, 1]}, "windows that meet the"),
        ("max_pool2d", {"padding": [[1, 2], [0, 0]], "dilation": [3, 1]}, "windows that meet the"),
        ("max_pool2d", {"padding": [[0, 0]], "dilation": [1, 1]}, "2 pairs of integers from 0 on"),
        ("avg_pool2d", {"divisor": 0}, "an integer from 1 on as `divisor`"),
        ("avg_pool2d", {"divisor": 2.0}, "an integer from 1 on as `divisor`"),
        ("avg_pool2d", {"divisor": True}, "an integer from 1 on as `divisor`"),
    ],
)
def test_a_pooling_of_nothing_is_refused(op: str, attrs: Any, words: str) -> None:
    whole = {"max_pool2d": {"dilation": [1, 1]}, "avg_pool2d": {"divisor": 4}}[op]
    net = Net((1, 2, 2, 2))
    net.flatten(net.op(op, "x", **TILES, **whole))
    case = certify(net, np.arange(8).reshape(1, 2, 2, 2), "0.01", np.random.default_rng(0))
    case.document["nodes"][0]["attrs"].update(attrs)
    with pytest.raises(MalformedError, match=words):
        run(case.rehash())


def test_numbers_that_overflow_are_rejected() -> None:
    net = Net((1, 2))
    huge = net.array("w", [[3e38, 3e38], [3e38, -3e38]])
    h = "x"
    for _ in range(10):
        h = net.op("linear", h, huge)
    with np.errstate(all="ignore"):
        case = certify(net, np.ones((1, 2)), "0.1", np.random.default_rng(0))
    case.tensors["outputs"] = np.ones((1, 2), np.float32)
    result = run(case)
    assert not result.accepted and "not finite" in result.reason
    assert run(case, "exact").reason == result.reason
    case = as_ibp(case)
    assert run(case, "exact").reason.endswith("does not give the recorded outputs: off by inf")
    case.tensors["center"], case.claim["eps"] = np.zeros((1, 2), np.float32), "1"
    case.tensors["outputs"] = np.zeros((1, 2), np.float32)
    assert run(case, "exact").margin == -np.inf


# --- the command


def test_an_answer_is_one_line_of_printable_ascii(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = mlp(1)
    case.tensors["a\naccepted: \x1b[2J\u20ac\ud800"] = np.ones(1, np.float32)
    assert main(write(case, tmp_path)) == 2
    words = r"malformed: tensor `a\naccepted: \x1b[2J\u20ac\ud800` is not one that"
    assert capsys.readouterr().err.startswith(words)
    case = cnn(1)
    rename(case, "v1", "v\u20ac")
    case.tensors["slope.v\u20ac"] = case.tensors.pop("slope.v1") + 2
    assert main(write(case.rehash(), tmp_path)) == 1
    assert capsys.readouterr().out == "rejected: `slope.v\\u20ac` leaves [0, 1]\n"
    rename(case, "v0", "v" * 10**6)
    case.document["nodes"][1]["inputs"] = ["w" * 10**6]
    assert main(write(case.rehash(), tmp_path)) == 2
    assert len(capsys.readouterr().err) < 600


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = write(cnn(1), tmp_path)
    assert main(paths) == 0
    assert capsys.readouterr().out.startswith("accepted: every margin is at least 0.06")
    assert main([*paths, "--exact"]) == 0
    assert capsys.readouterr().out.startswith("accepted: ")
    wrong = cnn(1)
    wrong.claim["eps"] = "0.9"
    assert main(write(wrong, tmp_path)) == 1
    assert capsys.readouterr().out.startswith("rejected: a margin is not proved positive: -")
    Path(paths[0]).write_text("{")
    assert main(paths) == 2
    error = capsys.readouterr().err
    assert error.startswith("malformed: the graph is not JSON") and error.count("\n") == 1
    wrong.document["nodes"][1]["op"] = "tan"
    assert main(write(wrong, tmp_path)) == 2
    assert capsys.readouterr().err.startswith("unsupported: op `tan`")


@pytest.mark.parametrize("error", [ValueError("a\n\u20ac"), RecursionError(), BrokenPipeError()])
def test_an_exception_of_python_is_no_verdict(
    error: Exception,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(__main__, "check_files", fails)
    assert main(write(cnn(1), tmp_path)) == 70
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"failed: {type(error).__name__}: '")
    assert err.isascii() and err.count("\n") == 1


def test_the_command_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tensorem.check"]
    done = subprocess.run([*command, *write(mlp(1), tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("accepted")
    done = subprocess.run([*command, "a", "b", "c"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "malformed: a is not a file\n"


def test_the_checker_stands_alone() -> None:
    """Importing and using it loads NumPy, the standard library, and nothing of ours."""
    code = (
        "import sys, tensorem.check as c; c.prepare; "
        "ours = [m for m in sys.modules if m.startswith('tensorem.')]; "
        "assert all(m.startswith('tensorem.check') for m in ours), ours; "
        "top = {m.split('.')[0] for m in sys.modules if not m.startswith('_')}; "
        "print(sorted(top - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(ast.literal_eval(done.stdout))
    assert {"numpy", "tensorem"} <= loaded and not loaded & {"jax", "jaxlib", "safetensors"}
