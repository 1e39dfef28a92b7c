"""A home for aider, and what it makes of a message."""

from torch_cli.git.command import Git
from torch_cli.profiling.houses import Home

SETTINGS = """\
model: openai/stub-model
openai-api-base: {url}/v1
openai-api-key: dummy
edit-format: diff
map-tokens: 0
auto-commits: false
gitignore: false
check-update: false
analytics-disable: true
show-model-warnings: false
show-release-notes: false
"""
"""Its settings file."""

REMINDER = "\n\n# *SEARCH/REPLACE block* Rules:"
"""What it puts behind the last message of a request."""


def furnish(home: Home) -> None:
    """Make its directory a repository of nobody's: without one, it asks for it at every start."""
    Git(str(home.work)).run("init", "-q")
    config = "[user]\nname = Nobody\nemail = nobody@example.com\n"
    (home.path / ".gitconfig").write_text(config)


def environment(home: Home, url: str) -> dict[str, str]:
    """Write what the program needs to talk to the stub, and return its environment."""
    (home.path / ".aider.conf.yml").write_text(SETTINGS.format(url=url))
    return {"HOME": str(home.path), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
