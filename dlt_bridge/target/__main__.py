"""The console script `target-dlt`. If a package is missing, it names the package to install."""

from __future__ import annotations

import sys


def target() -> None:
    """Run `target-dlt`."""
    try:
        # Here, because the packages that it imports may be missing.
        from dlt_bridge.target.target import main  # noqa: PLC0415
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        sys.exit(
            f"target-dlt needs {missing}, which is not installed. Install the extra of its"
            " destination: pip install 'tap-chat[duckdb]', or 'tap-chat[dlt]' 'dlt[<destination>]'."
        )
    main()


if __name__ == "__main__":
    target()
