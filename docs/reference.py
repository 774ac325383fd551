"""The pages of the API reference: one for each public room, from `__all__` and the docstrings.

`make docs` writes them before Sphinx reads them; the tests look at them without Sphinx. An entry is
a directive of Sphinx, so that names can be searched and linked; its text is Markdown.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import tensorem
from tensorem.ops import MEANINGS, Op

TOP = "tensorem"
MEMBERS = (property, cached_property, staticmethod, classmethod)


def pages() -> dict[str, str]:
    """The page of each public room by the room's name."""
    return {room: page(room, module) for room, module in rooms().items()}


@cache
def rooms() -> Mapping[str, ModuleType]:
    """The public modules by name: tensorem, its rooms, and what a room names, such as `nn.init`."""
    found = {TOP: tensorem}
    for name in tensorem.__all__:
        if inspect.ismodule(value := getattr(tensorem, name)):
            found[name] = value
            inner = {n: getattr(value, n) for n in getattr(value, "__all__", ())}
            found |= {f"{name}.{n}": m for n, m in inner.items() if inspect.ismodule(m)}
    return found


def names(module: ModuleType) -> list[str]:
    """Its `__all__`, or where it has none what it defines; modules have pages of their own."""
    listed = getattr(module, "__all__", None) or sorted(written(module))
    return [name for name in listed if not inspect.ismodule(getattr(module, name))]


ORDER = ("function", "class", "exception", "data")
"""The order of a page: what is called first."""


def page(room: str, module: ModuleType) -> str:
    found = {name: getattr(module, name) for name in names(module)}
    ordered = sorted(found, key=lambda name: ORDER.index(kind(found[name])))
    entries = [entry(room, name, found[name]) for name in ordered]
    head = f"# {room}\n\n```{{py:module}} {qualified(room)}\n```\n\n{markdown(module.__doc__)}"
    return "\n\n".join(filter(None, [head, shown_at_work(room), *entries])) + "\n"


def qualified(room: str) -> str:
    return room if room == TOP else f"{TOP}.{room}"


GUIDE = {
    **dict.fromkeys(("losses", "metrics", "optim"), "training"),
    **dict.fromkeys(("train", "report"), "runs"),
    **dict.fromkeys(("data", "data.transforms"), "data"),
    **dict.fromkeys(("nn", "nn.init", "adapters", "ssl", "files"), "weights"),
    "models": "models",
    "autograd": "derivatives",
    **dict.fromkeys(("graph", "layer"), "inside"),
    **dict.fromkeys(("domains", "verify"), "readings"),
    "text": "text",
    "onnx": "files",
    TOP: "index",
}
"""The page of the guide that shows a room at work."""


def shown_at_work(room: str) -> str:
    return f"[In the guide](../guide/{GUIDE[room]}.md)." if room in GUIDE else ""


# Entries


def entry(room: str, name: str, value: Any) -> str:
    """What a room says of one of its names: all, or where it is said."""
    home = home_of(room, name, value)
    if home != room:
        text = f"The same as {{py:obj}}`{home}.{name} <{qualified(home)}.{name}>`."
        return directive(kind(value), name, f"{text}\n", 4, ":no-index:")
    if isinstance(value, Op):
        return directive("data", name, row(value), 4)
    if not callable(value) or kind(value) == "data":
        told = [written(rooms()[room]).get(name, ""), f"```text\n{shown(value)}\n```"]
        return directive("data", name, "\n\n".join(filter(None, told)), 4)
    body = [markdown(value.__doc__), *(members(value) if inspect.isclass(value) else ())]
    return directive(kind(value), f"{name}{signature(value)}", "\n\n".join(body), 4)


def home_of(room: str, name: str, value: Any) -> str:
    """The room whose files write a name, where that is a public one."""
    if name in written(rooms()[room]):
        return room
    others = [r for r, m in rooms().items() if r != TOP and name in written(m)]
    return next((r for r in others if getattr(rooms()[r], name, None) is value), room)


def kind(value: Any) -> str:
    if inspect.isclass(value):
        return "exception" if issubclass(value, BaseException) else "class"
    return "function" if inspect.isroutine(inspect.unwrap(value)) else "data"


def directive(kind: str, head: str, body: str, colons: int, *options: str) -> str:
    fence = ":" * colons
    return "\n".join([f"{fence}{{py:{kind}}} {head}", *options, "", body.strip(), fence])


def members(owner: type) -> Iterator[str]:
    """What an object of a class can do, as far as the class itself says it."""
    for name, value in vars(owner).items():
        f = getattr(value, "__func__", getattr(value, "fget", getattr(value, "func", value)))
        public = not name.startswith("_") or name == "__call__"
        if public and inspect.isfunction(f) and f.__doc__:
            is_value = isinstance(value, property | cached_property)
            head = name if is_value else f"{name}{signature(f)}"
            yield directive("property" if is_value else "method", head, markdown(f.__doc__), 3)


def row(op: Op) -> str:
    """The meanings of an op, each with where its rule comes from or why there is none."""
    told = op.coverage()
    lines = [
        f"| {m} | {told[m].get('source') or 'none: ' + told[m]['because']} |" for m in MEANINGS
    ]
    return "\n".join(["| meaning | its rule |", "|---|---|", *map(escaped, lines)])


class Raw(str):
    """A text that stands in a signature as it is."""

    __repr__ = str.__str__


