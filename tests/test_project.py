"""Facts about the project are the same in all files."""

from __future__ import annotations

import re
from typing import Any

import pytest
from dist import PROJECT, PYTHONS, ROOT, hatchling
from order import LONG, NOT_QUICK, TESTS, rank
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from ruamel.yaml import YAML

WORKFLOWS = ROOT / ".github" / "workflows"


def read_yaml(*path: str) -> Any:
    return YAML(typ="safe", pure=True).load(ROOT.joinpath(*path))


def steps(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the steps of a job in a workflow, by the command that they run."""
    return {step.get("run") or step["uses"].partition("@")[0]: step for step in job["steps"]}


def recipe(target: str) -> list[str]:
    """Return the commands of a target of the Makefile."""
    found = re.search(
        rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert found, target
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in found[1].splitlines()]


def test_every_python_that_is_promised_is_tested() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" for minor in range(30) if f"3.{minor}.1" in allowed] == PYTHONS
    jobs = read_yaml(".github", "workflows", "ci.yml")["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == PYTHONS
    released = steps(read_yaml(".github", "workflows", "release.yml")["jobs"]["build"])
    assert released["make dist"]["env"]["PYTHONS"].split() == [f"python{name}" for name in PYTHONS]
    installed = released["actions/setup-python"]["with"]["python-version"].split()
    assert sorted(installed) == PYTHONS


def test_readme_names_every_python() -> None:
    named = f"Python {', '.join(PYTHONS[:-1])} or {PYTHONS[-1]}"
    for name in ("README.md", "CONTRIBUTING.md"):
        assert named in (ROOT / name).read_text(), name


def test_ci_runs_what_readme_says() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
    assert re.search(r"^make test +#", (ROOT / "README.md").read_text(), re.MULTILINE)
    run = steps(read_yaml(".github", "workflows", "ci.yml")["jobs"]["test"])
    assert run["bash .ci/run"]["env"] == {"PYTHON": "python${{ matrix.python }}"}


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_workflow_knows_the_tags_and_pins_its_actions(path: Any) -> None:
    for name, job in read_yaml(str(path))["jobs"].items():
        if "steps" not in job:
            continue
        checkout = steps(job).get("actions/checkout")
        assert checkout is None or checkout["with"]["fetch-depth"] == 0, name
        used = [step["uses"].partition("@")[2] for step in job["steps"] if "uses" in step]
        assert all(re.fullmatch(r"(release/)?v\d+", version) for version in used), used


def test_every_published_file_was_tested() -> None:
    workflow = read_yaml(".github", "workflows", "release.yml")
    jobs = workflow["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/ci.yml"
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("test", "build")
    assert "DIST=dist .venv/bin/pytest tests/test_wheel.py tests/test_project.py" in recipe("dist")
    # Only one job may publish files, and it runs no code of this project.
    assert workflow["permissions"] == {"contents": "read"}
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert all("uses" in step for step in jobs["publish"]["steps"])


def test_published_image_is_the_tested_one() -> None:
    tested = steps(read_yaml(".github", "workflows", "ci.yml")["jobs"]["image"])
    assert "make image" in tested
    build, test = recipe("image")
    assert build.endswith(" .")
    assert test == "IMAGE=tap-chat .venv/bin/pytest tests/test_docker.py"
    job = read_yaml(".github", "workflows", "release.yml")["jobs"]["image"]
    assert job["needs"] == ["test", "build"]
    assert job["permissions"] == {"contents": "read", "packages": "write"}
    assert steps(job)["docker/build-push-action"]["with"]["context"] == "."


def test_long_files_of_tests_start_first() -> None:
    assert [name for name in (*LONG, *NOT_QUICK) if not (TESTS / name).exists()] == []
    # All tests, whatever `make quick` leaves out.
    assert recipe("test") == [
        ".venv/bin/pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder"
    ]
    assert recipe("quick") == [f"{recipe('test')[0]} --quick"]
    paths = sorted(TESTS.rglob("test_*.py"), key=rank)
    assert paths[0] == TESTS / LONG[0]
    assert rank(paths[-1]) == len(LONG)


def test_hooks_are_what_make_check_runs() -> None:
    (local,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == recipe("check")


def test_changelog_has_this_version() -> None:
    version = Version(hatchling("version").strip())
    heading = "Unreleased" if version.is_devrelease else str(version)
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(heading)}\]", text, re.MULTILINE)
    assert re.search(rf"^\[{re.escape(heading)}\]: https://", text, re.MULTILINE)


def test_licence_is_the_same_everywhere() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License\n" in (ROOT / "LICENSE").read_text()[:200]
    assert (ROOT / "README.md").read_text().rstrip().endswith("Apache-2.0.")


def pins(name: str) -> dict[str, str]:
    """Return the versions in a file of pinned packages."""
    return dict(
        re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    )


def test_demo_installs_a_part_of_the_development_environment() -> None:
    demo, development = pins("requirements-demo.txt"), pins("requirements-dev.txt")
    assert {"uv", "meltano", "duckdb", "dlt", "singer-sdk", "hatchling"} <= demo.keys()
    assert demo.items() <= development.items()
