"""`tap-chat --test` sends each platform a request, and writes a line with the result or remedy."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from platforms.facts import FACTS, SECTIONS
from running import chat_config, ended_after, full_config
from serving import Server, rows, self_signed
from starlette.responses import PlainTextResponse

from tap_chat.sandbox import API_KEY, DIALECTS, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from platforms.facts import Probe
    from running import Run, Runner

URLS = {section: facts.address for section, facts in FACTS.items()}
UNCHECKED = "The credentials could not be checked."
#: The names of the APIs that the test reads, by platform; the first has no name.
APIS = {section: ["", *(["main"] if section == "dixa" else [])] for section in SECTIONS}
API_COUNT = sum(map(len, APIS.values()))
LATER = {section: ["try again later", UNCHECKED] for section in SECTIONS}


def patient(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config with the default waits between retries."""
    for section in SECTIONS:
        config.get(section, {}).pop("backoff_factor", None)
    return config


def check(tap: Runner, config: dict[str, Any], env: dict[str, str] | None = None) -> Run:
    """Run the test, and check that its output holds no key, text of a response, or traceback."""
    command, *files = tap.command(patient(config))
    run = tap.run([command, "--test", *files], {"TAP_CHAT_LOGLEVEL": "DEBUG"} | (env or {}))
    for secret in (API_KEY, "hunter2", "made up", "Sign in", "Traceback"):
        assert secret not in run.out.decode() + run.err
    return run


def verdicts(run: Run) -> dict[str, tuple[str, str]]:
    """Return whether the test passed, and its sentence, by platform: that of its first API."""
    parts = [line.split(maxsplit=2) for line in run.out.decode().splitlines()]
    return {section: (label, said) for section, label, said in parts if "." not in section}


def assert_all_failed(run: Run, words: str, remedies: Mapping[str, Sequence[str]]) -> None:
    """Check that the test of each platform failed with these words and remedies."""
    assert run.code == 1
    assert "Docs: https://" in run.err
    assert list(verdicts(run)) == list(remedies)
    for section, (label, said) in verdicts(run).items():
        assert label == "failed"
        assert said.startswith(("GET http", "POST http"))
        assert "?" not in said
        for word in (words, *remedies[section]):
            assert word in said


def test_success_is_one_line_for_each_platform(tap: Runner, sandbox: Sandbox) -> None:
    run = tap.run([*tap.command(full_config(sandbox, *SECTIONS)), "--test"])
    assert run.code == 0, run.err
    assert list(verdicts(run)) == SECTIONS
    assert {label for label, _ in verdicts(run).values()} == {"ok"}
    assert run.out.decode().startswith(f"chat       ok      {sandbox.url} returned messages")
    assert run.err == ""
    further = sum(facts.further_requests for facts in FACTS.values())
    assert sandbox.requests == API_COUNT + further


@pytest.mark.parametrize("section", SECTIONS)
def test_each_api_gets_few_requests(tap: Runner, sandbox: Sandbox, section: str) -> None:
    run = check(tap, full_config(sandbox, section))
    assert run.code == 0, run.err
    assert sandbox.requests == len(APIS[section]) + FACTS[section].further_requests
    names = [line.split()[0] for line in run.out.decode().splitlines()]
    assert names == [section + (api and f".{api}") for api in APIS[section]]


def test_further_api_fails_alone(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="status", status=401, path="/agents")]
    run = check(tap, full_config(sandbox, "dixa"))
    assert run.code == 1
    good, bad = run.out.decode().splitlines()
    assert good.startswith("dixa       ok      ")
    assert bad.startswith("dixa.main  failed  ")
    assert "dixa.main_api_token" in bad


