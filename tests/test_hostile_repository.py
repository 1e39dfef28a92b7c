"""What stands in a repository's way of being kept: flags, encodings, forged refs, redirections."""

import json
from pathlib import Path

import pytest

from conftest import Torch
from repository import Repository
from torch_cli.checkpoint import secret
from torch_cli.checkpoint.record import checkpoints
from torch_cli.checkpoint.snapshot import may_hide
from torch_cli.errors import RefusedError
from torch_cli.git.worktree import locate


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "project", {"a.py": "a\n", "b.py": "b\n", "c": "c\n"})


@pytest.mark.parametrize("flag", ["--skip-worktree", "--assume-unchanged"])
def test_what_git_does_not_look_at_is_kept_and_comes_back(
    repository: Repository, torch: Torch, flag: str
) -> None:
    repository.git("update-index", flag, "a.py", "b.py")
    repository.write("a.py", "mine\n")
    before = repository.own()
    first = repository.recorded()
    assert repository.content("a.py") == b"mine\n"
    (repository.path / "a.py").unlink()
    words = ("restore", "a.py", "--from", first, "--yes", "-C", str(repository.path))
    done = torch("checkpoint", *words)
    assert (done.code, done.out) == (0, "created   a.py\n"), done.err
    assert repository.read("a.py") == "mine\n"
    assert repository.own() == before


def test_one_file_that_is_not_in_its_encoding_is_left_out_alone(repository: Repository) -> None:
    repository.write(".gitattributes", "*.txt working-tree-encoding=UTF-16\n")
    for n in range(9):
        repository.write(f"{n}.txt", f"text {n}\n".encode("utf-16"))
    repository.write("4.txt", b"no mark, and odd\xff")
    repository.write("c", "changed\n")
    made = repository.take()
    assert made.checkpoint is not None
    assert [(one.path, one.why) for one in made.left_out] == [("4.txt", "encoding")]
    assert {"3.txt", "5.txt", "c"} <= set(repository.files())
    assert "4.txt" not in repository.files()


FACTS = {
    "at": 1e9,
    "reason": "manual",
    "agent": "",
    "note": "",
    "head": "",
    "branch": "",
    "files": 1,
    "counts": [1, 1, 1, 1, 1],
    "left_out": [],
    "more": 0,
    "alert": "",
    "before": "",
}


@pytest.mark.parametrize(
    "forged",
    [
        {"at": "now"},
        {"at": 1e300},
        {"at": float("nan")},
        {"at": -5},
        {"files": "many"},
        {"reason": ["x"]},
        {"note": None},
        {"note": "\ud800"},
        {"counts": ["a", 1, 1, 1, 1]},
        {"counts": 7},
        {"left_out": [[1, 2, 3]]},
        {"left_out": 5},
        {"before": {}},
    ],
)
def test_a_forged_checkpoint_is_none_and_stops_nothing(
    repository: Repository, torch: Torch, forged: dict[str, object]
) -> None:
    first = repository.recorded()
    forge(repository, "0000000000001-c-0badc0de", json.dumps({**FACTS, **forged}))
    assert [one.id for one in checkpoints(repository.worktree)] == [first]
    listed = torch("checkpoint", "list", str(repository.path))
    assert (listed.code, "0badc0de" in listed.out) == (0, False), listed.err


def test_other_forged_refs(repository: Repository) -> None:
    forge(repository, "0000000000001-c-00000001", json.dumps(FACTS))
    assert repository.ids() == ["c-00000001"], "one that is well made is taken"
    forge(repository, "9999999999999-x", json.dumps(FACTS))
    forge(repository, "9999999999999-c-00000002", "[" * 100_000)
    forge(repository, "9999999999999-c-00000003", json.dumps(FACTS), kind="commit")
    ref = f"{repository.worktree.refs}9999999999999-c-00000004"
    repository.git("update-ref", ref, "HEAD")
    assert repository.ids() == ["c-00000001"]
    repository.write("a.py", "changed\n")
    repository.recorded()


def forge(repository: Repository, name: str, facts: str, kind: str = "tree") -> None:
    target = repository.git("rev-parse", f"HEAD^{{{kind}}}")
    head = f"object {target}\ntype {kind}\ntag x\ntagger A <a@b> 1 +0000\n\n"
    given = f"{head}Torch-Checkpoint: {facts}\n".encode()
    made = repository.run("mktag", given=given).stdout.decode().strip()
    repository.git("update-ref", f"{repository.worktree.refs}{name}", made)


def test_a_repository_that_leads_elsewhere_is_refused(
    repository: Repository, tmp_path: Path, torch: Torch
) -> None:
    other = Repository.make(tmp_path / "other", {"a.py": "theirs\n"})
    for target in (other.path, tmp_path, Path("/")):
        repository.git("config", "core.worktree", str(target))
        with pytest.raises(RefusedError, match="does not lead back") as refused:
            locate(str(repository.path))
        assert refused.value.code == "redirected"
    assert torch("checkpoint", "now", str(repository.path)).code == 2
    assert other.read("a.py") == "theirs\n"


def test_a_submodule_names_its_own_worktree_and_is_taken(
    repository: Repository, tmp_path: Path
) -> None:
    library = Repository.make(tmp_path / "library", {"lib.py": "1\n"})
    repository.git("submodule", "add", "-q", str(library.path), "lib")
    assert locate(str(repository.path / "lib")).top == str(repository.path / "lib")


@pytest.mark.parametrize(
    "path",
    [
        *("id_rsa_work", "keys/id_ed25519_github", "ssh_host_rsa_key", ".pgpass", ".my.cnf"),
        *("config/secrets.yml", "secrets.json", "client_secret_1.json", "service-account-x.json"),
        *("prod.tfvars", "terraform.tfstate", "kubeconfig", "dev.kubeconfig", ".s3cfg"),
        *("home/.cargo/credentials.toml", ".config/gh/hosts.yml", ".dockercfg"),
    ],
)
def test_usual_names_of_secrets(path: str) -> None:
    assert secret.by_name(path)


@pytest.mark.parametrize("path", ["id_rsa_work.pub", "secrets.py", "variables.tf", "hosts.yml"])
def test_names_that_are_none(path: str) -> None:
    assert not secret.by_name(path)


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
@pytest.mark.parametrize("form", ["sha1", "sha256"])
@pytest.mark.parametrize("version", ["2", "4"])
def test_a_flag_is_seen_in_every_form_of_the_index(
    tmp_path: Path, flag: str, form: str, version: str
) -> None:
    repository = Repository(tmp_path / "project")
    repository.path.mkdir()
    repository.git("init", "-q", "-b", "main", f"--object-format={form}")
    for name, value in (("user.name", "Ann"), ("user.email", "ann@example.org")):
        repository.git("config", name, value)
    names = ["a", "b" * 250, "dir/c", "é"]
    for name in names:
        repository.write(name, "1\n")
    repository.commit("one")
    repository.git("update-index", "--index-version", version)
    assert form == "sha256" or version == "4" or not may_hide(_index(repository))
    repository.git("update-index", flag, names[-1])
    assert may_hide(_index(repository))
    repository.write(names[-1], "2\n")
    assert repository.content(names[-1], repository.recorded()) == b"2\n"


def _index(repository: Repository) -> bytes:
    return (repository.path / ".git" / "index").read_bytes()
