"""A loopback server that speaks just enough of OpenAI's Chat Completions, and misbehaves as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


def send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, *, length: int | None = None, **headers: str
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def completion(content: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return json.dumps({"id": "1", "object": "chat.completion", "choices": [choice]}).encode()


def says(caption: str, claims: list[dict[str, str]] | None = None) -> Reply:
    content = json.dumps({"caption": caption, "claims": claims or []})
    return lambda handler, _: send(handler, 200, completion(content))


def says_raw(content: str) -> Reply:
    return lambda handler, _: send(handler, 200, completion(content))


def fails(status: int, **headers: str) -> Reply:
    return lambda handler, _: send(handler, status, b'{"error": {"message": "no"}}', **headers)


def slow(seconds: float) -> Reply:
    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return reply


def truncated(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    body = completion("{}")
    send(handler, 200, body[: len(body) // 2], length=len(body))
    handler.close_connection = True


class ChatServer:
    """Answers the n-th request with the n-th reply, the last one for ever; keeps what it was sent."""

    def __init__(self, *replies: Reply) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path != "/v1/chat/completions":
                    send(self, 404, b"{}")
                    return
                outer.requests.append(body)
                outer.headers.append(dict(self.headers))
                replies[min(len(outer.requests), len(replies)) - 1](self, body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ChatServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
