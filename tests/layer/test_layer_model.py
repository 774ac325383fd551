"""`Model`: calls, arrays from outside, pytrees, state dicts, tables."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from io import StringIO
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from rich.console import Console

from close import assert_close
from tensorem import nn
from tensorem.errors import ArgumentError, DataError, DTypeError, LayerError, PathError, ShapeError
from tensorem.shapes import Spec


def small() -> nn.Model:
    layer = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    return nn.build(layer, ("N", 1, 4, 4))


def linear() -> nn.Model:
    return nn.build(nn.Linear(2, 2), ("N", 2))


def test_arrays_lists_and_exact_doubles_are_taken() -> None:
    model = linear()
    x = [[1.0, 2.0], [0.5, -1.0]]
    expected = model(jnp.asarray(x))
    assert expected.dtype == jnp.float32
    for given in (x, np.asarray(x), np.asarray(x, np.float32), ((1, 2), (0.5, -1))):
        np.testing.assert_array_equal(model(given), expected)
    assert model([[0.1, 0.2]]).shape == (1, 2)  # numbers without a dtype are rounded


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_a_list_is_rounded_to_the_floats_of_the_model(dtype: str) -> None:
    model = nn.build(nn.Linear(2, 2), Spec(("N", 2), dtype))
    assert model([[0.1, 0.2]]).dtype == dtype
    if dtype == "float16":
        with pytest.raises(DTypeError, match="values that float16 does not hold"):
            model([[1e9, 0.2]])


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.ones((3, 4), np.float32), ShapeError, r"The model takes \(N, 2\), got \(3, 4\)"),
        (np.ones(2, np.float32), ShapeError, r"The model takes \(N, 2\), got \(2,\)"),
        (np.full((1, 2), 0.1), DTypeError, "takes float32, got float64 with values that float32"),
        (jnp.ones((1, 2), jnp.int32), DTypeError, "The model takes float32, got int32"),
        ([["a", "b"]], DTypeError, r"The model takes numbers, got <U1 \(list\)"),
        ([[1.0], [1.0, 2.0]], ShapeError, "got a ragged list"),
    ],
)
def test_inputs_that_do_not_fit(x: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        linear()(x)


def test_one_name_has_one_value_in_all_inputs() -> None:
    class Both(nn.Layer):
        def forward(self, x: Any, y: Any) -> Any:
            return x[0], y[0]

    model = nn.build(Both(), (("N", 2), ("N", 3)))
    assert model.input == (Spec(("N", 2)), Spec(("N", 3)))
    model(np.ones((4, 2)), np.ones((4, 3)))
    with pytest.raises(ShapeError, match=r"takes \(4, 3\), got \(5, 3\)"):
        model(np.ones((4, 2)), np.ones((5, 3)))
    with pytest.raises(ShapeError, match="takes 2 inputs, got 1"):
        model(np.ones((4, 2)))


def test_a_form_that_passed_lets_no_other_pass() -> None:
    model = nn.build(nn.Bilinear(2, 3, 2), (("N", 2), ("N", 3)))
    x, y = np.ones((4, 2), np.float32), np.ones((4, 3), np.float32)
    expected = model(x, y)
    for again in ((x, y), (jnp.asarray(x), y), (x.astype(np.float64), y), (x.tolist(), y)):
        np.testing.assert_array_equal(model(*again), expected)
        np.testing.assert_array_equal(model(*again), expected)
    assert model.built.given((x, y))[0] is x
    with pytest.raises(DTypeError, match="values that float32 does not hold"):
        model(np.full((4, 2), 0.1), y)
    with pytest.raises(DTypeError, match="got masked values"):
        model(np.ma.masked_less(x, 2), y)
    with pytest.raises(ShapeError, match=r"takes \(4, 3\), got \(5, 3\)"):
        model(x, np.ones((5, 3), np.float32))
    with pytest.raises(ShapeError, match="takes 2 inputs, got 1"):
        model(x)


def test_inputs_may_be_trees() -> None:
    class Sum(nn.Layer):
        def forward(self, x: Any) -> Any:
            return x["a"] + x["b"][0]

    model = nn.build(Sum(), {"a": ("N",), "b": (("N",),)})
    np.testing.assert_array_equal(model({"a": [1.0], "b": ([2.0],)}), [3.0])
    with pytest.raises(ShapeError, match=r"takes a dict of \['a', 'b'\], got \['a'\]"):
        model({"a": [1.0]})
    with pytest.raises(ShapeError, match="takes a tuple of 1, got float"):
        model({"a": [1.0], "b": 2.0})


def test_wrong_shapes_in_apply_are_ours_too() -> None:
    model = small()
    with pytest.raises(ShapeError, match=r"Conv2d\(1, 2, 3\) takes \(N, 1, H, W\)") as caught:
        jax.jit(model.apply)(model.params, jnp.ones((2, 5, 4, 4)))
    assert caught.value.where == "model[0] Conv2d(1, 2, 3)"


def test_a_model_is_a_pytree_of_its_arrays() -> None:
    model = small()
    leaves, structure = jax.tree.flatten(model)
    assert len(leaves) == len(model.params) + len(model.buffers)
    again = jax.tree.unflatten(structure, leaves)
    x = np.ones((1, 1, 4, 4), np.float32)
    np.testing.assert_array_equal(again(x), model(x))
    doubled = jax.jit(lambda m: jax.tree.map(lambda a: 2 * a, m))(model)
    np.testing.assert_array_equal(doubled.params["0.weight"], 2 * model.params["0.weight"])
    assert structure == jax.tree.structure(small())


def test_a_model_can_be_called_inside_a_trace() -> None:
    model, x = linear(), jnp.ones((3, 2))
    y = jax.jit(lambda m, x: m(x))(model, x)
    np.testing.assert_allclose(y, model(x), rtol=1e-6)
    jacobian = jax.vmap(jax.jacrev(lambda v: model(v[None])[0]))(x)
    np.testing.assert_allclose(jacobian[0], model.params["weight"], rtol=1e-6)


def test_a_model_is_immutable() -> None:
    model = linear()
    with pytest.raises(AttributeError):
        model.params = {}  # type: ignore[misc]
    other = model.replace(params={n: 0 * p for n, p in model.params.items()})
    assert (
        float(jnp.abs(other([[1.0, 2.0]])).max()) == 0 < float(jnp.abs(model([[1.0, 2.0]])).max())
    )


def test_state_dicts_round_trip() -> None:
    model = small()
    other = nn.build(model.layer, ("N", 1, 4, 4), seed=5).load_state_dict(model.state_dict())
    assert list(other.state_dict()) == list(model.state_dict())
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array)
        assert other.state_dict()[name].dtype == array.dtype


def test_the_names_and_shapes_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    t = torch.nn
    module = t.Sequential(t.Conv2d(1, 2, 3), t.BatchNorm2d(2), t.Flatten(), t.Linear(8, 3)).eval()
    theirs = module.state_dict()
    model = small()
    assert {n: tuple(a.shape) for n, a in theirs.items()} == {
        n: a.shape for n, a in model.state_dict().items()
    }
    loaded = model.load_state_dict({n: a.numpy() for n, a in theirs.items()})
    x = np.random.default_rng(0).standard_normal((2, 1, 4, 4)).astype(np.float32)
    expected = module(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(loaded(x), expected, rtol=1e-5, atol=1e-6)
    module.load_state_dict({n: torch.tensor(np.asarray(a)) for n, a in model.state_dict().items()})


def test_a_state_dict_that_does_not_match_is_reported_by_name() -> None:
    model = small()
    state = dict(model.state_dict())
    state["3.wieght"] = state.pop("3.weight")
    with pytest.raises(PathError, match="that do not match by name") as caught:
        model.load_state_dict(state)
    assert caught.value.because == (
        "3.weight is missing (nearest: 3.wieght); 3.wieght has no place here (nearest: 3.weight)"
    )


def test_a_state_dict_is_checked_array_by_array() -> None:
    model = linear()
    state = {n: np.asarray(a) for n, a in model.state_dict().items()}
    with pytest.raises(ShapeError, match=r"weight takes \(2, 2\), got \(3, 2\)"):
        model.load_state_dict({**state, "weight": np.ones((3, 2), np.float32)})
    with pytest.raises(DTypeError, match="bias takes float32, got float64 with values"):
        model.load_state_dict({**state, "bias": np.full(2, 0.1)})


def test_a_shared_layer_loads_under_all_its_names() -> None:
    shared = nn.share(nn.Linear(3, 3))
    model = nn.build(nn.Sequential(shared, nn.ReLU(), shared), ("N", 3))
    torchlike = {f"{i}.{n}": model.params[f"0.{n}"] for i in (0, 2) for n in ("weight", "bias")}
    model.load_state_dict(torchlike)
    model.load_state_dict({n: a for n, a in torchlike.items() if n.startswith("2")})


TABLE = [
    "path    layer               in             out            parameters",
    "────────────────────────────────────────────────────────────────────",
    "model   Sequential          (N, 1, 4, 4)   (N, 3)",
    "0         Conv2d(1, 2, 3)   (N, 1, 4, 4)   (N, 2, 2, 2)           20",
    "1         BatchNorm2d(2)    (N, 2, 2, 2)   (N, 2, 2, 2)            4",
    "2         Flatten           (N, 2, 2, 2)   (N, 8)                  0",
    "3         Linear(8 -> 3)    (N, 8)         (N, 3)                 27",
    "",
    "total                                                             51",
]


WIDE = [
    "path    layer               in             out            parameters       FLOPs   bytes",
    "────────────────────────────────────────────────────────────────────────────────────────",
    "model   Sequential          (N, 1, 4, 4)   (N, 3)                      243 N + 6   108 N",
    "0         Conv2d(1, 2, 3)   (N, 1, 4, 4)   (N, 2, 2, 2)           20       168 N    32 N",
    "1         BatchNorm2d(2)    (N, 2, 2, 2)   (N, 2, 2, 2)            4    24 N + 6    32 N",
    "2         Flatten           (N, 2, 2, 2)   (N, 8)                  0           0    32 N",
    "3         Linear(8 -> 3)    (N, 8)         (N, 3)                 27        51 N    12 N",
    "",
    "total                                                             51",
]


@pytest.mark.parametrize(("width", "table"), [(68, TABLE), (85, TABLE), (88, WIDE), (300, WIDE)])
def test_the_table_of_a_model(width: int, table: list[str]) -> None:
    assert small().summary(width).splitlines() == table
    assert repr(small()) == "Model(Sequential, (N, 1, 4, 4) -> (N, 3), 51 parameters)"


def test_the_table_takes_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for width in (40, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        assert str(small()) == small().summary() == small().summary(width)
    out = StringIO()
    Console(file=out, width=40).print(small())
    assert out.getvalue().splitlines() == small().summary(40).splitlines()


def test_a_layer_is_cut_before_the_table_is_given_up() -> None:
    lines = small().summary(67).splitlines()
    assert lines[3] == "0         Conv2d(1, 2, …   (N, 1, 4, 4)   (N, 2, 2, 2)           20"
    assert max(map(len, lines)) == 67


def test_a_narrow_terminal_shows_a_list() -> None:
    assert small().summary(40).splitlines() == [
        "model  Sequential",
        "  (N, 1, 4, 4) -> (N, 3)",
        "0  Conv2d(1, 2, 3)",
        "  (N, 1, 4, 4) -> (N, 2, 2, 2)",
        "  20 parameters",
        "1  BatchNorm2d(2)",
        "  (N, 2, 2, 2) -> (N, 2, 2, 2)",
        "  4 parameters",
        "2  Flatten",
        "  (N, 2, 2, 2) -> (N, 8)",
        "3  Linear(8 -> 3)",
        "  (N, 8) -> (N, 3)  27 parameters",
        "",
        "total  51",
    ]


@pytest.mark.parametrize("width", range(12, 110, 7))
def test_numbers_are_never_cut(width: int) -> None:
    layer = nn.Sequential(nn.Conv2d(1, 640, (3, 1), padding=1, groups=1), nn.Linear(10, 12345))
    model = nn.build(layer, ("N", 1, 8, 8), init={"*": nn.init.zeros()})
    shown = model.summary(width)
    assert max(map(len, shown.splitlines())) <= width
    words = {word.strip("(),") for word in shown.split()}
    assert {"12345", "640", "2,560", "135,795", "138,355"} <= words


def test_a_notebook_shows_everything() -> None:
    html = small()._repr_html_()
    assert "<td>&nbsp;&nbsp;Linear(8 -&gt; 3)</td>" in html and "<th>51</th>" in html


def test_a_layer_that_is_never_called_is_shown_as_such() -> None:
    class Spare(nn.Layer):
        used: nn.Linear
        spare: nn.Linear

        def forward(self, x: Any) -> Any:
            return self.used(x)

    assert "not called" in nn.build(Spare(nn.Linear(2, 2), nn.Linear(2, 2)), ("N", 2)).summary()


class Stubborn:
    """Like a tensor of PyTorch that asks for gradients."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("Can't call numpy() on this.")


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (Stubborn(), "takes an array, got Stubborn: Can't call numpy"),
        (np.ma.masked_array(np.ones((1, 2), np.float32), mask=[[1, 0]]), "got masked values"),
        ([[1e300, 0.0]], "with values that float32 does not hold"),
    ],
)
def test_what_is_no_plain_array_is_refused(x: Any, words: str) -> None:
    with pytest.raises(DTypeError, match=words):
        linear()(x)


