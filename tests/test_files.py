"""Models on disk, and what happens when the disk holds something else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorem as tm
from tensorem import disk, files, nn
from tensorem import functional as F
from tensorem.errors import ArgumentError, DTypeError, FileError, LayerError, PathError
from tensorem.files import description


class Twice(nn.Layer):
    """A layer of a user's own."""

    inner: nn.Linear

    def forward(self, x: Any) -> Any:
        return self.inner(self.inner(x))


X = np.linspace(-1, 1, 2 * 16, dtype=np.float32).reshape(2, 1, 4, 4)


def a_model() -> nn.Model:
    layer = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.BatchNorm2d(2),
        nn.Residual(nn.ReLU()),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(8, 3),
    )
    return nn.build(layer, input=("N", 1, 4, 4), seed=3)


@pytest.fixture(scope="module")
def model() -> nn.Model:
    return a_model()


@pytest.fixture(scope="module")
def saved(model: nn.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return files.save(model, tmp_path_factory.mktemp("model"))


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_a_model_comes_back_with_its_layers_and_its_bits(model: nn.Model, saved: Path) -> None:
    again = tm.load(saved)
    assert isinstance(again, nn.Model) and again.layer == model.layer
    assert again.input == model.input
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], array, strict=True)
    np.testing.assert_array_equal(again(X), model(X))


def test_the_graph_alone_computes_the_same(model: nn.Model, saved: Path) -> None:
    graph = tm.GraphModel(files.load_graph(saved))
    np.testing.assert_allclose(graph(X), model(X), rtol=1e-6)
    np.testing.assert_allclose(graph(X[:1]), model(X)[:1], rtol=1e-6)


def test_there_is_no_python_in_the_files(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == {"graph.json", "model.safetensors"}
    json.loads((saved / "graph.json").read_text())


def test_a_layer_of_ones_own_loads_as_a_graph_and_with_its_layer(tmp_path: Path) -> None:
    layer = Twice(nn.Linear(3, 3))
    model = nn.build(layer, input=("N", 3), seed=1)
    files.save(model, tmp_path)
    x = np.ones((2, 3), np.float32)
    graph, again = tm.load(tmp_path), tm.load(tmp_path, layer=layer)
    assert isinstance(graph, tm.GraphModel) and isinstance(again, nn.Model)
    np.testing.assert_array_equal(again(x), model(x))
    np.testing.assert_allclose(graph(x), model(x), rtol=1e-6)


def test_another_layer_does_not_fit(saved: Path) -> None:
    with pytest.raises(PathError, match="The state dict takes 2 arrays"):
        tm.load(saved, layer=nn.Sequential(nn.Flatten(), nn.Linear(16, 3)))


class Scaled(nn.Layer):
    """Layers of one form that compute different functions."""

    inner: nn.Linear
    rising: bool = True
    factor: float = 1.0

    def forward(self, x: Any) -> Any:
        y = self.inner(x) * self.factor
        return y if self.rising else F.tanh(y)


def test_a_layer_that_computes_another_function_is_refused(tmp_path: Path) -> None:
    layer = Scaled(nn.Linear(3, 3))
    files.save(nn.build(layer, input=("N", 3)), tmp_path)
    with pytest.raises(LayerError, match="layer=Scaled computes another function than") as caught:
        tm.load(tmp_path, layer=Scaled(nn.Linear(3, 3), rising=False))
    assert str(tmp_path) in caught.value.what
    assert caught.value.because.startswith("it computes `tanh_3: float32(N, 3) = tanh(mul_2)`")
    assert "tm.load(folder) reads the saved graph" in caught.value.help


def test_a_layer_with_other_constants_is_refused(tmp_path: Path) -> None:
    files.save(nn.build(Scaled(nn.Linear(3, 3), factor=2.0), input=("N", 3)), tmp_path)
    with pytest.raises(LayerError, match="layer=Scaled computes another function") as caught:
        tm.load(tmp_path, layer=Scaled(nn.Linear(3, 3), factor=3.0))
    assert caught.value.because == "`const.0` has other values than were saved."


def test_a_description_of_other_layers_than_the_graph_is_refused(tmp_path: Path) -> None:
    """A file of another hand, whose parts fit each other in names and shapes only."""
    model = nn.build(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), input=("N", 3))
    saved = files.save(model, tmp_path)
    arrays, texts = disk.read_arrays(saved / "model.safetensors")
    del texts["sha256"]
    for other in (nn.Tanh(), nn.Linear(3, 3), nn.Conv2d(3, 3, 1)):
        layers = json.dumps(description(nn.Sequential(nn.Linear(3, 3), other)))
        content = disk.pack(arrays, {**texts, "layers": layers})
        (saved / "model.safetensors").write_bytes(content)
        with pytest.raises(FileError, match=r"safetensors describes other layers than") as caught:
            tm.load(saved)
        assert caught.value.because and "load_graph(folder)" in caught.value.help


