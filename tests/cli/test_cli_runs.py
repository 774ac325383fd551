"""Train, eval, predict, verify, check, show: a run from its beginning to its report."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_said import Capture, refused, said

import tensorem as tm
from tensorem.cli import main
from tensorem.cli._recipe import Recipe, _classes, splits
from tensorem.cli._runs import outputs
from tensorem.errors import DataError

TRAIN = ["train", "--data", "iris", "--epochs", "3", "--lr", "0.05", "--hidden", "4"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "iris"
    assert main([*TRAIN, "--path", str(path)]) == 0
    return path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "iris"))


def right(run: Path, count: int) -> list[str]:
    """The first test examples that the model classifies rightly."""
    test = tm.data.iris().test
    correct = np.asarray(tm.load(run)(test.x)).argmax(axis=1) == test.y
    return list(map(str, np.flatnonzero(correct)[:count]))


def test_a_run_folder_holds_everything(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == {
        "config.json", "graph.json", "log.jsonl", "model.safetensors", "recipe.json",
        "outcomes.safetensors", "run.toml", "scores.json", "state.safetensors",
    }  # fmt: skip


def test_training_prints_the_model_a_line_per_epoch_and_what_next(
    tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "again"
    assert main([*TRAIN, "--path", str(path)]) == 0
    out = capsys.readouterr().out
    assert "Linear(4 -> 4)" in out and "parameters" in out
    assert len(re.findall(r"^epoch \d/3  loss ", out, re.MULTILINE)) == 3
    assert f"saved in {path}" in out and f"tensorem show {path}" in out
    assert main([*TRAIN, "--path", str(path)]) == 2
    assert "takes a new run, got a folder that holds one" in capsys.readouterr().err


def test_training_in_json(tmp_path: Path, capsys: Capture) -> None:
    found = said(capsys, *TRAIN, "--path", str(tmp_path / "x"))
    assert found["run"] == str(tmp_path / "x")
    assert [row["epoch"] for row in found["history"]] == [1, 2, 3]
    assert set(found["test"]) == {"loss", "accuracy"}


def test_a_run_goes_where_there_is_none_yet(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = [said(capsys, *TRAIN)["run"] for _ in range(2)]
    assert found == ["runs/iris-0001", "runs/iris-0002"]


def test_an_interrupted_run_is_resumed_to_the_same_bytes(
    trained: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorem import files

    path, save, saved = tmp_path / "killed", files.save, []

    def interrupted(model: Any, folder: Any) -> Any:
        saved.append(save(model, folder))
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(files, "save", interrupted)
    assert main([*TRAIN, "--path", str(path)]) == 130
    monkeypatch.undo()
    assert (path / "model.safetensors").read_bytes() != (trained / "model.safetensors").read_bytes()
    assert main(["resume", str(path)]) == 0
    for name in ("state.safetensors", "model.safetensors", "log.jsonl", "scores.json"):
        assert (path / name).read_bytes() == (trained / name).read_bytes()


def test_eval_gives_the_scores_of_training(trained: Path, capsys: Capture) -> None:
    found = said(capsys, "eval", str(trained))
    scores = json.loads((trained / "scores.json").read_text())
    assert found.pop("examples") == 30
    assert found == pytest.approx(scores, rel=1e-5)
    assert main(["eval", str(trained)]) == 0
    assert re.match(r"30 examples  loss \d\.\d{4}  accuracy \d", capsys.readouterr().out)


def test_predict_agrees_with_the_model(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    test = tm.data.iris().test
    file, output = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(file, test.x[:4])
    found = said(capsys, "predict", str(trained), "--input", str(file), "--output", str(output))
    expected = np.asarray(tm.load(trained)(test.x[:4]))
    np.testing.assert_array_equal(np.load(output), expected)
    assert [row["class"] for row in found] == expected.argmax(axis=1).tolist()
    assert main(["predict", str(trained), "--index", "0", "2"]) == 0
    assert f"test 2 (target {test.y[2]})" in capsys.readouterr().out


def test_predict_gives_no_class_to_what_is_no_number(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    x = np.zeros((2, 1, 8, 8), np.float32)
    x[1, 0, 3, 3] = np.nan
    np.save(tmp_path / "x.npy", x)
    assert main(["predict", str(trained), "--input", str(tmp_path / "x.npy")]) == 2
    assert "takes finite numbers, got nan in row 1" in capsys.readouterr().err


def test_predict_refuses_what_the_model_does_not_take(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "x.npy"
    np.save(file, np.zeros((2, 5), np.float32))
    err = refused(capsys, "predict", str(trained), "--input", str(file))
    assert "The model takes (N, 4), got (2, 5)" in err
    np.save(file, np.zeros((0, 4), np.float32))
    assert "at least one input" in refused(capsys, "predict", str(trained), "--input", str(file))
    file.write_bytes(b"no array")
    assert refused(capsys, "predict", str(trained), "--input", str(file)).startswith("FileError")
    np.save(file, np.float32(1))
    assert "got a single number" in refused(capsys, "predict", str(trained), "--input", str(file))
    told = refused(capsys, "predict", str(trained), "--index", "30")
    assert "--index takes an integer from 0 to 29, got 30." in told


def test_predict_does_not_overwrite_its_inputs(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "x.npy"
    np.save(file, tm.data.iris().test.x[:2])
    before, same = file.read_bytes(), str(tmp_path / "." / "x.npy")
    given = ["predict", str(trained), "--input", str(file), "--output", same]
    assert "--output takes another file than --input" in refused(capsys, *given)
    assert file.read_bytes() == before


def test_an_output_that_is_no_number_is_an_error() -> None:
    with pytest.raises(DataError, match="The model gives inf for input 1, beyond float32"):
        outputs(lambda x: np.where(x > 1, np.inf, x), np.array([[1.0], [3e38]], np.float32))


def test_verify_proves_saves_and_check_accepts(run: Path, capsys: Capture) -> None:
    rows = right(run, 5)
    found = said(capsys, "verify", str(run), "--eps", "0.0001", "--index", *rows, "--save")
    assert [proof["verdict"] for proof in found["proofs"]] == ["proved"] * 5
    assert len(list((run / "certificates").rglob("*.safetensors"))) == 5
    checked = said(capsys, "check", str(run))
    assert len(checked) == 5 and all(result["accepted"] for result in checked.values())
    one = next(iter(checked))
    files = [str(run / "graph.json"), str(run / "model.safetensors"), one]
    assert main(["check", *files, "--exact"]) == 0
    assert "1 of 1 certificates accepted" in capsys.readouterr().out


def test_verify_says_refuted_and_unknown_by_its_exit_code(run: Path, capsys: Capture) -> None:
    found = said(capsys, "verify", str(run), "--eps", "5", "--count", "5", code=1)
    assert "refuted" in {proof["verdict"] for proof in found["proofs"]}
    capsys.readouterr()
    assert main(["verify", str(run), "--eps", "5", "--index", "0", "3"]) == 1
    assert "radius 5: " in capsys.readouterr().out


def test_verify_refuses_bad_radii_and_rows(run: Path, capsys: Capture) -> None:
    told = refused(capsys, "verify", str(run), "--index", "0", "30")
    assert "--index takes an integer from 0 to 29, got 30." in told
    told = refused(capsys, "verify", str(run), "--count", "99999999999")
    assert "--count takes an integer from 1 to 30, got 99999999999." in told


def test_check_rejects_the_certificates_of_another_model(run: Path, capsys: Capture) -> None:
    given = ["verify", str(run), "--eps", "0.0001", "--index", *right(run, 1), "--save"]
    assert main(given) == 0
    model = tm.load(run)
    assert isinstance(model, tm.nn.Model)
    changed = {name: np.asarray(a) * np.float32(1.01) for name, a in model.params.items()}
    tm.save(model.replace(params=changed), run)
    capsys.readouterr()
    assert main(["check", str(run)]) == 1
    out = capsys.readouterr().out
    assert "rejected:" in out and "0 of 1 certificates accepted" in out


def test_check_refuses_what_is_no_certificate(run: Path, tmp_path: Path, capsys: Capture) -> None:
    assert "holds no certificates" in refused(capsys, "check", str(run))
    assert "nowhere, which is no folder" in refused(capsys, "check", str(tmp_path / "nowhere"))
    assert "takes a run folder, or three paths" in refused(capsys, "check", "a", "b")
    file = tmp_path / "c"
    file.write_bytes(b"nothing")
    files = (str(run / "graph.json"), str(run / "model.safetensors"), str(file))
    told = refused(capsys, "check", *files)
    assert told.startswith("CertificateError") and f"where: {file}\n" in told
    told = refused(capsys, "check", str(file), str(file), str(file))
    assert "the graph is not JSON" in told and f"where: {file}, {file}\n" in told


def test_show_prints_the_run_and_writes_its_report(run: Path, capsys: Capture) -> None:
    assert main(["show", str(run)]) == 0
    out = capsys.readouterr().out
    assert "Linear(4 -> 4)" in out and "loss cross_entropy, epochs 3" in out
    assert f"report: {run / 'report.html'}" in out and (run / "report.html").is_file()
    found = said(capsys, "show", str(run))
    assert found["config"]["plan"]["epochs"] == 3 and len(found["history"]) == 3
    assert found["report"] == str(run / "report.html")


def test_show_draws_the_graph_on_a_page(run: Path, capsys: Capture) -> None:
    assert main(["show", str(run), "--graph"]) == 0
    assert f"graph: {run / 'graph.html'}" in capsys.readouterr().out
    page = (run / "graph.html").read_text()
    assert "<svg" in page and page.count('class="op"') == len(tm.files.load_graph(run).nodes)
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("dtype", ["float32", "rational", "interval"])
def test_evaluate_reads_a_run_in_every_arithmetic(run: Path, dtype: str, capsys: Capture) -> None:
    x = tm.data.iris().test.x[:2]
    np.save(run / "x.npy", x)
    found = said(capsys, "evaluate", str(run), "--input", str(run / "x.npy"), "--dtype", dtype)
    y = tm.evaluate(tm.load(run), x, dtype=dtype)
    if dtype == "rational":
        assert found["outputs"] == [[str(q) for q in row] for row in y.fractions()]
    elif dtype == "interval":
        assert [s.split(",")[0] for s in found["outputs"][0]] == [f"[{a:.17g}" for a in y.lower[0]]
    else:
        assert found["outputs"] == y.tolist()
    assert main(["evaluate", str(run), "--input", str(run / "x.npy"), "--dtype", dtype]) == 0
    assert "row 1" in capsys.readouterr().out


def test_evaluate_reads_balls(run: Path, capsys: Capture) -> None:
    pytest.importorskip("flint")
    np.save(run / "x.npy", tm.data.iris().test.x[:1])
    arguments = ["--input", str(run / "x.npy"), "--dtype", "ball[200]"]
    [row] = said(capsys, "evaluate", str(run), *arguments)["outputs"]
    assert all(len(text) > 50 for text in row)


def test_what_evaluate_does_not_take(run: Path, capsys: Capture) -> None:
    assert "evaluate takes --input, a .npy file" in refused(capsys, "evaluate", str(run))
    np.save(run / "x.npy", np.zeros((1, 4), np.float32))
    given = ["evaluate", str(run), "--input", str(run / "x.npy"), "--dtype", "int8"]
    assert "takes dtype float32, float64" in refused(capsys, *given)


def test_show_says_what_a_resumed_run_left_behind(run: Path, capsys: Capture) -> None:
    rows = right(run, 2)
    assert main(["verify", str(run), "--eps", "0.0001", "--save", "--index", *rows]) == 0
    assert said(capsys, "show", str(run))["certificates"] == 2
    assert main(["resume", str(run), "--epochs", "4", "--json"]) == 0
    found = said(capsys, "show", str(run))
    assert found["certificates"] == 0 and len(found["stale"]) == 2
    assert main(["show", str(run)]) == 0
    told = "certificates: 0\nstale: 2 certificates: about other weights than model.safetensors"
    assert told in capsys.readouterr().out


def test_show_prints_what_there_is_also_where_its_page_cannot_be_written(
    run: Path, capsys: Capture
) -> None:
    (run / "report.html").mkdir()
    assert main(["show", str(run), "--json"]) == 2
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found["report"] is None and len(found["history"]) == 3
    assert told.err.startswith("FileError") and "report.html" in told.err
    assert main(["show", str(run)]) == 2
    told = capsys.readouterr()
    assert "certificates: 0\n" in told.out and "report:" not in told.out
    assert told.err.startswith("FileError") and "report.html" in told.err


def test_json_has_null_for_what_is_not_finite(run: Path, capsys: Capture) -> None:
    (run / "log.jsonl").write_text('{"step": 4, "epoch": 1, "loss": NaN, "val_loss": null}\n')
    assert main(["show", str(run)]) == 0
    assert re.search(r"1 +nan +-\n", capsys.readouterr().out)
    found = said(capsys, "show", str(run))
    assert found["history"] == [{"step": 4, "epoch": 1, "loss": None, "val_loss": None}]


def test_show_says_so_where_no_epoch_is_recorded(run: Path, capsys: Capture) -> None:
    (run / "log.jsonl").unlink()
    assert main(["show", str(run)]) == 0
    assert "no epoch is recorded\n" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["eval", "predict", "verify", "show"])
def test_what_is_no_run_is_refused(command: str, tmp_path: Path, capsys: Capture) -> None:
    told = refused(capsys, command, str(tmp_path))
    assert "A run is a folder with model.safetensors" in told and "tensorem train makes one" in told
    (tmp_path / "state.safetensors").write_text("")
    told = refused(capsys, command, str(tmp_path))
    assert "it is a run of train.fit: run = train.resume(path, model, data)" in told
    (tmp_path / "recipe.json").write_text("{}")
    told = refused(capsys, command, str(tmp_path))
    assert f"it was stopped; tensorem resume {tmp_path} goes on with it." in told


@pytest.mark.parametrize("command", ["eval", "show"])
def test_a_damaged_run_is_refused(command: str, run: Path, capsys: Capture) -> None:
    content = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").write_bytes(content[:-9])
    assert refused(capsys, command, str(run)).startswith("FileError")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b'{"data": 3, "classes": 1}', b'{"data": 3, "classes": [], "hidden": []}',
        b'{"classes": [1], "hidden": []}', b'{"classes": [], "hidden": ["a"]}',
        b'{"classes": [], "hidden": [], "loss": "x"}', b"\xff",
    ],
)  # fmt: skip
def test_a_damaged_recipe_is_refused(content: bytes, run: Path, capsys: Capture) -> None:
    (run / "recipe.json").write_bytes(content)
    assert "is not the recipe of a run" in refused(capsys, "eval", str(run))


def test_a_run_without_a_recipe_takes_its_data_from_the_command(run: Path, capsys: Capture) -> None:
    (run / "recipe.json").unlink()
    assert "does not say what its data is" in refused(capsys, "eval", str(run))
    assert said(capsys, "eval", str(run), "--data", "iris")["examples"] == 30


@pytest.mark.parametrize("name", ["model.safetensors", "graph.json", "recipe.json", "report.html"])
@pytest.mark.parametrize("command", ["train", "demo"])
def test_a_new_run_replaces_nothing(
    command: str, name: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / name).write_text("mine")
    told = refused(capsys, command, "--epochs", "1", "--path", str(tmp_path))
    assert f"{tmp_path} takes a new run, got a folder that holds {name}." in told
    assert (tmp_path / name).read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("[]", "it holds no object"),
        ('{"classes": "cat", "hidden": [4]}', "classes is 'cat'"),
    ],
)
def test_what_is_no_recipe_is_refused(text: str, words: str, run: Path, capsys: Capture) -> None:
    (run / "recipe.json").write_text(text)
    assert words in refused(capsys, "eval", str(run))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_no_file(tmp_path: Path, capsys: Capture) -> None:
    pipe = tmp_path / "rows.csv"
    os.mkfifo(pipe)
    told = refused(capsys, "train", "--data", str(pipe))
    assert f"{pipe} cannot be read: it is a device or a pipe, which may never end." in told


def test_a_run_that_never_began_is_said_to(run: Path, capsys: Capture) -> None:
    (run / "recipe.json").unlink()
    told = refused(capsys, "resume", str(run))
    assert (
        f"{run} holds no recipe.json" in told
        and "one that never began is trained again in another folder" in told
    )


CSV = "a,b,kind\n" + "".join(f"{i},{i % 3},{'red' if i % 2 else 'green'}\n" for i in range(10))


def test_a_csv_file_trains(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "flowers.csv"
    file.write_text(CSV)
    given = ["train", "--data", str(file), "--epochs", "1", "--hidden", "3"]
    named = ["--target", "kind", "--classes", "green", "red", "--path", str(tmp_path / "x")]
    assert set(said(capsys, *given, *named)["test"]) == {"loss", "accuracy"}
    met = ["--target", "b", "--loss", "mse", "--path", str(tmp_path / "y")]
    numbers = file.with_name("numbers.csv")
    numbers.write_text("a,b\n" + "".join(f"{i},{i / 4}\n" for i in range(10)))
    assert set(said(capsys, "train", "--data", str(numbers), "--epochs", "1", *met)["test"]) == {
        "loss"
    }


def test_a_csv_file_with_another_delimiter_is_told(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "flowers.csv"
    file.write_text(CSV.replace(",", ";"))
    told = refused(capsys, "train", "--data", str(file))
    assert "got only a;b;kind." in told and "write a comma there" in told


def test_an_edited_file_is_not_what_a_run_was_trained_on(tmp_path: Path, capsys: Capture) -> None:
    file, run = tmp_path / "flowers.csv", str(tmp_path / "x")
    file.write_text(CSV)
    named = ["--target", "kind", "--classes", "green", "red", "--epochs", "1", "--path", run]
    said(capsys, "train", "--data", str(file), *named)
    assert said(capsys, "eval", run)["examples"] == 2
    file.write_text(CSV + "10,1,green\n")
    for command in (["eval", run], ["resume", run]):
        told = refused(capsys, *command)
        assert f"The run takes the {file} that it was trained on, got another." in told
        assert "among those to test on" in told and "--data FILE" in told
    file.unlink()
    assert f"{file} cannot be read" in refused(capsys, "eval", run)


def test_a_file_that_a_run_was_not_trained_on_counts_whole(tmp_path: Path, capsys: Capture) -> None:
    file, copy, other = (tmp_path / name for name in ("own.csv", "copy.csv", "other.csv"))
    rows = CSV.count("\n") - 1
    file.write_text(CSV)
    copy.write_text(CSV)
    other.write_text(CSV + "10,1,green\n")
    run = str(tmp_path / "x")
    named = ["--target", "kind", "--classes", "green", "red", "--epochs", "1", "--path", run]
    said(capsys, "train", "--data", str(file), *named)
    counted = [
        said(capsys, "eval", run, "--data", str(data))["examples"] for data in (file, copy, other)
    ]
    assert counted == [2, 2, rows + 1]
    assert main(["verify", run, "--data", str(other), "--index", str(rows)]) != 2
    other.write_text("a,b,kind\n10,1,green\n")
    assert said(capsys, "eval", run, "--data", str(other))["examples"] == 1
    assert "--data takes digits, iris or a .csv, .csv.gz, .parquet or .npz file" in refused(
        capsys, "eval", run, "--data", "a.txt"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise SystemExit(3)", "which raises SystemExit.\n  where:   FILE, line 1"),
        ("import nothing_here", "which raises ModuleNotFoundError.\n  where:   FILE, line 1"),
        ("", "which is not there.\n  help: define it in the file, for example: own = nn."),
        ("own = 7", "which is of type int.\n  help: define it"),
        ("from tensorem.nn import Linear as own", "which is of type type.\n  help: define it"),
    ],
)
def test_a_file_without_such_layers_is_refused(
    text: str, words: str, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "own.py"
    file.write_text(text)
    told = refused(capsys, "train", "--data", "iris", "--model", f"{file}:own")
    assert words.replace("FILE", str(file)) in told
    assert "without a name" in refused(capsys, "train", "--data", "iris", "--model", str(file))


def test_bad_data_is_refused(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,0.5\n2,1\n3,0\n4,1\n5,1\n")
    told = refused(capsys, "train", "--data", str(file), "--loss", "cross_entropy")
    assert "takes a class, an integer or a text, in this cell, got '0.5'" in told
    assert "line 2, column 'b'" in told and "--loss mse" in told
    file.write_text("a,b\n1,0\n2\n")
    assert "line 3" in refused(capsys, "train", "--data", str(file))
    assert "--data takes digits, iris or a .csv" in refused(capsys, "train", "--data", "x")
    missing = str(tmp_path / "none.csv")
    assert refused(capsys, "train", "--data", missing).startswith("FileError")


def test_layers_come_from_a_file_of_ones_own(tmp_path: Path, capsys: Capture) -> None:
    file, run = tmp_path / "mine.py", tmp_path / "run"
    file.write_text(
        "from tensorem import nn\n"
        "class Mine(nn.Layer):\n"
        "    inner: nn.Linear\n"
        "    def forward(self, x):\n"
        "        return self.inner(x)\n"
        "layer = Mine(nn.Linear(4, 3))\n"
    )
    own = ["train", "--data", "iris", "--model", f"{file}:layer", "--epochs", "1"]
    assert said(capsys, *own, "--path", str(run))["run"] == str(run)
    assert isinstance(tm.load(run), tm.GraphModel)
    assert said(capsys, "eval", str(run))["examples"] == 30
    assert "with a layer" in refused(capsys, "train", "--model", f"{file}:nothing")
    assert "there is no file" in refused(capsys, "train", "--model", "none.py:layer")
    assert "takes cnn, mlp or FILE.py:NAME" in refused(capsys, "train", "--model", "deep")
    assert "A cnn takes images" in refused(capsys, "train", "--data", "iris", "--model", "cnn")


def test_a_layer_of_ones_own_that_raises_is_said_to(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from tensorem import nn\n\nclass Own(nn.Layer):\n"
        "    def forward(self, x):\n        return x.nope\n\nown = Own()\n"
    )
    told = refused(capsys, "train", "--model", f"{file}:own", "--path", str(tmp_path / "x"))
    assert "which raises AttributeError." in told and f"where:   {file}, line 5" in told


def test_a_file_that_raises_is_said_to(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "mine.py"
    file.write_text("\n1 / 0\n")
    told = refused(capsys, "train", "--model", f"{file}:layer")
    assert f"got '{file}:layer', which raises ZeroDivisionError." in told
    assert f"where:   {file}, line 2\n  because: division by zero" in told
    file.write_text("\n\n(\n")
    told = refused(capsys, "train", "--model", f"{file}:layer")
    assert "which raises SyntaxError" in told and f"{file}, line 3" in told


def test_a_file_without_a_header(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("1,2,0\n3,4,1\n5,6,0\n7,8,1\n")
    given = ["train", "--data", str(file), "--epochs", "1", "--path", str(tmp_path / "x")]
    told = refused(capsys, *given)
    assert "takes the names of the columns in the first line, got 1, 2, 0" in told
    assert "if the first line is data: tensorem train --no-header." in told
    said(capsys, *given, "--no-header")
    assert said(capsys, "eval", str(tmp_path / "x"))["examples"] == 1


def test_few_rows_and_large_classes_are_refused(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,0\n")
    assert "takes at least 2 rows, to train on some" in refused(
        capsys, "train", "--data", str(file)
    )
    file.write_text("a,b\n1,0.5\n2,5000000001\n")
    told = refused(capsys, "train", "--data", str(file))
    assert "takes an integer that float32 holds in this cell, got '5000000001'" in told
    assert "line 3, column 'b'\n  because: float32 would make it 5000000000." in told
    file.write_text("a,b\n1,0\n2,1\n")
    told = refused(capsys, "train", "--data", str(file), "--target", "²")
    assert "takes columns of a, b, got '²'" in told


def test_a_class_that_only_the_test_examples_have_counts(tmp_path: Path, capsys: Capture) -> None:
    rows = Recipe(data=str(tmp_path / "x.csv"))  # as version 1 wrote it
    order = tm.rand.permutation(0, 5)
    lines = [f"{i},{4 if i == order[4] else 0}" for i in range(5)]
    (tmp_path / "x.csv").write_text("\n".join(["a,b", *lines, ""]))
    found = splits(rows)
    assert found.train.y.max() == 0 and found.test.y.max() == 4
    assert _classes(found) == 5


def test_a_run_goes_on_to_another_total(run: Path, capsys: Capture) -> None:
    found = said(capsys, "resume", str(run), "--epochs", "5")
    assert [row["epoch"] for row in found["history"]] == [1, 2, 3, 4, 5]
    told = refused(capsys, "resume", str(run / "nowhere"))
    assert f"that tensorem train made, got {run / 'nowhere'}, which is no folder" in told
    told = refused(capsys, "resume", str(run), "--epochs", "2")
    assert "--epochs takes at least the 5 that are begun, got 2" in told


def test_a_run_that_exists_is_continued_by_a_flag(run: Path, capsys: Capture) -> None:
    assert main([*TRAIN, "--path", str(run)]) == 2
    told = capsys.readouterr().err
    assert f"help: tensorem resume {run}, or choose another path." in told


RECURRENT = """
from tensorem import nn

net = nn.Sequential(
    nn.Unflatten(1, (2, 2)), nn.RNN(2, 4, nonlinearity="relu", returns="last"), nn.Linear(4, 3)
)
"""


def test_a_run_with_a_loop_is_proved_and_its_certificates_are_accepted(
    tmp_path: Path, capsys: Capture
) -> None:
    file, run = tmp_path / "own.py", tmp_path / "run"
    file.write_text(RECURRENT)
    plan = ["--data", "iris", "--epochs", "3", "--lr", "0.05", "--model", f"{file}:net"]
    assert main(["train", *plan, "--path", str(run)]) == 0
    assert tm.load(run) and tm.files.load_graph(run).has_loops
    given = ["verify", str(run), "--eps", "0.0001", "--index", *right(run, 2), "--save"]
    assert {proof["verdict"] for proof in said(capsys, *given)["proofs"]} == {"proved"}
    assert {proof["accepted"] for proof in said(capsys, "check", str(run)).values()} == {True}
    assert said(capsys, "show", str(run))["certificates"] == 2
    graph = run / "certificates" / "graph.json"
    graph.write_text(graph.read_text().replace("relu", "tanh"))
    assert "is not the graph of" in refused(capsys, "check", str(run))
