"""The one import order (docs/design.md), and what an import may load."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "tensorem"
DESIGN = Path(__file__).parents[1] / "docs" / "design.md"

LOW = ["errors", "dtypes", "calls", "shapes", "rules", "runtime", "rand", "disk"]
TRUNK = [*LOW, "domains", "ops"]
LAYERS = ["functional", "losses", "metrics", "layer", "nn"]
NETWORKS = [*LAYERS, "autograd", "optim", "data", "text", "train", "ssl", "adapters"]
PROOFS = ["graph", "verify"]
ROOF = ["meanings", "quotients", "explain", "files", "models", "onnx", "torch", "report", "cli"]
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


def neighbours(path: Path) -> set[Path]:
    """The files of ours that a file imports, inside functions too."""
    package = ".".join(path.relative_to(SOURCE.parent).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {file_of(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = ".".join(filter(None, [package * node.level, node.module]))
            parts = (f"{whole}.{alias.name}" for alias in node.names)
            found |= {file_of(part) or file_of(whole) for part in parts}
    return {file for file in found if file is not None}


def file_of(module: str) -> Path | None:
    """The file of a module of ours."""
    path = SOURCE.parent / Path(*module.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if SOURCE in file.parents and file.is_file()), None)


def test_no_two_files_import_each_other_on_whatever_way() -> None:
    graphlib.TopologicalSorter({path: neighbours(path) for path in FILES}).prepare()
    graph = {path: neighbours(path) for path in FILES}
    graph[SOURCE / "errors.py"] = {SOURCE / "cli" / "_main.py"}
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(graph).prepare()


LAZY = {*HEAVY, "rich", "IPython", "safetensors", "ml_dtypes", "fcntl", "onnx", "google"}
"""What takes long to import, or is not on every machine."""


@pytest.mark.parametrize(
    "path", [p for p in FILES if room_of(p) != "cli"], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_only_what_is_heavy_is_imported_inside_of_a_function(path: Path) -> None:
    """But for the command line, where every command loads what it uses."""
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    hidden = {node for function in functions for node in ast.walk(function)}
    names = [a.name for node in hidden if isinstance(node, ast.Import) for a in node.names]
    names += [node.module or "." for node in hidden if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} <= LAZY


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
