"""Files whose hashes are right and whose content is not: an error of ours, or a result."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from damage import DEEP, damage, text
from tensorem import cli, disk, graph, nn, verify
from tensorem.check import MalformedError, UnsupportedError
from tensorem.errors import TensoremError
from tensorem.files._models import _sha256
from tensorem.graph._json import canonical
from tensorem.verify import Claim

Files = tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]], dict[str, str]]
"""graph.json, the arrays and the texts of model.safetensors."""


def _layers() -> dict[str, tuple[nn.Layer, Any]]:
    image = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    )
    block = nn.Residual(nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4), nn.Softplus()))
    return {
        "image": (nn.Sequential(image, nn.Linear(2, 3)), ("N", 1, 5, 5)),
        "sequence": (
            nn.Sequential(nn.Embedding(5, 4), block, nn.Softmax(-1)),
            tm.Spec(("N", "T"), "int32"),
        ),
    }


def _looped(x: Any) -> Any:
    step = lambda c, row: (jnp.maximum(c * 0.5 + row, 0.0), c)  # noqa: E731
    return jax.lax.scan(step, jnp.zeros(2), x)


@cache
def saved(name: str, folder: Path) -> Files:
    """What was saved, as documents."""
    if name == "loop":
        tm.save(graph.capture(_looped, ("T", 2)), folder)
    else:
        layer, shape = _layers()[name]
        tm.save(nn.build(layer, input=shape), folder)
    arrays, texts = disk.read_arrays(folder / "model.safetensors")
    return json.loads((folder / "graph.json").read_text()), arrays, texts


def write(folder: Path, document: Any, arrays: Any, texts: dict[str, str]) -> None:
    """A saved model, with the hashes of what is in it."""
    written = text(document)
    with contextlib.suppress(RecursionError):
        texts = {**texts, "graph": hashlib.sha256(canonical(written)).hexdigest()}
    texts = {**texts, "sha256": _sha256(arrays, texts)}
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(disk.pack(arrays, texts))
    (folder / "graph.json").write_text(written)


def of_the_graph(files: Files, rng: np.random.Generator) -> Files:
    return damage(files[0], rng), files[1], files[2]


def of_the_layers(files: Files, rng: np.random.Generator) -> Files:
    document, arrays, texts = files
    if "layers" in texts and DEEP not in texts["layers"]:
        texts["layers"] = text(damage(json.loads(texts["layers"]), rng))
    return document, arrays, texts


def of_the_arrays(files: Files, rng: np.random.Generator) -> Files:
    """One under another name, of another shape or dtype, or not there."""
    document, arrays, texts = files
    name = list(arrays)[rng.integers(len(arrays))]
    array = arrays.pop(name)
    odd = [array.astype("int32"), array.astype("float16"), array[None], array.ravel()[:1]]
    match rng.integers(3):
        case 0:
            arrays[f"{name}_"] = array
        case 1:
            arrays[name] = odd[rng.integers(len(odd))]
    return document, arrays, texts


DAMAGES: list[Callable[[Files, np.random.Generator], Files]] = [of_the_graph, of_the_graph]
DAMAGES += [of_the_layers, of_the_arrays]


def read(folder: Path, rng: np.random.Generator) -> None:
    """Load it and, where that goes well, compute with it."""
    model: Any = tm.load(folder)
    whole = graph.graph_of(model)
    bound = whole.bind(**dict.fromkeys(whole.names, 2))
    specs = [bound.specs[name] for name in bound.inputs]
    if sum(np.prod(s.shape, dtype=float) for s in bound.specs.values()) > 1e5:
        return
    xs = [np.ones(spec.shape, spec.dtype) for spec in specs]
    dtype = ["float32", "float64", "rational", "interval"][rng.integers(4)]
    with jax.disable_jit():
        tm.evaluate(
            bound,
            *graph.unflatten(bound.takes, dict(zip(bound.inputs, xs, strict=True))),
            dtype=dtype,
        )
    verify.Propagation.of(bound)


def survive(seed: int, folder: Path) -> None:
    rng = np.random.default_rng(seed)
    name = ["image", "sequence", "loop"][rng.integers(3)]
    given = copy.deepcopy(saved(name, folder / name))
    for _ in range(rng.integers(1, 3)):
        given = DAMAGES[rng.integers(len(DAMAGES))](given, rng)
    write(folder / "damaged", *given)
    with contextlib.suppress(TensoremError):
        read(folder / "damaged", rng)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saved")


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_model_is_an_error_of_ours_or_a_model(seed: int, folder: Path) -> None:
    survive(seed, folder)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 500))
def test_a_damaged_model_is_survived_again_and_again(seed: int, folder: Path) -> None:
    survive(seed, folder)


# --- certificates


@cache
def proof() -> verify.Proof:
    layer = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    model = nn.build(layer, input=("N", 3), seed=0)
    x = np.ones(3, np.float32)
    found = verify.robust(model, x, int(np.argmax(model(x[None]))), "0.001", clip=(0, 2))
    assert found.verdict == "proved"
    return found


def survive_claim(seed: int, folder: Path) -> None:
    """Of the claim and of the arrays of a certificate: the checker, the command, and `Claim`."""
    rng = np.random.default_rng(seed)
    claim, arrays = json.loads(proof().claim.to_json()), dict(proof().arrays)
    if rng.random() < 0.7:
        claim = damage(claim, rng)
    else:
        _, arrays, _ = of_the_arrays(({}, arrays, {}), rng)
    said = text(claim)
    with contextlib.suppress(TensoremError):
        Claim.from_json(said)
    with contextlib.suppress(MalformedError, UnsupportedError):
        proof().classifier.checker.check(said, arrays)
    tm.save(proof().classifier.stored, folder)
    (folder / "certificate").write_bytes(disk.pack(arrays, {"claim": said}))
    code = cli.main(
        ["check", *(str(folder / n) for n in ("graph.json", "model.safetensors", "certificate"))]
    )
    assert code in (0, 1, 2), code


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_certificate_is_an_error_of_ours_or_a_verdict(seed: int, folder: Path) -> None:
    survive_claim(seed, folder)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_a_damaged_certificate_is_survived_again_and_again(seed: int, folder: Path) -> None:
    survive_claim(seed, folder)
