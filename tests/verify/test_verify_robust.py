"""Robustness end to end: verdicts with evidence, and evidence that stands up to others."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import check, nn
from tensorem import functional as F
from tensorem.errors import (
    ArgumentError,
    CertificateError,
    DataError,
    DTypeError,
    FileError,
    MeaningError,
    ShapeError,
)
from tensorem.graph import capture, to_json
from tensorem.verify import Classifier, Prover, _prover, robust

RNG = np.random.default_rng(0)
XS = RNG.uniform(size=(12, 1, 4, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> nn.Model:
    """Every kind of layer that proofs promise: convolution, norm, pools, flatten, linear, relu."""
    layer = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(),
        nn.Residual(nn.Sequential(nn.Conv2d(3, 3, 1), nn.AvgPool2d(1))),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 3),
    )  # fmt: skip
    return nn.build(layer, input=("N", 1, 4, 4), seed=3)


@pytest.fixture(scope="module")
def prover(model: nn.Model) -> Prover:
    return Prover.of(model, clip=(0, 1))


@pytest.fixture(scope="module")
def labels(model: nn.Model) -> list[int]:
    return [int(i) for i in np.asarray(model(XS)).argmax(1)]


class Miscaptured:
    """A model that runs as something else than what capture is shown."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.params, self.buffers, self.input = model.params, model.buffers, model.input
        self.replace, self.apply = model.replace, model.apply

    def __call__(self, x: Any) -> Any:
        return self._model(x)[:, ::-1]


def test_a_graph_that_is_not_what_the_model_computes_proves_nothing() -> None:
    model = nn.build(nn.Linear(2, 2), input=("N", 2), seed=0)
    x = np.float32([0.3, -0.2])
    label = int(np.asarray(model(x[None])).argmax())
    assert robust(model, x, label, 0.0).verdict == "proved"
    wrong = Miscaptured(model)
    assert robust(wrong, x, label, 0.0).verdict == "unknown"
    assert robust(wrong, x, 1 - label, 0.0).verdict == "unknown"


def test_small_boxes_are_proved_and_large_ones_are_not(prover: Prover, labels: list[int]) -> None:
    near, far = (prover.robust_all(XS, labels, eps) for eps in ("0.0001", "1"))
    assert [p.verdict for p in near].count("proved") >= 10
    assert "proved" not in [p.verdict for p in far]
    assert any(p.verdict == "refuted" for p in far)
    for proof in near + far:
        assert proof.check() == (proof.verdict != "unknown")


