"""`tensorem verify`: prove or refute that a classifier keeps its label, or a VNN-LIB property."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from tensorem.disk import RunFiles
from tensorem.errors import ArgumentError

from . import _exit
from ._flags import Count, Place, Radius, Range, Rows, RunFolder, Source, Total, require_within
from ._property import verify_property
from ._runs import examples, recipe_of, require_rows, require_run
from ._terminal import print_json, show, table

if TYPE_CHECKING:
    from tensorem.data import Columns
    from tensorem.verify import Proof


@dataclass(frozen=True)
class Verify:
    """Prove L-infinity robustness of a saved classifier on its test examples, or a property.

    Exit code: 0 all proved, 1 one refuted, 3 else.
    """

    model: tyro.conf.Positional[RunFolder]
    """A run folder; with --property also an ONNX file."""

    property: Place = None
    """A VNN-LIB file, plain or in gzip: what it asserts is not to be reached."""

    parts: Count = 1000
    """Into how many parts the box of a property may be cut."""

    into: Place = None
    """A folder for the certificates of a property, for tensorem check: with graph and weights."""

    eps: Radius = "0.02"
    """The radius of the box, in the units of the inputs: of a table, of each of its columns."""

    index: Rows = ()
    """Which test examples; the first --count if not given."""

    count: Total = None
    """How many test examples; 10, or as many as there are, if not given."""

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

        if self.property is not None:
            return verify_property(self.model, self.property, self.parts, self.into, self.json)
        if self.into is not None:
            raise ArgumentError("--into is about --property, got none; --save is for a run.")
        run = require_run(self.model)
        recipe = recipe_of(run)
        if recipe.loss != "cross_entropy":
            raise ArgumentError(f"tensorem verify takes a classifier, got a run of {recipe.loss}.")
        test = examples(run, self.data)
        rows = _chosen(self.index, self.count, len(test))
        prover = verify.Prover.of(files.load_graph(run), self.clip)
        found = prover.robust_all(test.x[rows], test.y[rows].tolist(), self.eps, self.method)
        proofs = dict(zip(rows, found, strict=True))
        if self.save:
            save_certificates(proofs, run)
        _print(proofs, self, recipe.columns)
        verdicts = {proof.verdict for proof in found}
        if "refuted" in verdicts:
            return _exit.REFUTED
        return _exit.OK if verdicts == {"proved"} else _exit.UNKNOWN


def save_certificates(proofs: dict[int, Proof], run: Path) -> list[Path]:
    """Write the certificate of every proof that has one; returns where.

    Of a run with loops they are about the graph without, which is written beside them.
    """
    from tensorem import disk

    proved = {i: proof for i, proof in proofs.items() if proof.verdict == "proved"}
    contents = {_place(run, i, proof): proof.to_bytes() for i, proof in proved.items()}
    graphs = {RunFiles(run).unrolled: p.unrolled.encode() for p in proved.values() if p.unrolled}
    for folder in {path.parent for path in (*contents, *graphs)}:
        disk.make_folder(folder)
    disk.write_together({**contents, **graphs})
    return list(contents)


def _place(run: Path, i: int, proof: Proof) -> Path:
    name = f"test-{i:04}-{proof.claim.method}.safetensors"
    return RunFiles(run).certificates / f"eps-{proof.claim.eps}" / name


def _chosen(index: tuple[int, ...], count: int | None, size: int) -> list[int]:
    if index and count is not None:
        raise ArgumentError("--count is about the first test examples, got --index too.")
    if count is not None:
        require_within("--count", count, 1, size)
    require_rows(index, size)
    return list(dict.fromkeys(index)) or list(range(min(10, size) if count is None else count))


def _print(proofs: dict[int, Proof], given: Verify, columns: Columns | None) -> None:
    rows = [_row(i, proof, columns) for i, proof in proofs.items()]
    if given.json:
        print_json({"eps": given.eps, "method": given.method, "proofs": rows})
        return
    cells = ((*list(row.values())[:-1], f"{row['margin']:.4g}") for row in rows)
    show(table(tuple(rows[0]), cells, 1))
    counts = Counter(proof.verdict for proof in proofs.values())
    told = ", ".join(f"{counts[v]} {v}" for v in ("proved", "refuted", "unknown"))
    print(f"radius {given.eps}: {told}; every verdict re-checked")


def _row(i: int, proof: Proof, columns: Columns | None) -> dict[str, Any]:
    return {
        "test": i,
        "label": proof.claim.label,
        **({"class": columns.names([proof.claim.label])[0]} if columns else {}),
        "verdict": proof.verdict,
        "margin": proof.margin,
    }
