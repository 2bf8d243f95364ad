"""`--about` as text: every setting with its description, default and environment variable."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import TYPE_CHECKING, Any

from singer_sdk.about import AboutFormatter
from typing_extensions import override

from tap_chat.config.errors import describe_type, is_section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.about import AboutInfo

#: The widest lines, in characters: longer ones are hard to read.
WIDEST = 100


class SettingsFormatter(AboutFormatter, format_name="text"):
    """Shows the settings of sections, too, unlike the text of the SDK, whose place it takes."""

    @override
    def format_about(self, about_info: AboutInfo) -> str:
        lines = [
            f"{about_info.name} v{about_info.version}, Meltano SDK v{about_info.sdk_version}",
            str(about_info.description),
        ]
        if about_info.supported_python_versions:
            lines.append(f"Python {', '.join(about_info.supported_python_versions)}")
        lines.append(f"Capabilities: {', '.join(part.value for part in about_info.capabilities)}")
        for name, setting, required in settings_of(about_info.settings):
            lines += ["", *_lines(name, setting, about_info.env_var_prefix, required=required)]
        return "\n".join(lines)


def settings_of(
    schema: Mapping[str, Any], at: str = ""
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Yield the name and schema of each setting, and whether it is required; sections first.

    Args:
        schema: The JSON Schema of the settings.
        at: The prefix of their names.
    """
    for name, setting in schema.get("properties", {}).items():
        yield f"{at}{name}", setting, name in schema.get("required", ())
        if is_section(setting):
            yield from settings_of(setting, f"{at}{name}.")


def _lines(name: str, setting: Mapping[str, Any], prefix: str, *, required: bool) -> Iterator[str]:
    """Yield the lines of a setting."""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    description = str(setting.get("description", ""))
    if is_section(setting):
        yield f"[{name}]"
    else:
        facts = [describe_type(setting)]
        if required:
            facts.append("required")
        elif setting.get("default") is not None:
            facts.append(f"default {json.dumps(setting['default'])}")
        elif examples := setting.get("examples"):
            facts.append(f"for example {json.dumps(examples[0])}")
        yield f"{name} ({'; '.join(facts)})"
        yield f"    {prefix}{name.upper().replace('.', '_').replace('-', '_')}"
    yield from textwrap.wrap(description, width, initial_indent="    ", subsequent_indent="    ")