@pytest.mark.parametrize("sizes", [{}, {"N": 2}])
def test_a_bound_graph_is_compared_at_its_sizes(sizes: dict[str, int], tmp_path: Path) -> None:
    layer = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2, 3))
    model = nn.build(layer, input=("N", 1, 4, 4))
    files.save(tm.capture(model).bind(**sizes), tmp_path)
    again = tm.load(tmp_path, layer=layer)
    np.testing.assert_array_equal(again(X), model(X))


def test_a_graph_saves_and_loads(saved: Path, tmp_path: Path) -> None:
    graph = files.load_graph(saved)
    files.save(graph, tmp_path)
    again = tm.load(tmp_path)
    assert isinstance(again, tm.GraphModel) and str(again.graph) == str(graph)


def test_saving_again_replaces_the_model(copy: Path) -> None:
    files.save(nn.build(nn.Linear(3, 2), input=("N", 3)), copy)
    again = tm.load(copy)
    assert isinstance(again, nn.Model) and again.layer == nn.Linear(3, 2)


@pytest.mark.parametrize("name", ["model.safetensors", "graph.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(FileError, match="A saved model is a folder") as caught:
        tm.load(copy)
    assert name in caught.value.because


@pytest.mark.parametrize("name", ["model.safetensors", "graph.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe nonsense", b"[]", b'{"format": 1}'])
def test_a_malformed_file_is_refused(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(FileError) as caught:
        tm.load(copy)
    if name == "graph.json":
        assert caught.value.what == f"{copy / name} is not a graph."


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", ["model.safetensors", "graph.json"])
def test_half_a_file_is_refused(copy: Path, name: str, share: float) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(FileError) as caught:
        tm.load(copy)
    assert str(copy / name) in str(caught.value)


def test_files_of_two_models_are_not_mixed(copy: Path, tmp_path: Path) -> None:
    layer = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(32, 3))
    other = files.save(nn.build(layer, input=("N", 1, 4, 4)), tmp_path / "other")
    shutil.copy(other / "graph.json", copy / "graph.json")
    with pytest.raises(FileError, match=r"graph\.json is not a graph") as caught:
        tm.load(copy)
    assert "array" in caught.value.because


def test_a_changed_graph_is_noticed(copy: Path) -> None:
    text = (copy / "graph.json").read_text()
    assert '"eps": 1e-05' in text
    (copy / "graph.json").write_text(text.replace('"eps": 1e-05', '"eps": 1e-03'))
    with pytest.raises(FileError, match="belongs to another graph"):
        tm.load(copy)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("{", "describes its layers in JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("7", "names a layer"),
        ('{"layer": "Nothing", "arguments": {}}', "names layers of tensorem.nn, got 'Nothing'"),
        ('{"layer": "Linear", "arguments": {"in": 3}}', "malformed"),
        ('{"layer": "Linear", "arguments": {"in_features": -3, "out_features": 2}}', "malformed"),
        ('{"layer": "Repeat", "arguments": {"layers": []}}', "malformed"),
        ('{"layer": "Input", "arguments": {"shape": [3], "more": 1}}', "Input has no field 'more'"),
    ],
)
def test_a_wrong_description_of_layers_is_refused(copy: Path, layers: str, words: str) -> None:
    arrays, texts = disk.read_arrays(copy / "model.safetensors")
    del texts["sha256"]  # a file of another hand need not have one
    content = disk.pack(arrays, {**texts, "layers": layers})
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(FileError) as caught:
        tm.load(copy)
    assert words in f"{caught.value.what} {caught.value.because}"


def test_a_full_disk_keeps_the_earlier_model(
    copy: Path, model: nn.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left on device"):
        files.save(nn.build(nn.Linear(3, 2), input=("N", 3)), copy)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


SHARED = nn.share(nn.Linear(3, 3))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(3, 2, bias=False),
        nn.Sequential(nn.Input(3), nn.Linear(3, 2), nn.Softmax(dim=-1)),
        nn.Sequential(nn.Conv2d(2, 4, (3, 1), stride=2, padding="valid", groups=2), nn.Tanh()),
        nn.Sequential(nn.Embedding(5, 3), nn.LayerNorm(3), nn.LeakyReLU(0.2)),
        nn.Sequential(SHARED, nn.ReLU(), SHARED),
    ],
    ids=str,
)
def test_a_description_gives_the_layer_again(layer: nn.Layer) -> None:
    text = json.dumps(description(layer))
    again = files.described(json.loads(text))
    assert repr(again) == repr(layer) and description(again) == json.loads(text)


