"""Keys that the tap does not read, and words of other tools, each with what to write instead."""

from __future__ import annotations

_SIZE = "The size of a page is a parameter of the request: write it in `params` of the endpoint."
_RETRIES = (
    "What becomes of a failed request, settings next to the declaration say: `max_retries`,"
    " `backoff_factor`. The statuses 429, 500, 502, 503 and 504 are retried without them."
)
_RESOURCE = "Write it in the resource, next to `endpoint`."
_CLIENT = "Write it in `client`."
_PARENT = (
    "A child takes values of its parent by placeholders, as in its path:"
    " `chats/{resources.chats.id}/messages`."
)

#: The keys that mean something to dlt, and are refused here.
REFUSED = {
    "session": "is Python code, and a declaration is data. Without it, the tap makes its requests"
    " as its settings say.",
    "processing_steps": "is Python code, and a declaration is data. Without it, the records stay as"
    " the API returns them; change them by stream maps (the setting `stream_maps`), or in the"
    " destination.",
}

_OF_LOADER = "is not used: it is a setting of the loader."
_OF_NESTED = "is not used: the loader decides about tables for nested values."

#: The keys that mean something to dlt, and nothing to a Singer tap, with what a warning says of
#: them; nothing if the tap does without the key what it asks for.
IGNORED = {
    "resource": {
        "parallelized": "",
        "max_table_nesting": _OF_NESTED,
        "table_name": "is not used: the table has the name of the stream. `__alias__` in the"
        " setting `stream_maps` gives it another one.",
        "merge_key": "is not used: the loader replaces records by their `primary_key`.",
        "schema_contract": _OF_LOADER,
        "table_format": _OF_LOADER,
        "file_format": _OF_LOADER,
        "references": "is not used: Singer knows no references between tables.",
        "nested_hints": _OF_NESTED,
        "parent_table_name": _OF_NESTED,
    },
    "column": dict.fromkeys(
        (
            *("partition", "cluster", "unique", "sort", "timezone", "merge_key", "hard_delete"),
            *("dedup_sort", "row_key", "parent_key", "root_key", "variant", "incremental"),
        ),
        _OF_LOADER,
    ),
    "disposition": dict.fromkeys(
        (
            *("strategy", "active_record_timestamp", "boundary_timestamp"),
            *("deduplicated", "row_version_column_name", "validity_column_names"),
            *("source_filter", "destination_scope", "skip_unchanged_rows"),
        ),
        _OF_LOADER,
    ),
}

#: What to write instead of an object of Python, by the key that holds it.
INSTEAD_OF_CODE = {
    "auth": 'Write an object such as `{type: bearer, token: "${API_TOKEN}"}`.',
    "paginator": "Write an object such as `{type: offset, limit: 100}`.",
    "convert": "Write the unit that the API takes: `iso`, `date`, `epoch_s` or `epoch_ms`.",
    "transform": "Write `convert` with the unit that the API takes: `iso`, `date`, `epoch_s` or"
    " `epoch_ms`.",
    "last_value_func": "Write `max` or `min`.",
    "action": "Write `ignore`, the only action that is data.",
    "response_actions": "Write an object such as `{status_code: 404, action: ignore}`.",
    "columns": "Write a list of objects such as `{name: created_at, data_type: timestamp}`.",
    "resources": "Write an object such as `{name: users, endpoint: {path: users}}`.",
}

#: Words of other tools and keys in a wrong place, by the part of the declaration.
FOREIGN: dict[str, dict[str, str]] = {
    "declaration": {
        **dict.fromkeys(("base_url", "auth", "headers", "paginator", "session"), _CLIENT),
        "BASE_CONFIG": "Write its `base_url` and `auth` in `client`.",
        "ENDPOINTS": "Write each as a resource:"
        " `resources: [{name: chats, endpoint: {path: chats}}]`.",
        "DEPENDENCIES": _PARENT,
        "endpoints": "Write each as an object in `resources`.",
        "streams": "Write each as an object in `resources`.",
        "definitions": "This is a manifest of Airbyte: write each of its streams in `resources`.",
    },
    "client": {"url": "Write `base_url`.", "url_base": "Write `base_url`."},
    "column": {"type": "Write `data_type`."},
    "resource": {
        "pagination": "Write `paginator` in `endpoint`.",
        "error_handler": _RETRIES,
        "depends_on": _PARENT,
        "param_mapping": _PARENT,
        "retriever": "This is a word of Airbyte: write `endpoint`.",
        "url": "Write `path` in `endpoint`.",
    },
    "endpoint": {
        "error_handler": _RETRIES,
        "max_retries": _RETRIES,
        "backoff_factor": _RETRIES,
        "retry_on_status_codes": _RETRIES,
        "pagination": "Write `paginator`.",
        "record_selector": "This is a word of Airbyte: write `data_selector`.",
        "partition_router": _PARENT,
        "request_parameters": "Write `params`.",
        "query": "Write `params`.",
        "body": "Write `json` for a body in JSON, `data` for another one.",
        "http_method": "Write `method`.",
        "url": "Write `path`.",
        "depends_on": _PARENT,
        "param_mapping": _PARENT,
        **dict.fromkeys(
            ("name", "primary_key", "write_disposition", "columns", "include_from_parent"),
            _RESOURCE,
        ),
    },
    "auth": {
        "headers": "Write `headers` in `client`.",
        "key": "Write `api_key`.",
        "user": "Write `username`.",
        "entity_id": "Write `username`, with the type `http_basic`.",
    },
    "paginator": {
        **dict.fromkeys(
            ("limit", "limit_param", "page_size", "per_page", "page_size_param"), _SIZE
        ),
        "start_page": "Write `base_page`.",
        "next_page_path": "Write `next_url_path`, with the type `json_link`.",
    },
    "incremental": {
        "cursor_field": "Write `cursor_path`.",
        "param_name": "Write `start_param`.",
        "format": "Write `convert` with the unit that the API takes: `iso`, `date`, `epoch_s` or"
        " `epoch_ms`.",
        "start_value": "Write `initial_value`.",
    },
    "response action": {},
    "addition": {},
    "parameter": {},
    "disposition": {},
}

#: Types of paginators and authentication in other tools, and the type here.
TYPES = {
    "basic": "http_basic",
    "oauth2": "oauth2_client_credentials",
    "token": "bearer",
    "apikey": "api_key",
    "page": "page_number",
    "PageIncrement": "page_number",
    "OffsetIncrement": "offset",
    "CursorPagination": "cursor",
    "BearerAuthenticator": "bearer",
    "ApiKeyAuthenticator": "api_key",
    "BasicHttpAuthenticator": "http_basic",
    "link": "json_link",
    "none": "single_page",
}
