"""The programs that can be verified, by the name of their profile."""

from torch_cli.profiling.verify.aider import Aider
from torch_cli.profiling.verify.claude import ClaudeCode
from torch_cli.profiling.verify.codex import Codex
from torch_cli.profiling.verify.gemini import GeminiCLI
from torch_cli.profiling.verify.kilo import Kilo
from torch_cli.profiling.verify.opencode import OpenCode
from torch_cli.profiling.verify.pi import Pi
from torch_cli.profiling.verify.qwen import QwenCode
from torch_cli.profiling.verify.subject import Signalled, Subject

SUBJECTS: dict[str, type[Subject]] = {
    "aider": Aider,
    "claude": ClaudeCode,
    "codex": Codex,
    "demo": Signalled,
    "gemini": GeminiCLI,
    "kilo": Kilo,
    "opencode": OpenCode,
    "pi": Pi,
    "qwen": QwenCode,
}
