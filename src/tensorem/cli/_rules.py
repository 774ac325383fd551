"""Optimizers and schedules as they are written in Python, read without running any of it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tensorem.errors import ArgumentError

if TYPE_CHECKING:
    from tensorem.optim import Optimizer

CODE = ("from_optax", "function")
"""Names of the table that take code."""


def optimizer_of(text: str, lr: str | None) -> Optimizer:
    """The optimizer of `--optimizer`, with the learning rate of `--lr`.

    Args:
        text: A name such as adam, or a call such as "sgd(momentum=0.9)".
        lr: A number, or a schedule such as "cosine_lr(0.1)"; None leaves what the optimizer says.

    Raises:
        ArgumentError: It is no such text, or the learning rate has no place in it.
    """
    from tensorem import optim

    call = _call(_parsed(text, "--optimizer"))
    rate = {} if lr is None else {"lr": _rate(call, lr)}
    found = _made(call, "--optimizer", rate)
    if not isinstance(found, optim.Optimizer):
        raise _refused("--optimizer", text)
    return found


def _rate(call: ast.Call, lr: str) -> Any:
    """The learning rate for an optimizer that says none."""
    from tensorem import optim

    row = optim.OPTIMIZERS.get(_name(call))
    if row and ("lr" not in row.arguments or call.args or "lr" in {k.arg for k in call.keywords}):
        raise ArgumentError(
            f"--lr takes an --optimizer that leaves it open, got {ast.unparse(call)}.",
            help="write the learning rate there alone.",
        )
    found = _value(_parsed(lr, "--lr"), "--lr")
    number = type(found) in (int, float) and 0 <= found <= 3e38
    if not number and not isinstance(found, optim.Schedule):
        raise _refused("--lr", lr)
    return found


def _parsed(text: str, flag: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(flag, text) from None


def _call(node: ast.expr) -> ast.Call:
    """A name alone is called without arguments."""
    return node if isinstance(node, ast.Call) else ast.Call(node, [], [])


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _value(node: ast.expr, flag: str) -> Any:
    match node:
        case ast.Constant(value=value) if value is None or isinstance(value, int | float | str):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return tuple(_value(part, flag) for part in parts)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            pairs = zip(keys, values, strict=True)
            return {_value(k, flag): _value(v, flag) for k, v in pairs if k is not None}
        case ast.Name() | ast.Call():
            return _made(_call(node), flag)
    raise _refused(flag, ast.unparse(node))


def _made(call: ast.Call, flag: str, more: Mapping[str, Any] = MappingProxyType({})) -> Any:
    from tensorem import optim

    table = {**optim.OPTIMIZERS, **optim.SCHEDULES, **optim.DURATIONS}
    known = [name for name in table if name not in CODE]
    if _name(call) not in known or any(keyword.arg is None for keyword in call.keywords):
        near = get_close_matches(_name(call), known, 1)
        text = ast.unparse(call if call.args or call.keywords else call.func)
        raise _refused(flag, text, f"did you mean {near[0]}?" if near else "")
    given = {k.arg: _value(k.value, flag) for k in call.keywords if k.arg is not None}
    try:
        return table[_name(call)].make(*(_value(arg, flag) for arg in call.args), **given, **more)
    except TypeError as error:  # more arguments than it has, or one twice
        raise _refused(flag, ast.unparse(call), str(error)) from None


_TAKES = {
    "--lr": "a number of at least 0, or a schedule such as cosine_lr(0.1)",
    "--optimizer": "an optimizer such as adam, or sgd(momentum=0.9)",
}


def _refused(flag: str, text: str, help: str = "") -> ArgumentError:
    return ArgumentError(f"{flag} takes {_TAKES[flag]}, got {text or repr('')}.", help=help)
