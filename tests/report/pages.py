"""A page taken apart."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class Balanced(HTMLParser):
    """Raises unless every element is closed where it should be."""

    VOID = frozenset({"meta", "img", "br", "!doctype"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.texts: list[tuple[str, dict[str, Any], str]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append((*self.seen[-1], data))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def parsed(page: str) -> Balanced:
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    return parser