@pytest.mark.parametrize(
    ("bias", "error", "words"),
    [
        (Stubborn(), DTypeError, "bias takes an array, got Stubborn"),
        ([1, [2, 3]], ShapeError, "bias takes an array, got a ragged list"),
        (np.ones(2, complex), DTypeError, "bias takes numbers, got complex128"),
        (np.array([None, None]), DTypeError, "bias takes numbers, got object"),
    ],
)
def test_an_entry_of_a_state_dict_is_an_array_of_numbers(
    bias: Any, error: type[Exception], words: str
) -> None:
    model = linear()
    with pytest.raises(error, match=words):
        model.load_state_dict({**model.params, "bias": bias})


def test_a_state_dict_is_a_dict() -> None:
    with pytest.raises(ArgumentError, match="load_state_dict takes arrays by name, got list"):
        linear().load_state_dict([1])  # type: ignore[arg-type]


def test_an_index_without_a_row_is_an_error_and_no_number_in_a_trace() -> None:
    model = nn.build(nn.Embedding(3, 2), Spec(("N",), "int32"))
    with pytest.raises(DataError, match="takes indices from 0 to 2, got 3"):
        model([0, 2, 3, -1])
    rows = np.asarray(jax.jit(model)(jnp.asarray([0, 2, 3, -1])))
    np.testing.assert_array_equal(rows[:2], model.params["weight"][jnp.asarray([0, 2])])
    assert np.isnan(rows[2:]).all()


