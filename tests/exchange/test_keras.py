"""Weights of Keras 3 in layers of ours, held against Keras itself."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorem import Spec, files, nn
from tensorem.errors import FileError
from tensorem.files import KERAS, To

pytest.importorskip("h5py", reason="h5py is not installed")
NORM = ("weight", "bias", "running_mean", "running_var")


def plain(theirs: str, ours: str, kernel: str) -> dict[Any, Any]:
    """The rules of a layer with a kernel and a bias."""
    return {
        f"{theirs}/vars/0": To(f"{ours}.weight", KERAS[kernel]),
        f"{theirs}/vars/1": f"{ours}.bias",
    }


def recurrent(theirs: str, ours: str, kind: str) -> dict[Any, Any]:
    names = [f"{theirs}/cell/vars/{i}" for i in range(3)]
    return {
        names[0]: To(f"{ours}.weight_ih_l0", KERAS[f"{kind}.kernel"]),
        names[1]: To(f"{ours}.weight_hh_l0", KERAS[f"{kind}.kernel"]),
        names[2]: To((f"{ours}.bias_ih_l0", f"{ours}.bias_hh_l0"), KERAS[f"{kind}.bias"]),
    }


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras on JAX, whose warnings are its own."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    module = pytest.importorskip("keras", reason="Keras is not installed")
    if module.backend.backend() != "jax":
        pytest.skip("Keras runs on another backend than JAX")
    module.utils.set_random_seed(0)
    return module


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["m.weights.h5", "m.keras"])
def test_images(keras: Any, tmp_path: Path, name: str) -> None:
    k = keras.layers
    parts = [keras.Input((6, 6, 3)), k.Conv2D(4, 3), k.BatchNormalization(epsilon=1e-5), k.ReLU()]
    rest = [k.GlobalAveragePooling2D(), k.LayerNormalization(epsilon=1e-5), k.Dense(2)]
    net = keras.Sequential([*parts, *rest])
    net.set_weights(
        [w + 0.1 * np.arange(w.size).reshape(w.shape) / w.size for w in net.get_weights()]
    )
    net.save_weights(tmp_path / name) if name.endswith("h5") else net.save(tmp_path / name)
    state = files.read_weights(tmp_path / name)
    state = {n: a for n, a in state.items() if n.startswith("layers/")}
    table = {
        **plain("layers/conv2d", "0", "Conv.kernel"),
        **{f"layers/batch_normalization/vars/{i}": f"1.{n}" for i, n in enumerate(NORM)},
        **{f"layers/layer_normalization/vars/{i}": f"5.{n}" for i, n in enumerate(NORM[:2])},
        **plain("layers/dense", "6", "Dense.kernel"),
    }
    layer = nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.LayerNorm(4), nn.Linear(4, 2)),
    )
    model = nn.build(layer, input=("N", 3, 6, 6))
    counted = {"1.num_batches_tracked": np.int32(0)}
    model = model.load_state_dict({**counted, **files.renamed(state, table)})
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    ours = model(np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(ours, np.asarray(net(x)), rtol=1e-4, atol=1e-5)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_sequences(keras: Any, tmp_path: Path) -> None:
    k = keras.layers
    index = keras.Input((5,), dtype="int32")
    y = k.GRU(3, return_sequences=True)(k.LSTM(3, return_sequences=True)(k.Embedding(7, 4)(index)))
    net = keras.Model(index, y)
    net.set_weights(
        [w + 0.1 * np.arange(w.size).reshape(w.shape) / w.size for w in net.get_weights()]
    )
    net.save_weights(tmp_path / "m.weights.h5")
    state = files.read_weights(tmp_path / "m.weights.h5")
    table = {
        "layers/embedding/vars/0": "0.weight",
        **recurrent("layers/lstm", "1", "LSTM"),
        **recurrent("layers/gru", "2", "GRU"),
    }
    layer = nn.Sequential(
        *(nn.Embedding(7, 4), nn.LSTM(4, 3, returns="output"), nn.GRU(3, 3, returns="output"))
    )
    model = nn.build(layer, input=Spec(("N", 5), "int32"))
    model = model.load_state_dict(files.renamed(state, table))
    x = np.random.default_rng(0).integers(0, 7, (2, 5)).astype(np.int32)
    np.testing.assert_allclose(model(x), np.asarray(net(x)), rtol=1e-4, atol=1e-5)


def test_arrays_are_read_by_path(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.ones((3, 2), np.float32)
    [(name, array)] = files.read_weights(tmp_path / "m.weights.h5").items()
    assert name == "layers/dense/vars/0" and KERAS["Dense.kernel"](array).shape == (2, 3)
    for wrong in ("w.h5", "w.keras"):
        (tmp_path / wrong).write_bytes(b"nothing of the kind")
        with pytest.raises(FileError, match="is no"):
            files.read_weights(tmp_path / wrong)


def test_a_file_that_would_fill_memory_is_refused_before_it_does(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "m.h5", "w") as file:  # no byte of it is there
        file.create_dataset("vars/0", (2**16, 2**16), "f4", chunks=(64, 64))
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(2**28 + 2**26))
    for name in ("m.h5", "m.keras"):
        with pytest.raises(FileError, match=r"bytes hold .*\n.*weights do not shrink to a 64th"):
            files.read_weights(tmp_path / name)


def test_no_other_file_is_read(tmp_path: Path) -> None:
    import h5py

    (tmp_path / "secret.bin").write_bytes(bytes(16))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        where = [(str(tmp_path / "secret.bin"), 0, 16)]
        file.create_dataset("vars/0", (4,), "f4", external=where)
    with pytest.raises(FileError, match="arrays in other files"):
        files.read_weights(tmp_path / "m.h5")


def test_layouts_are_moved_as_they_say() -> None:
    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert KERAS["Conv.kernel"](kernel)[4, 3, 1, 2] == kernel[1, 2, 3, 4]
    gates = np.arange(6.0).reshape(1, 6)
    assert KERAS["GRU.kernel"](gates).T.tolist() == [[2, 3, 0, 1, 4, 5]]
    assert KERAS["GRU.bias"](np.stack([gates[0], -gates[0]])).tolist()[6:] == [
        -2,
        -3,
        0,
        -1,
        -4,
        -5,
    ]
    assert KERAS["LSTM.bias"](gates[0]).tolist() == [*range(6), *[0] * 6]
