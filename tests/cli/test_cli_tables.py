"""A CSV file in the commands: columns by name, classes by name, units that belong to the model."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_said import Capture, refused, said

import tensorem as tm
from tensorem import nn
from tensorem.cli import main
from tensorem.disk import RunFiles
from tensorem.errors import DataError

DRAW = random.Random(0)
ROWS = [
    (DRAW.gauss(3000, 500), DRAW.gauss(0.02 * (i % 2 - 0.5), 0.002), ("red", "green")[i % 2])
    for i in range(60)
]
NAMES = ("mass", "charge", "kind")


def written(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]] = ROWS) -> str:
    """A file with these columns, in this order; others than those of ROWS hold 7."""
    lines = [
        ",".join(str(row[NAMES.index(c)]) if c in NAMES else "7" for c in columns) for row in rows
    ]
    path.write_text("\n".join([",".join(columns), *lines, ""]))
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A run on a table, and the table."""
    folder = tmp_path_factory.mktemp("tables")
    file, run = written(folder / "own.csv", NAMES), str(folder / "run")
    given = ["--data", file, "--epochs", "30", "--lr", "0.03", "--hidden", "4", "--path", run]
    assert main(["train", *given, "--json"]) == 0
    return run, file


def test_wild_units_are_learnt_from_and_stand_in_the_model(made: tuple[str, str]) -> None:
    scores = json.loads(RunFiles(Path(made[0])).scores.read_text())
    assert scores["accuracy"] > 0.9
    first = tm.load(made[0]).layer.layers[0]  # type: ignore[union-attr]
    assert isinstance(first, nn.Standardize)
    order = tm.rand.permutation(0, 60)[:48]  # the training part, and nothing else
    x = np.array([ROWS[i][:2] for i in order], np.float32).astype(np.float64)
    np.testing.assert_allclose(first.mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(first.std, x.std(axis=0), rtol=1e-12)


def test_another_order_and_more_columns_change_nothing(
    made: tuple[str, str], tmp_path: Path, capsys: Capture
) -> None:
    run, file = made
    own = said(capsys, "eval", run, "--data", file)
    assert own == said(capsys, "eval", run) and own["examples"] == 12
    other = written(tmp_path / "b.csv", ("kind", "id", "charge", "mass"))
    assert main(["eval", run, "--data", other, "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == own  # the same examples, so only those not trained on count
    assert told.err == f"note: {other} has columns that the model does not take: id.\n"
    new = written(tmp_path / "c.csv", ("charge", "kind", "mass"), ROWS[:7])
    assert said(capsys, "eval", run, "--data", new)["examples"] == 7
    given = ["verify", run, "--data", new, "--eps", "0.0001"]
    capsys.readouterr()
    assert main([*given, "--json"]) in (0, 1, 3)
    found = json.loads(capsys.readouterr().out)["proofs"]
    assert [proof["class"] for proof in found] == [kind for _, _, kind in ROWS[:7]]
    told = refused(capsys, *given, "--index", "0", "--count", "3")
    assert "--count is about the first test examples, got --index too." in told


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (("mass", "spin", "kind"), "got none called 'charge'"),
        (("mass", "charge", "colour"), "got none called 'kind'"),
        (("charge", "mass", "mass", "kind"), "got 'mass', which occurs 2 times"),
        (("mass", "charge", "kind", "kind"), "got 'kind', which occurs 2 times"),
    ],
)
@pytest.mark.parametrize("command", ["eval", "verify"])
def test_a_file_without_a_column_of_the_model_is_refused(
    command: str, columns: Sequence[str], words: str, made: tuple[str, str], tmp_path: Path,
    capsys: Capture,
) -> None:  # fmt: skip
    told = refused(capsys, command, made[0], "--data", written(tmp_path / "x.csv", columns))
    assert told.startswith("DataError") and words in told and str(tmp_path / "x.csv") in told


def test_data_without_these_columns_is_refused(
    made: tuple[str, str], tmp_path: Path, capsys: Capture
) -> None:
    told = refused(capsys, "eval", made[0], "--data", "iris")
    assert "--data takes a .csv file with the columns mass, charge, got 'iris'." in told
    file = tmp_path / "x.csv"
    file.write_text("mass,charge,kind\n1,2,blue\n")
    told = refused(capsys, "eval", made[0], "--data", str(file))
    assert "takes one of green, red in this cell, got 'blue'" in told and "line 2" in told
    file.write_text("1,2,3\n4,5,6\n")
    told = refused(capsys, "eval", made[0], "--data", str(file))
    assert "takes the names of the columns in the first line" in told


def test_predict_reads_by_name_and_answers_in_names(
    made: tuple[str, str], tmp_path: Path, capsys: Capture
) -> None:
    run = made[0]
    bare = written(tmp_path / "bare.csv", ("charge", "mass"), ROWS[:4])
    found = said(capsys, "predict", run, "--input", bare)
    x = np.array([row[:2] for row in ROWS[:4]], np.float32)
    expected = np.asarray(tm.load(run)(x))  # the model takes the table as it is
    np.testing.assert_allclose([row["outputs"] for row in found], expected, rtol=1e-5)
    classes = [("green", "red")[i] for i in expected.argmax(axis=1)]
    assert [row["class"] for row in found] == classes
    np.save(tmp_path / "x.npy", x)
    same = said(capsys, "predict", run, "--input", str(tmp_path / "x.npy"))
    assert [row["class"] for row in same] == classes
    assert main(["predict", run]) == 0
    assert "(target green)" in (out := capsys.readouterr().out) or "(target red)" in out
    missing = written(tmp_path / "y.csv", ("mass", "kind"))
    assert "none called 'charge'" in refused(capsys, "predict", run, "--input", missing)
    told = refused(capsys, "predict", run, "--input", bare, "--index", "0")
    assert "--index is about the run's test examples, got --input too." in told


def test_the_report_says_columns_and_classes(made: tuple[str, str], capsys: Capture) -> None:
    found = said(capsys, "show", made[0])
    assert found["columns"]["classes"] == ["green", "red"]
    page = Path(found["report"]).read_text()
    assert "mass, charge" in page and "green, red" in page


def test_many_numbers_are_met_in_their_own_units(tmp_path: Path, capsys: Capture) -> None:
    rows = [(m, c, 2 * m + 90_000 * c + 5e4) for m, c, _ in ROWS]
    file, run = written(tmp_path / "x.csv", NAMES, rows), str(tmp_path / "run")
    given = ["train", "--data", file, "--epochs", "60", "--lr", "0.03", "--path", run]
    assert main(given) == 0
    assert "target kind: numbers to be met (else --loss cross_entropy)" in capsys.readouterr().out
    found = said(capsys, "eval", run)
    assert found.keys() == {"examples", "loss"}
    assert found["loss"] < 0.05 * np.var([row[2] for row in rows])
    told = refused(capsys, "verify", run)
    assert "tensorem verify takes a classifier, got a run of mse." in told
    assert said(capsys, "predict", run)[0].keys() == {"input", "outputs"}
    epochs = said(capsys, "resume", run, "--epochs", "61")["history"]
    assert len(epochs) == 61


@pytest.mark.parametrize(
    ("targets", "classes"),
    [
        ("1 2 3 3 2 1", ("1", "2", "3")),
        ("-1 1 -1 1.0 -1 1", ("-1", "1")),
        ("b a b a b a", ("a", "b")),
        ("1 2 3 4 5 6", ()),
        ("0.5 1 0.5 1 1 1", ()),
    ],
)
def test_few_integers_and_texts_are_classes(
    targets: str, classes: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "x.csv"
    file.write_text("\n".join(["a,y", *(f"{i},{t}" for i, t in enumerate(targets.split()))]))
    assert tm.data.learn_columns(tm.data.read_table(file)).classes == classes


@pytest.mark.parametrize(
    ("text", "flags", "words"),
    [
        ("a,a,y\n1,2,0\n3,4,1\n", "", "takes columns of different names, got 'a' twice"),
        ("a,y\n" + "".join(f"{i},t{i}\n" for i in range(30)), "", "or numbers, got 30 texts"),
        ("a,y\n1,x\n2,3\n", "", "takes a finite number in this cell, got 'x'"),
        ("a,y\n1,x\n2,y\n", "--loss mse", "takes a finite number in this cell, got 'x'"),
        ("a,y\n1,x\n2,y\n", "--classes x", "takes one of x in this cell, got 'y'"),
        ("a,y\n1,x\n2,y\n", "--classes x y --loss mse", "--classes is about --loss cross_entropy"),
        ("a,y\n16777217,0\n2,1\n", "", "an integer that float32 holds in this cell, got '1677"),
    ],
)  # fmt: skip
def test_what_is_no_table_for_training_is_refused(
    text: str, flags: str, words: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "x.csv").write_text(text)
    given = ["train", "--data", str(tmp_path / "x.csv"), "--path", str(tmp_path / "run")]
    assert words in refused(capsys, *given, *flags.split())
    assert not (tmp_path / "run").exists()


def test_files_without_names_are_told_by_place(tmp_path: Path, capsys: Capture) -> None:
    file, run = tmp_path / "x.csv", str(tmp_path / "run")
    file.write_text("".join(f"{i % 2},{i},{i % 3}\n" for i in range(20)))
    given = ["--no-header", "--target", "0", "--epochs", "1", "--hidden", "2", "--path", run]
    said(capsys, "train", "--data", str(file), *given)
    bare = tmp_path / "bare.csv"
    bare.write_text("".join(f"{i},{i % 3}\n" for i in range(5)))
    found = said(capsys, "predict", run, "--input", str(bare))
    assert found == said(capsys, "predict", run, "--input", str(bare)) and len(found) == 5
    dropped = str(tmp_path / "dropped")
    said(capsys, "train", "--data", str(file), *given[:-1], dropped, "--drop", "1")
    assert said(capsys, "eval", dropped)["examples"] == 4
    assert len(said(capsys, "predict", dropped, "--input", str(file))) == 20
    bare.write_text("1,2,3,4\n")
    told = refused(capsys, "eval", run, "--data", str(bare))
    assert "columns without names, got 4" in told and "by their place alone" in told


def test_a_run_of_version_1_reads_by_place_and_says_so(
    made: tuple[str, str], tmp_path: Path, capsys: Capture
) -> None:
    """Its recipe names no columns, and its model takes numbers as they are."""
    rows = [(i % 5, i % 2, i % 2) for i in range(20)]
    file, other = written(tmp_path / "x.csv", NAMES, rows), tmp_path / "y.csv"
    written(other, ("charge", "mass", "kind"), rows[:5])
    from tensorem import files, train
    from tensorem.cli._recipe import Recipe, splits

    recipe, run = Recipe(data=file, hidden=(2,)), tmp_path / "run"
    layer = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    model = nn.build(layer, input=("N", 2))
    hooks = train.on_save(lambda r: files.save(r.model, run) and None)
    train.fit(model, splits(recipe).train, epochs=1, path=run, progress="none", callbacks=hooks)
    said_by_1 = {"data": file, "target": "-1", "classes": [], "loss": "cross_entropy"}
    said_by_1 |= {"layers": "mlp", "hidden": [2], "header": True, "sha256": ""}  # type: ignore[dict-item]
    RunFiles(run).recipe.write_text(json.dumps(said_by_1))
    assert said(capsys, "eval", str(run))["examples"] == 4
    assert main(["eval", str(run), "--data", str(other)]) == 0
    assert f"note: {other} is read by place" in capsys.readouterr().err
    assert len(said(capsys, "resume", str(run), "--epochs", "2")["history"]) == 2
    RunFiles(run).recipe.write_text(json.dumps(said_by_1 | {"version": 3}))
    assert "version is 3, and this tensorem knows 2" in refused(capsys, "eval", str(run))


PEOPLE = [
    (f"{20 + i % 7}" if i % 6 else "NA", ("rome", "oslo", "", "bonn")[i % 4],
     f"2026-01-{1 + i % 28:02}", 90000 + i % 3, f"note {i}", ("yes", "no")[i % 2])
    for i in range(60)
]  # fmt: skip
FIELDS = ("age", "city", "since", "code", "note", "bought")


def test_a_table_as_people_have_it(tmp_path: Path, capsys: Capture) -> None:
    file, run = tmp_path / "p.csv", str(tmp_path / "run")
    rows = [FIELDS, *PEOPLE]
    text = "".join(";".join(map(str, row)) + "\n" for row in rows)
    file.write_bytes("\ufeff".encode("utf-16-le") + text.encode("utf-16-le"))
    given = ["--data", str(file), "--delimiter", ";", "--epochs", "1", "--path", run]
    told = refused(capsys, "train", *given)
    assert "numbers, dates or few texts, got 48 texts" in told and "--drop note" in told
    assert main(["train", *given, "--drop", "note", "--categories", "code"]) == 0
    out = capsys.readouterr().out
    assert "column city: 4 categories: (missing), bonn, oslo, rome" in out
    assert "column code: 3 categories: 90000, 90001, 90002" in out
    assert "column age: missing ones become the mean, " in out
    assert "column since: days since 1970" in out
    assert tm.load(run).input.shape[1] == 2 + 4 + 1 + 3
    first = said(capsys, "predict", run)
    new = tmp_path / "new.csv"
    new.write_text("since;city;age;code\n2026-02-01;lima;NA;90001\n2026-02-01;;30;90002\n")
    assert main(["predict", run, "--input", str(new), "--json"]) == 0
    told = capsys.readouterr()
    assert "note: column 'city' holds 1 cells that were not seen in training" in told.err
    assert "'lima'" in told.err and len(json.loads(told.out)) == 2
    new.write_text("since;city;age;code\n2026-02-01;oslo;30;90001\n;oslo;30;90002\n")
    told = refused(capsys, "predict", run, "--input", str(new))
    assert "takes a date in this cell, got ''" in told and "was missing in training" in told
    assert said(capsys, "resume", run, "--epochs", "2")["history"][1]["epoch"] == 2
    assert first[0]["class"] in ("yes", "no")


def test_what_an_input_becomes_is_learnt_where_it_is_trained() -> None:
    cells = [[f"{i}", "ab"[i % 2], "1"] for i in range(20)] + [["", "c", "0"]]
    table = tm.data.Table(Path("x.csv"), ("n", "t", "y"), cells, range(2, 23))
    learnt = tm.data.learn_columns(table, rows=np.arange(20))
    assert [f.values for f in learnt.features] == [(), ("a", "b")] and learnt.features[0].plain
    with pytest.raises(DataError, match="takes a finite number in this cell, got ''"):
        learnt.rows(table)
    everything = tm.data.learn_columns(table)
    assert everything.rows(table)[[0, -1]].tolist() == [[0, 0, 1, 0, 0], [9.5, 1, 0, 0, 1]]
    kept = json.loads(json.dumps(everything.to_json()))
    assert tm.data.Columns.from_json(kept) == everything
    old = {"inputs": ["n"], "target": "y", "classes": [], "named": True}
    assert tm.data.Columns.from_json(old).inputs == ("n",)
    with pytest.raises(ValueError, match="a feature is"):
        tm.data.Columns.from_json({**kept, "features": [{"column": 3}]})
    empty = tm.data.Table(Path("x.csv"), ("n", "y"), [["NA", "1"], ["", "2"]], (2, 3))
    with pytest.raises(DataError, match="takes a value in training, got none in 'n'"):
        tm.data.learn_columns(empty)
    dates = tm.data.Table(
        Path("x.csv"), ("d", "y"), [["1970-01-02T12:00", "1"], ["x", "2"]], (2, 3)
    )
    feature = tm.data.learn_feature(dates.select(np.arange(1)), 0)
    assert feature.numbers(dates.select(np.arange(1)), 0).tolist() == [[1.5]]
    with pytest.raises(DataError, match="takes a date such as 2026-01-31 in this cell, got 'x'"):
        feature.numbers(dates, 0)


def test_predictions_stand_beside_the_input(
    made: tuple[str, str], tmp_path: Path, capsys: Capture
) -> None:
    run, out = made[0], tmp_path / "out.csv"
    new = written(tmp_path / "new.csv", ("id", "charge", "mass"), ROWS[:4])
    found = said(capsys, "predict", run, "--input", new, "--output", str(out))
    table = tm.data.read_table(out)
    assert table.names == (
        "id", "charge", "mass", "predicted kind", "output green", "output red",
    )  # fmt: skip
    assert list(table.texts(3)) == [row["class"] for row in found]
    outputs = [row["outputs"] for row in found]
    assert table.numbers([4, 5]).tolist() == np.array(outputs, np.float32).tolist()
    told = refused(capsys, "predict", run, "--input", str(out), "--output", str(new))
    assert "an input without the column 'output green', got" in told
    said(capsys, "predict", run, "--index", "0", "1", "--output", str(out))
    assert len(tm.data.read_table(out).rows) == 2


def test_a_parquet_file_is_a_table(made: tuple[str, str], tmp_path: Path, capsys: Capture) -> None:
    polars = pytest.importorskip("polars")
    run, file = made
    polars.read_csv(file).write_parquet(tmp_path / "x.parquet")
    assert said(capsys, "eval", run, "--data", str(tmp_path / "x.parquet"))["examples"] == 12


def test_arrays_and_pictures_train(tmp_path: Path, capsys: Capture) -> None:
    draw = np.random.default_rng(0)
    x, y = draw.random((30, 1, 4, 4)).astype(np.float32), np.arange(30, dtype=np.int32) % 3
    np.savez(tmp_path / "x.npz", x=x, y=y)
    given = ["train", "--data", str(tmp_path / "x.npz"), "--epochs", "1", "--path"]
    said(capsys, *given, str(tmp_path / "a"))
    assert said(capsys, "eval", str(tmp_path / "a"))["examples"] == 6
    assert tm.load(tmp_path / "a").output.shape[-1] == 3
    told = refused(capsys, *given, str(tmp_path / "b"), "--loss", "mse")
    assert "--loss mse takes other targets, got int32 in" in told
    told = refused(capsys, *given, str(tmp_path / "b"), "--target", "y")
    assert "--target is about a .csv file, got --data" in told
    np.savez(tmp_path / "x.npz", x=x, y=y.astype(np.float32))
    said(capsys, *given, str(tmp_path / "c"))
    assert said(capsys, "eval", str(tmp_path / "c")).keys() == {"examples", "loss"}
    told = refused(capsys, "eval", str(tmp_path / "a"))
    assert "that it was trained on, got another" in told
    image = pytest.importorskip("PIL.Image")
    for i in range(10):
        file = tmp_path / "pictures" / ("cat", "dog")[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(draw.integers(0, 256, (6, 6, 3)).astype(np.uint8)).save(file)
    given = ["train", "--data", str(tmp_path / "pictures"), "--model", "cnn", "--epochs", "1"]
    said(capsys, *given, "--path", str(tmp_path / "d"))
    assert tm.load(tmp_path / "d").input.shape[1:] == (3, 6, 6)


def test_what_is_learnt_of_a_table_is_learnt_of_the_rows_that_are_trained_on(
    tmp_path: Path, capsys: Capture
) -> None:
    """A row each has its own code: those of the validation and the test rows are not learnt."""
    rows = [(500 + i, i * i, "yes" if i % 2 else "no") for i in range(20)]
    file, run = tmp_path / "x.csv", tmp_path / "run"
    file.write_text("code,size,kind\n" + "".join(f"{c},{s},{k}\n" for c, s, k in rows))
    given = ["--data", str(file), "--categories", "code", "--validation", "0.5", "--epochs", "1"]
    assert main(["train", *given, "--path", str(run)]) == 0
    told = capsys.readouterr()
    assert told.err.count("column 'code' holds 12 cells that were not seen in training") == 1
    recipe = json.loads(RunFiles(run).recipe.read_text())
    codes = [int(code) - 500 for code in recipe["columns"]["features"][0]["values"]]
    assert len(codes) == 8
    mean = tm.load(run).layer[0].mean  # type: ignore[union-attr,index]
    assert mean[-1] == pytest.approx(np.mean([i * i for i in codes]))
