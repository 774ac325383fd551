"""`tensorem demo`: the whole tour on bundled digits, offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorem.errors import ArgumentError

from . import _exit
from ._digits import model_of, optimizer_for
from ._processes import Checking, Victim
from ._recipe import Recipe
from ._runs import next_run
from ._show import radii_table
from ._terminal import console
from ._verify import save_certificates

if TYPE_CHECKING:
    from rich.console import Console

    from tensorem.data import Dataset
    from tensorem.nn import Model
    from tensorem.report import Counterexample, Radius, Robustness
    from tensorem.train import Run
    from tensorem.verify import Method, Proof, Prover

CLIP = (0, 1)
STEP = Decimal("0.001")
"""To what the radius at which half are proved is found."""


@dataclass(frozen=True)
class Demo:
    """Train on bundled digits, test, kill and resume, prove, report: the whole tour, offline."""

    seed: int = 0
    """Where initial values and the order of the examples come from."""

    epochs: int = 20
    """How often every digit is visited."""

    path: Path | None = None
    """The run folder to make; runs/demo-0001 if not given."""

    eps: tuple[str, ...] = ("0.005", "0.01", "0.02", "0.05")
    """Radii at which robustness is proved."""

    images: int = 200
    """How many unseen digits are proved about."""

    def run(self) -> int:
        from tensorem import data

        digits, path, out = data.digits(), self.path or next_run("demo"), console()
        _require(self, len(digits.test))
        run = _trained(self, digits.train, path, out)
        with Victim(path, self.seed, self.epochs) as victim:
            _say(out, "3 Test", _tested(run, digits.test, path))
            _say(out, "4 Same?", _agreement(run.model, digits.test))
            found = _proved(self, run.model, digits.test, path, out)
            _say(out, "6 Kill", _resumed(victim, run, digits.train))
        _report(found, path, out)
        return _exit.OK


def _require(given: Demo, unseen: int) -> None:
    for name, value, most in (("epochs", given.epochs, 10_000), ("images", given.images, unseen)):
        if not 1 <= value <= most:
            raise ArgumentError(f"--{name} takes 1 to {most}, got {value}.")
    if not given.eps:
        raise ArgumentError("--eps takes at least one radius, got none.")
    for eps in given.eps:
        if not eps.replace(".", "", 1).isdecimal():
            raise ArgumentError(f"--eps takes radii such as 0.02, got {eps!r}.")


def _say(out: Console, title: str, text: str) -> None:
    """A numbered step; what is said hangs beside its title where the width allows it."""
    from rich.padding import Padding
    from rich.table import Table

    if out.width < 60:
        out.print(f"{title}\n", end="")
        out.print(Padding(text, (0, 0, 0, 2)))
        return
    row = Table.grid(padding=(0, 1))
    row.add_column(width=9, no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(title, text)
    out.print(row)


def _trained(given: Demo, examples: Dataset, path: Path, out: Console) -> Run:
    from tensorem import __version__, files, train

    model = model_of(given.seed)
    out.print(f"tensorem {__version__}, seed {given.seed}, no network used\n")
    _say(out, "1 Model", "every shape checked when it was built")
    out.print(model)
    _say(out, "2 Train", f"{len(examples)} real digits, bundled")
    run = train.fit(
        model, examples, optimizer=optimizer_for(given.epochs), epochs=given.epochs,
        seed=given.seed, path=path,
    )  # fmt: skip
    files.save(run.model, path)
    Recipe(layers="cnn").save(path)
    return run


def _tested(run: Run, test: Dataset, path: Path) -> str:
    from tensorem import train

    from ._train import save_scores

    scores = train.evaluate(run.model, test)
    save_scores(scores, path)
    return f"accuracy {scores['accuracy']:.4f} on {len(test)} unseen digits"


def _agreement(model: Model, test: Dataset) -> str:
    """The same outputs layer by layer and as one program."""
    import numpy as np

    from tensorem import nn

    arrays = (model.params, model.buffers)
    eager = model.layer.call(arrays, test.x, ctx=nn.Context(run_leaf=nn.eager))[0]
    difference = np.max(np.abs(np.asarray(eager) - np.asarray(model(test.x))))
    return f"eager (layer by layer) and compiled agree: largest difference {difference:.2g}"


def _resumed(victim: Victim, run: Run, examples: Dataset) -> str:
    """Continue what the killed process left, and compare with the run that was never stopped."""
    from tensorem import train

    killed = victim.wait()
    resumed = train.resume(killed, run.task.model, examples, progress="none")
    names = ("state.safetensors", "log.jsonl")
    assert run.path is not None
    same = [(killed / name).read_bytes() == (run.path / name).read_bytes() for name in names]
    told = "identical bytes" if all(same) else "OTHER BYTES"
    return (
        f"a second process was killed (SIGKILL) after step {victim.step} of {resumed.step}; "
        f"resumed here from its checkpoint: {told}"
    )


# --- proofs


def _proved(given: Demo, model: Model, test: Dataset, path: Path, out: Console) -> Robustness:
    from tensorem import report, verify

    xs, labels = test.x[: given.images], test.y[: given.images].tolist()
    _say(
        out, "5 Prove",
        f"the first {given.images} unseen digits, every pixel off by at most the radius, in [0, 1]",
    )  # fmt: skip
    prover = verify.Prover.of(model, CLIP)
    with out.status("bounding"):
        proofs = {eps: prover.compare(xs, labels, eps) for eps in given.eps}
        for both in proofs.values():
            save_certificates(dict(enumerate(both["crown"])), path)
        with Checking(path) as checking:
            half = _half(prover, xs, labels)
            cases = tuple(c for both in proofs.values() for c in _cases(both["crown"], model))
            accepted = checking.accepted()
    radii = tuple(_radius(eps, both, accepted) for eps, both in proofs.items())
    found = report.Robustness("first unseen digits", given.images, ("0", "1"), radii, half)
    found.save(path / report.ROBUSTNESS)
    report.save_counterexamples(path / report.COUNTEREXAMPLES, cases)
    out.print(radii_table(radii))
    _say(out, "", _told(found))
    return found


def _radius(eps: str, both: dict[Method, list[Proof]], accepted: dict[str, int]) -> Radius:
    from tensorem.report import Radius

    crown = both["crown"]
    refuted = [proof for proof in crown if proof.verdict == "refuted"]
    return Radius(
        eps=eps,
        ibp=_count(both["ibp"]),
        crown=_count(crown),
        refuted=len(refuted),
        unknown=sum(proof.verdict == "unknown" for proof in crown),
        checked=accepted.get(f"eps-{crown[0].claim.eps}", 0),
        replayed=sum(proof.check() for proof in refuted),
    )


def _cases(proofs: Sequence[Proof], model: Model) -> list[Counterexample]:
    """With the class that the model gives to each of them instead."""
    import numpy as np

    from tensorem.report import Counterexample

    found = []
    for i, proof in enumerate(proofs):
        if proof.counterexample is not None:
            outputs, label = np.array(model(proof.counterexample))[0], proof.claim.label
            outputs[label] = -np.inf
            arrays = (proof.center, proof.counterexample)
            case = Counterexample(proof.claim.eps, i, label, int(outputs.argmax()), *arrays)
            found.append(case)
    return found


def _half(prover: Prover, xs: Any, labels: list[int]) -> str | None:
    """The largest multiple of STEP at which half are proved: bisected by bounds, then proved."""

    def holds(steps: int) -> bool:
        positive = prover.margins(xs, labels, str(steps * STEP)) > 0
        return 2 * int(positive.sum()) >= len(labels)

    low, high = 0, 64
    while high * STEP < 1 and holds(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    while low and 2 * _count(prover.robust_all(xs, labels, str(low * STEP))) < len(labels):
        low -= 1
    return str(low * STEP) if low else None


def _count(proofs: Sequence[Proof]) -> int:
    return sum(proof.verdict == "proved" for proof in proofs)


def _told(found: Robustness) -> str:
    replayed = sum(r.replayed for r in found.radii)
    told = [
        f"{sum(r.checked for r in found.radii)} certificates re-checked by the independent checker",
        f"{replayed} counterexamples replayed by the runtime and exactly",
    ]
    if found.half:
        told.append(f"half of the digits are proved up to radius {found.half} (by bisection)")
    return "\n".join(told)


def _report(found: Robustness, path: Path, out: Console) -> None:
    from tensorem import report

    page = report.write(report.gather(path))
    _say(out, "7 Saved", ", ".join(sorted(file.name for file in path.iterdir())))
    eps = found.radii[-1].eps
    print(f"\nReport    {page}")
    print(f"Next      tensorem show {path}")
    print(f"          tensorem check {path}")
    print(f"          tensorem verify {path} --eps {eps} --clip 0 1")
    print("          tensorem train --layers mlp --epochs 5")
