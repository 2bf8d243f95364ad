"""Collect the texts of errors and warnings in the code, with `…` for the parts that are filled in.

`ast` finds them as arguments of exceptions and loggers, as results of functions whose names promise
errors, and as values of a few variables.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pages.blocks import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLE = "…"

#: Functions and classes of errors and warnings, and the argument with the text; None for all.
MAKERS: dict[str, int | None] = {
    "BridgeError": 0,
    "MessageError": 0,
    "TapError": 0,
    "DiscardedPackageError": 0,
    "AccountBusyError": 0,
    "LeaseLostError": 0,
    "RequestError": 0,
    "Failure": 1,
    "PathError": 0,
    "TransientError": 0,
    "FatalSyncError": 0,
    "MappingError": 0,
    "PaginationError": 0,
    "CursorError": 0,
    "config_error": None,
    # Problems and warnings of declarations.
    "tell": 1,
    "warn": 1,
    "request_error": 1,
    "sentence": 1,
    "error": 0,
    "warning": 0,
    "exit": 0,
    "__init__": 0,
}
#: Functions that return or yield errors.
TELLERS = re.compile(r"_*((\w+_)?(problems?|errors?)(_\w+)?|differences|look_at|misfit|sentence)|_")
#: Variables that hold a text before it is raised.
NAMES = {
    *("said", "predicate", "sentence", "errors", "where"),
    *("FAILED", "FAILURES", "NO_CONNECTION", "NO_TLS", "CUT_OFF", "STALLED"),
    *("_SENTENCES", "_NO_SPACE", "REFUSED", "IGNORED", "_OF_LOADER", "_OF_NESTED"),
}
#: The placeholders of `%` and `str.format`.
FILLED = re.compile(r"%[sd]|%\.\df|\{\w+(:\w+)?\}")


def collected() -> dict[str, str]:
    """Return the sentences, and the first place of each."""
    found: dict[str, str] = {}
    for package in ("tap_chat", "dlt_bridge"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "sandbox" not in path.relative_to(ROOT).parts:
                for line, text in sentences(ast.parse(path.read_text())):
                    found.setdefault(text, f"{path.relative_to(ROOT)}:{line}")
    return found


def sentences(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the sentences of a module with their lines."""
    for node in ast.walk(tree):
        for expression in expressions(node):
            for line, text in texts(expression):
                # A single word is a name.
                if " " in text.strip():
                    yield line, text


def expressions(node: ast.AST) -> Iterator[ast.expr | None]:
    """Yield the expressions of a node that may be sentences."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in MAKERS:
            place = MAKERS[name]
            yield from node.args if place is None else node.args[place : place + 1]
        case ast.FunctionDef(name=name) if TELLERS.fullmatch(name):
            for inner in ast.walk(node):
                if isinstance(inner, (ast.Return, ast.Yield)):
                    yield inner.value
        case ast.Assign(targets=[ast.Name(id=name)]) if name in NAMES:
            yield node.value
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
            if name in NAMES:
                yield node.value


def texts(expression: ast.expr | None) -> Iterator[tuple[int, str]]:
    """Yield the texts of an expression, except those within calls."""
    match expression:
        case ast.Constant(value=str() as text):
            yield expression.lineno, plain(FILLED.sub(HOLE, text))
        case ast.JoinedStr(values=parts):
            whole = "".join(
                str(part.value) if isinstance(part, ast.Constant) else HOLE for part in parts
            )
            yield expression.lineno, plain(whole)
        case ast.Call(func=ast.Attribute(value=ast.JoinedStr() as text)):
            yield from texts(text)
        case None | ast.Call():
            return
        case _:
            for part in ast.iter_child_nodes(expression):
                if isinstance(part, ast.expr):
                    yield from texts(part)


def plain(text: str) -> str:
    """Return a sentence without differences of layout."""
    text = re.sub(rf"{HOLE}+", HOLE, text.replace("`", ""))
    return " ".join(text.split()).rstrip(".")
