"""Which requests a rule matches: an allow only what is surely meant, a deny all that may be."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from test_team_file import load, mistakes
from torch_cli.rules import shell
from torch_cli.rules.match import covers, matches, verdicts
from torch_cli.rules.rule import ALLOW, DENY, PermissionRequest, PermissionRule, packed, unpacked

HOME = "/home/me/project"


def bash(command: str, cwd: str = HOME, **more: Any) -> PermissionRequest:
    return PermissionRequest("Bash", {"command": command, "description": "x", **more}, cwd, HOME)


def allow(*patterns: str, **more: Any) -> PermissionRule:
    return PermissionRule(ALLOW, ("Bash",), patterns, **more)


def deny(*patterns: str, **more: Any) -> PermissionRule:
    return PermissionRule(DENY, ("Bash",), patterns, **more)


# -- a command that is allowed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        *("git status", "git status --short", "git  status\t-s", "git status 'a b'"),
        *('git status "a; b"', "git status HEAD~1", "git status --porcelain=v2 -- src/x.py"),
        *("git status 'a $HOME `x` | y'", '"git" status', "git status ''", "git statusfoo"),
    ],
)
def test_what_the_pattern_means_is_allowed(command: str) -> None:
    assert matches(allow("git status*"), bash(command))


@pytest.mark.parametrize(
    "command",
    [
        "git status; rm -rf /",
        "git status && rm -rf /",
        "git status || rm -rf /",
        "git status & rm -rf /",
        "git status | sh",
        "git status |& sh",
        "git status\nrm -rf /",
        "git status\rrm -rf /",
        "git status\\\n; rm -rf /",
        "git status $(rm -rf /)",
        "git status `rm -rf /`",
        'git status "$(rm -rf /)"',
        'git status "`rm -rf /`"',
        "git status $HOME",
        'git status "$HOME"',
        "git status ${IFS}x",
        "git status $'\\n'x",
        "git status > /etc/passwd",
        "git status >> x",
        "git status < x",
        "git status <(rm x)",
        "git status 2>x",
        "git status {a,b}",
        "git status *",
        "git status ?",
        "git status [a]",
        "git status ~",
        "git status ~root/x",
        "git status --x=~/y",
        "git status a:~/y",
        "git status =ls",
        "git status !!",
        'git status "!!"',
        "git status # x",
        "git status \\; x",
        "git status 'unclosed",
        'git status "unclosed',
        "git status 'a\nb'",
        "git status \x1b[2J",
        "git status\x00x",
        "git status\u2028rm",
        "git status\u00a0x",
        "git status\u200bx",
        "(git status)",
        "{ git status; }",
        "! git status",
        "PAGER=evil git status",
        "PAGER+=evil git status",
        "git -c core.fsmonitor=evil status",
        "/tmp/git status",
        "git-status",
        "Git status",
        "gitstatus",
        "git 'status' ../../x",
        "",
        " ",
    ],
)
def test_what_a_shell_would_do_more_with_is_not_allowed(command: str) -> None:
    assert not matches(allow("git status*"), bash(command))


@pytest.mark.parametrize(
    ("pattern", "command", "expected"),
    [
        ("make", "make", True),
        ("make", "make all", False),
        ("make *", "make", True),
        ("make *", "make all -j4", True),
        ("make test-*", "make test-unit", True),
        ("make test-*", "make test-unit all", True),
        ("make test-* -k", "make test-unit -k", True),
        ("make test-* -k", "make test-unit all", False),
        ("git * status", "git status", False),
        ("git * status", "git -C x status", False),
        ("git * status", "git log status", True),
        ("rm build/*", "rm build/x/y", True),
        ("rm build/*", "rm build/../src", False),
        ("rm build/*", "rm build/..", False),
        ("rm build/*", "rm build/x ../src", False),
        ("rm build/*", "rm build/x --from=../src", False),
        ("cd ..", "cd ..", True),
        ("git diff *", "git diff main..dev", True),
        ("*", "anything at all", True),
        ("*", "anything; else", False),
    ],
)
def test_a_pattern_is_compared_word_by_word(pattern: str, command: str, expected: bool) -> None:
    assert matches(allow(pattern), bash(command)) is expected


@given(st.text(alphabet=" \t\n;&|<>(){}$`\\'\"*?[]~=#!-./:,@%+aZ9é", max_size=30))
def test_what_has_words_is_split_by_a_shell_in_the_same_way(command: str) -> None:
    found = shell.words(command)
    if found is None:
        return
    import shlex

    assert list(found) == shlex.split(command)
    outside = shlex.shlex(command, posix=True, punctuation_chars=True)
    outside.whitespace_split = True
    outside.commenters = "#"
    assert list(outside) == list(found)


def test_words_are_those_that_the_shell_passes_on(tmp_path: Path) -> None:
    """What counts as plain reaches a program as it is, from a real shell."""
    import subprocess

    commands = [
        "printf '%s\\n' a \"b; c\" 'd $e' --f=g h~1 i@{",
        "printf %s ~",
        'printf "%s" "a  b" \'c"d\' e.f/g:h,i@j%k+l=m~1',
    ]
    found = [shell.words(one) for one in commands]
    assert found[:2] == [None, None]
    words = found[2]
    assert words is not None
    code = "import sys; print(sys.argv[1:])"
    line = commands[2].replace("printf", f"python3 -c '{code}'", 1)
    said = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=tmp_path)
    assert said.stdout.strip() == str(list(words[1:]))


def test_an_allow_takes_no_more_than_the_shell_tool_is_known_to_be_given() -> None:
    assert matches(allow("ls"), bash("ls", timeout=5, run_in_background=True))
    assert not matches(allow("ls"), bash("ls", dangerouslyDisableSandbox=True))
    assert not matches(allow("ls"), PermissionRequest("Bash", {"command": ["ls"]}, HOME, HOME))
    assert not matches(allow("ls"), PermissionRequest("Bash", {}, HOME, HOME))
    assert not matches(allow("ls"), PermissionRequest("bash", {"command": "ls"}, HOME, HOME))


def test_in_plan_mode_nothing_is_allowed() -> None:
    assert not matches(allow("ls"), bash("ls")._replace(mode="plan"))
    assert matches(allow("ls"), bash("ls")._replace(mode="acceptEdits"))
    assert matches(deny("ls"), bash("ls")._replace(mode="plan"))


@pytest.mark.parametrize("tool", ["AskUserQuestion", "ExitPlanMode"])
def test_a_question_to_a_person_is_never_allowed(tool: str) -> None:
    request = PermissionRequest(tool, {}, HOME, HOME)
    assert not matches(PermissionRule(ALLOW, (tool,)), request)
    assert matches(PermissionRule(DENY, (tool,)), request)


# -- where -----------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project with a link that leads out of it, and a directory beside it."""
    project = (tmp_path / "project").resolve()
    (project / "src").mkdir(parents=True)
    (project / ".git").mkdir()
    (tmp_path / "project-beside").mkdir()
    (project / "out").symlink_to(tmp_path)
    (project / "in").symlink_to(project / "src")
    return project