MUTATIONS: dict[str, Callable[[Any], Any]] = {
    "assigned": lambda arrays: arrays.__setitem__("0.weight", 0),
    "deleted": lambda arrays: arrays.__delitem__("0.weight"),
    "updated": lambda arrays: arrays.update({"0.weight": 0}),
    "joined": lambda arrays: arrays.__ior__({"0.weight": 0}),
    "popped": lambda arrays: arrays.pop("0.weight"),
    "last popped": lambda arrays: arrays.popitem(),
    "cleared": lambda arrays: arrays.clear(),
    "set by default": lambda arrays: arrays.setdefault("new", 0),
}


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("held", ["params", "buffers"])
def test_the_arrays_of_a_model_are_read_only(held: str, name: str) -> None:
    model = small()
    before = dict(getattr(model, held))
    with pytest.raises(LayerError, match="arrays of a model cannot be assigned or rem") as caught:
        MUTATIONS[name](getattr(model, held))
    assert "model.replace(params={**model.params, name: array})" in caught.value.help
    assert dict(getattr(model, held)) == before


def test_other_arrays_make_another_model() -> None:
    model = small()
    zero = {**model.params, "0.bias": jnp.zeros(2)}
    other = model.replace(params=zero)
    assert float(jnp.abs(other.params["0.bias"]).sum()) == 0.0 != float(model.params["0.bias"][0])
    with pytest.raises(LayerError, match="cannot be assigned"):
        other.params["0.bias"] = zero["0.bias"]


