"""dlt's private parts are where `dlt_bridge/destinations/dlt_private.py` expects them."""

from __future__ import annotations

import ast
import inspect
import re
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.common.configuration import inject_section
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import ConfigSectionContext
from dlt.common.data_writers import BufferedDataWriter
from dlt.common.data_writers.writers import ArrowToParquetWriter
from dlt.common.destination import client as destination_client
from dlt.common.normalizers.json import helpers
from dlt.common.schema import utils as schema_utils
from dlt.common.schema.utils import new_table
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.postgres.factory import PostgresTypeMapper
from dlt.destinations.impl.postgres.postgres import (
    PostgresClient,
    PostgresCsvCopyJob,
    PostgresParquetCopyJob,
)
from dlt.destinations.impl.sqlalchemy.dialect import DialectCapabilities
from dlt.destinations.sql_jobs import SqlMergeFollowupJob
from dlt.extract.items_transform import LimitItem
from dlt.extract.pipe import ForkPipe
from dlt.load import utils as load_utils
from dlt.load.load import Load
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline
from dlt.pipeline.state_sync import load_pipeline_state_from_destination
from dlt.pipeline.trace import load_trace
from typing_extensions import override

import dlt_bridge
from dlt_bridge import postgres
from dlt_bridge.destinations import dlt_private as private
from dlt_bridge.destinations import load_once, quick_load, sqlalchemy_types
from dlt_bridge.destinations.quick_tables import quick_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(dlt_bridge.__file__).parent
#: Modules that may use private parts of dlt. The last two override the client of a destination.
USERS = {
    "destinations/dlt_private.py",
    "destinations/load_once.py",
    "destinations/quick_load.py",
    "destinations/quick_tables.py",
    "destinations/duckdb_merge.py",
    "postgres.py",
}
#: Keys of dlt's own states and schemas.
KEYS = {
    private.DROPPED, private.TRUNCATED, private.START_FOLDER, *private.MERGE_CONDITIONS,
    private._LOCAL, private._VERSION_HASH, private._COMMITTED_HASH,
}  # fmt: skip
#: Parts of the texts by which `tables/dlt_warnings.py` and `run/redaction.py` know warnings.
WARNINGS = (
    "parquet file format was requested for table",
    "is not supported for table",
    "This will degrade performance",
    "did not receive any data during this load",
    "with NOT NULL are being added to existing table",
    "You are adding a root_key in column",
    "Due to normalization dataset name got changed from",
    ", when merging arrow schema",
    "several column hints were different",
    "declared as already deduplicated",
    "native writer could not be found",
    "exception in job ",
    "failed terminally",
    "was not fully loaded",
    " with message ",
)


@pytest.fixture
def pipeline(tmp_path: Path) -> dlt.Pipeline:
    database = dlt.destinations.duckdb(str(tmp_path / "x.duckdb"))
    return dlt.pipeline("p", destination=database, pipelines_dir=str(tmp_path), dataset_name="d")


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_running_pipeline_and_its_state_are_those_of_the_resource(pipeline: dlt.Pipeline) -> None:
    assert private.running_pipeline() is pipeline
    assert private.running_state()[1] is False

    @dlt.resource
    def rows() -> Iterator[dict[str, int]]:
        assert private.running_pipeline() is pipeline
        state, is_kept = private.running_state()
        assert is_kept
        private.local_state(state)["kept"] = 7
        yield {"id": 1}

    pipeline.run(rows())
    assert pipeline.get_local_state_val("kept") == 7


def test_committed_state_is_known_by_its_hash(pipeline: dlt.Pipeline) -> None:
    def kept() -> Any:
        with pipeline.destination_client() as client:
            return load_pipeline_state_from_destination("p", client)  # type: ignore[arg-type]

    pipeline.run([{"id": 1}], table_name="a")
    first, local = kept(), private.local_state(pipeline.state)
    assert private.was_committed(local, first)
    with pipeline.managed_state(extract_state=True) as state:
        state["sources"] = {"a": {"x": 1}}
    local = private.local_state(pipeline.state)
    assert not private.was_committed(local, first)
    pipeline.normalize()
    pipeline.load()
    assert private.was_committed(local, kept())
    assert not private.was_committed(local, {})


def test_pipeline_keeps_the_folder_that_it_began_in(pipeline: dlt.Pipeline) -> None:
    local = private.local_state(pipeline.state)
    assert local[private.START_FOLDER] == str(Path.cwd())


def test_extracted_package_is_in_its_folder(pipeline: dlt.Pipeline) -> None:
    pipeline.extract([{"id": 1}], table_name="a")
    [package] = pipeline.list_extracted_load_packages()
    assert private.extracted_folder(pipeline, package).is_dir()
    pipeline.normalize()
    assert not private.extracted_folder(pipeline, package).exists()


def test_loaded_package_is_marked_before_it_is_moved(pipeline: dlt.Pipeline) -> None:
    pipeline.extract([{"id": 1}], table_name="a")
    pipeline.normalize()
    [package] = pipeline.list_normalized_load_packages()
    mark = private.completion_file(pipeline, package)
    assert mark.parent.is_dir()
    mark.write_text("loaded")
    with pytest.raises(PipelineStepFailed, match="LoadPackageAlreadyCompleted"):
        pipeline.load()
    mark.unlink()
    pipeline.load()


