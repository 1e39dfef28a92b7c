"""The schemas of what commands print: one for each name, examples that fit, and real output.

Beside the commands here, ``conftest.Torch`` checks what any command prints in any test.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import objects
import pytest
import reference

import schemas
from agent import DemoAgent
from conftest import Result, TmuxServer, Torch, wait_until
from repository import Repository
from schemas import COMMON, ERROR, check_output, complaints, file_of, files
from torch_cli import errors

DOCS = schemas.FOLDER.parent
SOURCE = Path(errors.__file__).parent

_JSON = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r'"(torch\.[a-z-]+/\d+)"')


def named_in_source() -> set[str]:
    """Return every name of a schema that the package contains."""
    return {
        name for path in SOURCE.rglob("*.py") for name in _NAME.findall(path.read_text("utf-8"))
    }


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of a schema that describes an object or a field."""
    if isinstance(value, dict):
        if {"type", "$ref", "anyOf", "oneOf", "const"} & set(value):
            yield value
        for name, one in value.items():
            if name != "examples":
                yield from parts(one)
    elif isinstance(value, list):
        for one in value:
            yield from parts(one)


def shapes(content: dict[str, Any]) -> list[str]:
    """Return the names of the forms of a schema that has several, else ''."""
    return [one["$ref"].rpartition("/")[2] for one in content.get("oneOf", ())] or [""]


NAMED = sorted(set(files()) - {COMMON, ERROR})


# -- the files -------------------------------------------------------------------------------------


def test_every_name_has_a_file_and_every_file_a_name() -> None:
    assert {file_of(name) for name in named_in_source()} == set(NAMED)
    assert {files()[name]["title"] for name in NAMED} == named_in_source()


@pytest.mark.parametrize("file", sorted(files()))
def test_a_file_is_a_schema_whose_fields_are_all_described(file: str) -> None:
    from jsonschema import Draft202012Validator

    content = files()[file]
    Draft202012Validator.check_schema(content)
    assert content["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    for part in parts(content):
        for name, field in part.get("properties", {}).items():
            assert field.get("description", "").endswith("."), f"{file}: {name}"
        if "properties" in part:
            assert "additionalProperties" in part, f"{file}: {part}"
            assert set(part["required"]) <= set(part["properties"])


@pytest.mark.parametrize("file", [*NAMED, ERROR])
def test_the_examples_fit_and_there_is_one_of_each_form(file: str) -> None:
    content = files()[file]
    examples = content.get("examples", [])
    assert len(examples) >= len(shapes(content)), f"{file} needs an example of each form"
    for example in examples:
        assert not complaints(example), example


OWN_FACTS = "log-1.json"
"""A line of the daemon's log has facts of its own beside those of all lines."""


@pytest.mark.parametrize("file", [one for one in (*NAMED, ERROR) if one != OWN_FACTS])
def test_a_new_field_does_not_fit(file: str) -> None:
    for example in files()[file]["examples"]:
        assert complaints({**example, "xyzzy": 1})
        for name in ("schema", "error"):
            assert complaints({key: value for key, value in example.items() if key != name}) or (
                name not in example or file == ERROR
            )


def test_what_is_wrong_is_said() -> None:
    receipt = files()["receipt-1.json"]["examples"][0]
    with pytest.raises(AssertionError, match=r"receipt-1.json: \$.state: 'sent' is not one of"):
        check_output(json.dumps({**receipt, "state": "sent"}))
    with pytest.raises(AssertionError, match=r"docs/schemas/nothing-1.json is missing"):
        check_output('{"schema": "torch.nothing/1"}')
    task = next(one for one in files()["task-1.json"]["examples"] if one["id"])
    with pytest.raises(AssertionError, match="date-time"):
        check_output(json.dumps({**task, "created": "yesterday"}))
    check_output('{"schema": "of.another/1"}\nno JSON\n{"name": 1}\n')


def test_the_page_of_all_objects_is_that_of_the_files_now() -> None:
    assert objects.PAGE.read_text("utf-8") == objects.page(), "python docs/objects.py --write"


def test_the_objects_in_the_pages_fit() -> None:
    pages = [path for path in DOCS.glob("*.md") if path != objects.PAGE]
    blocks = [text for path in pages for text in _JSON.findall(path.read_text("utf-8"))]
    found = [value for value in map(json.loads, blocks) if "schema" in value]
    assert found
    assert not [wrong for value in found for wrong in complaints(value)]


# -- the exit codes --------------------------------------------------------------------------------


def test_the_page_has_every_exit_code() -> None:
    page = (DOCS / "json.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \| \S", page, re.MULTILINE)
    said = {int(number) for row in rows for number in row.split(", ")}
    signals = {errors.SIGNALLED + number for number in (1, 2, 13, 15)}
    own = {
        value
        for name, value in vars(errors).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, int)
    }
    assert said == own - {errors.SIGNALLED} | signals


