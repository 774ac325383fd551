"""`tensorem demo`: the whole tour on bundled digits, offline."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from tensorem.disk import RunFiles
from tensorem.errors import ArgumentError

from . import _exit
from ._digits import RECIPE, model_of, plan_of
from ._eval import scores_of
from ._flags import Count, Place, Radii, Seed, require_within
from ._processes import Checking, Victim
from ._runs import new_run
from ._show import radii_table
from ._terminal import console, show, step
from ._training import save_scores
from ._verify import save_certificates

if TYPE_CHECKING:
    from tensorem.data import Dataset
    from tensorem.nn import Model
    from tensorem.report import Counterexample, Radius, Robustness
    from tensorem.train import Run
    from tensorem.verify import Method, Proof, Prover

    Verdicts = dict[Method, list[Proof]]

ABOUT = "the first {} unseen digits, each pixel off by at most the radius, within [0, 1]"
CLIP = (0, 1)
STEP = Decimal("0.001")
"""To what the radius at which half are proved is found."""


@dataclass(frozen=True)
class Demo:
    """Train on bundled digits, test, kill and resume, prove, report: the whole tour, offline.

    Exit code: 0 every step held, 1 one did not.
    """

    seed: Seed = 0
    """Where initial values and the order of the examples come from."""

    epochs: Count = 20
    """How often the digits are visited, in whole batches of 32."""

    path: Place = None
    """The run folder to make; runs/demo-0001 if not given."""

    eps: Radii = ("0.005", "0.01", "0.02", "0.05")
    """Radii at which robustness is proved."""

    images: Count = 200
    """How many unseen digits are proved about."""

    def run(self) -> int:
        from tensorem import data, report, verify

        digits = data.digits()
        _require(self, len(digits.test))
        with ExitStack() as checks:
            path = checks.enter_context(new_run(self.path, "demo"))
            victim = checks.enter_context(Victim(path, self.seed, self.epochs))
            run = _trained(self, digits.train, path, victim)
            step("3 Test", _tested(run.model, digits.test, path))
            step("4 Prove", ABOUT.format(self.images))
            unseen = digits.test.take(self.images)
            prover = verify.Prover.of(run.model, CLIP)
            with console().status("bounding"):
                tried = {eps: _tried(prover, unseen, eps, path, checks) for eps in self.eps}
                half = _half(prover, unseen)
                resumed = _resumed(victim, run, digits.train)
            radii = tuple(_radius(eps, both, checking) for eps, (both, checking) in tried.items())
        own = prover.classifier
        found = report.Robustness(
            own.structure.digest, own.weights, "the first unseen digits", self.images, ("0", "1"),
            radii, half,
        )  # fmt: skip
        show(radii_table(radii))
        step("", _told(found))
        step("5 Resume", f"{victim}: {'identical' if resumed else 'OTHER'} bytes")
        _save(found, [both["crown"] for both, _ in tried.values()], run.model, path)
        failures = _failures(found, resumed)
        for failure in failures:
            print(f"FAILED: {failure}", file=sys.stderr)
        return _exit.REFUTED if failures else _exit.OK


def _require(given: Demo, unseen: int) -> None:
    require_within("--epochs", given.epochs, 1, 10_000)
    require_within("--images", given.images, 1, unseen)
    if not given.eps:
        raise ArgumentError("--eps takes at least one radius, got none.")


def _trained(given: Demo, examples: Dataset, path: Path, victim: Victim) -> Run:
    from tensorem import __version__, files, train

    model = model_of(given.seed)
    print(f"tensorem {__version__}, seed {given.seed}, no network used\n")
    step("1 Model", "every shape was checked when it was built")
    show(model)
    step("2 Train", f"on {len(examples)} real digits, bundled")
    plan = plan_of(given.seed, given.epochs)
    begin = train.on_train_start(lambda run: RECIPE.save(path))
    told = begin, train.on_save(partial(_begun, victim))
    run = train.fit(model, examples, path=path, callbacks=told, **plan)
    files.save(run.model, path)
    return run


def _begun(victim: Victim, run: Run) -> None:
    """At the first checkpoint, when the run folder is ours."""
    if run.step == 0:
        victim.start()


def _tested(model: Model, test: Dataset, path: Path) -> str:
    """The accuracy on unseen digits, and the same outputs layer by layer and as one program."""
    import numpy as np

    from tensorem import nn, report

    compiled = np.asarray(model(test.x))
    scores = scores_of("cross_entropy", compiled, test.y)
    save_scores(scores, path)
    report.examine(model, test).save(path)
    context = nn.Context(run_leaf=nn.eager)
    eager = model.layer.call((model.params, model.buffers), test.x, ctx=context)[0]
    difference = np.max(np.abs(np.asarray(eager) - compiled))
    return (
        f"accuracy {scores['accuracy']:.4f} on {len(test)} unseen digits\n"
        f"compiled and eager (layer by layer) agree: largest difference {difference:.2g}"
    )


def _resumed(victim: Victim, run: Run, examples: Dataset) -> bool:
    """Continue what the killed process left: does it end in the bytes of the unbroken run?"""
    from tensorem import train

    killed = victim.wait()
    train.resume(killed, run.task.model, examples, progress="none")
    assert run.path is not None
    ours, theirs = RunFiles(run.path), RunFiles(killed)
    pairs = ((ours.state, theirs.state), (ours.log, theirs.log))
    return all(one.read_bytes() == other.read_bytes() for one, other in pairs)


# --- proofs


def _tried(
    prover: Prover, unseen: Dataset, eps: str, path: Path, checks: ExitStack
) -> tuple[Verdicts, Checking | None]:
    """The verdicts by both methods; a process begins to check the saved certificates."""
    both = prover.compare(unseen.x, unseen.y.tolist(), eps)
    saved = save_certificates(dict(enumerate(both["crown"])), path)
    return both, checks.enter_context(Checking(path, saved[0].parent)) if saved else None


def _radius(eps: str, both: Verdicts, checking: Checking | None) -> Radius:
    from tensorem.report import Radius

    crown = both["crown"]
    refuted = [proof for proof in crown if proof.verdict == "refuted"]
    return Radius(
        eps=eps,
        ibp=_count(both["ibp"]),
        crown=_count(crown),
        refuted=len(refuted),
        unknown=sum(proof.verdict == "unknown" for proof in crown),
        checked=checking.accepted() if checking else 0,
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


def _half(prover: Prover, chosen: Dataset) -> str | None:
    """The largest multiple of STEP at which half are proved: bisected by bounds, then proved."""
    xs, labels = chosen.x, chosen.y.tolist()

    def holds(steps: int) -> bool:
        positive = prover.margins(xs, labels, str(steps * STEP)) > 0
        return 2 * int(positive.sum()) >= len(labels)

    low, high = 0, 80
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
    told = (
        f"{sum(r.checked for r in found.radii)} certificates were re-checked by the independent "
        f"checker, {sum(r.replayed for r in found.radii)} counterexamples were replayed by the "
        "runtime and exactly"
    )
    half = (
        f"\nhalf of the digits are proved up to radius {found.half} (bisection, in steps of {STEP})"
    )
    return told + (half if found.half else "")


def _failures(found: Robustness, resumed: bool) -> list[str]:
    """What did not hold when it was done or judged again."""
    other = "the killed run, resumed, ends in other bytes than the one that was not killed."
    told = [] if resumed else [other]
    for r in found.radii:
        if r.checked != r.crown:
            told.append(f"radius {r.eps}: {r.crown} proved, the checker accepts {r.checked}.")
        if r.replayed != r.refuted:
            told.append(f"radius {r.eps}: {r.refuted} refuted, {r.replayed} replayed.")
    return told


def _save(found: Robustness, proofs: list[list[Proof]], model: Model, path: Path) -> None:
    from tensorem import report

    files = RunFiles(path)
    found.save(files.robustness)
    cases = tuple(case for of_radius in proofs for case in _cases(of_radius, model))
    report.save_counterexamples(files.counterexamples, cases)
    page = report.write(report.gather(path))
    step("6 Saved", ", ".join(sorted(file.name for file in path.iterdir())))
    print(f"\nReport: {page}\nTry next:")
    print(f"  tensorem show {quote(str(path))}")
    print(f"  tensorem check {quote(str(path))}")
    print(f"  tensorem verify {quote(str(path))} --eps {found.radii[-1].eps} --clip 0 1")
    print("  tensorem train --layers mlp --epochs 5")
