"""Milliseconds to check one certificate of the digits network."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from bench.interleave import Quartiles, quartiles


@dataclass(frozen=True)
class Checking:
    """What the independent checker needs for a certificate; the graph is read once, before.

    Args:
        certificates: How many were checked.
        milliseconds: With proved error terms in float64.
        exact: In exact rationals; the first few certificates only.
    """

    certificates: int
    milliseconds: Quartiles
    exact: Quartiles


def checking(images: int = 100, exact: int = 5) -> Checking:
    """Train on digits, prove radius 0.01 for some, and check each certificate."""
    proofs = [proof for proof in _proofs(images) if proof.verdict == "proved"]
    for proof in proofs[:3]:
        _milliseconds(proof, "float64")
    return Checking(
        len(proofs),
        quartiles([_milliseconds(proof, "float64") for proof in proofs]),
        quartiles([_milliseconds(proof, "exact") for proof in proofs[:exact]]),
    )


def _proofs(images: int) -> list[Any]:
    from bench.networks.ours import model
    from tensorem import data, train, verify

    digits = data.digits()
    run = train.fit(model("cnn"), digits.train, epochs=10, progress="none")
    unseen = digits.test.take(images)
    labels = [int(label) for label in unseen.y]
    return verify.Prover.of(run.model, clip=(0, 1)).robust_all(unseen.x, labels, "0.01")


def _milliseconds(proof: Any, mode: str) -> float:
    started = time.perf_counter()
    result = proof.classifier.checker.check(proof.claim.to_json(), proof.arrays, mode)
    seconds = time.perf_counter() - started
    if not result.accepted:
        raise RuntimeError(f"The checker rejects a proof: {result.reason}")
    return 1e3 * seconds
