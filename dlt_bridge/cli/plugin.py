"""The plugin that dlt loads whenever it is imported: it adds the command `dlt singer`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt.common.configuration import plugins

if TYPE_CHECKING:
    from dlt_bridge.cli.arguments import SingerCommand


@plugins.hookimpl(specname="plug_cli")
@plugins.only_host(("dlt", "dlthub"))
def plug_cli_singer(host: str) -> type[SingerCommand]:  # noqa: ARG001 - the hook's own
    """Return the command, for both programs of dlt: in a workspace, `dlt` refuses commands."""
    from dlt_bridge.cli.arguments import SingerCommand  # noqa: PLC0415 - for command lines only

    return SingerCommand
