"""VNN-LIB files: what they say, and one clear error where they say what cannot be proved."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from tensorem.errors import ArgumentError, FileError
from tensorem.verify import Inequality, Property, vnnlib

pytest.importorskip("vnnlib")
BENCHMARKS = Path(__file__).parents[3] / "shared" / "bench" / "vnncomp"

DECLARED = "".join(f"(declare-const {name} Real)" for name in ("X_0", "X_1", "Y_0", "Y_1"))
BOX = "(assert (>= X_0 -1)) (assert (<= X_0 1e-1)) (assert (and (<= 0 X_1) (<= X_1 0.50)))"


def said(tmp_path: Path, text: str | bytes) -> tuple[Property, ...]:
    file = tmp_path / "p.vnnlib"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return vnnlib(file)


def asserted(tmp_path: Path, text: str, box: str = BOX) -> tuple[Property, ...]:
    return said(tmp_path, f"; a comment (\n{DECLARED}\n{box}\n(assert {text})")


def test_a_file_of_version_1(tmp_path: Path) -> None:
    [found] = asserted(
        tmp_path, "(or (and (>= Y_0 Y_1) (< Y_0 2)) (<= (+ Y_0 (* 2.0 Y_1)) (- 0.25)))"
    )
    assert found == Property(
        ("-1", "0"),
        ("0.1", "0.5"),
        (
            (Inequality(((0, "-1"), (1, "1")), "0"), Inequality(((0, "1"),), "2", strict=True)),
            (Inequality(((0, "1"), (1, "2")), "-0.25"),),
        ),
    )


def test_a_file_of_version_2_and_in_gzip(tmp_path: Path) -> None:
    text = """(vnnlib-version <2.0>)
    (declare-network N (declare-input A Real [1, 2]) (declare-output B Real [2, 2]))
    (assert (and (>= A[0, 0] 0.0) (<= A[0, 0] 1.0) (>= A[0, 1] 0.0) (<= A[0, 1] 2.0)))
    (assert (== B[1, 0] 3.0))"""
    [found] = said(tmp_path, gzip.compress(text.encode()))
    assert found.upper == ("1", "2")
    assert [one.terms for one in found.unsafe[0]] == [((2, "1"),), ((2, "-1"),)]


def test_boxes_within_a_disjunction_are_properties_of_their_own(tmp_path: Path) -> None:
    boxes = "(or (and (<= 0 X_0) (<= X_0 1) (<= Y_0 0)) (and (<= 2 X_0) (<= X_0 3) (<= Y_0 1)))"
    first, second = asserted(tmp_path, boxes, "(assert (<= 0 X_1)) (assert (<= X_1 1))")
    assert (first.upper, second.upper) == (("1", "1"), ("3", "1"))
    assert second.unsafe[0][0].bound == "1"
    empty = asserted(tmp_path, "(or (and (>= X_0 5) (<= Y_0 0)) (<= Y_0 1))")
    assert len(empty) == 1 and empty[0].unsafe[0][0].bound == "1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(<= (* Y_0 Y_1) 0.0)", "multiplies variables, which is not linear"),
        ("(<= (* X_0 X_1) 0.0)", "multiplies variables, which is not linear"),
        ("(<= X_0 Y_0)", "of inputs and outputs at once"),
        ("(<= X_0 X_1)", "no box with its ends"),
        ("(< X_0 0.05)", "no box with its ends"),
        ("(<= (* 3.0 X_0) 0.1)", "no decimal of 80 places"),
        ("(and (<= Y_0 0.0) (>= X_0 0.2))", "no input is in any of its boxes"),
        ("(<= 0.0 1.0)", "no variable"),
        ("(<= X_0 0.05)", "got an empty one"),
        ("(<= Y_0 1e999999999)", "a number takes a decimal below 1e38"),
        ("(<= Y_9 0.0)", ""),
        ("(= Y_0", "brackets match"),
        ("(nonsense Y_0 3.0)", "rror"),
    ],
)
def test_what_cannot_be_proved_is_said_in_a_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FileError, match="is no property that can be proved") as caught:
        asserted(tmp_path, text)
    assert words in str(caught.value) and len(str(caught.value)) < 600


def test_an_input_without_an_end(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="input 1 is not bounded from both sides"):
        asserted(
            tmp_path, "(<= Y_0 0.0)", "(assert (<= X_0 1)) (assert (>= X_0 0)) (assert (<= X_1 1))"
        )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "does not declare"),
        (b"\x1f\x8b\x08", "it is no gzip"),
        ("(declare-const X_0 Réal)".encode(), "no ASCII text"),
        (b"(" * 100_000 + b")" * 100_000, "more than 64 deep"),
        (b") (", "brackets match"),
        (b"(declare-const X_99999999 Real) (declare-const Y_0 Real)", "does not declare"),
        (DECLARED.encode() + b"(assert" + b" (or (<= Y_0 0.0) (<= Y_1 0.0))" * 9 + b")", "rror"),
        ((DECLARED + BOX + "(assert (or (<= Y_0 0.0) (<= Y_1 0.0)))" * 30).encode(), "too many"),
        (
            (DECLARED + BOX + f"(assert (or {'(<= Y_0 0.0)' * 20_000}))").encode(),
            "than 16384 cases",
        ),
        (gzip.compress(b" " * (2**24 + 1)), "it has more than 16777216 bytes"),
    ],
)
def test_a_hostile_file_ends_at_once(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(FileError) as caught:
        said(tmp_path, data)
    assert words in str(caught.value) and len(str(caught.value)) < 600


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vnnlib", None)
    with pytest.raises(ArgumentError, match="takes the package vnnlib, which is not installed"):
        asserted(tmp_path, "(<= Y_0 0.0)")
    with pytest.raises(FileError, match=r"missing\.vnnlib"):
        vnnlib(tmp_path / "missing.vnnlib")


@pytest.mark.long
@pytest.mark.skipif(not BENCHMARKS.exists(), reason="the properties of VNN-COMP are not here")
def test_every_property_of_vnn_comp_is_read() -> None:
    files = sorted(BENCHMARKS.glob("*/vnnlib/**/*.gz"))
    assert len(files) > 200 and all(vnnlib(file) for file in files)