@pytest.mark.parametrize(
    ("section", "probe"),
    [(section, probe) for section, facts in FACTS.items() for probe in facts.probes],
)
def test_request_is_as_cheap_as_the_api_allows(tap: Runner, section: str, probe: Probe) -> None:
    with Server(lambda request: probe.others.get(request.url.path, probe.body)) as api:
        addresses = dict.fromkeys(probe.url_settings, api.url)
        run = check(tap, probe.config | {section: probe.config[section] | addresses})
    assert run.code == 0, run.out
    assert len(api.requests) == 1 + len(probe.others)
    [request] = [request for request in api.requests if request.url.path == probe.path]
    assert dict(request.query_params) == dict(pair.split("=") for pair in probe.query.split())


UNKNOWN = {section: facts.unknown for section, facts in FACTS.items()}
FORBIDDEN = {section: facts.forbidden for section, facts in FACTS.items()}
BAD_REQUEST = {
    section: facts.address if facts.bad_request is None else facts.bad_request
    for section, facts in FACTS.items()
}


@pytest.mark.parametrize(
    ("fault", "words", "remedies"),
    [
        (Fault(kind="status", status=401), "returned 401 Unauthorized", UNKNOWN),
        (
            Fault(kind="status", status=402),
            "returned 402 Payment Required",
            {section: [f"The account of {section}", "plan"] for section in SECTIONS},
        ),
        (Fault(kind="status", status=403), "returned 403 Forbidden", FORBIDDEN),
        (Fault(kind="status", status=404), "returned 404 Not Found", URLS),
        (Fault(kind="status", status=400), "returned 400 Bad Request", BAD_REQUEST),
        (
            Fault(
                kind="status", status=301, headers={"Location": "https://x.example/?key=hunter2"}
            ),
            "towards https://x.example, which is not followed",
            {section: [f"put it into the setting {section}.api_url"] for section in SECTIONS},
        ),
        (
            Fault(kind="status", status=429, headers={"Retry-After": "36.5"}),
            "returned 429 Too Many Requests",
            {
                section: ["try again in 37 s", f"{section}.requests_per_minute", UNCHECKED]
                for section in SECTIONS
            },
        ),
        (Fault(kind="status", status=429), "returned 429 Too Many Requests", LATER),
        (Fault(kind="status", status=500), "returned 500 Internal Server Error", LATER),
        (Fault(kind="status", status=503), "returned 503 Service Unavailable", LATER),
        (
            Fault(kind="status", status=530),
            "returned 530",
            {section: ["try again later"] for section in SECTIONS},
        ),
        (Fault(kind="html"), "returned a web page instead of JSON", URLS),
        (Fault(kind="empty"), "not complete JSON", URLS),
        (Fault(kind="null"), "but null", URLS),
        (Fault(kind="cut"), "cut off in the middle", LATER),
        (Fault(kind="reset"), "the connection broke", URLS),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_failure_is_reported_with_its_remedy_after_one_request(
    tap: Runner, sandbox: Sandbox, fault: Fault, words: str, remedies: Mapping[str, Sequence[str]]
) -> None:
    fault.times = None
    sandbox.options.faults = [fault]
    run = check(tap, full_config(sandbox, *SECTIONS))
    assert_all_failed(run, words, remedies)
    assert sandbox.requests == API_COUNT


@pytest.mark.parametrize(
    "answer",
    [
        {"message": "hunter2"},
        {"data": {}, "chats": {}, "message": "hunter2"},
        [{"message": "hunter2"}],
        ["hunter2"],
        "hunter2",
        PlainTextResponse("hunter2"),
    ],
)
def test_another_host_is_detected_by_its_response(tap: Runner, answer: Any) -> None:
    with Server(lambda _: answer) as other:
        run = check(tap, everywhere(other.url))
        assert len(other.requests) == API_COUNT
    assert_all_failed(run, "", URLS)
    assert "with /v2 at the end" in verdicts(run)["freshchat"][1]


def everywhere(url: str) -> dict[str, Any]:
    """Return a config with one address for the built-in platforms."""
    return {
        dialect.name: dialect.config(url) | {"api_url": url}
        for dialect in DIALECTS
        if dialect.name in SECTIONS
    }


def closed() -> str:
    gone = Sandbox()
    gone.close()
    return gone.url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        # RFC 6761: no such name is ever resolved.
        (lambda _: "https://api.invalid/v2", "no host of that name was found"),
        (lambda _: closed(), "no connection to that host and port"),
        (lambda url: url.replace("http://", "https://"), "does not speak TLS"),
    ],
    ids=["dns", "refused", "no-tls"],
)
def test_error_of_an_unreachable_host_names_the_setting(
    tap: Runner, sandbox: Sandbox, url: Callable[[str], str], words: str
) -> None:
    run = check(tap, everywhere(url(sandbox.url)), {"RES_OPTIONS": "timeout:1 attempts:1"})
    assert_all_failed(run, words, URLS)
    assert sandbox.requests == 0


