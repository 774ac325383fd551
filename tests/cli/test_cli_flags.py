"""What each flag takes, and the sentence that refuses anything else."""

from __future__ import annotations

import sys

import pytest
import tyro

from tensorem.cli import main
from tensorem.cli._advice import in_flags

Capture = pytest.CaptureFixture[str]

COUNT = "takes an integer of at least 1, got"
SEED = "takes an integer from 0 to 2**64 - 1, got"
EPS = "--eps takes a decimal of at least 0, such as 0.02, got"
RATE = "--lr takes a number of at least 0, or a schedule such as cosine_lr(0.1), got"
OPTIMIZER = "--optimizer takes an optimizer such as adam, or sgd(momentum=0.9), got"
HUGE = "1" + "0" * 5000

REFUSED = [
    ("nothing", "tensorem has no command 'nothing': it takes demo, train, resume, eval,"),
    ("trian", "tensorem has no command 'trian'; did you mean train?"),
    ("--epochs 3", "tensorem has no command '--epochs': it takes demo,"),
    ("train --epoch 3", "tensorem train has no flag --epoch; did you mean --epochs?"),
    ("train --no-json", "tensorem train has no flag --no-json"),
    ("ops --zzz", "tensorem ops has no flag --zzz."),
    ("ops all", "tensorem ops takes nothing here, got 'all'."),
    ("ops --json=3", "tensorem ops takes nothing here, got '3'."),
    (
        "ops --meaning foo",
        "--meaning takes all, shape, run, exact, ball, interval, lines, got 'foo'.",
    ),
    ("verify r --method x", "--method takes crown, ibp, got 'x'."),
    ("show", "tensorem show takes RUN, got none."),
    ("show --jsn", "tensorem show has no flag --jsn; did you mean --json?"),
    ("eval --model r", "tensorem eval has no flag --model"),
    ("eval --data", "--data takes DATA, got too few values."),
    ("eval --data iris", "tensorem eval takes RUN, got none."),
    ("train --epochs", "--epochs takes INT, got too few values."),
    ("verify r --clip 1", "--clip takes LEAST GREATEST, got too few values."),
    ("verify r --clip 1 a", "--clip takes two finite numbers, got 1 a."),
    ("verify r --clip 0 inf", "--clip takes two finite numbers, got 0 inf."),
    ("verify r --count 0", f"--count {COUNT} 0."),
    ("verify r --count -1", f"--count {COUNT} -1."),
    ("verify r --index -1", "--index takes integers of at least 0, got -1."),
    ("predict r --index 0 a", "--index takes integers of at least 0, got 0 a."),
    ("verify r --eps wide", f"{EPS} wide."),
    ("verify r --eps=-1", f"{EPS} -1."),
    ("verify r --eps nan", f"{EPS} nan."),
    ("verify r --eps 1_0", f"{EPS} 1_0."),
    ("verify r --eps ٣", f"{EPS} ٣."),
    ("verify r --eps 1e-400", f"{EPS} 1e-400."),
    ("verify r --data=", "--data takes digits, iris or a .csv or .parquet file, got ''."),
    ("demo --eps 0.1 wide", "--eps takes decimals of at least 0, such as 0.02, got 0.1 wide."),
    ("demo --epochs 0", f"--epochs {COUNT} 0."),
    ("demo --images x", f"--images {COUNT} x."),
    ("demo --seed -1", f"--seed {SEED} -1."),
    ("demo --path=", "--path takes a path, got ''."),
    ("train --epochs -1", f"--epochs {COUNT} -1."),
    ("train --epochs 1.5", f"--epochs {COUNT} 1.5."),
    (f"train --epochs {HUGE}", f"--epochs {COUNT} {HUGE}."),
    ("train --batch-size 0", f"--batch-size {COUNT} 0."),
    ("train --hidden 8 0", "--hidden takes integers of at least 1, got 8 0."),
    ("train --seed 1e3", f"--seed {SEED} 1e3."),
    ("train --lr -1", f"{RATE} -1."),
    ("train --lr nan", f"{RATE} nan."),
    ("train --lr 1e300", f"{RATE} 1e300."),
    ("train --lr=", f"{RATE} ''."),
    ("train --path=", "--path takes a path, got ''."),
    ("resume", "tensorem resume takes RUN, got none."),
    ("resume r --lr 1", "tensorem resume has no flag --lr."),
    ("train --lr adam", f"{RATE} adam."),
    ("train --lr cosin_lr(1)", f"{RATE} cosin_lr(1).\n  help: did you mean cosine_lr?"),
    ("train --lr __import__('os')", f"{RATE} __import__('os')."),
    ("train --lr cosine_lr(-1)", "cosine_lr takes lr as a finite number above 0, got -1."),
    ("train --optimizer sdg", f"{OPTIMIZER} sdg.\n  help: did you mean sgd?"),
    ("train --optimizer (", f"{OPTIMIZER} (."),
    ("train --optimizer 3", f"{OPTIMIZER} 3."),
    ("train --optimizer cosine_lr(1)", f"{OPTIMIZER} cosine_lr(1)."),
    ("train --optimizer sgd(**{})", f"{OPTIMIZER} sgd(**{{}})."),
    ("train --optimizer sgd(x.y)", f"{OPTIMIZER} x.y."),
    ("train --optimizer sgd(momentum=2)", "sgd takes momentum as a number in [0, 1), got"),
    (
        "train --optimizer sgd(1) --lr 1",
        "--lr takes an --optimizer that leaves it open, got sgd(1)",
    ),
    ("train --optimizer frozen --lr 1", "--lr takes an --optimizer that leaves it open, got froz"),
    ("train --validation 1", "--validation takes a number from 0 to below 1, got 1."),
    (
        "train --data iris --validation 0.999",
        "--validation takes a share that leaves examples on both",
    ),
    ("train --monitor val_loss", "--monitor takes loss, accuracy, got val_loss.\n  help: --valid"),
    ("train --metrics f1", "--metrics takes accuracy,"),
    ("train --precision half", "--precision takes float32, bf16, got 'half'."),
    ("train --target 3", "--target is about a .csv file, got --data digits."),
    ("train --data iris --classes a b", "--classes is about a .csv file, got --data iris."),
    ("train --no-header", "--no-header is about a .csv file, got --data digits."),
    ("train --loss mse", "--loss mse is about a .csv file, got --data digits."),
    ("train --model cnn --hidden 8", "--hidden is about --model mlp, got --model cnn."),
]


