"""The generated part of docs/python.md: what a program can call, from signatures and docstrings.

Run by `make docs`; a test compares the page with what this makes.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import generated

import mvmdb
from mvmdb.archive import values
from mvmdb.shown import Shown

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = Path("docs/python.md")
PART, MAKER = "reference", "make docs"


def write_page(repository: Path) -> None:
    """Replace the generated part of the page in this checkout of the repository."""
    page = repository / PAGE
    page.write_text(fill_page(page.read_text(encoding="utf-8")), encoding="utf-8")


def fill_page(text: str) -> str:
    """The text of a page with all between its marks replaced. Raises ValueError where the marks are missing."""
    content = "\n".join([*_describe_opening(), *_describe_methods(), *_describe_mosaics(), *_describe_values()])
    return generated.fill_page(text, [(PART, content.rstrip("\n"))], MAKER)


def _describe_opening() -> Iterator[str]:
    yield "### Opening an archive\n"
    yield from _describe("mvmdb.open", mvmdb.open)


def _describe_methods() -> Iterator[str]:
    yield "### What an archive can do\n"
    for name, method in inspect.getmembers(mvmdb.Archive, callable):
        if not name.startswith("_") and name != "tell":
            yield from _describe(f"archive.{name}", method)


def _describe_mosaics() -> Iterator[str]:
    yield "### What a mosaic tells without an archive\n"
    for name in ("aperture_error", "noise_correlation", "contributors", "context_image"):
        yield from _describe(f"mvmdb.{name}", getattr(mvmdb, name))


def _describe(name: str, function: Callable[..., Any]) -> Iterator[str]:
    signature = inspect.signature(function)
    parts: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in "".join(part[0] for part in parts):
            parts.append("*")
        if parameter.name != "self":
            parts.append(_describe_parameter(parameter))
    yield f"#### `{name.rpartition('.')[2]}`\n"
    yield f"```python\n{_wrap(name, parts, _plain(signature.return_annotation))}\n```\n"
    yield f"{_without_doctest(inspect.getdoc(function) or '')}\n"


def _describe_parameter(parameter: inspect.Parameter) -> str:
    kinds: dict[Any, str] = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
    stars = kinds.get(parameter.kind, "")
    text = f"{stars}{parameter.name}: {_plain(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return text
    plain = parameter.default is None or isinstance(parameter.default, str | int | float | tuple)
    return f"{text} = {parameter.default!r}" if plain else f"{text} = ..."


def _wrap(name: str, parts: list[str], returned: str) -> str:
    line = f"{name}({', '.join(parts)}) -> {returned}"
    return line if len(line) <= 100 else f"{name}(\n    " + ",\n    ".join(parts) + f",\n) -> {returned}"


def _plain(annotation: Any) -> str:
    """An annotation without the names of modules."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", text)


def _without_doctest(text: str) -> str:
    return text.partition("\n\n>>> ")[0]


def _describe_values() -> Iterator[str]:
    yield "### What its methods return\n"
    for name, kind in sorted(find_values().items()):
        fields = [field.name for field in dataclasses.fields(kind)]
        properties = [name for name, _ in inspect.getmembers(kind, lambda member: isinstance(member, property))]
        yield f"**{name}.** {inspect.getdoc(kind)}\n"
        yield f"Attributes: {', '.join(f'`{one}`' for one in [*fields, *properties])}.\n"


def find_values() -> dict[str, type[Any]]:
    """The values that tell what they are, wherever they are made, by name: those of `values`, and all returned ones."""
    known = {kind.__name__: kind for kind in _descendants(Shown) if dataclasses.is_dataclass(kind)}
    listed = {name: known[name] for name, _ in inspect.getmembers(values, inspect.isclass) if name in known}
    public = (method for name, method in inspect.getmembers(mvmdb.Archive, callable) if not name.startswith("_"))
    for method in public:
        for name in re.findall(r"\b[A-Z]\w+", str(inspect.signature(method).return_annotation)):
            if name in known:
                listed[name] = known[name]
    return listed


def _descendants(kind: type[Any]) -> Iterator[type[Any]]:
    for module in pkgutil.walk_packages(mvmdb.__path__, "mvmdb."):
        if module.name.endswith(".values") or module.name.startswith(
            "mvmdb.archive."
        ):  # what a method imports when it is called
            importlib.import_module(module.name)
    waiting = [kind]
    while waiting:
        found = waiting.pop().__subclasses__()
        yield from found
        waiting += found


if __name__ == "__main__":
    write_page(REPOSITORY)
