"""The one import order (docs/design.md), and what an import may load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "tensorem"
DESIGN = Path(__file__).parents[1] / "docs" / "design.md"

LOW = ["errors", "dtypes", "calls", "shapes", "rules", "runtime", "rand", "disk"]
TRUNK = [*LOW, "domains", "ops"]
NETWORKS = ["functional", "losses", "metrics", "layer", "nn", "optim", "data", "train"]
PROOFS = ["graph", "verify"]
ROOF = ["meanings", "files", "report", "cli"]
APART = ["check"]
ORDER = [*TRUNK, *NETWORKS, *PROOFS, *ROOF, *APART]
"""Every room that there is; a new one gets its place here and in docs/design.md."""
HEAVY = {"jax", "scipy", "optax", "matplotlib", "sklearn"}


def may_import(room: str) -> set[str]:
    """The rooms that stand to the left of this one."""
    if room in APART:
        return set()
    if room == "__init__":
        return set(TRUNK + NETWORKS + PROOFS + ROOF)
    for branch in (TRUNK, NETWORKS, PROOFS):
        if room in branch:
            left = set(branch[: branch.index(room)])
            extra = {"check"} if room == "verify" else set()
            return left | extra | (set() if branch is TRUNK else set(TRUNK))
    assert room in ROOF, f"{room} has no place in the import order: say in {__file__} where it is"
    return {*TRUNK, *NETWORKS, *PROOFS, *ROOF[: ROOF.index(room)], "check"}


def imports(path: Path) -> set[str]:
    """Every module of ours that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "tensorem":
            names = [f"tensorem.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1, f"{path}: only imports of a neighbour may be relative"
        found |= {name.split(".")[1] for name in names if name.startswith("tensorem.")}
    return found - {"__version__"}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


FILES = [p for p in sorted(SOURCE.rglob("*.py")) if room_of(p) != "__main__"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_what_stands_to_its_left(path: Path) -> None:
    room = room_of(path)
    wrong = imports(path) - may_import(room) - {room}
    assert not wrong, f"{room} may not import {sorted(wrong)}"


def test_every_room_has_one_place_and_every_place_a_room() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__"}
    assert sorted(ORDER) == sorted(rooms)
    with pytest.raises(AssertionError, match="cellar has no place in the import order"):
        may_import("cellar")


def test_the_design_tells_the_same_order() -> None:
    told = re.search(r"```\n(errors <.*?)```", DESIGN.read_text(), re.DOTALL)
    assert told is not None
    words = re.sub(r"\(.*?\)", "", told[1].replace("roof, over both branches:", ""))
    assert re.findall(r"[a-z]+", words.replace("apart:", "")) == ORDER


def test_the_order_notices_a_wrong_import() -> None:
    assert "nn" not in may_import("verify")
    assert "graph" not in may_import("train")
    assert may_import("check") == set()


@pytest.mark.parametrize(
    "code",
    [
        "import tensorem",
        "import tensorem.check",
        "from tensorem.cli import main; main(['--help'])",
    ],
)
def test_an_import_loads_nothing_heavy(code: str) -> None:
    program = (
        f"import sys\ntry:\n    exec({code!r})\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert out.stdout.splitlines()[-1] == "loaded: []"
