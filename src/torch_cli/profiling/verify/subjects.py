"""The programs that can be verified, by the name of their profile."""

from torch_cli.profiling.verify.claude import ClaudeCode
from torch_cli.profiling.verify.codex import Codex
from torch_cli.profiling.verify.subject import Signalled, Subject

SUBJECTS: dict[str, type[Subject]] = {"claude": ClaudeCode, "codex": Codex, "demo": Signalled}