def signature(value: Any) -> str:
    """The arguments of a call, annotations as they are written."""
    try:
        found = inspect.signature(value)
    except ValueError:  # a class that is made in C
        return ""
    if getattr(value, "_is_protocol", False):  # nobody calls it
        return ""
    own = [
        p for p in found.parameters.values() if p.name not in ("self", "cls") and p.name[0] != "_"
    ]
    gives = raw(found.return_annotation) if not inspect.isclass(value) else found.empty
    own = [p.replace(annotation=raw(p.annotation)) for p in own]
    return str(found.replace(parameters=own, return_annotation=gives))


def raw(annotation: Any) -> Any:
    return Raw(annotation) if isinstance(annotation, str) else annotation


def shown(value: Any) -> str:
    """A constant or a type alias, cut short."""
    return textwrap.shorten(re.sub(r" at 0x\w+", "", repr(value)), 300, placeholder=" ...")


# What source files say


@cache
def written(module: ModuleType) -> dict[str, str]:
    """The public names that the files of a room define, with the text below each assignment."""
    file = Path(str(module.__file__))
    files = sorted(file.parent.glob("*.py")) if file.stem == "__init__" else [file]
    files = [file] if module is tensorem else files
    found: dict[str, str] = {}
    for path in files:
        body = ast.parse(path.read_text()).body
        for node, after in zip(body, [*body[1:], None], strict=True):
            found |= {name: string(after) for name in assigned(node)}
    return {name: text for name, text in found.items() if not name.startswith("_")}


def assigned(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return [target.id for target in targets if isinstance(target, ast.Name)]


def string(node: ast.stmt | None) -> str:
    value = node.value if isinstance(node, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


# Docstrings

_SECTION = re.compile(r"^(Args|Raises|Returns|Shapes|Example|Source):$", re.M)
_CODE = re.compile(r"(`[^`]+`)")
_NAME = re.compile(r"`([A-Za-z_][\w.]*)`")


def markdown(doc: str | None) -> str:
    """A docstring as Markdown: its sections become lists and blocks."""
    first, *rest = _SECTION.split(inspect.cleandoc(doc or ""))
    parts = [prose(first)]
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        inside, after = indented(body)
        parts += [section(title, inside), prose(after)]
    return "\n\n".join(filter(None, parts))


def indented(text: str) -> tuple[str, str]:
    """The indented lines at the beginning, and what follows."""
    lines = text.strip("\n").split("\n")
    end = next((i for i, line in enumerate(lines) if line[:1].strip()), len(lines))
    return textwrap.dedent("\n".join(lines[:end])).strip(), "\n".join(lines[end:])


def section(title: str, body: str) -> str:
    if title == "Example":
        return f"```pycon\n{body}\n```"
    if title == "Shapes":
        return f"**Shapes**\n\n```text\n{body}\n```"
    told = "\n".join(items(title, body)) if title in ("Args", "Raises") else prose(body)
    return f"**{title}**\n\n{told}"


def items(title: str, body: str) -> Iterator[str]:
    """A list of arguments, or of errors, which are links."""
    for line in body.split("\n"):
        name, colon, text = line.partition(":")
        if line.startswith(" "):
            yield escaped(line)
        elif not colon:
            yield f"- {escaped(line)}"
        else:
            shown = escaped(f"`{name}`") if title == "Raises" else f"**{name}**"
            yield f"- {shown}:{escaped(text)}"


def prose(text: str) -> str:
    """Text whose stars and angles are themselves, and whose names are links to their entries."""
    lines = [line if line.startswith("    ") else escaped(line) for line in text.split("\n")]
    return "\n".join(lines).strip()


def escaped(line: str) -> str:
    parts = _CODE.split(line)
    plain = (re.sub(r"(?<!^)([*<_])", r"\\\1", part) for part in parts[::2])
    code = [_NAME.sub(linked, part) for part in parts[1::2]]
    return "".join(a + b for a, b in zip(plain, [*code, ""], strict=True))


def linked(found: re.Match[str]) -> str:
    """A name as a link, where it says which one is meant."""
    room, _, name = found[1].rpartition(".")
    homes = [room] if room in rooms() else [] if room else places().get(name, [])
    known = len(homes) == 1 and name in names(rooms()[homes[0]])
    return f"{{py:obj}}`{found[1]} <{qualified(homes[0])}.{name}>`" if known else found[0]


@cache
def places() -> dict[str, list[str]]:
    """Every name of the reference with the rooms that say what it is."""
    found: dict[str, list[str]] = {}
    for room, module in rooms().items():
        for name in names(module):
            if home_of(room, name, getattr(module, name)) == room:
                found.setdefault(name, []).append(room)
    return found


def write(folder: Path) -> None:
    """Write every page, and the page that lists them; what is there already is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    found = pages()
    for room, text in found.items():
        (folder / f"{room}.md").write_text(text)
    toc = "\n".join(["```{toctree}", ":hidden:", "", *found, "```"])
    said = (f"- [{room}]({room}.md): {summary(module)}" for room, module in rooms().items())
    (folder / "index.md").write_text("\n".join(["# Reference", "", *said, "", toc, ""]))


def summary(module: ModuleType) -> str:
    """What a module says first, without its own name."""
    said = str(module.__doc__).strip().partition("\n\n")[0].replace("\n", " ")
    return re.sub(rf"^{module.__name__.rpartition('.')[2]}: ", "", said, flags=re.I)
