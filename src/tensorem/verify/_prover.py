"""Robustness on boxes: bounded together, checked one by one, attacked where nothing is proved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypedDict, TypeVar

import jax
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from tensorem.calls import among, integer, named
from tensorem.domains import End
from tensorem.dtypes import as_numbers, taken
from tensorem.errors import ArgumentError, DTypeError, ShapeError
from tensorem.graph import Captured, Graph, Trained, sizes, to_program
from tensorem.ops._derive import boxed
from tensorem.shapes import format_shape
from tensorem.verify._attack import above, worst
from tensorem.verify._bounds import Propagation
from tensorem.verify._claim import Claim, clip_range, float32_box, float32_range, radius
from tensorem.verify._classifier import Classifier, Structure
from tensorem.verify._proof import Proof

Method = Literal["crown", "ibp"]
Least = tuple[dict[str, np.ndarray], dict[str, Array]]
T = TypeVar("T")
CHUNK = 50
"""Boxes that are bounded or attacked together."""


class Found(TypedDict):
    """What was found of some boxes, a row for each."""

    center: np.ndarray
    margins: dict[str, np.ndarray]
    evidence: dict[str, np.ndarray]


class Row(Found):
    """The same of one box, and what the classifier gives at its centre."""

    outputs: np.ndarray


@dataclass(frozen=True, eq=False)
class Prover:
    """Proves or refutes that a classifier keeps its label on boxes around inputs.

    Made by `Prover.of`; what is compiled serves all inputs and radii.

    Args:
        classifier: The graph, and its other readings.
        propagation: Its bounds.
        clip: The least and greatest value that an input can have, as decimals.
    """

    classifier: Classifier
    propagation: Propagation
    clip: tuple[str, str] | None = None

    @staticmethod
    def of(model: Trained | Captured | Graph, clip: tuple[float, float] | None = None) -> Prover:
        """A prover for a model or graph that classifies; the batch axis is bound to 1.

        Args:
            model: A model or graph.
            clip: As `robust` takes it.

        Raises:
            ShapeError: It does not take one array and give (N, classes).
            MeaningError: One of its ops has no bounds, or is none that the checker knows.
            ArgumentError: clip is not a range.
        """
        classifier = Classifier.of(model)
        propagation = Propagation.of(classifier.graph)
        _ = classifier.checker
        return Prover(classifier, propagation, None if clip is None else clip_range(clip))

    def robust(self, x: ArrayLike, label: int, eps: float | str, method: Method = "crown") -> Proof:
        """Is the output `label` strictly above all others, everywhere within eps of x?

        Shapes:
            x as the model takes it, without the batch axis or with one of size 1.

        Args:
            x: The centre of the box, float32.
            label: Index of the output.
            eps: Radius of the box in input units (L-infinity); a float means its printed decimal.
            method: "crown", or "ibp" for interval bounds only.

        Raises:
            ShapeError: x is not one input of the model.
            DTypeError: x is an array of another dtype than float32, or holds no such numbers.
            ArgumentError: The label, radius or method is out of its range, or x lies outside clip.
        """
        return self.robust_all(_array(x)[None], [label], eps, method)[0]

    def robust_all(
        self, xs: ArrayLike, labels: Sequence[int], eps: float | str, method: Method = "crown"
    ) -> list[Proof]:
        """`robust` for every input of a batch, with one radius.

        Raises:
            ShapeError: The inputs are not a batch of inputs of the model, one for each label.
            DTypeError: They are an array of another dtype than float32, or hold no such numbers.
            ArgumentError: A label, the radius or the method is out of its range, or an input
            outside clip.
        """
        with named("A proof"):
            among("method", method, ("crown", "ibp"))
        return self._robust(xs, labels, eps, (method,))[method]

    def compare(
        self, xs: ArrayLike, labels: Sequence[int], eps: float | str
    ) -> dict[Method, list[Proof]]:
        """`robust_all` by each method, in little more time than by one.

        Raises:
            ShapeError: As `robust_all`.
            ArgumentError: As `robust_all`.
        """
        return self._robust(xs, labels, eps, ("crown", "ibp"))

    def margins(
        self, xs: ArrayLike, labels: Sequence[int], eps: float | str, method: Method = "crown"
    ) -> np.ndarray:
        """The lower bounds reached on y[label] - y[other] within eps: estimates, nothing proved.

        Raises:
            ShapeError: As `robust_all`.
            ArgumentError: As `robust_all`.
        """
        with named("A proof"):
            among("method", method, ("crown", "ibp"))
        found = self._bound(xs, self._labels(labels), radius(eps), (method,))
        return found["margins"][method]

    def _robust(
        self, xs: ArrayLike, labels: Sequence[int], eps: float | str, methods: tuple[Method, ...]
    ) -> dict[Method, list[Proof]]:
        reach, labels = radius(eps), self._labels(labels)
        found = self._bound(xs, labels, reach, methods)
        outputs = np.stack([self.classifier.outputs(x) for x in found["center"]])
        both: Row = {**found, "outputs": outputs}
        rows: list[Row] = [jax.tree.map(lambda a, i=i: a[i], both) for i in range(len(labels))]
        proofs = [
            {method: self._proved(self._claim(label, reach, method), row) for method in methods}
            for label, row in zip(labels, rows, strict=True)
        ]
        open_ = [
            i for i, by in enumerate(proofs) if "proved" not in {p.verdict for p in by.values()}
        ]
        for i, point in self._attack(found["center"], labels, reach, open_).items():
            proofs[i] = {method: _refuted(proof, point) for method, proof in proofs[i].items()}
        return {method: [by[method] for by in proofs] for method in methods}

    def _claim(self, label: int, eps: str, method: Method) -> Claim:
        own = self.classifier
        return Claim(own.structure.digest, own.weights, label, eps, self.clip, method)

    def _centers(self, inputs: ArrayLike, count: int) -> np.ndarray:
        xs, shape = _array(inputs), self.classifier.shape
        if xs.dtype.name != "float32":
            raise DTypeError(
                f"A proof takes float32 inputs, got {xs.dtype.name}.",
                help="write x.astype(np.float32): the claim is about exactly these numbers.",
            )
        if not count or len(xs) != count:
            raise ShapeError(
                f"A proof takes a label for each input, got {count} labels and inputs "
                f"{format_shape(xs.shape)}."
            )
        if xs.shape not in ((count, *shape), (count, *shape[1:])):
            one = format_shape(shape[1:])
            raise ShapeError(f"A proof takes inputs {one}, got {format_shape(xs.shape[1:])}.")
        centers: np.ndarray = xs.reshape(count, *shape).astype(np.float32, copy=False)
        self._require_within(centers)
        return centers

    def _require_within(self, centers: np.ndarray) -> None:
        """No claim is about nothing: a centre lies in its own box."""
        least, greatest = float(centers.min()), float(centers.max())
        low, high = float32_range(self.clip)
        if not (low <= least and greatest <= high and np.isfinite([least, greatest]).all()):
            raise ArgumentError(
                f"A proof takes finite inputs within clip {self.clip or 'none'}, got {least} to "
                f"{greatest}.",
                help="widen clip, or write its ends as floats: 0.3 holds float32(0.3), the "
                'decimal "0.3" does not.',
            )

    def _labels(self, labels: Sequence[int]) -> list[int]:
        if not np.iterable(labels):
            raise ArgumentError(f"labels takes a list of integers, got {labels!r}.")
        plain = [np.asarray(v).item() if np.ndim(v) == 0 else v for v in labels]
        with named("A proof"):
            return [integer("label", v, 0, self.classifier.classes - 1) for v in plain]

    def _bound(
        self, xs: ArrayLike, labels: Sequence[int], eps: str, methods: tuple[Method, ...]
    ) -> Found:
        """The least margins by each method and the evidence, a chunk at a time."""
        centers = self._centers(xs, len(labels))
        arrays = (*float32_box(centers, eps, self.clip), np.asarray(labels, np.int32))
        parts = [
            jax.device_get(_least(self.propagation, methods, *(a[rows] for a in arrays)))
            for rows in _chunks(np.arange(len(labels)))
        ]
        margins, evidence = jax.tree.map(lambda *p: np.concatenate(p)[: len(labels)], *parts)
        return {"center": centers, "margins": margins, "evidence": evidence}

    def _attack(
        self, centers: np.ndarray, labels: Sequence[int], eps: str, which: Sequence[int]
    ) -> dict[int, np.ndarray]:
        """Points of some boxes where another output comes out above the label, by box."""
        ends = float32_box(centers, eps, self.clip)
        arrays = (centers, *ends, np.asarray(labels, np.int32))
        found: dict[int, np.ndarray] = {}
        for rows in _chunks(np.asarray(which, int)):
            attack = _attack_program(self.classifier.structure)
            given = self.classifier.graph.arrays, *(a[rows] for a in arrays)
            points, misses = jax.device_get(attack(*given))
            pairs = zip(rows, points, misses, strict=True)
            found |= {int(i): point for i, point, miss in pairs if miss >= 0}
        return found

    def _proved(self, claim: Claim, found: Row) -> Proof:
        """Proved where the checker accepts the evidence, unknown elsewhere."""
        margin, center = float(found["margins"][claim.method]), found["center"]
        evidence = found["evidence"] if claim.method == "crown" else {}
        arrays = {"center": center, "outputs": found["outputs"], **evidence}
        proof = Proof("proved", claim, center, margin, self.classifier, arrays=arrays)
        if margin > 0 and proof.check():
            return proof
        return Proof("unknown", claim, center, margin, self.classifier)


def _refuted(proof: Proof, point: np.ndarray) -> Proof:
    """Refuted where a point is a counterexample; else what it was."""
    refuted = replace(proof, verdict="refuted", counterexample=point)
    return refuted if refuted.check() else proof


def robust(
    model: Trained | Captured | Graph,
    x: ArrayLike,
    label: int,
    eps: float | str,
    *,
    clip: tuple[float, float] | None = None,
    method: Method = "crown",
) -> Proof:
    """Is the output `label` strictly above all others, everywhere within eps of x (L-infinity)?

    Args:
        model: A model or graph that classifies.
        x: The centre, float32, without the batch axis or with one of size 1.
        label: Index of the output.
        eps: Radius in input units; a float means the decimal that Python prints for it.
        clip: The least and greatest value that an input can have, both included. A float means its
            printed decimal, or the nearest float32 (rounded outward to nine digits) where that lies
            further out, so that (0, 0.3) holds the pixel float32(0.3); a text is taken exactly.
        method: "crown", or "ibp" for interval bounds only.

    Returns:
        A proof: its `verdict` is "proved", "refuted" or "unknown", and `check()` judges its
        evidence again.

    Raises:
        ShapeError: The model is no classifier, or x is not one of its inputs.
        DTypeError: The model or x is of another dtype than float32.
        ArgumentError: label, eps, clip or method is out of its range.
        MeaningError: One of the model's ops has no bounds.

    Source:
        Bounds: Zhang et al. 2018 (CROWN), Theorem 3.2; attack: Madry et al. 2018, section 2.1.
    """
    return Prover.of(model, clip).robust(x, label, eps, method)


def _chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """The rows in chunks of one size, the last filled up with its last row."""
    size = min(CHUNK, len(rows))
    for start in range(0, len(rows), max(1, size)):
        yield rows[np.minimum(np.arange(start, start + size), len(rows) - 1)]


@lru_cache(maxsize=16)
def _attack_program(structure: Structure) -> Callable[..., tuple[Array, Array]]:
    """(weights, centres, lower, upper, labels) -> the worst points and by how much they miss."""
    run = to_program(structure.graph)

    def one(
        arrays: Mapping[str, Array], center: Array, lower: Array, upper: Array, label: Array
    ) -> tuple[Array, Array]:
        return worst(lambda x: above(run(arrays, x)[0], label), center, lower, upper)

    return _broadcasting(jax.jit(jax.vmap(one, in_axes=(None, 0, 0, 0, 0))))


def _broadcasting(program: Callable[..., T]) -> Callable[..., T]:
    """The program traced with JAX's own broadcasting, whatever the user's setting for theirs."""

    def run(*arguments: object) -> T:
        with jax.numpy_rank_promotion("allow"):
            return program(*arguments)

    return run


def _least(
    propagation: Propagation,
    methods: tuple[Method, ...],
    lower: np.ndarray,
    upper: np.ndarray,
    labels: np.ndarray,
) -> Least:
    """The least margin of each label, by each method, and what the checker needs."""
    name = propagation.graph.outputs[0]
    own = np.arange(sizes(propagation.graph, name)[1]) == labels[:, None]
    margins: dict[str, End] = {}
    evidence: dict[str, Array] = {}
    if "ibp" in methods:
        box = boxed(propagation.intervals(lower, upper).boxes[name])
        low, high = (np.asarray(end)[:, 0] for end in (box.lower, box.upper))
        margins["ibp"] = low[own][:, None] - high
    if "crown" in methods:
        crown = propagation.crown(lower, upper)
        rows = own[:, None].astype(lower.dtype) - np.eye(own.shape[1], dtype=lower.dtype)
        margins["crown"] = propagation.lower(rows[:, :, None], name, crown)
        evidence = propagation.evidence(crown)
    least = {k: np.where(own, np.inf, m).min(axis=1) for k, m in margins.items()}
    return least, evidence


def _array(x: ArrayLike) -> np.ndarray:
    """An array as it is; a list of numbers in float32, as a model takes it."""
    with named("A proof"):
        array: np.ndarray = as_numbers(x if hasattr(x, "dtype") else taken(x, "float32"))
        return array
