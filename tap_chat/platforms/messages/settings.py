"""The section `chat` of the config, and what to do when its requests fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from jsonschema import Draft202012Validator, SchemaError
from typing_extensions import override

from tap_chat.config.errors import config_error
from tap_chat.config.settings import MOST_ON_A_PAGE, PlatformSettings, about
from tap_chat.config.validators import header_name_problem, header_problem, path_problem
from tap_chat.escapes import printable
from tap_chat.http.failures import Remedies
from tap_chat.singer.bookmarks import is_bookmarkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REMEDIES = Remedies(
    section="chat",
    address="the settings chat.api_url and chat.path: together they must lead to the messages",
    unknown=(
        "The setting chat.api_key is wrong or expired, or the API expects it elsewhere: see"
        " chat.api_key_in and chat.api_key_name."
    ),
    forbidden=(
        "The key in the setting chat.api_key may not read the messages. Permit it where it was"
        " made, or see whether the account's plan has the API."
    ),
)


class MessagesSettings(PlatformSettings, frozen=True, kw_only=True):
    """The section `chat`."""

    api_key: Annotated[str, about("API key", "The key of the account.", secret=True)]
    api_key_in: Annotated[
        Literal["query", "header"],
        about("API key in", "Where the key is sent: `query` or `header`."),
    ] = "query"
    api_key_name: Annotated[
        str, about("API key name", "The name of the query parameter or header with the key.")
    ] = "api_key"
    path: Annotated[str, about("Path", "The path of the messages, after the API URL.")] = (
        "/v1/messages"
    )
    records_path: Annotated[
        str,
        about(
            "Records path",
            "The path of the list of messages in a response: names with dots between them; empty if"
            " the response is the list.",
        ),
    ] = "data"
    paging: Annotated[
        Literal["offset", "none"],
        about(
            "Paging",
            "How pages are requested: with `offset` and limit, or `none` if the API returns all"
            " messages in one response.",
        ),
    ] = "offset"
    page_size: Annotated[
        int, about("Page size", "Messages to request per page.", ge=1, le=MOST_ON_A_PAGE)
    ] = 100
    offset_param: Annotated[
        str, about("Offset parameter", "The parameter with the number of messages to skip.")
    ] = "offset"
    limit_param: Annotated[str, about("Limit parameter", "The parameter with the page size.")] = (
        "limit"
    )
    fields: Annotated[
        dict[str, dict[str, Any]],
        about(
            "Fields",
            "Further fields of a message, or other types for `id`, `message`, `timestamp` and"
            " `user_id`: an object from field name to JSON Schema. Undeclared fields are left out.",
            examples=[{"channel": {"type": ["string", "null"]}}],
        ),
    ] = {}  # noqa: RUF012 - msgspec gives every instance its own
    replication_key: Annotated[
        str | None,
        about(
            "Replication key",
            "A field whose value grows with every new or changed message, for incremental runs;"
            " unset, every run reads the full table.",
            examples=["timestamp"],
        ),
    ] = None
    filter_param: Annotated[
        str | None,
        about(
            "Filter parameter",
            "The query parameter with the lowest value of the replication key to return; unset, the"
            " tap reads all messages and leaves out the older ones.",
            examples=["since"],
        ),
    ] = None

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield from super().problems()
        yield "path", path_problem(self.path)
        if self.api_key_in == "header":
            yield "api_key", header_problem(self.api_key)
            yield "api_key_name", header_name_problem(self.api_key_name)


def check_fields(fields: Mapping[str, Any], replication_key: str | None) -> None:
    """Check the fields that a config declares.

    Args:
        fields: JSON Schemas by field.
        replication_key: The setting of that name.

    Raises:
        ConfigValidationError: A field is not a JSON Schema, or the replication key is not a field,
            or its values have no order.
    """
    for name, schema in fields.items():
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            where = ".".join(map(str, (name, *error.absolute_path)))
            raise config_error(
                f"The setting `chat.fields.{printable(where)}` is not a JSON Schema. One is, for"
                ' example, {"type": ["string", "null"]}.'
            ) from None
    if replication_key and replication_key not in fields:
        raise config_error(
            "The setting `chat.replication_key` names a field that is not declared. Declare it in"
            " `chat.fields`."
        )
    if replication_key and not is_bookmarkable(fields[replication_key]):
        raise config_error(
            "The setting `chat.replication_key` names a field that is neither a number nor a"
            " date-time, so the tap can't tell which values are later."
            " Declare it in `chat.fields` as integer, number, or string with the format date-time;"
            " if it is another text, read the full table."
        )
