"""The private parts of the Singer SDK that tap-chat stands on: all of them, here and nowhere else.

`tests/tap/test_sdk.py` fails when a new version of the SDK moves one of them.
"""

import sys
from typing import Any

from singer_sdk.helpers._state import write_starting_replication_value
from singer_sdk.streams import RESTStream
from singer_sdk.streams._state import StreamStateManager
from singer_sdk.tap_base import Tap

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

__all__ = [
    "OneSchemaStream",
    "StreamStateManager",
    "TerminatingTap",
    "write_starting_replication_value",
]


class OneSchemaStream(RESTStream[Any]):
    """A stream that makes its SCHEMA once, however often it is synced.

    A child is synced for each parent, and to make the message costs more than to read its records.
    """

    _schema_is_written = False

    @override
    def _write_schema_message(self) -> None:
        if not self._schema_is_written:
            self._schema_is_written = True
            super()._write_schema_message()


class TerminatingTap(Tap):
    """A tap that does not call a run complete that a signal ended."""

    @override
    def _handle_termination(self, signum: int, frame: object) -> None:
        # The SDK's own handler exits with 0 and may write a STATE into the middle of a record.
        self.terminate(signum)

    def terminate(self, signum: int) -> None:
        """End the run on a signal.

        Args:
            signum: The signal's number.
        """
        raise NotImplementedError
