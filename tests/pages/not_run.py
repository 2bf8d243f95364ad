"""What of the pages can't be run here: why not, and what is checked in its place.

Programs are stood in for by this file: first on the PATH, it gets their arguments and checks them.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from pages.blocks import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass(frozen=True)
class Program:
    """A program that is not run.

    Attributes:
        why: The reason.
        check: What is checked of its arguments; it returns what is wrong with them, or nothing.
    """

    why: str
    check: Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Unloaded:
    """A `python` block of which everything is run but the load, or what the load needs.

    Attributes:
        page: Where it stands.
        text: What it is known by.
        why: The reason.
    """

    page: str
    text: str
    why: str


def targets_exist(arguments: Sequence[str]) -> str:
    """Let make say what it would do."""
    command = ["make", "--dry-run", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def extras_exist(arguments: Sequence[str]) -> str:
    """Look up what `pip install '.[extra]'` asks for."""
    if arguments[:1] != ["install"]:
        return "only `pip install` is known"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for wanted in arguments[1:]:
        name, _, extras = wanted.partition("[")
        if name not in {".", project["name"]}:
            return f"{wanted} is not of this project"
        asked = set(filter(None, extras.removesuffix("]").split(",")))
        if unknown := asked - project["optional-dependencies"].keys():
            return f"there is no extra {', '.join(unknown)}"
    return ""


def meltano_would_run(arguments: Sequence[str]) -> str:
    """Let Meltano read the command, and look up the plugins that it names."""
    from click import ClickException  # noqa: PLC0415 - only here, as it takes long
    from meltano.cli import cli  # type: ignore[attr-defined]  # noqa: PLC0415
    from ruamel.yaml import YAML  # noqa: PLC0415

    plugins = YAML(typ="safe").load(ROOT / "meltano.yml")["plugins"]
    named = {plugin["name"] for kind in plugins.values() for plugin in kind}
    try:
        with cli.make_context("meltano", list(arguments)) as context:
            context.obj = {"project": None}
            name, command, rest = cli.resolve_command(context, context._protected_args)
            assert command is not None
            command.make_context(name, [*rest, *context.args], parent=context)
    except ClickException as error:
        return error.format_message()
    unknown = {word for word in arguments if word.startswith(("tap-", "target-"))} - named
    return f"meltano.yml has no {', '.join(unknown)}" if unknown else ""


def tests_are_found(arguments: Sequence[str]) -> str:
    """Let pytest look for the tests that it would run."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""


def is_the_repository(arguments: Sequence[str]) -> str:
    """Look whether the repository is cloned that the project names; make its folder."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    if list(arguments) != ["clone", urls["Source"]]:
        return f"only `git clone {urls['Source']}` is known"
    Path(urls["Source"].rpartition("/")[2]).mkdir()
    return ""


#: By their names, or by where they are in a clone.
PROGRAMS = {
    "git": Program("There is no network.", is_the_repository),
    ".venv/bin/pytest": Program("The tests are run by themselves.", tests_are_found),
    "make": Program(
        "`make test` would run this test anew; `make demo` is run by tests/test_both_worlds.py.",
        targets_exist,
    ),
    "pip": Program("It would change the environment of the tests.", extras_exist),
    "meltano": Program(
        "It installs plugins for half a minute; tests/test_both_worlds.py runs it with them.",
        meltano_would_run,
    ),
}

UNLOADED = (
    Unloaded("docs/destinations.md", 'destination="bigquery"', "There is no account."),
    Unloaded("docs/destinations.md", 'destination="snowflake"', "There is no account."),
)


@contextmanager
def short_of_load() -> Iterator[None]:
    """Let pipelines extract and normalise, and check what dlt would load, but load nothing."""
    import dlt  # noqa: PLC0415 - only where it is needed, as it takes long
    from dlt.common.destination.utils import verify_supported_data_types  # noqa: PLC0415
    from dlt.common.storages.load_package import ParsedLoadJobFileName  # noqa: PLC0415

    def run(pipeline: dlt.Pipeline, data: Any, **options: Any) -> None:
        pipeline.extract(data, **options)
        pipeline.normalize()
        able = pipeline.destination.capabilities()
        packages = pipeline.list_normalized_load_packages()
        assert packages
        for package in packages:
            found = pipeline.get_load_package_info(package)
            jobs = [ParsedLoadJobFileName.parse(job.file_path) for job in found.jobs["new_jobs"]]
            assert jobs
            tables: Any = pipeline.default_schema.data_tables()
            kind = pipeline.destination.destination_type
            for problem in verify_supported_data_types(tables, jobs, able, kind):
                raise problem

    with patch.object(dlt.Pipeline, "run", run):
        yield


if __name__ == "__main__":
    program, *words = sys.argv[1:]
    if problem := PROGRAMS[program].check(words):
        sys.exit(f"{program} {' '.join(words)}: {problem}")
