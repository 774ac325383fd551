"""`tensorem verify`: prove or refute that a saved classifier keeps its label."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from tensorem.disk import RunFiles
from tensorem.errors import ArgumentError

from . import _exit
from ._flags import Count, Radius, Range, Rows, RunFolder, Source
from ._runs import examples, require_rows, require_run
from ._terminal import print_json, show, table

if TYPE_CHECKING:
    from tensorem.verify import Proof


@dataclass(frozen=True)
class Verify:
    """Prove L-infinity robustness of a saved classifier on its test examples.

    Exit code: 0 all proved, 1 one refuted, 3 else.
    """

    model: tyro.conf.Positional[RunFolder]
    """A run folder."""

    eps: Radius = "0.02"
    """The radius of the box, in input units."""

    index: Rows = ()
    """Which test examples; the first --count if not given."""

    count: Count = 10
    """How many test examples."""

    data: Source = None
    """digits, iris or a .csv file, whole unless the run trained on it; the run's own by default."""

    clip: Range = None
    """The least and greatest value that an input can have."""

    method: Literal["crown", "ibp"] = "crown"
    """How bounds are found."""

    save: bool = False
    """Write the certificates into the run folder."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import files, verify

        run = require_run(self.model)
        test = examples(run, self.data)
        rows = _chosen(self.index, self.count, len(test))
        prover = verify.Prover.of(files.load_graph(run), self.clip)
        found = prover.robust_all(test.x[rows], test.y[rows].tolist(), self.eps, self.method)
        proofs = dict(zip(rows, found, strict=True))
        if self.save:
            save_certificates(proofs, run)
        _print(proofs, self)
        verdicts = {proof.verdict for proof in found}
        if "refuted" in verdicts:
            return _exit.REFUTED
        return _exit.OK if verdicts == {"proved"} else _exit.UNKNOWN


def save_certificates(proofs: dict[int, Proof], run: Path) -> list[Path]:
    """Write the certificate of every proof that has one; returns where."""
    from tensorem import disk

    contents = {
        _place(run, i, proof): proof.to_bytes()
        for i, proof in proofs.items()
        if proof.verdict == "proved"
    }
    for folder in {path.parent for path in contents}:
        disk.make_folder(folder)
    disk.write_together(contents)
    return list(contents)


def _place(run: Path, i: int, proof: Proof) -> Path:
    name = f"test-{i:04}-{proof.claim.method}.safetensors"
    return RunFiles(run).certificates / f"eps-{proof.claim.eps}" / name


def _chosen(index: tuple[int, ...], count: int, size: int) -> list[int]:
    if not index and count > size:
        raise ArgumentError(f"--count takes an integer from 1 to {size}, got {count}.")
    require_rows(index, size)
    return list(dict.fromkeys(index)) or list(range(count))


def _print(proofs: dict[int, Proof], given: Verify) -> None:
    rows = [_row(i, proof) for i, proof in proofs.items()]
    if given.json:
        print_json({"eps": given.eps, "method": given.method, "proofs": rows})
        return
    cells = ((*list(row.values())[:-1], f"{row['margin']:.4g}") for row in rows)
    show(table(("test", "label", "verdict", "margin"), cells, 1))
    counts = Counter(proof.verdict for proof in proofs.values())
    told = ", ".join(f"{counts[v]} {v}" for v in ("proved", "refuted", "unknown"))
    print(f"radius {given.eps}: {told}; every verdict re-checked")


def _row(i: int, proof: Proof) -> dict[str, Any]:
    return {
        "test": i,
        "label": proof.claim.label,
        "verdict": proof.verdict,
        "margin": proof.margin,
    }