@pytest.mark.parametrize(("given", "words"), REFUSED, ids=[given[:30] for given, _ in REFUSED])
def test_a_flag_refuses_what_it_does_not_take(given: str, words: str, capsys: Capture) -> None:
    assert main(given.split()) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"ArgumentError: {words}") and not out and "─" not in err


def test_a_refusal_says_where_the_help_is(capsys: Capture) -> None:
    assert main(["train", "--epoch", "3"]) == 2
    assert capsys.readouterr().err.endswith("\n  help: tensorem train --help\n")
    assert main(["trian"]) == 2
    assert capsys.readouterr().err.endswith("\n  help: tensorem --help\n")


def test_a_tyro_without_the_hook_refuses_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.delattr(tyro, "_errors")
    monkeypatch.setitem(sys.modules, "tyro._errors", None)
    with pytest.raises(SystemExit) as end:
        main(["demo", "--seed", "x"])
    assert end.value.code == 2 and "--seed" in capsys.readouterr().err


def test_a_tyro_with_other_events_refuses_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("tensorem.cli._refusals._name", lambda argument: argument.other)
    with pytest.raises(SystemExit) as end:
        main(["ops", "--meaning", "x"])
    assert end.value.code == 2 and "--meaning" in capsys.readouterr().err


def test_what_the_library_advises_is_said_in_flags() -> None:
    told = """run.
  help: train.resume("it's a/run", model, data, validation=...), or choose another path."""
    assert in_flags(told) == (
        "run.\n  help: tensorem resume 'it'\"'\"'s a/run', or choose another path."
    )
    assert in_flags("To continue: train.resume('o', model, data)") == (
        "To continue: tensorem resume o"
    )
    told = "  help:  if these are classes: read_csv(path, classes=('a b', 'c'))."
    assert in_flags(told) == "  help:  if these are classes: tensorem train --classes 'a b' c"
    told = "if another character than ',' stands between the cells: read_csv(path, delimiter=';')."
    assert in_flags(told).endswith("between the cells: write a comma there.")
    assert in_flags("ShapeError: as it is") == "ShapeError: as it is"