# -- real output -----------------------------------------------------------------------------------


def printed(*results: Result) -> set[str]:
    """Return the names of the schemas in the output of commands, each object checked."""
    found = [json.loads(line) for one in results for line in one.out.splitlines()]
    assert all(not complaints(value) for value in found)
    return {value["schema"] if "schema" in value else str(value) for value in found}


def test_agents_print_what_their_schemas_say(demo: DemoAgent, torch: Torch) -> None:
    name = demo.name
    seen = printed(
        torch("ps", "--json"),
        torch("tree", "--json"),
        torch("state", name, "-v", "--json"),
        torch("why", name, "--json"),
        torch("health", name, "--json"),
        torch("attach", name, "--json"),
        torch("press", name, "Escape", "--json"),
        torch("mute", name, "1h", "--json"),
        torch("seen", name, "--json"),
        torch("freeze", name, "--json"),
        torch("thaw", name, "--json"),
        torch("wake", name, "--json"),
        torch("rename", name, "dev", "--json"),
        torch("move", "dev", "--session", "review", "--create", "--json"),
        torch("resurrect", "--dry-run", "--json"),
        torch("resurrect", "--json"),
        torch("stop", "dev", "--json"),
    )
    wanted = "agent state why health attach press mute seen freeze thaw wake rename move"
    wanted += " resurrect-plan resurrect stop"
    assert seen == {f"torch.{name}/1" for name in wanted.split()}


def test_messages_print_what_their_schemas_say(demo: DemoAgent, torch: Torch) -> None:
    sent = demo.send("hello")
    identity = sent.json["id"]
    demo.open_dialog()
    held = demo.send("later", "--timeout", "0")
    dialog = torch("status", "--json").json["dialog"]
    seen = printed(
        sent,
        held,
        torch("receipt", identity, "--json"),
        torch("outbox", "list", "--json"),
        torch("outbox", "show", held.json["id"], "--json"),
        torch("outbox", "cancel", held.json["id"], "--json"),
        torch("inbox", demo.name, "--json"),
        torch("thread", identity, "--json"),
        torch("message", "kinds", "--json"),
        torch("broadcast", "--everywhere", "--dry-run", "x", "--json"),
        torch("status", "--json"),
        torch("since", "1h", "--json"),
        torch("events", "--since", "1h", "--json"),
        torch("notify", "test", "--json"),
        torch("answer", demo.name, "1", "--hash", dialog, "--json"),
        torch("ask", demo.name, "and?", "--json"),
    )
    wanted = "receipt outbox inbox message kind broadcast status since event events-end notify"
    assert seen == {f"torch.{name}/1" for name in [*wanted.split(), "answer"]}


def test_time_and_tasks_print_what_their_schemas_say(demo: DemoAgent, torch: Torch) -> None:
    made = torch("checkin", "add", demo.name, "How far?", "--every", "1h", "--json")
    task = torch("task", "add", "Fix the parser", "--json", "--", "true")
    seen = printed(
        made,
        torch("checkin", "run", made.json["name"], "--json"),
        torch("checkin", "list", "--json"),
        torch("tick", "--json"),
        task,
        torch("task", "route", "--dry-run", "--everywhere", "--json"),
        torch("task", "assign", task.json["id"], demo.name, "--json"),
        torch("task", "stats", "--json"),
        torch("daemon", "status", "--json"),
        torch("daemon", "install", "--dry-run", "--json"),
        torch("store", "prune", "--dry-run", "--json"),
    )
    wanted = "checkin run task route task-stats daemon service store-prune"
    assert seen >= {f"torch.{name}/1" for name in wanted.split()}


