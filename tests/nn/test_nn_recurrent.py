"""Recurrent layers: states and lengths against PyTorch, loops in graphs, errors word by word."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import functional as F
from tensorem import graph, nn, train, verify
from tensorem.errors import ArgumentError, DataError, DTypeError, ShapeError, TensoremError
from tensorem.shapes import Spec

KINDS = ("RNN", "GRU", "LSTM")
LENGTHS = np.array([5, 2, 3], np.int32)


class Padded(nn.Layer):
    """A layer over sequences with lengths."""

    inner: Any

    def forward(self, x: Any, lengths: Any) -> Any:
        return self.inner(x, lengths=lengths)


class Continued(nn.Layer):
    """A layer from a state on."""

    inner: Any

    def forward(self, x: Any, state: Any) -> Any:
        return self.inner(x, state)


def sequences(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def deep(kind: str, **more: Any) -> Any:
    return getattr(nn, kind)(4, 3, num_layers=2, bidirectional=True, **more)


def of_torch(kind: str, model: nn.Model) -> Any:
    torch = pytest.importorskip("torch")
    module = getattr(torch.nn, kind)(4, 3, 2, batch_first=True, bidirectional=True)
    state = {n: torch.tensor(np.asarray(a)) for n, a in model.state_dict().items()}
    module.load_state_dict({n.removeprefix("inner."): a for n, a in state.items()})
    return module


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_and_lengths_are_those_of_torch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    x, h, c = sequences(3, 5, 4), sequences(4, 3, 3, seed=1), sequences(4, 3, 3, seed=2)
    state = (h, c) if kind == "LSTM" else h
    specs = jax.tree.map(lambda a: Spec(a.shape), state)
    model = nn.build(Continued(deep(kind)), ((3, 5, 4), specs))
    module = of_torch(kind, model)
    theirs = module(torch.tensor(x), jax.tree.map(torch.tensor, state))
    for ours, expected in zip(leaves(model(x, state)), leaves(theirs), strict=True):
        assert_close(ours, expected.detach().numpy())

    pack = torch.nn.utils.rnn
    lengths = torch.tensor(LENGTHS.astype(np.int64))
    packed = pack.pack_padded_sequence(torch.tensor(x), lengths, True, enforce_sorted=False)
    y, last = module(packed)
    y, _ = pack.pad_packed_sequence(y, batch_first=True)
    padded = nn.build(Padded(deep(kind)), (("N", 5, 4), Spec(("N",), "int32")))
    padded = padded.replace(params=dict(model.params))
    for ours, expected in zip(leaves(padded(x, LENGTHS)), leaves((y, last)), strict=True):
        assert_close(ours, expected.detach().numpy())


def leaves(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree)


PADDED = [getattr(nn, kind)(4, 3, bidirectional=True) for kind in KINDS]


@pytest.mark.parametrize("layer", [*PADDED, nn.GRU(4, 3, reset_after=False)], ids=str)
def test_padding_changes_nothing(layer: Any) -> None:
    """Values and gradients of padded sequences are those of each alone, whatever is in the pads."""
    x, lengths = jnp.asarray(sequences(2, 5, 4)), np.array([5, 2], np.int32)
    hidden = jnp.where(jnp.arange(5)[:, None] < lengths[:, None, None], x, jnp.nan)
    params = dict(nn.build(layer, x.shape).params)
    whole = Padded(layer)

    def padded(params: Any, x: Any) -> Any:
        own = {f"inner.{name}": array for name, array in params.items()}
        y, last = whole.call((own, {}), x, jnp.asarray(lengths))[0]
        return score(y) + score(last), (y, last)

    def alone(params: Any, x: Any) -> Any:
        found = [layer.call((params, {}), row[:n])[0] for row, n in zip(x, lengths, strict=True)]
        return sum(score(y) + score(last) for y, last in found), found

    gradients, (y, last) = jax.jit(jax.grad(padded, (0, 1), has_aux=True))(params, hidden)
    expected, found = jax.jit(jax.grad(alone, (0, 1), has_aux=True))(params, x)
    for i, (n, (own, end)) in enumerate(zip(lengths, found, strict=True)):
        assert_close(y[i, :n], own)
        assert not y[i, n:].any()
        for ours, theirs in zip(leaves(last), leaves(end), strict=True):
            assert_close(ours[:, i], theirs)
    for ours, theirs in zip(leaves(gradients), leaves(expected), strict=True):
        assert_close(ours, theirs, 1e-4, 1e-5)


def score(tree: Any) -> Any:
    return sum(jnp.sum(jnp.sin(a)) for a in leaves(tree))


def test_a_length_that_no_sequence_has_is_said_or_gives_nan() -> None:
    model = nn.build(Padded(nn.LSTM(4, 3)), ((3, 5, 4), Spec((3,), "int32")))
    for wrong, place in (([5, 6, 1], 1), ([0, 1, 2], 0), ([1, 2, -1], 2)):
        with pytest.raises(DataError) as caught:
            model(sequences(3, 5, 4), wrong)
        assert caught.value.what == f"F.lstm takes lengths from 1 to 5, got {wrong[place]}."
        assert caught.value.where == f"lengths[{place}]"
        y, last = jax.jit(model.apply)(model.params, sequences(3, 5, 4), np.array(wrong, np.int32))
        broken = np.isnan(y).all((1, 2))
        assert broken.tolist() == [i == place for i in range(3)]
        assert np.isnan(last[0]).any((0, 2)).tolist() == broken.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_step_by_step_is_the_layer(kind: str) -> None:
    x, weights = sequences(5, 2, 4), getattr(nn, kind)(4, 3)
    model = nn.build(weights, (2, 5, 4))
    arrays = [model.params[f"{n}_l0"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    state = None
    for now in x:
        state = getattr(F, f"{kind.lower()}_cell")(now, arrays, state)
    _, last = model(np.swapaxes(x, 0, 1))
    for ours, expected in zip(leaves(state), leaves(last), strict=True):
        assert_close(ours, expected[0])


def test_the_published_gru_is_its_equations() -> None:
    """The original's form: one bias, and r before the product; in float64, written out."""
    model = nn.build(nn.GRU(4, 3, recurrent_bias=False, reset_after=False), (5, 4))
    assert list(model.params) == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0"]
    ih, hh, bias = (np.split(np.asarray(a, np.float64), 3) for a in model.params.values())
    h, x = np.zeros(3), sequences(5, 4)
    for now in x:
        r, z = (1 / (1 + np.exp(-(ih[i] @ now + hh[i] @ h + bias[i]))) for i in range(2))
        n = np.tanh(ih[2] @ now + hh[2] @ (r * h) + bias[2])
        h = (1 - z) * n + z * h
    assert_close(model(x)[1][0], h)