def test_error_of_an_untrusted_certificate_has_a_remedy(tap: Runner) -> None:
    with Server(lambda _: {"data": []}, **self_signed(tap.folder)) as api:
        run = check(tap, everywhere(api.url))
        assert_all_failed(run, "certificate could not be verified", URLS)
        trusted = {"REQUESTS_CA_BUNDLE": str(tap.folder / "certificate.pem")}
        assert verdicts(check(tap, everywhere(api.url), trusted))["chat"][0] == "ok"
    assert "REQUESTS_CA_BUNDLE" in verdicts(run)["freshchat"][1]


def test_error_of_a_timeout_names_the_setting(tap: Runner) -> None:
    with Sandbox(options=Options(latency=30)) as slow:
        settings = {section: {"request_timeout": 0.2} for section in SECTIONS}
        run = check(tap, full_config(slow, *SECTIONS, **settings))
        assert slow.requests == API_COUNT
    remedies = {section: [f"{section}.request_timeout", UNCHECKED] for section in SECTIONS}
    assert_all_failed(run, "got no response within 0.2 s", remedies)


def test_failing_proxy_is_not_mistaken_for_the_api(tap: Runner) -> None:
    nowhere = {"http_proxy": closed(), "no_proxy": ""}
    run = check(tap, everywhere("http://api.invalid"), nowhere)
    remedies = {section: ["HTTPS_PROXY"] for section in SECTIONS}
    assert_all_failed(run, "failed at the proxy", remedies)


@pytest.mark.parametrize("failing", SECTIONS)
def test_all_platforms_are_tested_when_one_fails(
    tap: Runner, sandbox: Sandbox, failing: str
) -> None:
    config = full_config(sandbox, *SECTIONS)
    for name in ("api_key", "api_token", "access_token"):
        if name in config[failing]:
            config[failing][name] = "wrong-but-hunter2"
    run = check(tap, config)
    assert run.code == 1
    labels = {section: label for section, (label, _) in verdicts(run).items()}
    assert labels == dict.fromkeys(SECTIONS, "ok") | {failing: "failed"}
    for words in UNKNOWN[failing]:
        assert words in verdicts(run)[failing][1]


def test_record_that_does_not_match_its_schema_is_reported(tap: Runner) -> None:
    with Server(lambda _: {"data": rows(1, timestamp=7, message="hunter2")}) as api:
        run = check(tap, chat_config(api))
    assert run.code == 1
    assert "has integer as `timestamp`" in verdicts(run)["chat"][1]
    assert "chat.fields" in verdicts(run)["chat"][1]


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (Fault(kind="status", status=401), 1),
        (Fault(kind="status", status=503), 4),
        (Fault(kind="reset"), 4),
        (Fault(kind="empty"), 4),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_run_fails_with_the_error_of_the_test(
    tap: Runner, sandbox: Sandbox, fault: Fault, tries: int
) -> None:
    fault.times = None
    sandbox.options.faults = [fault]
    said = verdicts(check(tap, full_config(sandbox, "chat")))["chat"][1]
    _, remedy = said.removesuffix(f" {UNCHECKED}").split(". ", 1)
    run = tap(full_config(sandbox, "chat"))
    assert run.errors[0].endswith(f". {remedy}")
    assert sandbox.requests == 1 + tries


