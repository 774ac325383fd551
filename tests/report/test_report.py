"""What a run folder says, and its page."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import parsed

import tensorem as tm
from tensorem import data, disk, nn, optim, report, train, verify
from tensorem.errors import CertificateError, FileError
from tensorem.graph import graph_hash, graph_of, weights_hash

RADII = (report.Radius("0.01", 2, 3, 1, 0, 5, 1), report.Radius("0.1", 0, 1, 2, 1, 1, 2))
FOUND = report.Robustness("g", "w", "some digits", 4, ("0", "1"), RADII, "0.05")


def about(model: Any) -> report.Robustness:
    graph = graph_of(model)
    return replace(FOUND, graph=graph_hash(graph), weights=weights_hash(graph.arrays))


def a_case(test: int, eps: str) -> report.Counterexample:
    center = np.linspace(0, 1, 16, dtype=np.float32).reshape(1, 1, 4, 4)
    return report.Counterexample(eps, test, 3, 7, center, center + np.float32(0.01))


def train_data() -> data.Dataset:
    x, y = np.zeros((4, 1, 4, 4), np.float32), np.arange(4, dtype=np.int32) % 3
    return data.Dataset(x, y)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a run <&> more")
    model = nn.build(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), input=("N", 1, 4, 4))
    train.fit(model, train_data(), optimizer=optim.sgd(0.1), epochs=3, path=path, progress="none")
    tm.save(model, path)
    about(model).save(disk.RunFiles(path).robustness)
    cases = (a_case(5, "0.1"), a_case(5, "0.01"), a_case(2, "0.1"))
    report.save_counterexamples(disk.RunFiles(path).counterexamples, cases)
    return path


def test_a_run_is_gathered(run: Path) -> None:
    facts = report.gather(run)
    assert facts.robustness == about(facts.model) and facts.stale == ()
    assert [row["epoch"] for row in facts.history] == [1, 2, 3]
    assert facts.config["plan"]["epochs"] == 3 and facts.certificates == 0
    assert [(case.test, case.eps) for case in facts.counterexamples] == [
        (5, "0.01"), (2, "0.1"), (5, "0.1"),
    ]  # fmt: skip
    np.testing.assert_array_equal(facts.counterexamples[0].point, a_case(5, "0.01").point)
    assert facts.to_json()["robustness"]["half"] == "0.05"


def test_what_is_about_other_weights_is_stale_and_not_counted(run: Path, tmp_path: Path) -> None:
    model, copy = tm.load(run), Path(shutil.copytree(run, tmp_path / "copy"))
    graph = graph_of(model)
    own = verify.Claim(graph_hash(graph), weights_hash(graph.arrays), 0, "0.1")
    for name, claim in (
        ("own", own),
        ("weights", replace(own, weights="0" * 64)),
        ("graph", replace(own, graph="0" * 64)),
    ):
        path = copy / "certificates" / "eps-0.1" / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(disk.pack({}, {"claim": claim.to_json()}))
    replace(FOUND, weights="0" * 64).save(disk.RunFiles(copy).robustness)
    outcomes = report.examine(model, train_data())
    outcomes.save(copy)
    assert report.gather(copy).outcomes is not None
    replace(outcomes, weights="0" * 64).save(copy)
    facts = report.gather(copy)
    assert (
        facts.certificates == 1
        and facts.robustness is facts.outcomes is None
        and not facts.counterexamples
    )
    assert list(facts.stale) == facts.to_json()["stale"] == [
        "certificates/eps-0.1/graph.safetensors", "certificates/eps-0.1/weights.safetensors",
        "outcomes.safetensors", "robustness.json", "counterexamples.safetensors",
    ]  # fmt: skip
    page = report.page(facts)
    parsed(page)
    told = "2 certificates, outcomes.safetensors, robustness.json, counterexamples.safetensors: "
    assert f"{told}about other weights" in page and "certificates: 1; check again" in page
    assert "Counterexamples" not in page and "Half of them" not in page


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"garbage", FileError, "A safetensors file is whole and well formed"),
        (disk.pack({}), CertificateError, "A certificate holds a claim"),
        (disk.pack({}, {"claim": "[]"}), CertificateError, "A certificate holds a claim"),
    ],
    ids=["bytes", "none", "list"],
)
def test_a_certificate_that_is_none_is_named(
    content: bytes, error: Any, words: str, tmp_path: Path
) -> None:
    tm.save(nn.build(nn.Linear(3, 2), input=("N", 3)), tmp_path)
    path = tmp_path / "certificates" / "x.safetensors"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        report.gather(tmp_path)
    assert caught.value.where == str(path)


def test_the_page_is_whole_and_fetches_nothing(run: Path) -> None:
    path = report.write(report.gather(run))
    page = path.read_text()
    parser = parsed(page)
    tags = {tag for tag, _ in parser.seen}
    assert not tags & {"script", "link", "iframe"} and {"svg", "img", "table"} <= tags
    places = [a for _, attrs in parser.seen for k, a in attrs.items() if k in ("src", "href")]
    assert places and all(place.startswith("data:image/png;base64,") for place in places)
    assert "http" not in re.sub(r"data:[^\"]*", "", page)
    assert "a run &lt;&amp;&gt; more" in page and "<&>" not in page


def test_the_page_shows_model_curves_radii_cases_and_hashes(run: Path) -> None:
    facts = report.gather(run)
    page = report.page(facts)
    assert "Linear(16 -&gt; 3)" in page and "sgd(lr=0.1" in page
    assert page.count('<polyline class="line c0"') == 3
    assert "Half of them are proved up to radius 0.05" in page
    assert "2 of 2 inputs with one" in page and "test 5, radius 0.01: 3 becomes 7" in page
    for digest in facts.hashes.values():
        assert digest in page


def test_a_model_alone_has_a_page_too(tmp_path: Path) -> None:
    model = nn.build(nn.Linear(3, 2), input=("N", 3))
    tm.save(tm.capture(model), tmp_path)
    page = report.page(report.gather(tmp_path))
    parsed(page)
    assert "<td>linear</td>" in page and "Training" not in page and "Robustness" not in page


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("robustness.json", b"{}", "is not a robustness.json"),
        ("robustness.json", b"[1]", "is not a robustness.json"),
        ("config.json", b"{", "takes JSON"),
        ("scores.json", b"[]", "takes a JSON object"),
        ("log.jsonl", b"{}\n}\n", "takes JSON with a step, got b'{}'"),
        ("log.jsonl", b"7\n", "takes JSON with a step, got b'7'"),
        ("log.jsonl", b'["epoch"]\n', "takes JSON with a step"),
        ("log.jsonl", b'{"epoch": 1, "step": 1, "loss": "x"}\n', "takes numbers, got 'x' for loss"),
        ("scores.json", b'{"loss": {}}', "takes numbers, got {} for loss"),
        ("config.json", b'{"plan": [1]}', r"takes a JSON object as its plan, got \[1\]"),
        ("counterexamples.safetensors", b"nothing", "safetensors file"),
    ],
)
def test_a_malformed_file_is_refused(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    tm.save(nn.build(nn.Linear(3, 2), input=("N", 3)), tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=words):
        report.gather(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"clip": [0.0, 1.0]}, "of another kind"),
        ({"count": 5}, "the verdicts at radius 0.01 are not 5 in all"),
        ({"radii": []}, "no radius"),
        ({"radii": [vars(RADII[0]) | {"eps": "-1"}]}, "radius '-1' has"),
        ({"radii": [vars(RADII[0]) | {"ibp": 4}]}, "are not 4 in all"),
        ({"radii": [vars(RADII[0]) | {"checked": None}]}, "radius '0.01' has"),
    ],
)
def test_verdicts_that_cannot_be_are_refused(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = disk.RunFiles(tmp_path).robustness
    FOUND.save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FileError, match=words):
        report.Robustness.load(path)


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_name_that_is_no_text_has_a_page(run: Path) -> None:
    odd = run.with_name("odd \udcff name")
    odd.symlink_to(run)
    assert "tensorem show &#x27;" in report.page(report.gather(odd))
    assert b"odd ? name" in report.write(report.gather(odd)).read_bytes()
