"""The generateContent API of Google as Gemini CLI uses it, for the stub."""

import json
import time
from typing import Any

from torch_cli.profiling.stub import (
    ANSWER_SECONDS,
    Behaviour,
    Handler,
    Hold,
    News,
    StubMode,
    StubRequest,
)

SHELL_TOOL = "run_shell_command"

_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED"}

_SIDE = {"reasoning": "x", "next_speaker": "user", "complexity_score": 1, "response": "x"}
"""The JSON answer to requests that the program makes for itself."""


class GeminiHandler(Handler):
    """Answers ``POST …:generateContent`` and ``…:streamGenerateContent``."""

    def serve(self, path: str, body: dict[str, Any]) -> None:
        if path.endswith("enerateContent"):
            self.answer(body, _news(body))
        elif path.endswith(":countTokens"):
            self._send_json(200, {"totalTokens": 10})
        else:
            self._send_json(404, {})

    def reply(self, request: StubRequest, hold: Hold | None, body: dict[str, Any]) -> None:
        behaviour = Behaviour() if request.side else self.server_stub.behaviour
        if behaviour.mode is StubMode.ERROR:
            status = _STATUS.get(behaviour.status, "INTERNAL")
            error = {"code": behaviour.status, "message": behaviour.answer, "status": status}
            error |= behaviour.given
            self.fail(behaviour, {"error": error})
            return
        if "stream" not in self.path:
            self._send_json(200, _part({"text": json.dumps(_SIDE)}))
            return
        self.begin_stream()
        behaviour = self.await_turn(behaviour, hold)
        time.sleep(ANSWER_SECONDS)
        if behaviour.calls(request):
            name, call = behaviour.call(SHELL_TOOL, {"description": "stub command"})
            self._data(_part({"functionCall": {"name": name, "args": call}}))
            return
        for piece in self.pieces(behaviour):
            self._data(_part({"text": piece}, ends=not behaviour.pace))
        if behaviour.pace:
            self._data(_part({"text": ""}))

    def _data(self, value: object) -> None:
        self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
        self.wfile.flush()

    def ping(self) -> None:
        """Keep quiet: the program's client takes no comments."""


def _part(part: dict[str, Any], *, ends: bool = True) -> dict[str, Any]:
    """Return an answer of one part, or one piece of it if it does not end there."""
    content = {"role": "model", "parts": [part]}
    end = {"finishReason": "STOP"} if ends else {}
    return {
        "candidates": [{"content": content, **end, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 10,
            "candidatesTokenCount": 5,
            "totalTokenCount": 15,
        },
        "modelVersion": "stub",
    }


def _news(body: dict[str, Any]) -> News:
    """Read what is behind the last answer; a side request has no tools."""
    tools = [
        one.get("name")
        for tool in body.get("tools") or []
        for one in tool.get("functionDeclarations") or []
    ]
    texts: list[str] = []
    last: list[dict[str, Any]] = []
    for content in reversed(body.get("contents") or []):
        if content.get("role") == "model":
            break
        parts = content.get("parts") or []
        last = last or parts
        texts[:0] = [part["text"] for part in parts if "text" in part]
    result = bool(last) and "functionResponse" in last[-1]
    said = json.dumps(last[-1]["functionResponse"]) if result else ""
    return News(tuple(texts), not tools, result, said)