def edit(path: object, cwd: object, home: object, tool: str = "Edit") -> PermissionRequest:
    return PermissionRequest(tool, {"file_path": str(path)}, str(cwd), str(home))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/a.py", True),
        ("in/a.py", True),
        ("new/deep/a.py", True),
        ("src/../a.py", True),
        ("out/a.py", False),
        ("out/project/a.py", True),
        ("../project-beside/a.py", False),
        ("../a.py", False),
        ("/etc/passwd", False),
        ("~/a.py", True),  # a directory of that name: only a shell expands it
        (".git/hooks/pre-commit", False),
        ("in/../.git/config", False),
        (".claude/settings.local.json", False),
        (".CLAUDE/settings.json", False),
        ("src/.claude/x", False),
        ("torch.toml", False),
        (".mcp.json", False),
        ("a\nb", False),
        ("a\0b", False),
    ],
)
def test_a_file_must_be_in_the_agents_directory(place: Path, path: str, expected: bool) -> None:
    assert matches(PermissionRule(ALLOW, ("Edit",)), edit(path, place, place)) is expected
    absolute = f"{place}/{path}" if not path.startswith("/") else path
    assert matches(PermissionRule(ALLOW, ("Edit",)), edit(absolute, "/", place)) is expected


def test_a_directory_of_the_rule_takes_the_place_of_the_agents(place: Path) -> None:
    rule = PermissionRule(ALLOW, ("Edit",), directories=(str(place / "src"),))
    assert matches(rule, edit("in/a.py", place, "/nowhere"))
    assert not matches(rule, edit("a.py", place, place))
    # A link that takes the place of the directory leads nowhere that the rule means.
    (place / "src").rename(place / "old")
    (place / "src").symlink_to("/etc")
    assert not matches(rule, edit("src/passwd", place, place))


def test_a_command_must_run_in_the_directory(place: Path) -> None:
    assert matches(
        allow("ls"), PermissionRequest("Bash", {"command": "ls"}, str(place / "in"), str(place))
    )
    for cwd in (place / "out", place.parent, Path("/"), Path("src")):
        assert not matches(
            allow("ls"), PermissionRequest("Bash", {"command": "ls"}, str(cwd), str(place))
        )
    assert not matches(allow("ls"), bash("ls", str(place))._replace(home=""))


