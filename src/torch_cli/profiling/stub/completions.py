"""The Chat Completions API of OpenAI as opencode, aider and Qwen Code use it, for the stub."""

import json
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from torch_cli.profiling.stub import Behaviour, Handler, Hold, News, StubMode, StubRequest

COMPLETION_TOKENS = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}

SIDE = ("You are a title generator",)
"""How the system prompt begins in a request that the program makes for itself."""


class CompletionsHandler(Handler):
    """Answers ``POST /v1/chat/completions`` with a stream.

    A program without the tool ``shell`` gets the command in a fenced block.
    """

    shell: ClassVar[str] = "bash"

    def do_GET(self) -> None:  # noqa: N802
        models = [{"id": "stub-model", "object": "model", "owned_by": "stub"}]
        self._send_json(200, {"object": "list", "data": models})

    def serve(self, path: str, body: dict[str, Any]) -> None:
        if path.endswith("/chat/completions"):
            self.answer(body, _news(body))
        else:
            self._send_json(404, {"error": {"message": "stub: no such path"}})

    def reply(self, request: StubRequest, hold: Hold | None, body: dict[str, Any]) -> None:
        behaviour = Behaviour() if request.side else self.server_stub.behaviour
        if behaviour.mode is StubMode.ERROR:
            error = {"message": "stub: an error", "type": "stub", "code": behaviour.status}
            self.fail(behaviour, {"error": error})
            return
        if not body.get("stream"):
            self._send_json(200, _whole(request, body, behaviour.answer))
            return
        self.begin_stream()
        self._chunk(request, body, {"role": "assistant", "content": ""})
        behaviour = self.await_turn(behaviour, hold)
        call = behaviour.calls(request)
        if call and self._has_shell(body):
            self._chunk(request, body, {"tool_calls": [self._call(request, behaviour)]})
        elif call:
            block = f"Run this:\n\n```bash\n{behaviour.command}\n```\n"
            self._chunk(request, body, {"content": block})
        else:
            for piece in self.pieces(behaviour):
                self._chunk(request, body, {"content": piece})
        self._chunk(request, body, {}, "tool_calls" if call and self._has_shell(body) else "stop")
        self._data(_base(request, body) | {"choices": [], "usage": COMPLETION_TOKENS})
        self._data("[DONE]")

    def _chunk(
        self,
        request: StubRequest,
        body: dict[str, Any],
        delta: dict[str, Any],
        reason: str | None = None,
    ) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        self._data(_base(request, body) | {"choices": [choice]})

    def _has_shell(self, body: dict[str, Any]) -> bool:
        return any(tool["function"]["name"] == self.shell for tool in body.get("tools") or [])

    def _call(self, request: StubRequest, behaviour: Behaviour) -> dict[str, Any]:
        name, given = behaviour.call(self.shell, {"description": "stub command"})
        called = {"name": name, "arguments": json.dumps(given)}
        return {"index": 0, "id": f"call_{request.number}", "type": "function", "function": called}

    def _data(self, value: object) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self.wfile.write(f"data: {text}\n\n".encode())
        self.wfile.flush()


class QwenHandler(CompletionsHandler):
    """The same as Qwen Code uses it."""

    shell: ClassVar[str] = "run_shell_command"


def _base(request: StubRequest, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{request.number}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": body.get("model"),
    }


def _whole(request: StubRequest, body: dict[str, Any], answer: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return _base(request, body) | {
        "object": "chat.completion",
        "choices": [choice],
        "usage": COMPLETION_TOKENS,
    }


def _news(body: dict[str, Any]) -> News:
    """Read what is behind the last answer."""
    messages: Sequence[dict[str, Any]] = body.get("messages") or []
    system = next((_text(one) for one in messages if one.get("role") == "system"), "")
    texts: list[str] = []
    for message in reversed(messages):
        if message.get("role") == "assistant":
            break
        if message.get("role") == "user":
            texts[:0] = _texts(message)
    # An answered call that a later message follows is history.
    result = bool(messages) and messages[-1].get("role") == "tool"
    said = _text(messages[-1]) if result else ""
    return News(tuple(texts), system.startswith(SIDE), result, said)


def _texts(message: dict[str, Any]) -> list[str]:
    content = message.get("content") or ""
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content if part.get("type") == "text"]


def _text(message: dict[str, Any]) -> str:
    return "\n".join(_texts(message))