def equations(jaxpr: Any) -> int:
    inner = [v for e in jaxpr.eqns for v in e.params.values() if hasattr(v, "jaxpr")]
    return len(jaxpr.eqns) + sum(equations(v.jaxpr) for v in inner)


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_does_not_grow_with_the_steps(kind: str) -> None:
    layer = deep(kind)
    params = dict(nn.build(layer, (2, 5, 4)).params)

    def size(steps: int) -> int:
        x = jax.ShapeDtypeStruct((2, steps, 4), "float32")
        grad = jax.grad(lambda p, x: score(layer.call((p, {}), x)[0]))
        return equations(jax.make_jaxpr(grad)(params, x).jaxpr)

    assert size(5) == size(500)


def test_a_loop_is_one_node_with_several_results_in_every_reading() -> None:
    model = nn.build(Padded(nn.LSTM(4, 3)), (("N", 5, 4), Spec(("N",), "int32")))
    program = tm.capture(model)
    [loop] = [node for node in program.nodes if node.op == "loop"]
    assert len(loop.outputs) == 3 and loop.loop.length == 5
    x = sequences(3, 5, 4)
    y, (h, c) = tm.evaluate(model, x, LENGTHS, dtype="interval")
    for box, value in zip((y, h, c), leaves(model(x, LENGTHS)), strict=True):
        assert np.all(box.upper - box.lower < 1e-12)
        assert_close(box.lower, value)
    again = graph.to_jax(program.bind(N=3))(jnp.asarray(x), jnp.asarray(LENGTHS))
    for ours, theirs in zip(leaves(again), leaves(model(x, LENGTHS)), strict=True):
        assert np.array_equal(ours, theirs)
    relu = nn.build(nn.RNN(2, 2, nonlinearity="relu", returns="last"), (1, 3, 2))
    exact = tm.evaluate(relu, sequences(1, 3, 2), dtype="rational")
    assert_close(exact.to_float(), relu(sequences(1, 3, 2)))


