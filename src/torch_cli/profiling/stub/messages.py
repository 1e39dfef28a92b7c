"""The Messages API as Claude Code uses it, for the stub."""

import json
from collections.abc import Sequence
from typing import Any

from torch_cli.profiling.stub import Behaviour, Handler, Hold, News, StubMode, StubRequest

SHELL_TOOL = "Bash"

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}

MESSAGE_TOKENS = {
    "input_tokens": 10,
    "output_tokens": 5,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
}


class MessagesHandler(Handler):
    """The Messages API, as Claude Code uses it."""

    def serve(self, path: str, body: dict[str, Any]) -> None:
        if path.endswith("/count_tokens"):
            self._send_json(200, {"input_tokens": 10})
        elif path == "/v1/messages":
            blocks = _new_blocks(body.get("messages") or [])
            texts = tuple(block["text"] for block in blocks if block.get("type") == "text")
            side = not any(tool.get("name") == SHELL_TOOL for tool in body.get("tools") or [])
            # An answered call that a later message follows is history: only the newest block
            # counts.
            result = bool(blocks) and blocks[-1].get("type") == "tool_result"
            said = json.dumps(blocks[-1].get("content")) if result else ""
            self.answer(body, News(texts, side, result, said))
        else:
            self._send_json(200, {})

    def reply(self, request: StubRequest, hold: Hold | None, body: dict[str, Any]) -> None:
        if body.get("stream"):
            self._stream(request, hold, body)
        else:
            self._whole(request, body)

    def ping(self) -> None:
        self.event("ping")

    def _whole(self, request: StubRequest, body: dict[str, Any]) -> None:
        """Answer in one piece. The program asks for that only in requests for itself."""
        message = _message(request, body) | {
            "content": [{"type": "text", "text": '{"title": "Stub", "isNewTopic": false}'}],
            "stop_reason": "end_turn",
        }
        self._send_json(200, message)

    def _stream(self, request: StubRequest, hold: Hold | None, body: dict[str, Any]) -> None:
        behaviour = self.server_stub.behaviour
        if request.side:
            behaviour = Behaviour()
        elif behaviour.mode is StubMode.ERROR:
            self.fail(behaviour, _error(ERROR_TYPES.get(behaviour.status, "api_error")))
            return
        self.begin_stream()
        self.event("message_start", message=_message(request, body))
        behaviour = self.await_turn(behaviour, hold)
        self._content(request, behaviour)

    def _content(self, request: StubRequest, behaviour: Behaviour) -> None:
        """Write the answer itself and the end of the stream."""
        tool = behaviour.calls(request)
        if tool:
            name, call = behaviour.call(SHELL_TOOL, {"description": "stub command"})
            block: dict[str, Any] = {
                "type": "tool_use",
                "id": f"toolu_{request.number:08d}",
                "name": name,
                "input": {},
            }
            given = json.dumps(call)
            deltas = iter([{"type": "input_json_delta", "partial_json": given}])
        else:
            block = {"type": "text", "text": ""}
            deltas = ({"type": "text_delta", "text": one} for one in self.pieces(behaviour))
        self.event("content_block_start", index=0, content_block=block)
        for delta in deltas:
            self.event("content_block_delta", index=0, delta=delta)
        self.event("content_block_stop", index=0)
        reason = "tool_use" if tool else "end_turn"
        self.event(
            "message_delta",
            delta={"stop_reason": reason, "stop_sequence": None},
            usage=MESSAGE_TOKENS,
        )
        self.event("message_stop")


def _message(request: StubRequest, body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without content."""
    return {
        "id": f"msg_{request.number}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": MESSAGE_TOKENS,
    }


def _error(kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": f"stub: {kind}"}}


def _new_blocks(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the user's blocks behind the last answer, in order."""
    blocks: list[dict[str, Any]] = []
    for message in reversed(messages):
        if message.get("role") == "assistant":
            break
        if message.get("role") == "user":
            content = message.get("content") or []
            if isinstance(content, str):
                content = [{"type": "text", "text": content}]
            blocks[:0] = content
    return blocks
