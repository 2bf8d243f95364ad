"""The dlt transformer of each stream: it takes the stream's rows from the items of the driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt

from dlt_bridge.tables.hints import HintStep

if TYPE_CHECKING:
    from dlt.extract import DltResource

    from dlt_bridge.tables.dispositions import AppliedHints
    from dlt_bridge.tables.items import StreamItems


def stream_transformer(
    stream: str, driver: DltResource, applied: dict[str, AppliedHints], *, selected: bool
) -> DltResource:
    """Return the resource of a stream.

    Args:
        stream: The name of the stream, and of the resource.
        driver: The resource that reads the tap.
        applied: Keeps the hints that the bridge applies, by resource.
        selected: The stream is loaded, unless the user says otherwise.
    """
    step = HintStep(stream, applied)

    def rows(items: StreamItems) -> Any:  # noqa: ANN401
        item = items.take(stream)
        return step.take(item.rows, item.hints, item.load_id) if item else None

    return dlt.transformer(
        rows,
        data_from=driver,
        name=stream,
        selected=selected,
        write_disposition=step.disposition,
    ).add_step(step)


def common_transformer(
    name: str, driver: DltResource, applied: dict[str, AppliedHints]
) -> DltResource:
    """Return the one resource of all streams, for a tap whose streams are not known before.

    Args:
        name: The name of the resource.
        driver: The resource that reads the tap.
        applied: Keeps the hints that the bridge applies, by resource.
    """
    step = HintStep(name, applied)

    def rows(items: StreamItems) -> Any:  # noqa: ANN401
        [(stream, item)] = items.by_stream.items()
        items.take(stream)
        return step.take(item.rows, item.hints, item.load_id, stream)

    return dlt.transformer(
        rows, data_from=driver, name=name, write_disposition=step.disposition
    ).add_step(step)