def test_steps_with_a_name_run_and_are_bound_in_a_graph() -> None:
    model = nn.build(Padded(deep("LSTM", returns="last")), (("N", "T", 4), Spec(("N",), "int32")))
    assert str(model.output) == "float32 (N, 6)"
    x, lengths = sequences(2, 7, 4), np.array([7, 3], np.int32)
    program = tm.capture(model).bind(N=2, T=7)
    assert np.array_equal(graph.to_jax(program)(jnp.asarray(x), lengths), model(x, lengths))


def test_a_proof_goes_through_the_loop() -> None:
    rnn = nn.RNN(2, 4, nonlinearity="relu", returns="last")
    model = nn.build(nn.Sequential(rnn, nn.Linear(4, 3)), ("N", 4, 2))
    x = sequences(4, 2)
    proof = verify.robust(model, x, int(np.argmax(model(x[None]))), 1e-3)
    assert proof.verdict == "proved" and proof.check()


def test_dropout_stands_between_the_layers_in_training_only() -> None:
    layer = nn.GRU(4, 3, 2, dropout=1.0, returns="output")
    model, x = nn.build(layer, (2, 5, 4)), jnp.asarray(sequences(2, 5, 4))
    trained, _ = model.train_apply(model.params, model.buffers, x, key=jax.random.key(0))
    whole = nn.build(nn.GRU(4, 3, 2, returns="output"), (2, 5, 4)).replace(params=model.params)
    assert np.array_equal(model(x), whole(x))
    blind, _ = model.train_apply(model.params, model.buffers, 2 * x, key=jax.random.key(0))
    assert np.array_equal(trained, blind) and not np.array_equal(trained, model(x))


def test_it_is_saved_loaded_trained_and_resumed(tmp_path: Any) -> None:
    layer = nn.Sequential(nn.LSTM(4, 3, bidirectional=True, returns="last"), nn.Linear(6, 2))
    model, x = nn.build(layer, ("N", 5, 4)), sequences(12, 5, 4)
    tm.save(model, tmp_path / "model")
    loaded = tm.load(tmp_path / "model")
    assert loaded.layer == layer and np.array_equal(loaded(x), model(x))
    data, given = (x, (x.sum((1, 2)) > 0).astype(np.int32)), dict(batch_size=4, progress="none")
    whole = train.fit(model, data, epochs=2, **given)
    train.fit(model, data, epochs=1, path=tmp_path / "run", **given)
    resumed = train.resume(tmp_path / "run", model, data, epochs=2, progress="none")
    for name, array in whole.model.params.items():
        assert np.array_equal(array, resumed.model.params[name])