def test_load_completes_a_package_with_the_client_that_it_opens() -> None:
    source = inspect.getsource(Load.complete_package)
    assert "with self.get_destination_client(schema) as job_client:" in source
    assert "job_client.complete_load(load_id)" in source
    # Before any file is loaded.
    assert "self.initialize_package(load_id" in inspect.getsource(Load.load_single_package)
    assert "return self.resume_started_jobs" in inspect.getsource(Load.initialize_package)


def test_load_reads_which_tables_to_drop_and_to_empty() -> None:
    source = inspect.getsource(Load)
    for key in (private.DROPPED, private.TRUNCATED):
        assert f'package_state.get("{key}", [])' in source


def test_merge_conditions_are_hints_of_the_stored_table(pipeline: dlt.Pipeline) -> None:
    conditions = {"destination_scope": "1 = 1", "source_filter": "1 = 1", "deduplicated": True}
    merge: Any = {"disposition": "merge", "strategy": "delete-insert", **conditions}
    pipeline.run([{"id": 1}], table_name="a", write_disposition=merge, primary_key="id")
    table = pipeline.default_schema.tables["a"]
    assert [table[name] for name in private.MERGE_CONDITIONS] == list(conditions.values())  # type: ignore[literal-required]


def test_signal_handlers_of_the_program_can_be_kept(pipeline: dlt.Pipeline) -> None:
    assert inspect.getsource(Pipeline).count("self.runtime_config.intercept_signals") == 2
    before = pipeline.runtime_config.intercept_signals
    with private.own_signal_handlers(pipeline):
        assert pipeline.runtime_config.intercept_signals is False
    assert pipeline.runtime_config.intercept_signals is before


def test_texts_of_failures_are_removed_from_the_trace(pipeline: dlt.Pipeline) -> None:
    @dlt.resource
    def failing() -> Iterator[Any]:
        yield {"id": 1}
        raise ValueError("CANARY")

    with pytest.raises(PipelineStepFailed):
        pipeline.run(failing())
    assert "CANARY" in str(load_trace(pipeline.working_dir))
    private.hide_failures(pipeline)
    assert "CANARY" not in str(load_trace(pipeline.working_dir))
    assert "CANARY" not in str(pipeline.last_trace)


def test_settings_that_dlt_suggests_are_fields() -> None:
    spec = dlt.destinations.postgres().spec
    credentials: Any = spec.get_resolvable_fields()["credentials"]
    suggested = private.suggested_settings(credentials)
    assert suggested
    assert set(suggested) <= credentials.get_resolvable_fields().keys()


def test_last_step_runs_after_those_of_the_user() -> None:
    class Noting(private.LastStep):
        @override
        def __call__(self, item: Any, meta: Any = None) -> Any:
            seen.append(item)
            return item

    seen: list[Any] = []
    rows = dlt.resource([1, 2, 3, 4], name="rows").add_step(Noting())
    rows.add_filter(lambda row: row != 2).add_map(lambda row: row * 10).add_limit(3)
    assert list(rows) == seen == [10, 30, 40]
    assert LimitItem.placement_affinity < Noting.placement_affinity < ForkPipe.placement_affinity


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        (postgres.CsvJob, PostgresCsvCopyJob, "run"),
        (postgres.ParquetJob, PostgresParquetCopyJob, "run"),
        (postgres.TypeMapper, PostgresTypeMapper, "to_destination_type"),
        (postgres.Client, PostgresClient, "create_load_job"),
        (sqlalchemy_types.ExactCapabilities, DialectCapabilities, "adapt_table"),
        (load_once.LoadOnce, Load, "load_single_package"),
        (load_once.LoadOnce, Load, "initialize_package"),
        (load_once.LoadOnce, Load, "get_destination_client"),
        (quick_load.QuickLoad, Load, "load_single_package"),
        (quick_load.QuickLoad, Load, "complete_jobs"),
        (quick_load.QuickLoad, Load, "start_new_jobs"),
        (quick_load.QuickLoad, Load, "create_followup_jobs"),
        (quick_load.QuickLoad, Load, "complete_package"),
        (quick_load.QuickLoad, Load, "gather_metrics"),
        (quick_load.QuickLoad, Load, "_persist_job_metrics_to_state"),
        (quick_load.MergeOfTables, SqlMergeFollowupJob, "generate_sql"),
    ],
)
def test_methods_of_dlt_are_as_they_are_overridden(ours: type, theirs: type, name: str) -> None:
    assert parameters(getattr(ours, name)) == parameters(getattr(theirs, name))