def test_settings_of_the_environment_are_tested(tap: Runner, sandbox: Sandbox) -> None:
    (tap.folder / ".env").write_text(f"TAP_CHAT_CHAT_API_URL={sandbox.url}\n")
    program = tap.command(chat_config(sandbox, api_key="wrong"))
    env = {"TAP_CHAT_CHAT_API_KEY": API_KEY}
    alone = tap.run([program[0], "--test", "--config=ENV"], env)
    over = tap.run([*program, "--config=ENV", "--test"], env)
    without = tap.run([*program, "--test"], env)
    assert [run.code for run in (alone, over, without)] == [0, 0, 1]
    assert sandbox.requests == 3


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "No platform is configured. Add a section: chat, freshchat, dixa, livechat, "),
        ({}, "No platform is configured. Add a section: chat, freshchat, dixa, livechat, "),
        ({"slack": {"api_key": "hunter2"}}, "There is no setting `slack`."),
        ({"livechatt": {}}, "Did you mean `livechat`?"),
        ({"chat": {"api_key": "hunter2"}}, "The setting `chat.api_url` is missing."),
        ({"dixa": {"api_token": "hunter2", "batch_size": 32}}, "The setting `dixa.batch_size`"),
    ],
)
def test_config_that_cannot_be_tested_is_one_error(
    tap: Runner, config: dict[str, Any] | None, words: str
) -> None:
    command = tap.command(config or {})
    run = tap.run([*(command if config is not None else command[:1]), "--test"])
    assert run.code == 1
    assert run.out == b""
    line, docs = run.err.splitlines()
    assert words in line
    assert "Docs: https://" in docs
    assert "hunter2" not in run.err


def test_config_as_the_argument_of_test_is_refused(tap: Runner, sandbox: Sandbox) -> None:
    command, _, path = tap.command(chat_config(sandbox))
    run = tap.run([command, "--test", path])
    assert run.code == 2
    assert run.out == b""
    assert f"--config {path}" in run.err
    assert sandbox.requests == 0


def test_schemas_are_still_tested_without_a_request(tap: Runner, sandbox: Sandbox) -> None:
    run = tap.run([*tap.command(full_config(sandbox, *SECTIONS)), "--test=schema"])
    assert run.code == 0, run.err
    assert {message["type"] for message in run.messages} == {"SCHEMA"}
    streams = World().truth
    read = tuple(f"{section}_" for section in SECTIONS)
    found = {message["stream"] for message in run.messages}
    assert found == {stream for stream in streams if stream.startswith(read)}
    assert sandbox.requests == 0


def test_interrupted_test_ends_at_once_and_writes_no_state(tap: Runner, sandbox: Sandbox) -> None:
    with Sandbox(options=Options(latency=30)) as slow:
        config = chat_config(sandbox) | full_config(slow, "freshchat")
        run = ended_after([*tap.command(config), "--test"], 1, signal.SIGINT)
    assert run.code == 130
    assert list(verdicts(run)) == ["chat"]


def test_line_is_written_in_any_encoding(tap: Runner) -> None:
    run = check(tap, everywhere("http://127.0.0.1:9/é"), {"PYTHONIOENCODING": "ascii"})
    assert run.code == 1
    assert list(verdicts(run)) == SECTIONS
    assert "GET http://127.0.0.1:9/\\xe9/v1/messages" in verdicts(run)["chat"][1]


def test_results_can_be_lines_of_json(tap: Runner, config: dict[str, Any]) -> None:
    command, *files = tap.command(config)
    good = tap.run([command, "--test=json", *files])
    assert good.code == 0
    result = json.loads(good.out)
    assert (result["name"], result["ok"]) == ("chat", True)
    assert "returned messages in" in result["result"]
    config["chat"]["api_key"] = "another"
    command, *files = tap.command(config)
    bad = tap.run([command, "--test=json", *files])
    assert bad.code == 1
    assert json.loads(bad.out)["ok"] is False
