"""Posts a notice to an address: a process of its own, because nobody can say how long it takes.

It reads one object from its standard input: ``how`` (``webhook``, ``ntfy`` or ``apprise``), the
addresses ``to``, the ``notice``, and the ``timeout`` in seconds. They are not arguments, because
addresses hold secrets, and everybody can read a process's arguments. What goes wrong is said in one
line without them.
"""

import json
import logging
import math
import signal
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib import request
from urllib.error import HTTPError, URLError

NTFY_PRIORITIES = {"low": "low", "normal": "default", "high": "high"}
"""ntfy's word for each severity (docs.ntfy.sh/publish, "Message priority")."""

APPRISE_KINDS = {"low": "info", "normal": "warning", "high": "failure"}
"""apprise's word for each severity."""

NTFY_TEXT_BYTES = 4000
"""Bytes of text for ntfy: of more than 4,096 it makes an attachment (docs.ntfy.sh/config)."""


LONGEST_RUN_SECONDS = 86_400
"""Seconds for which it may run at most."""


class _SameAddress(request.HTTPRedirectHandler):
    """Follows no redirection: to follow one, urllib would make another request than a POST."""

    def redirect_request(self, *_: Any) -> None:
        return None


def main() -> int:
    """Post what standard input says; return the exit status."""
    order = json.load(sys.stdin.buffer)
    signal.alarm(
        math.ceil(min(order["timeout"], LONGEST_RUN_SECONDS)) + 1
    )  # whoever would kill it may be gone
    failed = CHANNELS[order["how"]](order["to"], order["notice"])
    if failed:
        sys.stderr.write(f"{failed}\n")
    return 1 if failed else 0


def _webhook(to: Sequence[str], notice: Mapping[str, Any]) -> str:
    body = json.dumps(notice, ensure_ascii=False).encode("utf-8", "replace")
    return _post(to[0], body, {"Content-Type": "application/json; charset=utf-8"})


def _ntfy(to: Sequence[str], notice: Mapping[str, Any]) -> str:
    body = str(notice["words"]).encode("utf-8", "replace")[:NTFY_TEXT_BYTES]
    headers = {"Title": "Torch", "Priority": NTFY_PRIORITIES[notice["severity"]]}
    return _post(to[0], body.decode("utf-8", "ignore").encode(), headers)


def _post(address: str, body: bytes, headers: Mapping[str, str]) -> str:
    """Post ``body``; return what went wrong, '' if nothing did."""
    headers = {"User-Agent": "torch-cli", **headers}
    opener = request.build_opener(_SameAddress)
    try:
        with opener.open(request.Request(address, body, headers, method="POST")):
            return ""
    except HTTPError as error:
        return f"it answered with HTTP status {error.code}"
    except URLError as error:
        return f"it cannot be reached: {error.reason}"
    except (OSError, ValueError, HTTPException) as error:
        return f"it cannot be reached: {type(error).__name__}"


def _apprise(to: Sequence[str], notice: Mapping[str, Any]) -> str:
    try:
        import apprise
    except ImportError:
        return "apprise is not installed: install torch-cli with its extra 'apprise'"
    logging.disable()  # its messages can name an address
    failed = []
    for number, address in enumerate(to, 1):
        service = apprise.Apprise()
        if not service.add(address):
            failed.append(f"address {number} is none that apprise knows")
        elif not service.notify(notice["words"], "Torch", APPRISE_KINDS[notice["severity"]]):
            failed.append(f"address {number} was not told")
    return "; ".join(failed)


CHANNELS = {"webhook": _webhook, "ntfy": _ntfy, "apprise": _apprise}

if __name__ == "__main__":
    sys.exit(main())
