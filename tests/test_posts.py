"""Notices that are posted: webhook, ntfy, and the services of apprise."""

import contextlib
import http.server
import importlib.util
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from conftest import PATIENCE, Torch
from test_doctor import finding
from test_notices import NOTHING_GIVEN, configure
from torch_cli.attention.channels import Programs, poster

QUIET = "tmux = false\nbell = false\ndesktop = false\n"


class Web:
    """A server on loopback that keeps what is posted, and answers with ``status``."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, Message, bytes]] = []
        self.status, self.to, web = 200, "", self
        self.hangs = threading.Event()
        self.goes_on = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                web.got.append((self.command, self.path, self.headers, body))
                if web.hangs.is_set():
                    web.goes_on.wait()
                with contextlib.suppress(OSError):
                    self.send_response(web.status)
                    if web.to:
                        self.send_header("Location", web.to)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            do_GET = do_POST = _answer  # noqa: N815 - http.server wants these names

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("no_proxy", "*")
    one = Web()
    thread = threading.Thread(target=one.server.serve_forever, args=(0.01,))
    thread.start()
    yield one
    one.goes_on.set()
    one.server.shutdown()
    thread.join()
    one.server.server_close()


def trial(torch: Torch, channel: str, path: str = "") -> tuple[int, str, str]:
    """Try all channels, with ``path`` first where Python looks for modules."""
    paths = filter(None, (path, os.environ.get("PYTHONPATH")))
    done = torch("notify", "test", "--json", env={"PYTHONPATH": os.pathsep.join(paths)})
    (row,) = [one for one in done.json["channels"] if one["channel"] == channel]
    return done.code, row["state"], row["words"]


def test_a_webhook_gets_the_notice_as_json(torch: Torch, web: Web) -> None:
    configure(f'{QUIET}webhook = "{web.address}/hook?key=secret"')
    assert trial(torch, "webhook") == (0, "told", "sent")
    ((method, path, headers, body),) = web.got
    assert (method, path) == ("POST", "/hook?key=secret")
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["User-Agent"] == "torch-cli"
    notice = json.loads(body)
    assert (notice["schema"], notice["count"]) == ("torch.notice/1", 0)
    assert notice["words"].startswith("a test")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 403, 500])
def test_what_an_address_refuses_is_not_told(torch: Torch, web: Web, status: int) -> None:
    """Nor does Torch go where it is sent: a POST could become a GET there, which tells nobody."""
    configure(f'{QUIET}webhook = "{web.address}/hook?key=secret"')
    web.status = status
    web.to = f"{web.address}/elsewhere" if status < 400 else ""
    said = f"'webhook' of [notify] ended with status 1: it answered with HTTP status {status}"
    assert trial(torch, "webhook") == (1, "failed", said)
    assert len(web.got) == 1


def test_an_address_that_cannot_be_reached_is_not_named(torch: Torch, web: Web) -> None:
    """It can hold a secret, and what is said gets into the daemon's log."""
    web.server.server_close()
    configure(f'{QUIET}webhook = "{web.address}/hook?key=secret"')
    code, state, words = trial(torch, "webhook")
    assert (code, state) == (1, "failed")
    assert "it cannot be reached: [Errno " in words
    assert "secret" not in words


def test_an_address_that_hangs_is_left(torch: Torch, web: Web) -> None:
    configure(f'{QUIET}webhook = "{web.address}/"\ntimeout = "2s"')
    web.hangs.set()
    said = "'webhook' of [notify] did not end within 2 s, and was killed"
    assert trial(torch, "webhook") == (1, "failed", said)


def test_what_posts_ends_though_the_daemon_was_killed(web: Web) -> None:
    web.hangs.set()
    command = poster("webhook", (web.address,), {}, 0.1)
    done = subprocess.run(
        command.command, input=json.dumps(command.given).encode(), timeout=PATIENCE, check=False
    )
    assert done.returncode == -signal.SIGALRM


@pytest.mark.parametrize(
    ("severity", "priority"), [("low", "low"), ("normal", "default"), ("high", "high")]
)
def test_ntfy_gets_the_words(web: Web, severity: str, priority: str) -> None:
    programs = Programs()
    notice = {**NOTHING_GIVEN, "words": "é" * 3000, "severity": severity}
    programs.start(poster("ntfy", (f"{web.address}/my-topic",), notice, 60.0), 60.0)
    while programs.running:
        assert programs.check() == []
    ((method, path, headers, body),) = web.got
    assert (method, path) == ("POST", "/my-topic")
    assert (headers["Title"], headers["Priority"]) == ("Torch", priority)
    assert body == ("é" * 2000).encode(), "of a longer text ntfy makes a file"


def test_apprise_must_be_installed(torch: Torch, tmp_path: Path) -> None:
    (tmp_path / "apprise.py").write_text("raise ImportError\n")
    configure(f'{QUIET}apprise = ["json://127.0.0.1:1/secret"]')
    code, state, words = trial(torch, "apprise", str(tmp_path))
    assert (code, state) == (1, "failed")
    assert words.endswith("install torch-cli with its extra 'apprise'")


STAND_IN = """
class Apprise:
    def add(self, address):
        self.address = address
        return not address.startswith("what:")
    def notify(self, body, title, notify_type):
        print(body, title, notify_type, file=open(self.address, "a"))
        return "fails" not in self.address
"""
"""What Torch uses of apprise."""


def test_apprise_is_given_the_words(torch: Torch, tmp_path: Path) -> None:
    (tmp_path / "apprise.py").write_text(STAND_IN)
    to = [str(tmp_path / "told")]
    configure(f"{QUIET}apprise = {json.dumps(to)}")
    assert trial(torch, "apprise", str(tmp_path)) == (0, "told", "sent")
    assert (tmp_path / "told").read_text().endswith("(torch status) Torch warning\n")
    configure(f"{QUIET}apprise = {json.dumps([*to, 'what:secret', str(tmp_path / 'fails')])}")
    code, state, words = trial(torch, "apprise", str(tmp_path))
    assert (code, state) == (1, "failed")
    assert words.endswith("address 2 is none that apprise knows; address 3 was not told")
    assert "secret" not in words


def test_apprise_itself_posts(torch: Torch, web: Web) -> None:
    configure(f'{QUIET}apprise = ["{web.address.replace("http:", "json:")}/x"]')
    assert trial(torch, "apprise") == (0, "told", "sent")
    assert "a test: this is how" in json.loads(web.got[0][3])["message"]


def test_doctor_names_the_channels_and_what_is_missing(torch: Torch, tmp_path: Path) -> None:
    configure(f'{QUIET}webhook = "https://example.org/"\nntfy = "https://ntfy.sh/x"')
    assert finding(torch, "notices")["message"].startswith("by webhook, ntfy ")
    configure(f'{QUIET}apprise = ["json://x"]')
    (tmp_path / "apprise.py").write_text("")
    paths = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    there = finding(torch, "notices", env={"PYTHONPATH": paths})
    assert there["message"].startswith("by apprise ")
    if importlib.util.find_spec("apprise") is None:
        missing = finding(torch, "notices")
        assert (missing["level"], missing["message"]) == ("warning", "apprise is not installed")