def test_who_names_no_file_is_allowed_by_name_alone() -> None:
    search = PermissionRequest("WebSearch", {"query": "x"}, HOME, HOME)
    assert matches(PermissionRule(ALLOW, ("WebSearch",)), search)
    assert not matches(PermissionRule(ALLOW, ("WebSearch",), directories=(HOME,)), search)
    assert not matches(PermissionRule(ALLOW, ("Edit",)), PermissionRequest("Edit", {}, HOME, HOME))
    assert not matches(
        PermissionRule(ALLOW, ("Edit",)), PermissionRequest("Edit", {"file_path": 1}, HOME, HOME)
    )
    tool = PermissionRequest("mcp__db__read", {"path": "/etc/passwd"}, HOME, HOME)
    assert not matches(PermissionRule(ALLOW, ("mcp__db__*",)), tool)
    assert matches(PermissionRule(ALLOW, ("mcp__db__*",)), tool._replace(given={"table": "x"}))
    assert not matches(PermissionRule(ALLOW, ("mcp__d__*",)), tool._replace(given={}))


# -- what is denied --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        *("rm", "rm -rf /", "cd x && rm -rf y", "cd x;rm y", "true|rm y", "rm&", "ls\nrm x"),
        *("$(rm x)", "`rm x`", "(rm x)", "{ rm x; }", "if true; then rm x; fi", "A=1 rm x"),
        *("/bin/rm x", "sudo rm x", "sudo -u root rm x", "env A=1 rm x", "xargs rm", "'rm' x"),
        *("r\\m x", "r''m x", 'bash -c "rm -rf x"', "find . -exec rm {} +", "rm${IFS}-rf${IFS}/"),
        *("rm\\\n x", "timeout 5 rm x", "\\rm x", "rm 'unclosed", "nohup rm x &", "echo $(rm x"),
    ],
)
def test_a_deny_finds_its_command_in_a_line(command: str) -> None:
    assert matches(deny("rm *"), bash(command))


@pytest.mark.parametrize("command", ["git rm x", "rmdir x", "echo rm", "ls", "npm run rm"])
def test_a_deny_leaves_other_commands(command: str) -> None:
    assert not matches(deny("rm *"), bash(command))


def test_a_star_of_a_deny_stands_for_anything() -> None:
    assert matches(deny("git push*--force*"), bash("git push origin main --force-with-lease"))
    assert matches(deny("*secret*"), bash("cat a/secret/b"))
    assert matches(deny("*"), bash("ls; ls"))


def test_a_line_that_is_too_long_to_look_at_is_not_allowed() -> None:
    long = "ls " + "a " * shell.MOST
    assert not matches(allow("*"), bash(long))
    assert matches(deny("ls *"), bash(long))
    line = "sudo " * 50_000 + "'" * 1_001 + ";a " * 50_000 + "*?[" * 10_000
    assert not matches(deny("x*y*z*q", "*a*b*c*d*e*f"), bash(line))


def test_a_deny_by_directory_sees_files_and_words(place: Path) -> None:
    rule = PermissionRule(DENY, directories=(str(place / "src"),))
    yes = ["src/a", "in/a", str(place / "src"), "x/../src/a"]
    assert all(matches(rule, edit(path, place, place)) for path in yes)
    assert not matches(rule, edit("a", place, place))
    commands = ["cat src/a", "cat in/a | sh", f"cat --from={place}/src/a", "cat x/../src/a"]
    ask = PermissionRequest("Bash", {}, str(place), str(place))
    assert all(matches(rule, ask._replace(given={"command": one})) for one in commands)
    assert matches(rule, bash("ls", str(place / "in")))
    assert not matches(rule, bash("cat a", str(place)))


# -- which rule counts -----------------------------------------------------------------------------


def trial(rule: PermissionRule) -> PermissionRule:
    return rule._replace(dry_run=True)


def decided(
    rules: Sequence[PermissionRule], request: PermissionRequest, **more: bool
) -> list[tuple[int, bool]]:
    return [(one.rule.line, one.acts) for one in verdicts(rules, request, **more)]


def test_deny_wins_and_else_the_first_counts() -> None:
    yes, again = allow("git *", line=1), allow("git push", line=5)
    no = deny("git push*", line=9)
    assert decided([yes, again, no], bash("git status")) == [(1, True)]
    assert decided([yes, again, no], bash("git push")) == [(9, True)]
    assert decided([yes], bash("make")) == []
    assert decided([], bash("make")) == []