def test_what_is_proved_is_not_attacked(
    prover: Prover, labels: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    attacked: list[int] = []
    monkeypatch.setattr(_prover, "_attack_program", lambda _: lambda w, x, *_: _none(x, attacked))
    mixed = [*labels[:2], (labels[2] + 1) % 3]
    proofs = prover.robust_all(XS[:3], mixed, "0.0001")
    assert [p.verdict for p in proofs] == ["proved", "proved", "unknown"]
    assert len(attacked) == 1


def _none(xs: Any, attacked: list[int]) -> Any:
    attacked += range(len(xs))
    return xs, np.full(len(xs), -1.0)


def test_crown_proves_what_intervals_prove(prover: Prover, labels: list[int]) -> None:
    by_method = {
        method: {
            i
            for i, p in enumerate(prover.robust_all(XS, labels, "0.01", method))
            if p.verdict == "proved"
        }
        for method in ("ibp", "crown")
    }
    assert by_method["ibp"] <= by_method["crown"]


def test_no_point_of_a_proved_box_is_classified_otherwise(
    model: nn.Model, prover: Prover, labels: list[int]
) -> None:
    for i, proof in enumerate(prover.robust_all(XS, labels, "0.02")):
        noise = RNG.choice([-1, 1], size=(64, 1, 4, 4)) * np.float32(0.02)
        points = np.clip(XS[i] + noise.astype(np.float32), 0, 1)
        if proof.verdict == "proved":
            assert (np.asarray(model(points)).argmax(1) == labels[i]).all()


def test_a_wrong_label_is_refuted_at_radius_zero(model: nn.Model, labels: list[int]) -> None:
    proof = robust(model, XS[0], (labels[0] + 1) % 3, 0)
    assert proof.verdict == "refuted"
    assert proof.counterexample is not None and np.array_equal(proof.counterexample[0], XS[0])
    assert proof.check()


def test_a_counterexample_outside_the_box_is_no_evidence(
    model: nn.Model, prover: Prover, labels: list[int]
) -> None:
    proof = next(p for p in prover.robust_all(XS, labels, 1) if p.verdict == "refuted")
    assert proof.counterexample is not None
    moved = dataclasses.replace(proof, counterexample=proof.counterexample + np.float32(2))
    assert not moved.check()


def test_a_certificate_file_is_accepted_by_the_checker_alone(
    prover: Prover, labels: list[int], tmp_path: Path
) -> None:
    from safetensors.numpy import save_file

    proof = next(p for p in prover.robust_all(XS, labels, "0.0001") if p.verdict == "proved")
    graph = prover.classifier.stored
    (tmp_path / "graph.json").write_text(to_json(graph))
    save_file(dict(graph.arrays), tmp_path / "model.safetensors")
    certificate = proof.save(tmp_path / "c.safetensors")
    files = (tmp_path / "graph.json", tmp_path / "model.safetensors", certificate)
    assert check.check_files(*files).accepted
    assert check.check_files(*files, mode="exact").accepted


def test_evidence_for_another_label_is_rejected(prover: Prover, labels: list[int]) -> None:
    proof = next(p for p in prover.robust_all(XS, labels, "0.0001") if p.verdict == "proved")
    other = dataclasses.replace(proof.claim, label=(proof.claim.label + 1) % 3)
    assert not dataclasses.replace(proof, claim=other).check()


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "shape": ({"x": XS[0, :, :3]}, ShapeError, r"takes inputs \(1, 4, 4\), got \(1, 3, 4\)"),
    "dtype": ({"x": XS[0].astype(np.float64)}, DTypeError, "takes float32 inputs, got float64"),
    "nan": ({"x": XS[0] * np.float32("nan")}, ArgumentError, "takes finite inputs"),
    "outside": ({"x": XS[0] + 1}, ArgumentError, "within clip"),
    "label": ({"label": 3}, ArgumentError, "A proof takes label as an integer of at most 2, got 3"),
    "half a label": ({"label": 1.5}, ArgumentError, "takes label as an integer .* got 1.5"),
    "true label": ({"label": True}, ArgumentError, "takes label as an integer .* got True"),
    "no label": ({"label": None}, ArgumentError, "takes label as an integer .* got None"),
    "one clip": ({"clip": (1,)}, ArgumentError, r"clip takes \(least, greatest\), got \(1,\)"),
    "text clip": ({"clip": "01"}, ArgumentError, r"clip takes \(least, greatest\), got '01'"),
    "large eps": ({"eps": "1e39"}, ArgumentError, "takes a decimal below 1e38"),
    "eps": ({"eps": -0.1}, ArgumentError, "eps takes a finite number of at least 0"),
    "method": ({"method": "magic"}, ArgumentError, "got 'magic'"),
    "clip": ({"clip": (1, 0)}, ArgumentError, "clip takes"),
    "close clip": ({"clip": ("0.1", "0.09999999999999999999999")}, ArgumentError, "clip takes"),
    "nested clip": ({"clip": ((0, 1), 1)}, ArgumentError, r"clip takes a number, got \(0, 1\)"),
    "no clip": ({"clip": 1}, ArgumentError, r"clip takes \(least, greatest\), got 1"),
    "clip by name": ({"clip": {0: 1, 1: 2}}, ArgumentError, r"clip takes \(least, greatest\)"),
    "no array": ({"x": [[1], [1, 2]]}, ShapeError, "A proof takes an array, got a ragged"),
    "text": ({"x": "abc"}, DTypeError, r"A proof takes numbers, got <U3 \(str\)"),
    "large list": ({"x": [[[1e39] * 4] * 4]}, DTypeError, "values that float32 does not hold"),
    "exact clip": (
        {"x": np.full((1, 4, 4), 0.3, np.float32), "clip": ("0", "0.3")},
        ArgumentError,
        r"got 0.30000001192092896 to 0.30000001192092896.\n  help: +widen clip, or write its ends",
    ),
    "exact low clip": (
        {"x": np.full((1, 4, 4), 0.7, np.float32), "clip": ("0.7", "1")},
        ArgumentError,
        r"within clip \('0.7', '1'\), got 0.699999988",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_clear_error(model: nn.Model, name: str) -> None:
    change, kind, words = REFUSED[name]
    arguments: dict[str, Any] = {"x": XS[0], "label": 0, "eps": 0.1, "clip": (0, 1)} | change
    with pytest.raises(kind, match=words):
        robust(model, **arguments)


def test_a_model_that_does_not_classify_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"to \(N, classes\)"):
        Prover.of(nn.build(nn.Conv2d(1, 1, 1), input=("N", 1, 4, 4)))
    with pytest.raises(ShapeError, match="two outputs or more, got one"):
        Prover.of(nn.build(nn.Linear(4, 1), input=("N", 4)))
    with pytest.raises(DTypeError, match="takes a model in float32, got float64 in `x0`"):
        Prover.of(nn.build(nn.Linear(4, 3), input=tm.Spec(("N", 4), "float64")))
    with pytest.raises(MeaningError, match="that the checker can check"):
        layer = nn.Sequential(nn.Linear(4, 3), nn.Softsign())
        Prover.of(nn.build(layer, input=("N", 4)))


EDGES: dict[str, tuple[list[float], Any]] = {
    "the greatest above its decimal": ([0.1, 0.2, 0.3], (0, 0.3)),
    "the least below its decimal": ([0.7, 0.8, 0.9], (0.7, 1)),
    "normalised": ([-0.4242, 0.2, 2.8215], (-0.4242, 2.8215)),
    "numbers of numpy": ([-0.4242, 0.2, 2.8215], (np.float32(-0.4242), np.float32(2.8215))),
    "numbers of jax": ([-0.4242, 0.2, 2.8215], (jnp.float32(-0.4242), jnp.float32(2.8215))),
    "tiny": ([-1e-30, 0.0, 1e-41], (-1e-30, 1e-41)),
    "as text": ([0.1, 0.2, 0.3], ("0", "0.3000000119209289550781250")),
}


@pytest.mark.parametrize("name", EDGES)
def test_a_pixel_on_the_edge_of_clip_is_proved(name: str) -> None:
    values, clip = EDGES[name]
    x = np.array(values, np.float32)
    model = nn.build(nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2)), ("N", 3), seed=1)
    proof = robust(model, x, int(np.argmax(model(x[None]))), 1e-9, clip=clip)
    assert proof.verdict == "proved" and proof.check()
    assert proof.claim.clip is not None
    low, high = map(Fraction, proof.claim.clip)
    assert all(low <= Fraction(float(v)) <= high for v in x)


