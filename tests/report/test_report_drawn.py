"""What is drawn is what was measured: shapes read back against the rows and arrays."""

from __future__ import annotations

import base64
import math
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Balanced, parsed

from tensorem import data, disk, nn, report
from tensorem.errors import FileError, ShapeError
from tensorem.report import _curves, _draw, _examples, _weights

Pixels = np.ndarray[Any, Any]


def pixels_of(content: bytes) -> Pixels:
    """The pixels of a PNG file, by its specification."""
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(content):
        length = struct.unpack(">I", content[at : at + 4])[0]
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        checksum = struct.unpack(">I", content[at + 8 + length : at + 12 + length])[0]
        assert checksum == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + length
    width, height, _, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, {0: 1, 2: 3, 6: 4}[colour])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_image_is_a_png_of_its_values(channels: int) -> None:
    given = np.random.default_rng(0).integers(0, 256, (2, 3, channels), np.uint8)
    np.testing.assert_array_equal(pixels_of(_draw.png(given)), given)


def test_pictures_are_grey_or_coloured_and_spread_where_they_leave_0_to_1() -> None:
    grey = _draw.pixels(np.array([[[0.0, 0.5], [1.0, 0.2]]]))
    assert grey is not None and grey.tolist() == [[0, 128], [255, 51]]
    wide = _draw.pixels(np.array([[-2.0, 0.0], [2.0, 1.0]]))
    assert wide is not None and wide.tolist() == [[0, 128], [255, 191]]
    colour = _draw.pixels(np.zeros((3, 4, 5)))
    assert colour is not None and colour.shape == (4, 5, 3)
    for shape in ((4,), (1, 8), (2, 4, 4), (3, 4, 4, 4), (0, 3)):
        assert _draw.pixels(np.zeros(shape)) is None


@pytest.mark.parametrize(
    "low, high", [(0, 1), (0.6, 0.99), (3, 3), (0, 0), (-2, 5e4), (1e-9, 2e-9)]
)
def test_axes_reach_around_the_values(low: float, high: float) -> None:
    ticks = _draw.ticks(low, high)
    slack = 1e-9 * (ticks[-1] - ticks[0])
    assert ticks[0] - slack <= low <= high <= ticks[-1] + slack and ticks[0] < ticks[-1]
    assert 2 <= len(ticks) <= 7


def rows_of(**columns: list[float | None]) -> list[dict[str, Any]]:
    count = len(next(iter(columns.values())))
    return [
        {"epoch": i + 1, "step": 5 * (i + 1), **{k: v[i] for k, v in columns.items()}}
        for i in range(count)
    ]


def read_back(page: Balanced, kind: str, log: bool = False) -> list[tuple[float, float]]:
    """(epoch, value) of every point of a curve, by the numbers beside its own axes."""
    marks = [(a, float(t)) for tag, a, t in page.texts if tag == "text"]
    across = [(float(a["x"]), t) for a, t in marks if a["text-anchor"] == "middle"]
    up = [
        (float(a["y"]) - 4, math.log10(t) if log else t)
        for a, t in marks
        if a["text-anchor"] == "end"
    ]
    shapes = [a for tag, a in page.seen if kind in a.get("class", "").split() and tag != "i"]
    points = [p.split(",") for a in shapes for p in a.get("points", "").split()]
    points += [[a["cx"], a["cy"]] for a in shapes if "cx" in a]
    found = [(at(across, float(x)), at(up, float(y))) for x, y in points]
    return [(x, 10**y) for x, y in found] if log else found


def at(scale: list[tuple[float, float]], place: float) -> float:
    """The number at a place of an axis of which some numbers are known."""
    if len(scale) == 1:
        assert abs(scale[0][0] - place) < 0.06
        return scale[0][1]
    (a, first), (b, last) = scale[0], scale[-1]
    return first + (last - first) * (place - a) / (b - a)


@pytest.mark.parametrize("count", [1, 2, 3, 20, 1000])
def test_curves_are_the_rows_of_the_run_with_validation(count: int) -> None:
    loss = [2.0 / (i + 1) + 1 for i in range(count)]
    other = [2.5 / (i + 1) + 1 for i in range(count)]
    (drawn,) = _curves.charts(rows_of(loss=loss, val_loss=other), ())
    page = parsed(drawn)
    for kind, values in (("c0", loss), ("c1", other)):
        back = read_back(page, kind)
        want = [(i + 1, v) for i, v in enumerate(values)]
        np.testing.assert_allclose(back, want, atol=0.05 * max(1, count / 100), rtol=1e-3)
    assert f"loss {loss[-1]:.4g}" in drawn and f"val_loss {other[-1]:.4g}" in drawn
    assert f"from {loss[0]:.4g} in epoch 1 to {loss[-1]:.4g} in epoch {count}" in drawn


