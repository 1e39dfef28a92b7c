"""The Responses API of OpenAI as Codex uses it, for the stub."""

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

SHELL_TOOL = "exec_command"

ESCALATED = {"sandbox_permissions": "require_escalated", "justification": "the stub asks for it"}
"""Makes Codex ask a person before it runs a command, also one that its sandbox allows."""


class ResponsesHandler(Handler):
    """Answers ``POST /v1/responses`` with a stream."""

    def do_GET(self) -> None:  # noqa: N802
        models = [{"id": "stub-model", "object": "model", "owned_by": "stub"}]
        self._send_json(200, {"object": "list", "data": models, "models": []})

    def serve(self, path: str, body: dict[str, Any]) -> None:
        if path.endswith("/responses"):
            self.answer(body, _news(body))
        else:
            self._send_json(404, {})

    def reply(self, request: StubRequest, hold: Hold | None, body: dict[str, Any]) -> None:
        behaviour = Behaviour() if request.side else self.server_stub.behaviour
        if behaviour.mode is StubMode.ERROR:
            words = behaviour.answer if behaviour.status == 429 else "stub: an error"
            self.fail(behaviour, {"error": {"message": words, "type": "stub", **_limit(behaviour)}})
            return
        self.begin_stream()
        head = {"id": f"resp_{request.number}", "object": "response", "status": "in_progress"}
        self.event("response.created", response={**head, "output": []})
        behaviour = self.await_turn(behaviour, hold)
        time.sleep(ANSWER_SECONDS)
        item = _item(request, behaviour)
        self.event("response.output_item.added", output_index=0, item=item)
        if item["type"] == "message":
            place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
            for piece in self.pieces(behaviour):
                self.event("response.output_text.delta", **place, delta=piece)
        self.event("response.output_item.done", output_index=0, item=item)
        usage = {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 15,
        }
        whole = {**head, "status": "completed", "output": [item], "usage": usage}
        self.event("response.completed", response=whole)


def _limit(behaviour: Behaviour) -> dict[str, Any]:
    if behaviour.status != 429:
        return {}
    limit = {"type": "usage_limit_reached", "plan_type": "plus", "resets_in_seconds": 7200}
    return {**limit, **behaviour.given}


def _item(request: StubRequest, behaviour: Behaviour) -> dict[str, Any]:
    """Return the answer: a call of the shell tool, or text."""
    if behaviour.calls(request):
        name, call = behaviour.call(SHELL_TOOL, ESCALATED, key="cmd")
        return {
            "type": "function_call",
            "id": f"fc_{request.number}",
            "call_id": f"call_{request.number}",
            "name": name,
            "arguments": json.dumps(call),
            "status": "completed",
        }
    words = {"type": "output_text", "text": behaviour.answer, "annotations": []}
    return {
        "type": "message",
        "id": f"msg_{request.number}",
        "role": "assistant",
        "status": "completed",
        "content": [words],
    }


def _news(body: dict[str, Any]) -> News:
    """Read what is behind the last answer; a side request has no shell tool."""
    items = body.get("input") or []
    if isinstance(items, str):
        items = [{"type": "message", "role": "user", "content": items}]
    side = not any(tool.get("name") == SHELL_TOOL for tool in body.get("tools") or [])
    texts: list[str] = []
    for item in reversed(items):
        if item.get("role") == "assistant" or item.get("type") in ("reasoning", "function_call"):
            break
        if item.get("role") == "user":
            texts[:0] = _texts(item.get("content"))
    # An answered call that a later message follows is history.
    result = bool(items) and str(items[-1].get("type", "")).endswith("_output")
    said = json.dumps(items[-1].get("output")) if result else ""
    return News(tuple(texts), side, result, said)


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or [] if part.get("type") == "input_text"]