def test_a_list_is_an_input_as_it_is_for_the_model() -> None:
    model = nn.build(nn.Linear(2, 2), input=("N", 2), seed=1)
    label = int(np.argmax(model([[0.1, 2]])))
    proof = robust(model, [0.1, 2], label, 0.001)
    assert proof.verdict == "proved" and proof.check()
    assert np.array_equal(proof.arrays["center"].ravel(), np.float32([0.1, 2]))


def test_what_is_no_model_is_named() -> None:
    for thing in (nn.ReLU(), len):
        with pytest.raises(ArgumentError, match="takes a model or a graph, got") as caught:
            robust(thing, XS[0], 0, 0.1)
        assert "nn.build(layer" in caught.value.help


def test_weights_that_are_no_numbers_are_named(model: nn.Model) -> None:
    broken = model.replace(params={**model.params, "6.bias": model.params["6.bias"] * np.nan})
    with pytest.raises(DataError, match="takes a graph with finite weights") as caught:
        Prover.of(broken)
    assert "`6.bias` is not finite" in caught.value.because


@pytest.mark.parametrize("labels", [1, None])
def test_labels_are_a_list(prover: Prover, labels: Any) -> None:
    with pytest.raises(ArgumentError, match="labels takes a list of integers, got"):
        prover.robust_all(XS, labels, 0.1)
    with pytest.raises(ArgumentError, match="labels takes a list of integers, got"):
        prover.margins(XS, labels, 0.1)


def test_numbers_of_other_byte_order_are_the_same_numbers(prover: Prover, labels: Any) -> None:
    swapped = XS[0].astype(">f4")
    assert prover.robust(swapped, labels[0], "0.0001").verdict == "proved"


def test_an_output_that_does_not_depend_on_the_input_is_refused() -> None:
    constant = capture(lambda x: jax.numpy.array([[1.0, 2.0]]), (1, 4))
    with pytest.raises(MeaningError, match=r"outputs that depend on the input, `.*` does not"):
        robust(constant, np.ones(4, np.float32), 1, 0.1)


