"""A faster look at the environment, for processes whose environment does not change.

dlt looks up hundreds of settings in each run, most of them in a dozen variables of which none is
set.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.environ import SECRET_STORAGE_PATH, EnvironProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable


class FixedEnvironment(EnvironProvider):
    """The environment, which is looked at only for names with which a variable ends.

    Args:
        names: The names of all variables.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self._ends = {name.rpartition("__")[2] for name in names}

    @override
    def get_value(
        self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str
    ) -> tuple[Any, str]:
        if key.upper().rpartition("__")[2] in self._ends:
            return super().get_value(key, hint, pipeline_name, *sections)  # type: ignore[arg-type]
        return None, self.get_key_name(key, pipeline_name or "", *sections)


def fix_environment() -> None:
    """Make dlt look at the environment faster, from now on in this process."""
    if Path(SECRET_STORAGE_PATH % "").is_dir():
        # Secrets may also be in files there, one for each variable.
        return
    providers = Container()[PluggableRunContext].providers
    fixed = FixedEnvironment(os.environ)
    providers[fixed.name] = fixed