def test_a_curve_over_many_powers_of_ten_has_an_axis_of_them() -> None:
    values = [10.0**-i for i in range(8)]
    (drawn,) = _curves.charts(rows_of(loss=values), ())
    assert "logarithmic axis" in drawn
    back = read_back(parsed(drawn), "c0", log=True)
    np.testing.assert_allclose([y for _, y in back], values, rtol=0.05)


def test_a_value_that_does_not_change_is_in_the_middle() -> None:
    (drawn,) = _curves.charts(rows_of(lr=[0.01, 0.01]), ())
    np.testing.assert_allclose(read_back(parsed(drawn), "c0"), [(1, 0.01), (2, 0.01)], rtol=1e-3)
    (zero,) = _curves.charts(rows_of(lr=[0.0]), ())
    np.testing.assert_allclose(read_back(parsed(zero), "c0"), [(1, 0.0)], atol=1e-9)


def test_every_column_has_its_chart_and_all_rates_share_one() -> None:
    rows = rows_of(loss=[1.0, 0.5], grad_norm=[3.0, 2.0], val_accuracy=[0.1, 0.2])
    rows = [{**row, "lr[0.*]": 0.1, "lr[*]": 0.2} for row in rows]
    titles = re.findall("<b>(.*?)</b>", "".join(_curves.charts(rows, ())))
    assert titles == ["loss", "accuracy", "grad_norm", "learning rate"]
    assert not _curves.charts((), ())


def test_steps_that_were_logged_are_points_within_the_epochs() -> None:
    steps = [{"in_epoch": 1, "step": n, "lr": n / 10} for n in (1, 2, 3, 4, 5)]
    rows = rows_of(lr=[0.5, 1.0], loss=[1.0, 2.0])
    loss, rate = (parsed(c) for c in _curves.charts(rows, steps))
    want = [(n / 5, n / 10) for n in (1, 2, 3, 4, 5)]
    np.testing.assert_allclose(read_back(rate, "c0"), want, atol=0.01)
    np.testing.assert_allclose(read_back(loss, "c0"), [(1, 1), (2, 2)], atol=0.02)
    alone = _curves.charts((), steps)
    assert len(alone) == 1 and "0.5" in alone[0]


def test_what_is_no_finite_number_is_left_out_and_said() -> None:
    rows = rows_of(loss=[1.0, None, 0.5, 0.4, math.inf, 0.3])
    (drawn,) = _curves.charts(rows, ())
    page = parsed(drawn)
    assert sorted(round(x) for x, _ in read_back(page, "c0")) == [1, 3, 4, 6]
    assert drawn.count("<circle") == 2 and drawn.count("<polyline") == 1
    assert "no finite number: 2 of 6 of loss" in drawn and "nan" not in drawn
    (odd,) = _curves.charts([{"loss": 1.0}], [{"step": 0, "loss": 1.0}, {"loss": 2.0}])
    assert "from 1 in epoch 1" in odd
    (none,) = _curves.charts(rows_of(loss=[None, None]), ())
    assert "no value is a finite number" in none
    (ends,) = _curves.charts(rows_of(loss=[1.0, None], val_loss=[None, None]), ())
    assert "loss -" in ends and "val_loss: no finite number" in ends


def test_names_are_escaped() -> None:
    (drawn,) = _curves.charts(rows_of(**{"<u>&": [1.0, 2.0]}), ())
    parsed(drawn)
    assert "&lt;u&gt;&amp;" in drawn and "<u>" not in drawn


def test_histograms_count_every_number_of_a_parameter() -> None:
    model = nn.build(nn.Sequential(nn.Linear(40, 30), nn.Linear(30, 2)), input=("N", 40))
    page = parsed(_weights.histograms(model))
    paths = [a["d"] for tag, a in page.seen if tag == "path"]
    assert len(paths) == len(model.params) == 4
    values = np.asarray(model.params["0.weight"], np.float64)
    counts, _ = np.histogram(values, _weights.BINS)
    tall = [float(h) for h in re.findall(r"v-([\d.]+)h", paths[0])]
    np.testing.assert_allclose(
        tall, (_weights.HEIGHT - 2) * counts[counts > 0] / counts.max(), atol=0.01
    )
    assert sum("class" in a and a["class"] == "zero" for _, a in page.seen) >= 1


def test_histograms_of_constants_and_of_no_numbers() -> None:
    zeros = _weights._histogram("bias", np.zeros(5))
    assert parsed(zeros) and "0 to 0, mean 0" in zeros
    some = _weights._histogram("bias", np.array([1.0, math.nan, 2.0]))
    assert "1 of 3 no finite number" in some
    assert "no value is a finite number" in _weights._histogram("bias", np.array([math.inf]))


def examined(scores: Any, targets: Any, x: Any, **names: Any) -> report.Outcomes:
    """The outcomes of a model that gives its input as scores, drawn for other inputs."""
    model = nn.build(nn.Identity(), input=("N", np.shape(scores)[1]))
    found = report.examine(model, data.Dataset(np.asarray(scores, np.float32), targets), **names)
    return found if x is None else report.Outcomes(**vars(found) | {"inputs": x[found.index]})