@pytest.mark.parametrize("kind", [dict, lambda arrays: arrays], ids=["plain", "read-only"])
def test_a_loop_carries_parameters_buffers_and_optimizer(kind: Any) -> None:
    """Gradients, optax and scan give back containers like those that went in."""
    model, rule = small(), optax.adam(1e-2)
    x = jnp.ones((4, 1, 4, 4))

    def loss(params: Any, buffers: Any) -> Any:
        y, buffers = model.train_apply(params, buffers, x)
        return jnp.sum(y**2), buffers

    def step(carry: Any, _: Any) -> Any:
        params, buffers, state = carry
        (value, buffers), grads = jax.value_and_grad(loss, has_aux=True)(params, buffers)
        moved, state = rule.update(grads, state, params)
        return (optax.apply_updates(params, moved), buffers, state), value

    start = (kind(model.params), kind(model.buffers), rule.init(kind(model.params)))
    (params, buffers, _), values = jax.lax.scan(step, start, None, length=5)
    assert type(params) is type(buffers) is type(start[0])
    assert values[-1] < values[0]
    after = model.replace(params=params, buffers=buffers)
    assert_close(after(x), after.apply(params, x))


def test_models_are_trees_and_copies_are_models() -> None:
    model = small()
    doubled = jax.tree.map(lambda a: 2 * a, model)
    assert isinstance(doubled, nn.Model)
    assert_close(doubled.params["0.weight"], 2 * model.params["0.weight"])
    with pytest.raises(LayerError, match="cannot be assigned"):
        doubled.params["0.weight"] = 0
    assert copy.deepcopy(model).state_dict().keys() == model.state_dict().keys()
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_leaves_with_path(model.params)]
    assert paths == sorted(f"['{name}']" for name in model.params)