def test_a_trial_answers_nothing_and_is_written_down() -> None:
    yes, no = allow("git *", line=1), deny("git push*", line=9)
    push = bash("git push")
    assert decided([trial(yes)], push) == [(1, False)]
    assert decided([yes, trial(no)], push) == [(1, True), (9, False)]
    assert decided([trial(yes), no], push) == [(9, True)]
    assert decided([trial(yes), trial(no)], push) == [(9, False)]
    assert decided([trial(yes), yes._replace(line=3)], push) == [(3, True)]


def test_a_file_that_has_changed_allows_nothing_and_still_denies() -> None:
    yes, no = allow("git *", line=1), deny("git push*", line=9)
    assert decided([yes, no], bash("git status"), may_allow=False) == [(1, False)]
    assert decided([yes, no], bash("git push"), may_allow=False) == [(9, True)]


def test_rules_are_kept_whole() -> None:
    rules = (
        allow("a", "b", directories=("/x",), dry_run=True, line=4),
        PermissionRule(DENY, ("*",)),
    )
    assert unpacked(packed(rules)) == rules
    assert (packed(()), unpacked("")) == ("", ())
    assert all(isinstance(one["tools"], list) for one in json.loads(packed(rules)))
    unknown = PermissionRule("permit", ("Bash",), ("ls",))
    assert not matches(unknown, bash("ls")), "what a later version wrote allows nothing"


def test_an_empty_pattern_covers_nothing() -> None:
    assert not covers("", ["a"])


# -- in torch.toml ---------------------------------------------------------------------------------


def test_the_file_says_rules(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "docs")
    team = load(
        tmp_path,
        """\
[[deny]]
command = "rm *"

[[allow]]
command = ["git status*", "git diff*"]
[[allow]]
tool = ["Edit", "Write"]
dir = "link"
dry_run = true
[[deny]]
dir = "link"
""",
    )
    docs, link = str(tmp_path / "docs"), str(tmp_path / "link")
    assert team.rules == (
        PermissionRule(ALLOW, ("Bash",), ("git status*", "git diff*"), line=4),
        PermissionRule(ALLOW, ("Edit", "Write"), (), (docs,), True, line=6),
        PermissionRule(DENY, ("Bash",), ("rm *",), line=1),
        PermissionRule(DENY, (), (), (docs, link), line=10),
    )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("\n[[allow]]\n", 2, "which tool, command or dir to allow"),
        ("[[allow]]\ndir = '.'", 1, "say which tool or command to allow"),
        ("[[deny]]\n", 1, "which tool, command or dir to deny"),
        ("[[allow]]\ntool = 'Bash'", 2, "'tool': Bash needs a 'command'"),
        ("[[allow]]\ntool = ['Bash', 'Edit']", 2, "Bash needs a 'command'"),
        ("[[allow]]\ntool = 'Edit'\ncommand = 'x'", 3, "is for the tool Bash alone"),
        ("[[allow]]\ntool = '*'", 2, "'*' is not the name of a tool"),
        ("[[allow]]\ntool = 'mcp__*'", 2, "is not the name of a tool"),
        ("[[allow]]\ntool = 'mcp__*__x'", 2, "is not the name of a tool"),
        ("[[allow]]\ntool = 'ExitPlanMode'", 2, "no rule can answer it"),
        ("[[allow]]\ntool = 'mcp__a__b'\ndir = '.'", 3, "in which directory mcp__a__b works"),
        ("[[allow]]\ncommand = 'git status; ls'", 2, "could never match: with ';'"),
        ("[[allow]]\ncommand = 'echo $HOME'", 2, "could never match: with '$'"),
        ("[[allow]]\ncommand = 'echo \"a b\"'", 2, "without quotes"),
        ("[[allow]]\ncommand = ['ls', '']", 2, "'command' must not be empty"),
        ("[[allow]]\ncommand = []", 2, "'command' must be a text or a list of texts"),
        ("[[allow]]\ncommand = 5", 2, "'command' must be a text or a list of texts"),
        ("[[deny]]\ndir = 'nowhere'", 2, "'dir': no directory"),
        ("[[deny]]\ncommand = 'x'\ndry_run = 1", 3, "'dry_run' must be true or false"),
        ("[[deny]]\ncommand = 'x'\nwhere = 1", 3, "unknown key 'where' in deny"),
        ("[allow]\ncommand = 'x'", 1, "write [[allow]], once for each"),
        ("[[allow]]\ncommand = 'a'\n[[allow]]\ncommand = 'b|c'", 4, "could never match"),
    ],
)
def test_a_mistake_in_a_rule_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    found = mistakes(tmp_path, text)
    assert [at for at, words in found if said in words] == [line], found