def test_the_confusion_matrix_is_in_the_pixels_and_the_cells() -> None:
    scores = np.eye(3, dtype=np.float32)[[0, 0, 1, 2, 2, 1]] * 4
    found = examined(scores, np.array([0, 0, 0, 2, 2, 2], np.int32), None, classes=("a", "b<", "c"))
    counts = np.array([[2, 1, 0], [0, 0, 0], [0, 1, 2]])
    np.testing.assert_array_equal(found.confusion, counts)
    page = parsed(drawn := _examples.outcomes(found))
    (image,) = [a["href"] for tag, a in page.seen if tag == "image"]
    pixels = pixels_of(base64.b64decode(image.partition(",")[2]))
    shares = np.rint(255 * np.sqrt(counts / np.array([[3], [1], [3]])))
    np.testing.assert_array_equal(pixels[..., 3], shares)
    cells = [
        int(t) for tag, a, t in page.texts if tag == "text" and a.get("class") in ("on", "off")
    ]
    assert cells == [2, 1, 1, 2] and "4 of 6 examples are on the diagonal" in drawn
    assert "<td>a</td><td>b&lt;</td><td class=n>1</td><td class=n>3</td>" in drawn
    assert "test 2: a, said to be b&lt;" in drawn and "<td>b<" not in drawn


def test_the_worst_examples_are_those_of_the_greatest_loss() -> None:
    rng = np.random.default_rng(1)
    scores, targets = rng.normal(size=(50, 4)), rng.integers(0, 4, 50).astype(np.int32)
    found = examined(scores, targets, rng.random((50, 1, 5, 5)).astype(np.float32))
    exact = np.exp(scores.astype(np.float32).astype(np.float64))
    losses = -np.log(exact[np.arange(50), targets] / exact.sum(axis=1))
    assert found.index.tolist() == np.argsort(-losses).tolist()[: len(found.index)]
    np.testing.assert_allclose(found.losses, np.sort(losses)[::-1][:12], rtol=1e-9)
    page = parsed(_examples.outcomes(found))
    images = [a for tag, a in page.seen if tag == "img"]
    first = pixels_of(base64.b64decode(images[0]["src"].partition(",")[2]))
    assert len(images) == 12
    np.testing.assert_array_equal(first[..., 0], np.rint(255 * found.inputs[0, 0].astype(float)))


def test_two_hundred_classes_have_few_names_and_no_cells() -> None:
    scores = np.eye(200, dtype=np.float32)
    found = examined(scores, np.arange(200, dtype=np.int32)[::-1].copy(), None)
    page = parsed(drawn := _examples.outcomes(found))
    names = [t for tag, _, t in page.texts if tag == "text"]
    assert len(names) < 30 and len(drawn) < 30_000 and "0 of 200 examples" in drawn
    assert drawn.count("<td class=n>1</td>") >= _examples.WORST_PAIRS


def test_numbers_that_are_met_are_points_around_a_line() -> None:
    y = np.linspace(-1, 3, 40, dtype=np.float32)[:, None]
    found = examined(y + 0.5, y, None, columns=("height",))
    np.testing.assert_allclose(found.pairs[:, 1] - found.pairs[:, 0], 0.5, atol=1e-6)
    np.testing.assert_allclose(found.losses, 0.25, rtol=1e-5)
    page = parsed(drawn := _examples.outcomes(found))
    assert sum(tag == "circle" for tag, _ in page.seen) == 40 and "<th>height</th>" in drawn


def test_examples_without_a_score_for_each_class_are_refused() -> None:
    model = nn.build(nn.Linear(4, 3), input=("N", 4))
    x = np.zeros((2, 4), np.float32)
    with pytest.raises(ShapeError, match=r"a score for each class, got outputs \(2, 3\) for"):
        report.examine(model, data.Dataset(x, np.zeros((2, 3), np.int32)))
    with pytest.raises(ShapeError, match=r"each of the targets \(2, 1\), got outputs \(2, 3\)"):
        report.examine(model, data.Dataset(x, np.zeros((2, 1), np.float32)))


def test_outcomes_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = examined(np.eye(3), np.array([0, 1, 1], np.int32), None, classes=("a", "b", "c"))
    found.save(tmp_path)
    path, back = disk.RunFiles(tmp_path).outcomes, report.Outcomes.load(tmp_path)
    for name, value in vars(found).items():
        np.testing.assert_array_equal(getattr(back, name), value)
    arrays, texts = disk.read_arrays(path)
    for change in ({"classes": "[1]"}, {"classes": '["a"]'}, {"columns": "{"}):
        path.write_bytes(disk.pack(arrays, texts | change))
        with pytest.raises(FileError, match="holds no outcomes"):
            report.Outcomes.load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file"):
        found.save(tmp_path / "file")
    path.write_bytes(disk.pack({}, texts))
    with pytest.raises(FileError, match="holds no outcomes"):
        report.Outcomes.load(tmp_path)
