"""Commands and blocks that the tests can't run, and the checks that replace them.

This file replaces the programs: it is first on the PATH, and checks their arguments.
"""

from __future__ import annotations

import itertools
import shutil
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

IMAGE = "ghcr.io/tap-chat/tap-chat"
#: Files of a clone that the blocks use.
CLONED = (".env.example", "meltano.yml")


@dataclass(frozen=True)
class Program:
    """A program that is not run.

    Attributes:
        why: The reason.
        check: A function that returns what is wrong with the arguments, or an empty text.
    """

    why: str
    check: Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Unloaded:
    """A `python` block that the tests run without the load.

    Attributes:
        page: The page.
        text: A text that identifies the block.
        why: The reason.
    """

    page: str
    text: str
    why: str


def targets_exist(arguments: Sequence[str]) -> str:
    """Run make without running the commands."""
    command = ["make", "--dry-run", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def extras_exist(arguments: Sequence[str]) -> str:
    """Look up the extras of `pip install '.[extra]'`, and the URL after ` @ `."""
    if arguments[:1] != ["install"]:
        return "only `pip install` is allowed"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for argument in arguments[1:]:
        wanted, _, url = argument.partition(" @ ")
        if url not in {"", f"git+{project['urls']['Source']}"}:
            return f"{url} is not the repository"
        name, _, extras = wanted.partition("[")
        if name not in {".", project["name"], "meltano"}:
            return f"{wanted} is not part of this project"
        asked = set(filter(None, extras.removesuffix("]").split(",")))
        if unknown := asked - project["optional-dependencies"].keys():
            return f"there is no extra {', '.join(unknown)}"
    return ""


def meltano_would_run(arguments: Sequence[str]) -> str:
    """Let Meltano parse the command, and look up its plugins."""
    from click import ClickException  # noqa: PLC0415 - a slow import
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
    """Let pytest collect the tests."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""


def is_the_repository(arguments: Sequence[str]) -> str:
    """Check that the URL is that of the project, and create the folder of the clone."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    if list(arguments) != ["clone", urls["Source"]]:
        return f"only `git clone {urls['Source']}` is allowed"
    clone = Path(urls["Source"].rpartition("/")[2])
    clone.mkdir()
    for name in CLONED:
        shutil.copy(ROOT / name, clone)
    return ""


def container_would_run(arguments: Sequence[str]) -> str:
    """Run the command of `docker run` without a container; check the folder of `docker build`."""
    if arguments[0] == "build":
        return "" if arguments[-1] == "." else "the folder of the Dockerfile is `.`"
    if arguments[0] != "run":
        return f"docker {arguments[0]} is not checked"
    image, *command = itertools.dropwhile(lambda word: word.startswith("-"), arguments[1:])
    if image != IMAGE:
        return f"the image is {IMAGE}"
    return "" if subprocess.run(command, check=False).returncode == 0 else "it failed"


#: By name, or by path in a clone.
PROGRAMS = {
    "docker": Program("There may be no Docker; tests/test_docker.py.", container_would_run),
    "git": Program("There is no network.", is_the_repository),
    ".venv/bin/pytest": Program("The tests run on their own.", tests_are_found),
    "make": Program(
        "`make test` would run this test again; tests/test_both_worlds.py runs `make demo`.",
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
    """Let pipelines extract and normalize, and check the files, but load nothing."""
    import dlt  # noqa: PLC0415 - a slow import
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
