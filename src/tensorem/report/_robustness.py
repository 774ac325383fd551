"""robustness.json: how many inputs were proved, refuted and left unknown, radius by radius."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tensorem import disk
from tensorem.errors import FileError

FORMAT, VERSION = "tensorem.robustness", 2


@dataclass(frozen=True)
class Radius:
    """The verdicts at one radius.

    Args:
        eps: The radius, a decimal.
        ibp: How many inputs were proved with interval bounds.
        crown: How many were proved with linear bounds.
        refuted: How many have a counterexample.
        unknown: All others.
        checked: How many certificates the independent checker accepted, of both methods.
        replayed: How many counterexamples hold in the runtime and exactly.
    """

    eps: str
    ibp: int
    crown: int
    refuted: int
    unknown: int
    checked: int
    replayed: int


@dataclass(frozen=True)
class Robustness:
    """The verdicts for one set of inputs.

    Args:
        graph: SHA-256 of the canonical graph.json, as in a claim.
        weights: SHA-256 of the weights, as in a claim.
        inputs: Which inputs, in words.
        count: How many.
        clip: The least and greatest value of an input, decimals; None for all numbers.
        radii: One for each radius.
        half: The largest radius found at which half of the inputs are proved, a decimal.
    """

    graph: str
    weights: str
    inputs: str
    count: int
    clip: tuple[str, str] | None
    radii: tuple[Radius, ...]
    half: str | None = None

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        document = {"format": FORMAT, "version": VERSION, **asdict(self)}
        disk.write_whole(path, (json.dumps(document, indent=1) + "\n").encode())

    @staticmethod
    def load(path: Path) -> Robustness:
        """Read it.

        Raises:
            FileError: The file is not of this format.
        """
        try:
            fields: dict[str, Any] = disk.parse_json(disk.read_whole(path))
            if (fields.pop("format"), fields.pop("version")) != (FORMAT, VERSION):
                raise ValueError("another format or version")
            radii = tuple(Radius(**row) for row in fields.pop("radii"))
            clip = fields.pop("clip")
            found = Robustness(radii=radii, clip=tuple(clip) if clip else None, **fields)
            found._require_sums()
            return found
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FileError(f"{path} is not a robustness.json.", because=str(error)) from None

    def _require_sums(self) -> None:
        """Texts and numbers are what they should be, and every input has one verdict."""
        texts = (self.graph, self.weights, self.inputs, self.half or "0", *(self.clip or ()))
        texts += tuple(r.eps for r in self.radii)
        if not all(isinstance(text, str) for text in texts) or type(self.count) is not int:
            raise TypeError("a text or a number of another kind")
        for r in self.radii:
            numbers = (r.ibp, r.crown, r.refuted, r.unknown, r.checked, r.replayed)
            if not all(type(n) is int and n >= 0 for n in numbers) or float(r.eps) < 0:
                raise ValueError(f"radius {r.eps!r} has {numbers}")
            if r.crown + r.refuted + r.unknown != self.count or r.ibp > r.crown:
                raise ValueError(f"the verdicts at radius {r.eps} are not {self.count} in all")
        if not self.radii or self.count < 1:
            raise ValueError("no radius, or no inputs")
