"""Names of PyTorch's: what a module that has them not says."""

from __future__ import annotations

import importlib
import inspect
import pickle
import re
from functools import reduce

import pytest

import tensorem as tm
from tensorem.calls import ELSEWHERE

ROOMS = ("nn", "functional", "autograd", "optim", "losses", "metrics", "data", "train")
TARGET = re.compile(
    r"\b(?:tm|nn|functional|optim|losses|metrics|data|train|autograd|jax)(?:\.\w+)+"
)


def there(target: str) -> object:
    """What a target of the table names: getattr from its module on."""
    first, *names = target.split(".")
    if first == "jax":
        return (
            importlib.import_module("jax.flatten_util") if "util" in target else walk(first, names)
        )
    return reduce(getattr, names, tm if first == "tm" else getattr(tm, first))


def walk(root: str, names: list[str]) -> object:
    return reduce(getattr, names, importlib.import_module(root))


@pytest.mark.parametrize("words", sorted(set(ELSEWHERE.values())))
def test_what_the_table_says_to_write_is_there(words: str) -> None:
    targets = TARGET.findall(words) or re.findall("import (functional)", words)
    assert targets
    for target in targets:
        assert there(target) is not None


@pytest.mark.parametrize(
    ("room", "name", "words"),
    [
        ("nn", "CrossEntropyLoss", "losses are functions: losses.cross_entropy"),
        ("functional", "mse_loss", "losses are functions: losses.mse"),
        ("losses", "MSELoss", "losses are functions: losses.mse"),
        ("optim", "Adam", "optimizers are functions: optim.adam"),
        ("metrics", "Accuracy", "metrics are functions: metrics.accuracy"),
        ("data", "DataLoader", "batches are a function of the epoch: data.Loader"),
        (
            "autograd",
            "functional_call",
            "a model is a function of its parameters: nn.Model.apply",
        ),
        ("train", "Trainer", "training is one call: train.fit"),
        ("nn", "relu", "did you mean ReLU?"),
        ("nn", "Liner", "did you mean Linear?"),
        ("functional", "relu_", "did you mean relu?"),
        ("functional", "arctanh", "arrays are JAX's: jax.numpy.arctanh"),
        ("functional", "bmm", "one product: functional.matmul"),
        ("nn", "Hardsigmoid", "a function as a layer: nn.Lambda(jax.nn.hard_sigmoid)"),
        ("verify", "Robust", "did you mean robust?"),
        ("graph", "Graphs", "did you mean Graph?"),
        ("files", "Load", "did you mean load?"),
        ("domains", "Intervals", "did you mean Interval?"),
        ("ops", "conv2D", "did you mean conv2d?"),
        ("shapes", "Shapes", "did you mean Shape?"),
        ("nn", "Mystery", "a layer of one's own is a subclass of nn.Layer"),
    ],
)
def test_a_room_says_what_to_write(room: str, name: str, words: str) -> None:
    module = getattr(tm, room)
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    what = f"module 'tensorem.{room}' has no attribute {name!r}; {words}"
    assert str(caught.value) == what
    assert not hasattr(module, name) and getattr(module, name, None) is None


def test_the_root_says_what_to_write() -> None:
    with pytest.raises(AttributeError, match=r"'no_grad'; nothing is recorded; .*autograd\.grad"):
        _ = tm.no_grad  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"'Linear'; layers are in tm\.nn"):
        _ = tm.Linear  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"'nnn'; did you mean nn\?"):
        _ = tm.nnn  # type: ignore[attr-defined]


def test_an_import_says_what_to_write() -> None:
    words = "cannot import name 'CrossEntropyLoss' from 'tensorem.nn'; losses are functions"
    with pytest.raises(ImportError, match=words):
        exec("from tensorem.nn import CrossEntropyLoss")
    with pytest.raises(ImportError, match="cannot import name 'no_grad' from 'tensorem'; nothing"):
        exec("from tensorem import no_grad")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_an_ordinary_module_else(room: str) -> None:
    module = getattr(tm, room)
    with pytest.raises(AttributeError, match=r"has no attribute '__wrapped__'$"):
        _ = module.__wrapped__
    with pytest.raises(ImportError, match="cannot import name 'Mystery'"):
        exec(f"from tensorem.{room} import Mystery")
    names: dict[str, object] = {}
    exec(f"from tensorem.{room} import *", names)
    assert {*module.__all__} == {*names} - {"__builtins__"}
    assert {*module.__all__} <= {*dir(module)} and inspect.getmodule(module.__getattr__)
    for public in filter(inspect.isclass, map(module.__getattribute__, module.__all__)):
        assert pickle.loads(pickle.dumps(public)) is public


def test_every_name_of_pytorchs_is_ours_or_gets_words() -> None:
    torch = pytest.importorskip("torch")
    layers = [n for n, v in vars(torch.nn).items() if inspect.isclass(v) and n[0] != "_"]
    functions = [
        n for n, v in vars(torch.nn.functional).items() if inspect.isfunction(v) and n[0] != "_"
    ]
    for module, names in ((tm.nn, layers), (tm.functional, functions)):
        missing = [name for name in names if not hasattr(module, name)]
        assert missing
        for name in missing:
            with pytest.raises(AttributeError, match="; ") as caught:
                getattr(module, name)
            assert name in INTERNAL or not str(caught.value).endswith(VAGUE)


VAGUE = ("a layer of one's own is a subclass of nn.Layer", "may call jax.numpy and jax.nn too")
INTERNAL = {
    *("LinearCrossEntropyLoss", "LinearCrossEntropyOptions", "assert_int_or_pair", "threshold_"),
    *("boolean_dispatch", "conv_tbc", "grouped_mm", "scaled_mm", "linear_cross_entropy"),
    *("scaled_grouped_mm", "native_channel_shuffle", "handle_torch_function"),
    *(f"adaptive_max_pool{n}d_with_indices" for n in "123"),
    *(f"{kind}max_pool{n}d_with_indices" for kind in ("", "fractional_") for n in "123"),
    *(f"has_torch_function{kind}" for kind in ("", "_unary", "_variadic")),
}
"""What no user calls by name, or what PyTorch's newest version added."""