def test_what_only_one_reading_refutes_is_unknown(
    prover: Prover, labels: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = (labels[0] + 1) % 3
    assert prover.robust(XS[0], wrong, 0).verdict == "refuted"
    for reading in ("runtime_margin", "exact_margin"):
        with monkeypatch.context() as patch:
            patch.setattr(Classifier, reading, lambda *_: 1.0)
            assert prover.robust(XS[0], wrong, 0).verdict == "unknown"


def test_a_tie_is_refuted_and_a_box_of_all_numbers_is_survived() -> None:
    model = nn.build(nn.Linear(4, 3), input=("N", 4), seed=5)
    tied = model.replace(params={k: 0 * v for k, v in model.params.items()})
    assert robust(tied, np.ones(4, np.float32), 0, 0).check()
    largest = np.full(4, np.finfo(np.float32).max)
    for label in range(3):
        proof = robust(model, largest, label, "9e37")
        assert proof.check() == (proof.verdict != "unknown")


def test_an_output_beyond_all_floats_refutes_as_any_other() -> None:
    """A root makes the exact reading an enclosure, and one of its ends is infinite here."""
    layer = nn.Sequential(*(nn.BatchNorm2d(2) for _ in range(10)), nn.Flatten())
    model = nn.build(layer, input=("N", 2, 1, 1))
    huge = {path: np.float32([1e38, 1]) for path in model.params if path.endswith("weight")}
    model = model.replace(params={**model.params, **huge})
    assert robust(model, np.float32([[[-1]], [[0.5]]]), 0, 0.1).verdict == "refuted"


def test_a_leaky_net_is_proved_by_both_methods_where_samples_agree() -> None:
    layer = nn.Sequential(nn.Linear(4, 6), nn.LeakyReLU(0.1), nn.Linear(6, 3))
    model = nn.build(layer, input=("N", 4), seed=2)
    xs = RNG.uniform(size=(20, 4)).astype(np.float32)
    labels = [int(i) for i in np.asarray(model(xs)).argmax(1)]
    for proofs in Prover.of(model, clip=(0, 1)).compare(xs, labels, "0.1").values():
        assert [p.verdict for p in proofs].count("proved") >= 5
        for x, label, proof in zip(xs, labels, proofs, strict=True):
            points = np.clip(x + RNG.uniform(-0.1, 0.1, (200, 4)), 0, 1).astype(np.float32)
            same = (np.asarray(model(points)).argmax(1) == label).all()
            assert proof.check() == (proof.verdict != "unknown")
            assert same or proof.verdict != "proved"


def test_every_input_has_a_label(prover: Prover) -> None:
    for xs, labels in ((XS[:0], []), (XS[:2], [0])):
        with pytest.raises(ShapeError, match="takes a label for each input, got"):
            prover.robust_all(xs, labels, 0.1)


def test_an_unknown_has_no_certificate_and_a_full_disk_loses_nothing(
    prover: Prover, labels: list[int], tmp_path: Path
) -> None:
    proofs = prover.robust_all(XS, labels, "0.0001")
    proved = next(p for p in proofs if p.verdict == "proved")
    unknown = dataclasses.replace(proved, verdict="unknown")
    assert not unknown.check()
    with pytest.raises(CertificateError, match="belongs to a proof, got unknown"):
        unknown.to_bytes()
    with pytest.raises(FileError, match="cannot be written"):
        proved.save(tmp_path / "nowhere" / "c.safetensors")


def test_settings_of_the_user_for_broadcasting_are_their_own() -> None:
    model = nn.build(nn.Linear(4, 3), input=("N", 4), seed=5)
    with jax.numpy_rank_promotion("raise"):
        assert robust(model, np.ones(4, np.float32), 0, "0.001").verdict in ("proved", "refuted")


class Ends(nn.Layer):
    """The last place of a sequence, and the mean over its places."""

    head: nn.Linear

    def forward(self, x: Any) -> Any:
        return self.head(F.relu(x[:, -1] + x.mean(1)))


def test_a_size_besides_the_batch_is_asked_for() -> None:
    model = nn.build(Ends(nn.Linear(3, 2)), ("N", "T", 3))
    x = np.ones((4, 3), np.float32)
    with pytest.raises(
        ShapeError, match="takes a model of known sizes, got one that leaves T"
    ) as e:
        robust(model, x, 0, 0.01)
    assert "bind(T=...)" in e.value.help
    label = int(np.argmax(model(x[None])))
    proof = robust(tm.capture(model).bind(T=4), x, label, 1e-4)
    assert proof.verdict == "proved" and proof.check()