X, W = jnp.ones((2, 5, 4)), [jnp.ones((9, 4)), jnp.ones((9, 3))]
REFUSED: list[tuple[Any, type[TensoremError], str]] = [
    (
        lambda: nn.GRU(4, 3, batch_first=False),
        ArgumentError,
        "GRU takes batch_first as True, got False.\n"
        "  because: there is one layout: the batch comes first, the steps second.\n"
        "  help:    leave it out, and turn the data: jnp.swapaxes(x, 0, 1).",
    ),
    (
        lambda: nn.LSTM(4, 3, dropout=0.5),
        ArgumentError,
        "LSTM takes dropout with two layers or more, got num_layers=1.\n"
        "  because: it stands between layers.\n"
        "  help:    put nn.Dropout behind the layer.",
    ),
    (
        lambda: nn.LSTM(4, 3, returns="state"),
        ArgumentError,
        "LSTM takes returns as one of both, output, last, got 'state'.",
    ),
    (
        lambda: nn.RNN(4, 3, nonlinearity="gelu"),
        ArgumentError,
        "RNN takes nonlinearity as one of tanh, relu, got 'gelu'.",
    ),
    (
        lambda: nn.LSTM(4, 3, proj_size=2),  # type: ignore[call-arg]
        ArgumentError,
        "LSTM takes (input_size, hidden_size, num_layers=1, bias=True, batch_first=True, "
        "dropout=0.0, bidirectional=False, *, recurrent_bias=True, returns='both'): got an "
        "unexpected keyword argument 'proj_size'.\n"
        "  because: the state is as wide as the cell.\n"
        "  help:    leave it out; an nn.Linear behind the layer makes its output narrower.",
    ),
    (
        lambda: nn.build(nn.LSTM(4, 3), ("N", 5, 6)),
        ShapeError,
        "LSTM(4, 3) takes (*batch, T, 4), got (N, 5, 6).\n"
        "  where: model\n"
        "  from:  6 is set by the input (N, 5, 6)\n"
        "  help:  write nn.LSTM(6, 3).",
    ),
    (
        lambda: nn.build(nn.GRU(4, 3), ("N", 0, 4)),
        ShapeError,
        "GRU(4, 3) takes sequences of at least one step, got (N, 0, 4).\n"
        "  where: model\n"
        "  from:  0 is set by the input (N, 0, 4)",
    ),
    (
        lambda: nn.build(Continued(nn.GRU(4, 3)), (("N", 5, 4), ("N", 3))),
        ShapeError,
        "GRU(4, 3) takes a state (1, N, 3), got (N, 3).\n  where: model.inner",
    ),
    (
        lambda: nn.build(Continued(nn.LSTM(4, 3)), (("N", 5, 4), (1, "N", 3))),
        ArgumentError,
        "LSTM(4, 3) takes state as a pair (h, c), got one array.\n"
        "  where: model.inner LSTM(4, 3)\n"
        "  help:  both are zeros where it is left out.",
    ),
    (
        lambda: nn.build(Continued(nn.LSTM(4, 3)), (("N", 5, 4), ((1, "N", 3),) * 3)),
        ArgumentError,
        "LSTM(4, 3) takes state as a pair (h, c), got a tuple of 3.\n"
        "  where: model.inner LSTM(4, 3)\n"
        "  help:  both are zeros where it is left out.",
    ),
    (
        lambda: nn.build(Continued(nn.GRU(4, 3)), (("N", 5, 4), ((1, "N", 3),) * 2)),
        ArgumentError,
        "GRU(4, 3) takes state as one array, got a tuple of 2.\n"
        "  where: model.inner GRU(4, 3)\n"
        "  help:  a pair (h, c) is the state of an LSTM.",
    ),
    (
        lambda: nn.build(Padded(nn.LSTM(4, 3)), ((2, 5, 4), Spec((3,), "int32"))),
        ShapeError,
        "LSTM(4, 3) takes lengths (2,), got (3,).\n  where: model.inner LSTM(4, 3)",
    ),
    (
        lambda: F.gru(X, W, lengths=jnp.ones(2)),
        DTypeError,
        "F.gru takes lengths of integers (int32, ...), got float32.\n"
        '  help: convert: lengths.astype("int32").',
    ),
    (
        lambda: F.gru(X, W, jnp.ones((2, 3), "bfloat16")),
        DTypeError,
        "F.gru takes a state of the dtype of x, float32, got bfloat16.",
    ),
    (lambda: F.gru(X, W, X), ShapeError, "F.gru takes a state (2, 3), got (2, 5, 4)."),
    (
        lambda: F.gru(X.astype(int), W),
        DTypeError,
        "F.gru takes floats, got int32.\n  help: cast first: x.astype('float32').",
    ),
    (
        lambda: F.gru(X, W[:1]),
        ArgumentError,
        "F.gru takes weights as (weight_ih, weight_hh, bias_ih, bias_hh), got 1 of them.\n"
        "  help: leave out the biases that there are not.",
    ),
    (
        lambda: F.lstm(X, W),
        ShapeError,
        "F.lstm takes weights (4 * hidden, in), (4 * hidden, hidden), ..., got (9, 4), (9, 3).",
    ),
    (
        lambda: F.lstm(X, W, jnp.ones((2, 3))),  # type: ignore[arg-type]
        ArgumentError,
        "F.lstm takes state as a pair (h, c), got ArrayImpl.\n"
        "  help: both are zeros where it is left out.",
    ),
    (
        lambda: F.rnn_cell(X, W, nonlinearity="no"),
        ArgumentError,
        "F.rnn_cell takes nonlinearity as one of tanh, relu, got 'no'.",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_errors_word_by_word(call: Any, error: type[TensoremError], words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == words
