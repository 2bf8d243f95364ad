"""The parts of a declaration that have types: authentication, paginators; and what has none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.parser import parse as parse_json_path
from msgspec import UNSET, Struct

from tap_chat.declarations import format as declared
from tap_chat.declarations.problems import did_you_mean
from tap_chat.declarations.shapes import Shape, of_fields, of_type, required_fields
from tap_chat.declarations.words import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_chat.declarations.problems import Problems


def _by_type(kinds: Iterable[type[Struct]]) -> dict[str, type[Struct]]:
    return {str(kind.__struct_config__.tag): kind for kind in kinds}


AUTHS = _by_type(declared.Auth.__args__)
PAGINATORS = _by_type(declared.Paginator.__args__) | {
    # The name that dlt has given up.
    "json_response": declared.JSONLinkPaginator
}

#: A path that needs no parser: names with dots between them.
_PLAIN_PATH = re.compile(r"(\$\.)?[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*|\$")
#: The last name of a path that leads to the URL of the next page, not to a cursor.
_LINK = re.compile(r"(^|[.\['])(href|ur[il]|\w*[nN]ext_?([pP]age_?)?([uU]r[il]|[lL]ink))['\]]*$")


def json_path(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    """Check a JSONPath, and return it. Null, where it means something, stays null."""
    if value is None:
        return None
    text = of_type(str)(value, place, problems)
    if text is UNSET or _PLAIN_PATH.fullmatch(text):
        return text
    try:
        parse_json_path(text)
    except JSONPathError:
        problems.tell(place, "is not a JSONPath. One is, for example, `data.items`.")
        return UNSET
    return text


def _shape(part: type[Struct], kind: str) -> Shape:
    checks = of_fields(part)
    checks |= {name: json_path for name in declared.PAGINATOR_PATHS if name in checks}
    return Shape(kind, checks, required_fields(part), nullable=["total_path"])


@dataclass(frozen=True, slots=True)
class Kinds:
    """The types of a part, whose key `type` says which keys it has.

    Attributes:
        kind: What the part is: `auth`, `paginator`.
        parts: Its types by the values of `type`.
        default: The value of `type` if there is none.
    """

    kind: str
    parts: Mapping[str, type[Struct]]
    default: str

    def check(self, value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
        """Check a part, and return it; `UNSET` if it is wrong."""
        if isinstance(value, str):
            value = {"type": value}
        if not isinstance(value, dict):
            problems.tell(place, "must be an object, or the name of a type.")
            return UNSET
        name = self.default if value.get("type") is None else value["type"]
        part = self.parts.get(name) if isinstance(name, str) else None
        if part is None:
            # The name is not shown: a text in place of an object may be a secret.
            near = TYPES.get(str(name))
            advice = f"Write `{near}`." if near else did_you_mean(str(name), self.parts)
            problems.tell(place, f"has a type that the format does not have. {advice}")
            return UNSET
        keys = {key: inner for key, inner in value.items() if key != "type"}
        checked = _shape(part, self.kind).check(keys, place, problems)
        is_complete = checked.keys() >= set(required_fields(part))
        return part(**checked) if is_complete else UNSET


_AUTH = Kinds("auth", AUTHS, "bearer")
_PAGINATOR = Kinds("paginator", PAGINATORS, "auto")


def auth(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    """Check an authentication, and return it."""
    return _AUTH.check(value, place, problems)


def paginator(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    """Check a paginator, and return it."""
    made = _PAGINATOR.check(value, place, problems)
    predicates = list(paginator_problems(made)) if made is not UNSET else []
    for predicate in predicates:
        problems.tell(place, predicate)
    return UNSET if predicates else made


def paginator_problems(made: declared.Paginator) -> Iterator[str]:
    """Yield what is wrong with a paginator, as predicates of sentences."""
    match made:
        case declared.OffsetPaginator():
            if made.limit < 1:
                yield "must have a `limit` of 1 or more."
            yield from _place_problems(made, "offset")
            yield from _place_problems(made, "limit")
            yield from _end_problems(made, made.maximum_offset, "maximum_offset")
        case declared.PageNumberPaginator():
            yield from _place_problems(made, "page")
            yield from _end_problems(made, made.maximum_page, "maximum_page")
        case declared.CursorPaginator():
            yield from _place_problems(made, "cursor")
            if _LINK.search(made.cursor_path):
                yield (
                    f"has a `cursor_path` that leads to a link, not to a cursor. Write"
                    f" `{{type: json_link, next_url_path: {made.cursor_path}}}`."
                )


def _place_problems(made: declared.Paginator, what: str) -> Iterator[str]:
    """Yield why it is not clear where a paginator writes a value."""
    param, body_path = getattr(made, f"{what}_param"), getattr(made, f"{what}_body_path")
    if param is not None and body_path is not None:
        yield f"must have either `{what}_param` or `{what}_body_path`, not both."
    elif param == "" or body_path == "":
        yield f"must have a name in `{what}_param`, or a path in `{what}_body_path`."


def _end_problems(
    made: declared.OffsetPaginator | declared.PageNumberPaginator, maximum: int | None, name: str
) -> Iterator[str]:
    """Yield why a paginator would never end."""
    ends = (made.total_path, maximum, made.has_more_path)
    if all(end is None for end in ends) and not made.stop_after_empty_page:
        yield (
            "would never end. It needs `total_path`, `has_more_path`,"
            f" `{name}`, or `stop_after_empty_page: true`."
        )