def test_a_shared_layer_stays_shared() -> None:
    layer = nn.Sequential(SHARED, nn.ReLU(), SHARED)
    again: Any = files.described(description(layer))
    assert again[0] is again[2]


def test_a_layer_of_ones_own_has_no_description() -> None:
    assert description(nn.Sequential(Twice(nn.Linear(3, 3)))) is None


def test_a_model_does_not_save_itself() -> None:
    model = nn.build(nn.Linear(3, 2), input=("N", 3))
    with pytest.raises(AttributeError, match=r"A model has no save; tm.save\(model, folder\)"):
        model.save("m")


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    model = nn.build(nn.Sequential(nn.Linear(3, 2), nn.LeakyReLU(0.25)), input=("N", 3))
    file = files.save(model, tmp_path) / "model.safetensors"
    whole = file.read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    for damaged in (flipped, whole.replace(b"0.25", b"0.75")):
        assert damaged != whole
        file.write_bytes(damaged)
        with pytest.raises(FileError, match="is not what its own hash says"):
            tm.load(tmp_path)


def test_a_model_of_64_bits_stays_one(tmp_path: Path) -> None:
    class Own(nn.Layer):
        inner: nn.Linear

        def forward(self, x: Any) -> Any:
            return self.inner(x)

    spec = tm.shapes.Spec(tm.shapes.shape_of(("N", 3)), "float64")
    model = nn.build(Own(nn.Linear(3, 2)), input=spec)
    files.save(model, tmp_path)
    x = np.array([[0.1, 0.2, 0.3]])
    loaded = tm.load(tmp_path)
    assert isinstance(loaded, tm.GraphModel)
    assert loaded(x).dtype == np.float64 and np.array_equal(loaded(x), model(x))
    with pytest.raises(DTypeError, match='takes float64, got dtype="float32"'):
        tm.evaluate(model, x)


@pytest.mark.parametrize("path", [None, 3, ""])
def test_a_path_is_a_path(path: Any) -> None:
    with pytest.raises(ArgumentError, match="A path takes"):
        tm.load(path)


def test_a_run_gives_its_model_to_who_builds_it_again(tmp_path: Path) -> None:
    def built(width: int = 5) -> nn.Model:
        return nn.build(nn.Sequential(nn.Linear(4, width), nn.Linear(width, 3)), ("N", 4))

    path = tmp_path / "run"
    run = tm.train.fit(built(), tm.data.iris().train, epochs=1, path=path, progress="none")
    found = tm.load(path, built())
    assert isinstance(found, nn.Model)
    for name, array in run.model.params.items():
        np.testing.assert_array_equal(found.params[name], array)
    for nothing in (None, built().layer):
        with pytest.raises(FileError, match="takes the model built again, got") as caught:
            tm.load(path, nothing)
        assert "it trained Sequential(Linear(4, 5), Linear(5, 3)) of" in caught.value.because
        assert "nn.build(layer, input=...)" in caught.value.help
    with pytest.raises(LayerError, match="takes the model that was trained there, got another"):
        tm.load(path, built(6))
    tm.save(run.model, path)
    assert isinstance(tm.load(path), nn.Model) and isinstance(tm.load(path, built()), nn.Model)