def test_load_step_completes_jobs_as_the_bridge_expects() -> None:
    source = inspect.getsource(Load.complete_jobs)
    # The follow-up exists before the file counts as loaded; and a job that runs is left alone.
    assert source.index("self.create_followup_jobs(") < source.index(".complete_job(load_id")
    assert f"if state in {str(quick_load.RUNNING).replace(chr(39), chr(34))}" in source
    # No job is started after an error or a signal, and the metrics go to the state's file.
    loop = inspect.getsource(Load.load_single_package)
    assert loop.index("self.complete_jobs(") < loop.index("self.start_new_jobs(")
    assert "load_step: Load = Load(" in inspect.getsource(Pipeline)
    assert parameters(load_utils.get_completed_table_chain)[:3] == [
        "schema", "all_jobs", "top_merged_table",
    ]  # fmt: skip
    for client in (DuckDbClient, PostgresClient, postgres.Client):
        assert quick_load._merges_by_sql(client)


@pytest.fixture
def tables() -> dict[str, Any]:
    """A table with child tables, one without, and a table of dlt."""
    schema = dlt.Schema("s")
    tables: list[Any] = [
        new_table("a", write_disposition="merge"),
        new_table("a__b", parent_table_name="a"),
        new_table("a__b__c", parent_table_name="a__b"),
        new_table("d", write_disposition="merge", columns=[{"name": "x", "data_type": "text"}]),
    ]
    for table in tables:
        schema.update_table(table)
    found: Any = schema.tables
    return {"": schema, **found}


def test_quick_functions_return_what_those_of_dlt_do(tables: dict[str, Any]) -> None:
    schema = tables.pop("")
    capabilities = dlt.destinations.duckdb().capabilities()

    def results() -> list[Any]:
        strategies = []
        for in_context in (False, True):
            context = Container().injectable_context(capabilities) if in_context else nullcontext()
            with context:
                strategies += [
                    helpers.resolve_merge_strategy(tables, table)  # type: ignore[attr-defined]
                    for table in tables.values()
                ]
        return [
            [schema_utils.get_nested_tables(tables, name) for name in (*tables, "none")],
            schema_utils.get_nested_tables(tables, "a", max_nesting=1),
            schema_utils.get_nested_tables(tables, "a", include_self=False),
            [
                destination_client.prepare_load_table(tables, table, capabilities)  # type: ignore[attr-defined]
                for table in tables.values()
            ],
            strategies,
            schema.dlt_tables(),
            schema.dlt_table_names(),
            [ParsedLoadJobFileName.parse("a.12.0.csv.gz") for _ in range(2)],
        ]

    plain = results()
    with quick_tables():
        assert results() == plain


def test_writers_look_up_their_settings_once_for_each_section(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def most(**given: Any) -> int:
        writer: Any = BufferedDataWriter(ArrowToParquetWriter.writer_spec(), "x.%s", **given)
        found: int = writer.buffer_max_items
        return found

    capabilities = dlt.destinations.duckdb().capabilities()
    with Container().injectable_context(capabilities), quick_tables():
        monkeypatch.setenv("DATA_WRITER__BUFFER_MAX_ITEMS", "7")
        monkeypatch.setenv("NORMALIZE__DATA_WRITER__BUFFER_MAX_ITEMS", "9")
        assert [most(), most(), most(buffer_max_items=3), most()] == [7, 7, 3, 7]
        with inject_section(ConfigSectionContext(sections=("normalize",))):
            assert [most(), most()] == [9, 9]
        monkeypatch.setenv("DATA_WRITER__BUFFER_MAX_ITEMS", "8")
        assert most() == 7
    with Container().injectable_context(capabilities), quick_tables():
        # The next package looks them up again.
        assert most() == 8


def test_jobs_of_postgres_have_what_their_copy_reads() -> None:
    for kind in (postgres.CsvJob, postgres.ParquetJob):
        job = kind("/jobs/a.1234.0.csv")
        assert job._file_path == "/jobs/a.1234.0.csv"
    assert "self._job_client" in inspect.getsource(PostgresCsvCopyJob.run)


def test_postgres_takes_parquet_without_a_driver() -> None:
    capabilities = postgres.postgres("postgresql://a:b@c/d").capabilities()
    selector: object = capabilities.loader_file_format_selector
    assert selector is None
    assert "parquet" in (capabilities.supported_loader_file_formats or ())


def test_warnings_that_are_hidden_are_warnings_of_dlt() -> None:
    folder = Path(dlt.__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    # Texts go over several lines there.
    source = re.sub(r'"\s*f?"', "", source)
    assert [text for text in WARNINGS if text not in source] == []


def defined_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module gives to attributes, functions and classes of its own."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.FunctionDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


def private_uses(tree: ast.AST) -> Iterator[str]:
    """Yield the private names and keys that a module imports or reads."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("dlt."):
                yield from (part.name for part in names if part.name.startswith("_"))
            case ast.Attribute(attr=name) if name.startswith("_"):
                yield name
            case ast.Constant(value=str(name)) if name in KEYS:
                yield name


def test_private_parts_of_dlt_are_used_in_one_place() -> None:
    trees = {path: ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
    known = {name for tree in trees.values() for name in defined_names(tree)}
    # Of Python itself.
    known |= {name for kind in (type, dict, Exception, len) for name in dir(kind)} | {"_exit"}
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path, tree in trees.items()
        if set(private_uses(tree)) - known
    }
    assert users == USERS
