"""Additions: what the format of dlt can't say, next to a declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from tap_chat.declarations.format import Part
from tap_chat.declarations.problems import did_you_mean
from tap_chat.declarations.shapes import Shape, inside, of_fields

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tap_chat.declarations.problems import Problems


class Additions(Part, frozen=True):
    """The additions of one resource.

    Attributes:
        description: What its records are, in a sentence.
        next_link_hosts: The hosts, besides that of the API, that links to a next page may lead to;
            they get the credential. `*.example.com` stands for every subdomain.
        convert: The unit in which the requests take the values of the cursor, which are times.
        distinct_parents: Whether parent records from which the requests take the same values are
            read once in a run, and not once each.
        check_pages: Whether each page by number is requested again after the next one, if the API
            does not state the number of records. That shows records that left the list in between:
            others would take their places, and be missed.
        page_size: The most records that the API returns in a response. A list by cursors or links
            ends at a page with fewer, even if it has a cursor or a link. If a list of a single page
            has as many, a warning says that further ones are out of reach.
    """

    description: str | None = None
    next_link_hosts: list[str] = []  # noqa: RUF012 - msgspec gives every instance its own
    convert: Literal["iso", "date", "epoch_s", "epoch_ms"] | None = None
    distinct_parents: bool = False
    check_pages: bool = True
    page_size: Annotated[int, Meta(ge=1)] | None = None


_SHAPE = Shape("addition", of_fields(Additions))


def read_additions(
    raw: Mapping[str, Any], resources: Collection[str], problems: Problems
) -> dict[str, Additions]:
    """Read the additions of a declaration.

    Args:
        raw: The additions of each resource, by its name.
        resources: The names of the resources.
        problems: Gets a sentence for each addition that is wrong.
    """
    found = {}
    for name, own in raw.items():
        place = inside("streams", name)
        if name not in resources:
            problems.tell(place, f"is not a resource. {did_you_mean(name, resources)}")
        else:
            found[name] = Additions(**_SHAPE.check(own, place, problems))
    return found