def test_git_prints_what_its_schemas_say(torch: Torch, tmp_path: Path) -> None:
    repo = Repository.make(tmp_path / "project", {"a.py": "a\n"})
    top = str(repo.path)
    place = ("-C", top)
    first = torch("checkpoint", "now", top, "--json")
    repo.write("new.txt", "new\n")
    seen = printed(
        first,
        torch("checkpoint", "list", top, "--json"),
        torch("checkpoint", "diff", *place, "--json"),
        torch("checkpoint", "watch", top, "--every", "30m", "--json"),
        torch("checkpoint", "status", "--json"),
        torch("checkpoint", "restore", "--all", "--from", "latest", "--dry-run", *place, "--json"),
        torch("checkpoint", "prune", "--dry-run", top, "--json"),
        torch("commit", "-m", "New", *place, "--json"),
        torch("branch", "start", "feature/x", *place, "--json"),
        torch("tag", "stable", "x", *place, "--json"),
        torch("recover", *place, "--json"),
    )
    wanted = "checkpoint checkpoint-diff checkpoint-watch checkpoint-status restore prune commit"
    wanted += " branch tag recover"
    assert seen == {f"torch.{name}/1" for name in wanted.split()}


def test_this_machine_prints_what_its_schemas_say(torch: Torch, tmp_path: Path) -> None:
    project = tmp_path / "shop"
    project.mkdir()
    seen = printed(
        torch("doctor", "--json"),
        torch("profile", "list", "--json"),
        torch("profile", "show", "claude", "--json"),
        torch("profile", "check", "claude", "--json"),
        torch("completion", "bash", "--json"),
        torch("help", "--man", str(tmp_path / "man"), "--json"),
        torch("shell", "tmux", "--json"),
        torch("uninstall", "--dry-run", "--json"),
        torch("briefing", "list", "--json"),
        torch("briefing", "show", "developer", "--json"),
        torch("init", str(project), "--json"),
        torch("config", "check", "--dir", str(project), "--json"),
        torch("up", "--dry-run", "--dir", str(project), "--json"),
        torch("trust", "--dry-run", "--dir", str(project), "--json"),
    )
    wanted = "doctor profiles profile profile-check completion manual snippet uninstall briefing"
    wanted += " init config up-step trust"
    assert seen == {f"torch.{name}/1" for name in wanted.split()}


def test_a_program_prints_its_report_in_its_own_pane(
    torch: Torch, tmux: TmuxServer, tmp_path: Path
) -> None:
    argv = shlex.join(torch.argv("report", "working", "-m", "step 1", "--json"))
    out = tmp_path / "out"
    script = f"PYTHONPATH={shlex.quote(str(SOURCE.parent))} {argv} > {out}.new; mv {out}.new {out}"
    tmux.new_session("odd", f"{script}; exec cat")
    wait_until(out.exists)
    assert printed(Result(0, out.read_text("utf-8"), "")) == {"torch.report/1"}


def test_what_a_command_of_yours_gets_fits(demo: DemoAgent, torch: Torch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    settings = tmp_path / "torch" / "config" / "config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    words = ["sh", "-c", f"cat > {out}.new; mv {out}.new {out}"]
    settings.write_text(f"[notify]\ncommand = {json.dumps(words)}\n", encoding="utf-8")
    torch("notify", "test")
    wait_until(out.exists)
    assert printed(Result(0, out.read_text("utf-8"), "")) == {"torch.notice/1"}


def test_the_commands_that_the_schemas_name_are_there() -> None:
    known = {" ".join(one.words) for one in reference.all_manuals()}
    for name in NAMED:
        for said in re.findall(r"Printed by (torch [^.]*)\.", json.dumps(files()[name])):
            named = {re.sub(r" --.*", "", one) for one in said.split(", ")}
            assert named <= known, name


def test_an_error_fits(torch: Torch, demo: DemoAgent) -> None:
    done = torch("send", "nobody", "x", "--json")
    assert (done.code, complaints(json.loads(done.out))) == (errors.NOT_FOUND, [])
    assert done.json["error"]["code"] == "no-target"
