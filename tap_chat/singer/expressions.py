"""Expressions of stream maps, compiled to functions.

The SDK walks the syntax tree of an expression for each record. Here it is walked once. The rest is
left to the SDK: other names than those of fields, methods that may change a value, `fake`, ...
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # The decoded values of the fields that an expression uses.
    Values = dict[str, Any]
    Function = Callable[[Values], Any]

#: Functions whose result depends on nothing but their arguments.
FUNCTIONS = frozenset({"bool", "float", "int", "md5", "sha256", "str"})

#: Methods of JSON values that change nothing.
METHODS = frozenset(
    {
        "capitalize",
        "casefold",
        "count",
        "endswith",
        "find",
        "get",
        "index",
        "isalpha",
        "isdigit",
        "isnumeric",
        "join",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "startswith",
        "strip",
        "title",
        "upper",
        "zfill",
    }
)

#: Members that the SDK refuses to read, besides methods: they are dangerous in Python's objects.
REFUSED = frozenset({"ag_frame", "cr_frame", "exec", "gi_frame", "tb_frame"})

# The names of the whole record.
RECORD = frozenset({"_", "record"})

#: The SDK refuses longer literals and results, in characters.
LONGEST_TEXT = 100_000


class NotCompiledError(Exception):
    """An expression has a part that is not compiled."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the expressions of a stream map may use.

    Attributes:
        fields: The fields that a record may have.
        constants: Names with the same value for each record. They win over fields.
        functions: The SDK's functions, by name.
        operators: The SDK's operators, by their class in the syntax tree.
    """

    fields: frozenset[str]
    constants: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]]
    operators: Mapping[type, Callable[..., Any]]


@dataclass(slots=True)
class Compiler:
    """Compiles the expression of one property, or a filter.

    Attributes:
        scope: What the expression may use.
        own: The property, whose field is `self`; None for a filter.
        used: The fields that the expression uses.
    """

    scope: Scope
    own: str | None = None
    used: set[str] = field(default_factory=set)

    def moved_field(self, node: ast.expr) -> str | None:
        """Return the field whose value is the value of an expression; None for other ones."""
        match node:
            case ast.Name(id=name):
                return self._field(name)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key))):
                return key if name in RECORD and key in self.scope.fields else None
        return None

    def compile(self, node: ast.expr) -> Function:
        """Compile an expression.

        Args:
            node: The root of its syntax tree.

        Returns:
            A function of the values of the fields in `used`. It may raise any error. Then the SDK
            must evaluate the expression.

        Raises:
            NotCompiledError: The expression has a part that is not compiled.
        """
        if (name := self.moved_field(node)) is not None:
            self.used.add(name)
            return lambda values: values[name]
        build = getattr(self, f"_{type(node).__name__.lower()}", None)
        if build is None:
            raise NotCompiledError
        function: Function = build(node)
        return function

    def _field(self, name: str) -> str | None:
        """Return the field that a name means, or None."""
        if name == "self":
            name = self.own or ""
        elif name in RECORD or name == "fake" or name in self.scope.constants:
            return None
        return name if name in self.scope.fields else None

    def _name(self, node: ast.Name) -> Function:
        if node.id not in self.scope.constants:
            raise NotCompiledError
        constant = self.scope.constants[node.id]
        return lambda _: constant

    def _constant(self, node: ast.Constant) -> Function:
        constant = node.value
        if isinstance(constant, str | bytes) and len(constant) > LONGEST_TEXT:
            raise NotCompiledError
        return lambda _: constant

    def _list(self, node: ast.List) -> Function:
        items = [self.compile(item) for item in node.elts]
        return lambda values: [item(values) for item in items]

    def _tuple(self, node: ast.Tuple) -> Function:
        items = [self.compile(item) for item in node.elts]
        return lambda values: tuple([item(values) for item in items])

    def _ifexp(self, node: ast.IfExp) -> Function:
        test, body, orelse = map(self.compile, (node.test, node.body, node.orelse))
        return lambda values: body(values) if test(values) else orelse(values)

    def _unaryop(self, node: ast.UnaryOp) -> Function:
        operator, operand = self._operator(node.op), self.compile(node.operand)
        return lambda values: operator(operand(values))

    def _binop(self, node: ast.BinOp) -> Function:
        operator = self._operator(node.op)
        left, right = self.compile(node.left), self.compile(node.right)
        return lambda values: operator(left(values), right(values))

    def _boolop(self, node: ast.BoolOp) -> Function:
        first, *others = map(self.compile, node.values)
        last = isinstance(node.op, ast.Or)

        def function(values: Values) -> Any:  # noqa: ANN401
            value = first(values)
            for other in others:
                if bool(value) is last:
                    break
                value = other(values)
            return value

        return function

    def _compare(self, node: ast.Compare) -> Function:
        for operation, comparator in zip(node.ops, node.comparators, strict=True):
            # Other values than these are not one object each time they are decoded.
            is_single = isinstance(comparator, ast.Constant) and (
                comparator.value is None or isinstance(comparator.value, bool)
            )
            if isinstance(operation, ast.Is | ast.IsNot) and not is_single:
                raise NotCompiledError
        first = self.compile(node.left)
        others = [
            (self._operator(operation), self.compile(comparator))
            for operation, comparator in zip(node.ops, node.comparators, strict=True)
        ]
        if len(others) == 1:
            [(operator, second)] = others
            return lambda values: operator(first(values), second(values))

        def function(values: Values) -> Any:  # noqa: ANN401
            right, result = first(values), True
            for operator, other in others:
                if not result:
                    break
                left, right = right, other(values)
                result = operator(left, right)
            return result

        return function

    def _subscript(self, node: ast.Subscript) -> Function:
        container, key = self.compile(node.value), self.compile(node.slice)
        return lambda values: container(values)[key(values)]

    def _slice(self, node: ast.Slice) -> Function:
        parts = [self.compile(p) if p else None for p in (node.lower, node.upper, node.step)]
        return lambda values: slice(*(part(values) if part else None for part in parts))

    def _call(self, node: ast.Call) -> Function:
        if node.keywords:
            raise NotCompiledError
        match node.func:
            case ast.Attribute(value=ast.Name(id=name), attr="get") if name in RECORD:
                return self._get(node)
            case ast.Attribute(value=value, attr=method) if method in METHODS:
                owner = self.compile(value)
                arguments = [self.compile(argument) for argument in node.args]
                return lambda values: getattr(owner(values), method)(
                    *[argument(values) for argument in arguments]
                )
            case ast.Name(id=name) if name in FUNCTIONS:
                called = self.scope.functions[name]
                arguments = [self.compile(argument) for argument in node.args]
                if len(arguments) == 1:
                    [single] = arguments
                    return lambda values: called(single(values))
                return lambda values: called(*[argument(values) for argument in arguments])
        raise NotCompiledError

    def _get(self, node: ast.Call) -> Function:
        match node.args:
            case [ast.Constant(value=str(name))] if name in self.scope.fields:
                self.used.add(name)
                return lambda values: values.get(name)
            case [ast.Constant(value=str(name)), default] if name in self.scope.fields:
                other = self.compile(default)
                self.used.add(name)
                # The default is evaluated in any case, so that it fails where the SDK's does.
                return lambda values: values.get(name, other(values))
        raise NotCompiledError

    def _attribute(self, node: ast.Attribute) -> Function:
        """A member of an object: `author.name`."""
        name = node.attr
        is_refused = name in REFUSED or name.startswith(("_", "func_"))
        if is_refused or any(hasattr(kind, name) for kind in (dict, list, str, int, float)):
            raise NotCompiledError
        owner = self.compile(node.value)
        return lambda values: dict.__getitem__(owner(values), name)

    def _joinedstr(self, node: ast.JoinedStr) -> Function:
        parts = [self.compile(part) for part in node.values]

        def function(values: Values) -> str:
            text = "".join([str(part(values)) for part in parts])
            if len(text) > LONGEST_TEXT:
                raise NotCompiledError
            return text

        return function

    def _formattedvalue(self, node: ast.FormattedValue) -> Function:
        if node.format_spec:
            raise NotCompiledError
        return self.compile(node.value)

    def _operator(self, node: ast.AST) -> Callable[..., Any]:
        try:
            return self.scope.operators[type(node)]
        except KeyError:
            raise NotCompiledError from None
