"""Everything that a run folder says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tensorem import disk, nn, train
from tensorem.data import Columns
from tensorem.disk import RunFiles, exists
from tensorem.errors import CertificateError, FileError
from tensorem.files import load, load_graph
from tensorem.meanings import GraphModel
from tensorem.verify import Claim

from ._outcomes import Outcomes, identity
from ._robustness import Robustness

Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Counterexample:
    """An input, and a point near it that is classified otherwise.

    Args:
        eps: The radius of the box, a decimal.
        test: The number of the input.
        label: Its class.
        found: The class of the point.
        center: The input.
        point: The point.
    """

    eps: str
    test: int
    label: int
    found: int
    center: np.ndarray[Any, Any]
    point: np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Facts:
    """What a run folder says.

    Args:
        run: The folder.
        model: The model in it.
        config: How it was trained; empty where that is not recorded.
        history: One row for each epoch.
        steps: The rows within the epochs, where some were logged.
        columns: What the model takes of a table, by name; None where no table is recorded.
        scores: On examples that it was not trained on; empty where that is not recorded.
        outcomes: What it says of them; None where that is not recorded.
        robustness: What was proved of this model; None where nothing was tried.
        counterexamples: Those that were kept.
        certificates: How many certificates are about this model.
        stale: Files about other weights, as paths within the folder; nothing above counts them.
        hashes: SHA-256 of its files.
    """

    run: Path
    model: nn.Model | GraphModel
    config: Json
    history: tuple[Json, ...]
    steps: tuple[Json, ...]
    columns: Columns | None
    scores: dict[str, float]
    outcomes: Outcomes | None
    robustness: Robustness | None
    counterexamples: tuple[Counterexample, ...]
    certificates: int
    stale: tuple[str, ...]
    hashes: dict[str, str]

    def to_json(self) -> Json:
        """The facts without the arrays, as JSON values."""
        return {
            "run": str(self.run),
            "config": self.config,
            "columns": self.columns.to_json() if self.columns else None,
            "scores": self.scores,
            "classes": list(self.outcomes.classes) if self.outcomes else [],
            "confusion": self.outcomes.confusion.tolist() if self.outcomes else [],
            "history": list(self.history),
            "robustness": asdict(self.robustness) if self.robustness else None,
            "certificates": self.certificates,
            "stale": list(self.stale),
            "hashes": self.hashes,
        }


def gather(run: Path) -> Facts:
    """Read a run folder; only model.safetensors and graph.json must be there.

    Raises:
        FileError: One of its files is malformed.
        CertificateError: A certificate is.
    """
    files, proved = RunFiles(run), _proved(RunFiles(run))
    logged = train.read_rows(files.log) if exists(files.log) else []
    rows = [_numbers(row, files.log) for row in logged]
    hashed = (files.weights, files.graph, files.config, files.log)
    return Facts(
        run=run,
        model=load(run),
        config=_config(files.config),
        history=tuple(row for row in rows if "epoch" in row),
        steps=tuple(row for row in rows if "in_epoch" in row),
        columns=_columns(files.recipe),
        scores=_numbers(_json(files.scores), files.scores),
        outcomes=proved.outcomes,
        robustness=proved.robustness,
        counterexamples=proved.counterexamples,
        certificates=proved.certificates,
        stale=proved.stale,
        hashes={file.name: _sha256(file) for file in hashed if exists(file)},
    )


@dataclass(frozen=True, eq=False)
class _Proved:
    """What is said about the model in a folder, and which files are about another one."""

    outcomes: Outcomes | None
    robustness: Robustness | None
    counterexamples: tuple[Counterexample, ...]
    certificates: int
    stale: tuple[str, ...]


def _proved(files: RunFiles) -> _Proved:
    model = identity(load_graph(files.folder))
    robustness = Robustness.load(files.robustness) if exists(files.robustness) else None
    cases = _counterexamples(files.counterexamples)
    certificates = sorted(files.certificates.rglob("*.safetensors"))
    stale = [path for path in certificates if _claimed(path) != model]
    count = len(certificates) - len(stale)
    outcomes = Outcomes.load(files.folder) if exists(files.outcomes) else None
    if outcomes is not None and (outcomes.graph, outcomes.weights) != model:
        stale.append(files.outcomes)
        outcomes = None
    if robustness is not None and (robustness.graph, robustness.weights) != model:
        stale += list(filter(exists, (files.robustness, files.counterexamples)))
        robustness, cases = None, ()
    inside = tuple(str(path.relative_to(files.folder)) for path in stale)
    return _Proved(outcomes, robustness, cases, count, inside)


def _claimed(certificate: Path) -> tuple[str, str]:
    """The model that a certificate is about."""
    _, texts = disk.read_arrays(certificate)
    try:
        claim = Claim.from_json(texts.get("claim", ""))
    except CertificateError as error:
        raise error.with_notes(where=str(certificate)) from None
    return claim.graph, claim.weights


def save_counterexamples(path: Path, found: tuple[Counterexample, ...]) -> None:
    """Write counterexamples into one safetensors file."""
    arrays: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for case in found:
        key = f"{case.eps}.{case.test}"
        arrays |= {f"center/{key}": case.center, f"point/{key}": case.point}
        texts[key] = json.dumps([case.eps, case.test, case.label, case.found])
    disk.write_whole(path, disk.pack(arrays, texts))


def _counterexamples(path: Path) -> tuple[Counterexample, ...]:
    if not exists(path):
        return ()
    arrays, texts = disk.read_arrays(path)
    try:
        cases = [_case(disk.parse_json(text), arrays, key) for key, text in texts.items()]
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} holds no counterexamples.", because=str(error)) from None
    return tuple(sorted(cases, key=lambda case: (float(case.eps), case.test)))


def _case(said: list[Any], arrays: disk.Arrays, key: str) -> Counterexample:
    eps, test, label, found = said
    return Counterexample(
        str(eps), int(test), int(label), int(found), arrays[f"center/{key}"], arrays[f"point/{key}"]
    )


def _json(path: Path) -> Json:
    if not exists(path):
        return {}
    try:
        found = disk.parse_json(disk.read_whole(path))
    except ValueError as error:
        raise FileError(f"{path} takes JSON, got something else.", because=str(error)) from None
    if not isinstance(found, dict):
        raise FileError(f"{path} takes a JSON object, got {type(found).__name__}.")
    return found


def _columns(recipe: Path) -> Columns | None:
    said = _json(recipe).get("columns")
    try:
        return None if said is None else Columns.from_json(said)
    except ValueError as error:
        raise FileError(f"{recipe} is not the recipe of a run.", because=str(error)) from None


def _config(path: Path) -> Json:
    found = _json(path)
    if not isinstance(found.get("plan", {}), dict):
        raise FileError(f"{path} takes a JSON object as its plan, got {found['plan']!r}.")
    return found


def _numbers(row: Json, path: Path) -> Json:
    """A row whose values are numbers; null where one was not measured."""
    for name, value in row.items():
        if not (value is None or type(value) in (int, float)):
            raise FileError(f"{path} takes numbers, got {value!r} for {name}.")
    return row


def _sha256(path: Path) -> str:
    return hashlib.sha256(disk.read_whole(path)).hexdigest()
