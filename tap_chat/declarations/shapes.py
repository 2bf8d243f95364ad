"""The shape of a declaration: which keys it has at each place, and of which types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Struct

from tap_chat.config.errors import describe_type
from tap_chat.declarations import format as declared
from tap_chat.declarations.problems import did_you_mean
from tap_chat.declarations.words import FOREIGN, IGNORED, REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_chat.declarations.problems import Problems

    #: Returns the value at a place, as it shall be; `UNSET` if it is wrong.
    Check = Callable[[Any, str, Problems], Any]


def of_type(kind: Any) -> Check:  # noqa: ANN401
    """Return the check that a value is of a type.

    Args:
        kind: The type, as an annotation: `str | list[str]`.
    """

    def check(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError:
            # Only now: the schema of a type takes longer than the check of a value.
            words = describe_type(msgspec.json.schema(kind))
            problems.tell(place, f"must be {words}.")
            return UNSET

    return check


def of_fields(part: type[Struct]) -> dict[str, Check]:
    """Return the checks of the keys of a part: of each, that its value is of its type.

    Args:
        part: The type of the part.
    """
    return {field.name: of_type(field.type) for field in msgspec.structs.fields(part)}


def required_fields(part: type[Struct]) -> list[str]:
    """Return the keys that a part must have."""
    return [field.name for field in msgspec.structs.fields(part) if field.required]


@dataclass(frozen=True, slots=True)
class Shape:
    """Which keys a part of a declaration has.

    Attributes:
        kind: What the part is: `endpoint`, `paginator`. It chooses the advice about foreign words.
        checks: The check of each key.
        required: The keys that it must have.
        nullable: The keys for which null means something. Elsewhere, null is as no key.
    """

    kind: str
    checks: Mapping[str, Check]
    required: Sequence[str] = ()
    nullable: Sequence[str] = ()

    def check(self, value: Any, place: str, problems: Problems) -> dict[str, Any]:  # noqa: ANN401
        """Return the keys of a part whose values are right.

        Args:
            value: The part.
            place: Its place in the declaration.
            problems: Gets a sentence for each key that is unknown, missing or wrong.
        """
        if not isinstance(value, dict):
            problems.tell(place, "must be an object.")
            return {}
        right = {}
        for key, inner in value.items():
            at = inside(place, key)
            if key not in self.checks:
                self._tell_unknown(key, inner, at, problems)
            elif inner is not None:
                right[key] = self.checks[key](inner, at, problems)
            elif key in self.nullable:
                right[key] = None
        for key in self.required:
            if value.get(key) is None:
                problems.tell(inside(place, key), "is missing.")
        return {key: inner for key, inner in right.items() if inner is not UNSET}

    def _tell_unknown(self, key: str, value: Any, place: str, problems: Problems) -> None:  # noqa: ANN401
        if key in REFUSED:
            problems.tell(place, REFUSED[key])
        elif (words := IGNORED.get(self.kind, {}).get(key)) is not None:
            if value is not None and words:
                problems.warn(place, words)
        else:
            advice = FOREIGN[self.kind].get(key) or self._other_place(key)
            advice = advice or did_you_mean(key, self.checks)
            problems.tell(place, unknown_problem(self.kind, advice))

    def _other_place(self, key: str) -> str | None:
        """Return where a key of an endpoint belongs, if it is in the resource."""
        is_endpoint_key = key in declared.Endpoint.__struct_fields__
        return "Write it in `endpoint`." if self.kind == "resource" and is_endpoint_key else None


def unknown_problem(kind: str, advice: str) -> str:
    """Return what is wrong with a key that a part of this kind does not have."""
    if kind == "addition":
        return f"is not an addition. {advice}"
    return f"is not a key of the format. {advice}"


def inside(place: str, key: str) -> str:
    """Return the place of a key."""
    return f"{place}.{key}" if place else key
