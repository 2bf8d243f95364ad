"""Extract Freshchat's conversations with dlt's rest_api, without loading them, and count the rows.

Arguments: the URL of the API, and the number of workers.
"""

from __future__ import annotations

import json
import os
import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_chat.sandbox import API_KEY

if TYPE_CHECKING:
    from dlt.sources.rest_api.typing import RESTAPIConfig

PAGE_SIZE = 50


def with_path(row: dict[str, Any]) -> dict[str, Any]:
    """Add the id quoted for a path, because rest_api does not quote it."""
    return row | {"path": quote(row["id"], safe="")}


def resource(name: str, path: str, selector: str, **more: Any) -> Any:  # noqa: ANN401
    """Return the configuration of a resource."""
    paginator = more.pop("paginator", "single_page")
    params = more.pop("params", {})
    endpoint = {"path": path, "data_selector": selector, "paginator": paginator, "params": params}
    return {
        "name": name,
        "endpoint": endpoint,
        "parallelized": True,
        "processing_steps": [{"map": with_path}] if selector in {"users", "conversations"} else [],
    }


def main() -> None:
    """Run the pipeline."""
    url, workers = sys.argv[1:]
    os.environ["EXTRACT__WORKERS"] = workers
    os.environ["EXTRACT__MAX_PARALLEL_ITEMS"] = str(2 * int(workers))
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    # dlt reads its settings at import.
    import dlt  # noqa: PLC0415
    from dlt.sources.rest_api import rest_api_source  # noqa: PLC0415

    numbered = {"type": "page_number", "base_page": 1, "total_path": None, "page_param": "page"}
    config: RESTAPIConfig = {
        "client": {"base_url": url, "auth": {"type": "bearer", "token": API_KEY}},
        "resources": [
            resource(
                "users",
                "users",
                "users",
                paginator=numbered | {"total_path": "pagination.total_pages"},
                params={
                    "created_from": "2000-01-01T00:00:00.000Z",
                    "items_per_page": PAGE_SIZE,
                },
            ),
            resource(
                "users_conversations",
                "users/{resources.users.path}/conversations",
                "conversations",
            ),
            resource("conversations", "conversations/{resources.users_conversations.path}", "$"),
            resource(
                "conversations_messages",
                "conversations/{resources.users_conversations.path}/messages",
                "messages",
                paginator=numbered | {"stop_after_empty_page": True},
                params={"items_per_page": PAGE_SIZE},
            ),
        ],
    }
    with TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("freshchat", pipelines_dir=folder, destination="duckdb")
        info = pipeline.extract(rest_api_source(config))
        rows = sum(
            found.items_count
            for packages in info.metrics.values()
            for metrics in packages
            for name, found in metrics["resource_metrics"].items()
            if not name.startswith("_")
        )
        print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