def test_a_model_goes_to_another_process() -> None:
    model = nn.build(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)), ("N", 3))
    x = np.ones((2, 3), np.float32)
    y = model(x)
    again = pickle.loads(pickle.dumps(model))
    assert again.built == model.built and again.summary() == model.summary()
    assert_close(again(x), y, rtol=0, atol=0)


def test_what_users_of_pytorch_look_for_is_answered() -> None:
    model: Any = nn.build(nn.Linear(3, 2), ("N", 3))
    with pytest.raises(AttributeError, match=r"A model has no eval; model\(x\) is evaluation"):
        model.eval()
    with pytest.raises(AttributeError, match=r"no cuda; JAX places arrays: jax.device_put"):
        _ = small().cuda
    with pytest.raises(AttributeError, match=r"^A model has no colour\.$"):
        _ = model.colour
    assert not hasattr(model, "children")


def test_one_example_is_told_to_be_a_batch() -> None:
    model = nn.build(nn.Linear(3, 2), ("N", 3))
    with pytest.raises(ShapeError, match=r"The model takes \(N, 3\), got \(3,\)") as caught:
        model(np.ones(3, np.float32))
    assert caught.value.help == "one example is a batch of one: x[None]."


def test_a_whole_model_with_a_buffer_that_counts_is_differentiated() -> None:
    """JAX itself refuses integers unless it is told to go on."""
    model = nn.build(nn.BatchNorm2d(2), input=("N", 2, 3, 3))
    x = np.arange(36, dtype=np.float32).reshape(2, 2, 3, 3)
    loss = lambda model: jnp.sum(model(x) ** 2)  # noqa: E731
    with pytest.raises(TypeError, match="set allow_int to True"):
        jax.grad(loss)(model)
    slope = jax.jit(jax.grad(loss, allow_int=True))(model)
    alone = jax.grad(lambda params: loss(model.replace(params=params)))(model.params)
    assert isinstance(slope, nn.Model) and np.array_equal(slope.params["weight"], alone["weight"])


def test_a_state_dict_that_fits_in_part_is_told_of() -> None:
    model = nn.build(nn.Linear(2, 1), input=("N", 2))
    state = {"weight": np.ones((1, 2), np.float32), "head.bias": np.ones(1, np.float32)}
    with pytest.warns(UserWarning, match=r"bias is missing.*; head.bias has no place here"):
        after = model.load_state_dict(state, strict=False)
    assert after.params["weight"].tolist() == [[1, 1]]
    assert after.params["bias"] is model.params["bias"]
    with pytest.raises(ShapeError, match=r"weight takes \(1, 2\), got \(3,\)"):
        model.load_state_dict({**model.params, "weight": np.ones(3, np.float32)}, strict=False)


def test_inputs_may_be_named_as_forward_names_them() -> None:
    state, sizes = (np.zeros((1, 2, 3), np.float32),) * 2, np.array([3, 2], np.int32)
    x = np.ones((2, 3, 4), np.float32)
    specs = (("N", 3, 4), ((1, "N", 3), (1, "N", 3)), Spec(("N",), "int32"))
    model = nn.build(nn.LSTM(4, 3, returns="last"), specs)
    placed = model(x, state, sizes)
    assert np.array_equal(model(x, lengths=sizes, state=state), placed)
    assert np.array_equal(model(lengths=sizes, state=state, x=x), placed)
    with pytest.raises(ArgumentError, match=r"The model takes \(x, .*argument 'length'"):
        model(x, state, length=sizes)
    with pytest.raises(ShapeError, match="The model takes 3 inputs, got 2"):
        model(x, state=state)


def test_an_input_that_a_model_was_not_built_for_is_refused_by_its_name() -> None:
    model = nn.build(nn.LSTM(4, 3), ("N", 3, 4))
    with pytest.raises(ArgumentError, match="takes x, which it was built for, got lengths too"):
        model(np.ones((2, 3, 4), np.float32), lengths=np.array([3, 2]))


def test_parameters_and_buffers_are_called_as_in_torch() -> None:
    model = nn.build(nn.BatchNorm1d(3), ("N", 3))
    assert list(model.buffers()) == list(model.buffers.values())
    assert list(model.params()) == list(model.parameters())
