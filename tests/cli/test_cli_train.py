"""The configuration of tensorem train: flags, files, and what is printed back."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from cli_said import Capture, refused, said

import tensorem as tm
from tensorem import optim, report
from tensorem.cli import main
from tensorem.cli._rules import optimizer_of
from tensorem.cli._settings import to_toml, words_of
from tensorem.cli._train import Train

GIVEN = [
    "train", "--data", "iris", "--epochs", "6", "--hidden", "4", "3", "--validation", "0.25",
    "--patience", "5", "--keep-best", "--lr", "cosine_lr(0.3)", "--drop-last",
    "--optimizer", "sgd(momentum=0.9)", "--batch-size", "20", "--log-every", "2",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "iris"
    assert main([*GIVEN, "--path", str(path)]) == 0
    return path


def test_every_flag_is_printed_back_and_kept(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    capsys.readouterr()
    assert main([*GIVEN, "--path", str(tmp_path / "again")]) == 0
    text = (trained / "run.toml").read_text()
    assert text in capsys.readouterr().out
    said = tomllib.loads(text)
    fields = set(Train.__dataclass_fields__) - {"config", "json", "path"}
    assert fields == {*said, *(n for n in fields if f"# {n}: not given" in text)}
    assert said["hidden"] == [4, 3] and said["keep_best"] and said["monitor"] == "val_loss"
    assert said["optimizer"].startswith("sgd(lr=cosine_lr(lr=0.3, total_steps=fraction(part=1.0)")


def test_what_is_printed_back_is_the_same_run(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    config = ["train", "--config", str(trained / "run.toml")]
    assert main([*config, "--path", str(tmp_path / "b")]) == 0
    for name in ("state.safetensors", "model.safetensors", "log.jsonl", "run.toml"):
        assert (tmp_path / "b" / name).read_bytes() == (trained / name).read_bytes()


def test_a_flag_beats_the_file(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    more = ["--epochs", "1", "--batch_size=30", "--path", str(tmp_path / "c")]
    found = said(capsys, "train", f"--config={trained / 'run.toml'}", *more)
    plan = json.loads((tmp_path / "c" / "config.json").read_text())["plan"]
    assert len(found["history"]) == 1 and (plan["epochs"], plan["batch_size"]) == (1, 30)
    assert tomllib.loads((tmp_path / "c" / "run.toml").read_text())["epochs"] == 1


def test_the_best_epoch_is_saved_and_validation_is_in_the_log(trained: Path) -> None:
    rows = report.gather(trained).history
    values = [row["val_loss"] for row in rows]
    held = tm.data.iris().train.shuffle(seed=1).split(0.75)[1]
    loss = tm.train.evaluate(tm.load(trained), held)["loss"]
    assert loss == pytest.approx(min(values), rel=1e-5)
    facts = report.gather(trained)
    assert facts.outcomes is not None and facts.outcomes.confusion.sum() == 30
    assert len(facts.steps) == 2 * len(rows) and not facts.stale
    assert facts.outcomes.classes == tm.data.iris().classes


def test_a_run_that_was_stopped_goes_on_with_its_validation_and_its_flags(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "iris"))
    found = said(capsys, "resume", str(run), "--epochs", "7")
    assert (
        len(found["history"]) == 7 > len(report.gather(trained).history)
        and "val_loss" in found["history"][-1]
    )
    assert tomllib.loads((run / "run.toml").read_text())["epochs"] == 7


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    (run := tmp_path / "killed").mkdir()
    (run / "run.toml").write_text("mine = true")
    told = refused(capsys, *GIVEN, "--path", str(run))
    assert "got a folder that holds run.toml" in told
    for name in ("recipe.json", "run.toml"):
        shutil.copy(trained / name, run)
    assert main([*GIVEN, "--path", str(run)]) == 0
    assert (run / "state.safetensors").read_bytes() == (trained / "state.safetensors").read_bytes()


def test_early_stopping_is_said(tmp_path: Path, capsys: Capture) -> None:
    given = [*GIVEN, "--lr", "0", "--patience", "1", "--epochs", "9"]
    assert main([*given, "--path", str(tmp_path / "x")]) == 0
    assert "stopped: val_loss was not better than" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "epoch = 3",
            "takes the flags of tensorem train as keys, got epoch.\n  help: did you mean",
        ),
        ("json = true", "takes the flags of tensorem train as keys, got json."),
        ("epochs = 0", "--epochs takes an integer of at least 1, got 0."),
        ("epochs = 2.5", "--epochs takes an integer of at least 1, got 2.5."),
        ("[train]\nepochs = 2", "as keys, got train."),
        ("hidden = [[1]]", "takes a text, a number, true, false or a list of them, got [[1]] for"),
        ("seed = 1979-05-27", "a list of them, got datetime.date(1979, 5, 27) for seed"),
        ("epochs = ", "takes TOML, got something else."),
        ("loss = 'hinge'", "--loss takes auto, cross_entropy, mse, l1, smooth_l1, huber, got"),
        ("optimizer = 'adm'", "got adm.\n  help: did you mean adam?"),
        ("drop_last = 3", "tensorem train takes nothing here, got '3'."),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    text: str, words: str, tmp_path: Path, capsys: Capture
) -> None:
    (file := tmp_path / "run.toml").write_text(text)
    told = refused(capsys, "train", "--config", str(file), "--path", str(tmp_path / "x"))
    assert words in told and (str(file) in told or "optimizer" in text)
    assert not (tmp_path / "x").exists()


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path, capsys: Capture) -> None:
    assert "none.toml" in refused(capsys, "train", "--config", str(tmp_path / "none.toml"))
    (file := tmp_path / "run.toml").write_bytes(b"data = '\xff'")
    assert "takes TOML" in refused(capsys, "train", "--config", str(file))
    assert "has no flag --config" in refused(capsys, "eval", "r", "--config", str(file))
    assert "too few values" in refused(capsys, "train", "--config")


def test_texts_and_numbers_are_written_as_they_are_read(tmp_path: Path) -> None:
    odd = 'a "b" \\ é\x7f\n\t'
    given = Train(data=odd, classes=("-x", odd), validation=0.1, path=tmp_path, patience=3)
    (file := tmp_path / "run.toml").write_text(to_toml(given))
    read = tomllib.loads(file.read_text())
    assert read["data"] == odd and read["classes"] == ["-x", odd] and read["validation"] == 0.1
    assert words_of(file, Train)["--patience"] == ["--patience=3"] and "path" not in read


@pytest.mark.parametrize(
    "name",
    sorted(
        optim.OPTIMIZERS.keys()
        - {"from_optax", "scaled", "chain", "groups", "clip_grad_norm", "clip_grad_value"}
    ),
)
def test_every_optimizer_is_read_from_its_own_text(name: str) -> None:
    found = optimizer_of(name, None)
    assert found == optim.OPTIMIZERS[name].make()
    assert optimizer_of(repr(found), None) == found


def test_calls_within_calls_are_read() -> None:
    made = optim.groups({
        "0.*": None,
        "*": optim.chain(
            optim.clip_grad_norm(1.0),
            optim.sgd(optim.sequential_lr(0.1, optim.cosine_lr(0.1), milestones=(5,))),
        ),
    })  # fmt: skip
    assert optimizer_of(repr(made), None) == made
    rate = "multi_step_lr(0.5, [1, fraction(0.5)])"
    want = optim.adamw(optim.multi_step_lr(0.5, (1, optim.fraction(0.5))), weight_decay=0.1)
    assert optimizer_of("adamw(weight_decay=0.1)", rate) == want


def test_precision_parts_metrics_and_tensorboard(tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("tensorboardX")
    more = ["--precision", "bf16", "--accumulate", "2", "--metrics", "accuracy"]
    more += ["--tensorboard", str(tmp_path / "logs"), "--checkpoint-every", "3"]
    found = said(capsys, *GIVEN, *more, "--path", str(tmp_path / "x"))
    assert found["test"].keys() == {"loss", "accuracy"}
    config = json.loads((tmp_path / "x" / "config.json").read_text())
    assert config["plan"]["backend"] == {
        "backend": "compiled", "accumulate": 2, "precision": "bf16", "devices": None,
    }  # fmt: skip
    assert config["saving"] == {"checkpoint_every": 3, "log_every": 2}
    assert any((tmp_path / "logs").iterdir())


def test_devices_are_those_that_there_are(tmp_path: Path, capsys: Capture) -> None:
    assert main([*GIVEN, "--devices", "99", "--path", str(tmp_path / "x")]) == 2
    assert "A Mesh takes up to the" in capsys.readouterr().err
    run = str(tmp_path / "y")
    assert main([*GIVEN, "--path", run]) == 0
    assert main(["resume", run, "--epochs", "7", "--devices", "99"]) == 2
    assert "A Mesh takes up to the" in capsys.readouterr().err
    assert main(["resume", run, "--epochs", "7", "--devices", "1"]) == 0
    config = json.loads((tmp_path / "y" / "config.json").read_text())
    assert config["plan"]["backend"] == "compiled" and config["plan"]["epochs"] == 7
    assert "\nepochs = 7\n" in (tmp_path / "y" / "run.toml").read_text()


def test_numbers_are_met_by_other_losses(tmp_path: Path, capsys: Capture) -> None:
    rows = "".join(f"{i / 7},{i * 0.31}\n" for i in range(40))
    (tmp_path / "x.csv").write_text("a,b\n" + rows)
    given = ["train", "--data", str(tmp_path / "x.csv"), "--loss", "huber", "--epochs", "3"]
    found = said(capsys, *given, "--path", str(tmp_path / "x"))
    again = said(capsys, "eval", str(tmp_path / "x"))
    assert again["loss"] == pytest.approx(found["test"]["loss"], rel=1e-5)
    outcomes = report.gather(tmp_path / "x").outcomes
    assert outcomes is not None and outcomes.columns == ("a",) and len(outcomes.pairs) == 8


def test_a_function_of_a_file_gives_a_layer(tmp_path: Path, capsys: Capture) -> None:
    (file := tmp_path / "net.py").write_text(
        "from tensorem import nn\n"
        "def net():\n    return nn.Linear(4, 3)\n"
        "def bad():\n    raise ValueError('no')\n"
        "def other():\n    return 3\n"
    )
    given = ["train", "--data", "iris", "--epochs", "1", "--path", str(tmp_path / "x")]
    said(capsys, *given, "--model", f"{file}:net")
    assert np.shape(tm.load(tmp_path / "x").params["weight"]) == (3, 4)
    told = refused(capsys, *given, "--model", f"{file}:bad")
    assert "raises ValueError" in told and "net.py, line 5" in told
    assert "of type int" in refused(capsys, *given, "--model", f"{file}:other")
