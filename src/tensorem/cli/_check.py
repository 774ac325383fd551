"""`tensorem check`: the independent checker on the certificates of a run, or on three files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from tensorem.disk import RunFiles, is_file, is_folder, read_whole
from tensorem.errors import CertificateError, FileError

from . import _exit
from ._flags import Files
from ._terminal import print_json

if TYPE_CHECKING:
    from tensorem.check import Result


@dataclass(frozen=True)
class Check:
    """Check certificates with the independent checker: of a run, or GRAPH WEIGHTS CERTIFICATE.

    Exit code: 0 all accepted, 1 one rejected, 2 malformed.
    """

    files: tyro.conf.Positional[Files]
    """A run folder; or graph.json, model.safetensors and a certificate, or a folder of them."""

    exact: bool = False
    """Check in rational arithmetic: slow, the referee."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        graph, weights, certificates = _files(self.files)
        results = _results(graph, weights, certificates, "exact" if self.exact else "float64")
        accepted = sum(result.accepted for result in results.values())
        if self.json:
            print_json({str(path): _as_json(result) for path, result in results.items()})
        else:
            _print(results, accepted)
        return _exit.OK if accepted == len(results) else _exit.REFUTED


def _files(given: tuple[Path, ...]) -> tuple[Path, Path, list[Path]]:
    """The graph, the weights and the certificates that were named."""
    if len(given) == 1:
        run = given[0]
        if not is_folder(run):
            raise FileError(f"tensorem check takes a run folder, got {run}, which is no folder.")
        files = RunFiles(run)
        return _graph(files), files.weights, _inside(files.certificates)
    if len(given) != 3:
        raise FileError(
            f"tensorem check takes a run folder, or three paths, got {len(given)}.",
            help="tensorem check graph.json model.safetensors certificate",
        )
    graph, weights, certificates = given
    return graph, weights, _inside(certificates) if is_folder(certificates) else [certificates]


def _graph(files: RunFiles) -> Path:
    """The graph that the certificates of a run are about: of loops, which no checker reads, the one
    that `tensorem verify` unrolled, if that is still what the run's own graph gives.
    """
    if not is_file(files.unrolled):
        return files.graph
    from tensorem import files as saved
    from tensorem.graph import to_json, unroll

    if read_whole(files.unrolled) != to_json(unroll(saved.load_graph(files.folder))).encode():
        raise CertificateError(
            f"{files.unrolled} is not the graph of {files.folder} without its loops.",
            because="one of the two was replaced, or changed after it was written.",
            help="tensorem verify RUN --save writes it, and certificates, again.",
        )
    return files.unrolled


def _inside(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.safetensors"))
    if not found:
        raise FileError(
            f"{folder} holds no certificates.", help="tensorem verify RUN --save writes some."
        )
    return found


def _results(graph: Path, weights: Path, certificates: list[Path], mode: str) -> dict[Path, Result]:
    from tensorem import check

    with _naming(f"{graph}, {weights}"):
        checker = check.prepare_files(graph, weights)
    results = {}
    for certificate in certificates:
        with _naming(str(certificate)):
            results[certificate] = checker.check(*check.read_certificate(certificate), mode)
    return results


@contextmanager
def _naming(files: str) -> Iterator[None]:
    """Within this, what the checker cannot read is said with the names of the files."""
    from tensorem import check

    try:
        yield
    except (check.MalformedError, check.UnsupportedError) as error:
        what = f"The checker cannot read this: {error}."
        raise CertificateError(what, where=files) from None


def _as_json(result: Result) -> dict[str, Any]:
    return {"accepted": result.accepted, "reason": result.reason, "margin": result.margin}


def _print(results: dict[Path, Result], accepted: int) -> None:
    shown = [item for item in results.items() if not item[1].accepted or len(results) == 1]
    for path, result in shown:
        print(f"{'accepted' if result.accepted else 'rejected'}: {path}: {result.reason}")
    print(f"{accepted} of {len(results)} certificates accepted")
