"""The page docs/operators.md: which operators of ONNX and ATen are read.

Run: python docs/operators.py

A test holds the page to what the tables say.
"""

from __future__ import annotations

from pathlib import Path

from tensorem import onnx, torch

PAGE = Path(__file__).with_name("operators.md")


def page() -> str:
    """The text of the page."""
    return (
        "\n\n".join((_HEAD, _listed("ONNX", onnx.operators()), _listed("ATen", torch.operators())))
        + "\n"
    )


_HEAD = """# Operators of other tools

What `onnx.load` and `tm.torch.load` read; any other operator is an error that names it. Written by
`python docs/operators.py`; a test holds it to the tables."""


def _listed(name: str, operators: tuple[str, ...]) -> str:
    lines, line = [], ""
    for operator in (f"`{o}`" for o in operators):
        if len(line) + len(operator) > 116:
            lines, line = [*lines, line.rstrip()], ""
        line += f"{operator} "
    return "\n".join([f"## {name}: {len(operators)}", "", *lines, line.rstrip()])


if __name__ == "__main__":
    PAGE.write_text(page())
