"""The original's logs and reports: the exact JSON, both ways; aligned curves; what is printed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorem import data, nn, optim, train
from tensorem.errors import ArgumentError, FileError

LOG = train.TrainLog(
    "xor",
    (0, 10, 20),
    (
        train.Series("loss", (0.5, math.nan, math.inf)),
        train.Series("lr", (1, 2, -math.inf), "#123"),
    ),
    ("seed=0",),
)
SCHEMA = {
    "title": "xor",
    "steps": [0, 10, 20],
    "series": [
        {"name": "loss", "values": [0.5, "NaN", "Infinity"], "color": "#0a7"},
        {"name": "lr", "values": [1.0, 2.0, "-Infinity"], "color": "#123"},
    ],
    "notes": ["seed=0"],
}


def test_the_json_is_the_originals_both_ways(tmp_path: Path) -> None:
    file = LOG.write_json(tmp_path / "new" / "log.json")
    assert json.loads(file.read_text()) == SCHEMA
    assert train.TrainLog.read_json(file).to_json() == LOG.to_json()
    destination = train.LogDestination.parse(str(tmp_path / "other.json"))
    assert destination.write_train_log(LOG) == tmp_path / "other.json"
    for word in ("false", "OFF", "none", "no", "disabled"):
        off = train.LogDestination.parse(word)
        assert not off.is_enabled and off.write_train_log(LOG) is None


@pytest.mark.parametrize(
    "change",
    [
        {"title": 3},
        {"steps": [0, 10]},
        {"steps": [0, 1.5, 2]},
        {"steps": [0, -1, 2]},
        {"steps": "012"},
        {"notes": None},
        {"series": [{"name": "loss", "values": [1, 2, "inf"], "color": "#0a7"}]},
        {"series": [{"name": "loss", "values": [1, 2, True], "color": "#0a7"}]},
        {"series": [{"name": "loss", "values": [1, 2, 3]}]},
        {"series": [3]},
    ],
)
def test_other_json_is_one_error(change: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "log.json"
    file.write_text(json.dumps(SCHEMA | change))
    with pytest.raises(FileError, match=r"A TrainLog takes JSON of title, steps"):
        train.TrainLog.read_json(file)
    for text in ("{", "[]", "[" * 100_000):
        with pytest.raises(FileError, match="A TrainLog takes JSON"):
            train.TrainLog.from_json(text)


def test_a_run_is_a_log_of_its_columns() -> None:
    iris = data.iris()
    model = nn.build(nn.Linear(4, 3), input=("N", 4))
    run = train.fit(
        model, iris.train, optimizer=optim.sgd(0.1), epochs=2, validation=iris.test, progress="none"
    )
    log = train.TrainLog.of(run.history)
    assert log.steps == tuple(row["step"] for row in run.history)
    curves = {curve.name: curve.values for curve in log.series}
    assert curves["loss"] == tuple(row["loss"] for row in run.history)
    assert {"accuracy", "val_loss", "val_accuracy"} <= curves.keys()
    assert curves.keys().isdisjoint({"epoch", "step"})


def test_the_curves_of_an_experiment_are_aligned() -> None:
    info = train.RunInfo(name="xor", tags=("a", "b"), config=(train.ConfigEntry("lr", "0.1"),))
    log = train.ExperimentLog(info, ("loss",)).log_row(0, {"loss": 1}).log(0, "accuracy", 0.5)
    log = log.log(20, "accuracy", 1, color="#123").log(10, "loss", 0.5)
    written = log.add_artifact(train.Artifact("weights", "w.st", "model")).to_train_log()
    assert (written.title, written.steps) == ("xor", (0, 10, 20))
    loss, accuracy = written.series
    assert loss.values[:2] == (1, 0.5) and math.isnan(loss.values[2])
    assert (accuracy.values[::2], accuracy.color) == ((0.5, 1), "#123")
    assert written.notes[:2] == ("project=tensorem", "run_name=xor")
    assert written.notes[2:] == ("tags=a,b", "config.lr=0.1", "artifact.weights=w.st kind=model")
    assert train.ExperimentLog().to_train_log().title == "Training"


def test_histories_grow_by_values_and_refuse_what_does_not_fit() -> None:
    history = train.MetricHistory(("loss", "accuracy"))
    assert [s.values for s in history.to_train_log("none").series] == [(), ()]
    with pytest.raises(ArgumentError, match="MetricHistory takes a value for each of loss, acc"):
        history.push(0, (1.0,))
    with pytest.raises(ArgumentError, match="ExperimentLog takes values of loss, got 'los'"):
        train.ExperimentLog(metrics=("loss",)).log_row(0, {"los": 1})
    with pytest.raises(ArgumentError, match="a value for each of 1 steps, got 2 of loss"):
        train.TrainLog("x", (0,), (train.Series("loss", (1, 2)),))
    with pytest.raises(FileError, match="cannot be read"):
        train.TrainLog.read_json("nowhere.json")
    curve = train.Curve().push(0, 1.0).to_train_log("x", ["note"])
    assert (curve.series[0].color, curve.notes) == ("#4e79a7", ("note",))


def test_reports_print_what_evaluation_gives(capsys: pytest.CaptureFixture[str]) -> None:
    layer = nn.Sequential(
        nn.Linear(2, 2), nn.Dropout(0.5)
    )  # off: quirk 1 of the original is not here
    model = nn.build(layer, input=("N", 2))
    model = model.load_state_dict({"0.weight": [[1.0, 0.0], [0.0, 1.0]], "0.bias": [0.0, 0.0]})
    x, y = np.array([[3, 0], [0, 3], [0, 3]], np.float32), np.array([0, 0, 1], np.int32)
    expected = train.evaluate(model, (x, y))["loss"]
    assert train.report_mean_loss("a", model, (x, y)) == expected
    assert train.report_loss_accuracy_one_hot("b", model, (x, y)) == (expected, 2, 3)
    one_hot = np.eye(2, dtype=np.float32)[y]
    assert train.report_loss_accuracy_one_hot("c", model, (x, one_hot))[1:] == (2, 3)
    train.report_class_probes(model, [("up", x[1], 1)], title="seen", include_logits=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        f"mean_loss(a) = {expected}",
        f"mean_loss(b) = {expected}",
        "accuracy(b) = 2/3",
    ]
    assert lines[-2:] == ["seen", "  up: expected=1 predicted=1 logits=[0.0, 3.0]"]
