"""Proofs: a verdict with the evidence that somebody else can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from tensorem.disk import pack, path_of, write_whole
from tensorem.errors import CertificateError
from tensorem.verify._claim import Claim, contains
from tensorem.verify._classifier import Classifier

Verdict = Literal["proved", "refuted", "unknown"]


@dataclass(frozen=True, eq=False)
class Proof:
    """What was found out about one claim.

    Args:
        verdict: "proved" (a certificate that the checker accepts), "refuted" (a counterexample by
            the runtime and by exact arithmetic), or "unknown".
        claim: What was to be proved.
        center: The centre of the box.
        margin: The best lower bound reached on y[label] - y[other]; a float estimate.
        classifier: The graph, and the checker that has read it.
        arrays: The certificate's arrays, where proved.
        counterexample: A point of the box, where refuted.
    """

    verdict: Verdict
    claim: Claim
    center: np.ndarray
    margin: float
    classifier: Classifier
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    counterexample: np.ndarray | None = None

    def check(self) -> bool:
        """Judge the evidence again; an unknown has none.

        A certificate goes to the independent checker, a counterexample is replayed by the runtime
        and in exact arithmetic.
        """
        if self.verdict == "proved":
            return self.classifier.checker.check(self.claim.to_json(), self.arrays).accepted
        x, label = self.counterexample, self.claim.label
        return (
            x is not None
            and contains(self.center, self.claim.eps, self.claim.clip, x)
            and self.classifier.runtime_margin(x, label) <= 0
            and self.classifier.exact_margin(x, label) <= 0
        )

    def to_bytes(self) -> bytes:
        """The certificate: a safetensors file whose metadata holds the claim.

        Raises:
            CertificateError: There is none, since the verdict is not "proved".
        """
        return certificate(self.verdict, self.arrays, self.claim.to_json())

    @property
    def unrolled(self) -> str:
        """graph.json of what a certificate is about, where the model has loops; else nothing."""
        return self.classifier.unrolled

    def save(self, path: str | Path) -> Path:
        """Write the certificate; a file of that name is replaced in one step.

        Of a model with loops it is about the graph without: `unrolled` is that as text.

        Raises:
            CertificateError: There is none, since the verdict is not "proved".
            FileError: It cannot be written; what was there is still there.
        """
        target = path_of(path)
        write_whole(target, self.to_bytes())
        return target

    def __repr__(self) -> str:
        what = f"label {self.claim.label}, eps {self.claim.eps}, margin {self.margin:.4g}"
        return f"Proof({self.verdict}: {what})"


def certificate(verdict: Verdict, arrays: Mapping[str, np.ndarray], claim: str) -> bytes:
    """The file of a certificate, for a claim that is proved."""
    if verdict != "proved":
        raise CertificateError(f"A certificate belongs to a proof, got {verdict}.")
    return pack(arrays, {"claim": claim})
