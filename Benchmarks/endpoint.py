#!/usr/bin/env python3
"""An OpenAI-compatible endpoint that answers at once, always the same: what a gateway adds to it is the gateway's.

  python Benchmarks/endpoint.py PORT

Streams where it is asked to, 16 pieces in one write; keeps connections.
"""

import asyncio
import json
import sys

PIECES = [f" word{i}" for i in range(16)]
USAGE = {"prompt_tokens": 64, "completion_tokens": len(PIECES), "total_tokens": 64 + len(PIECES)}
ABOUT = {"id": "chatcmpl-1", "created": 1, "model": "far"}


def events():
    kind = ABOUT | {"object": "chat.completion.chunk"}
    choices = [[{"index": 0, "delta": {"content": piece}, "finish_reason": None}] for piece in PIECES]
    choices.append([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    chunks = [kind | {"choices": choice} for choice in choices] + [kind | {"choices": [], "usage": USAGE}]
    lines = [json.dumps(chunk) for chunk in chunks] + ["[DONE]"]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def whole():
    message = {"role": "assistant", "content": "".join(PIECES)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps(ABOUT | {"object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()


def response(kind, body):
    return (f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


STREAMED = response("text/event-stream", events())
WHOLE = response("application/json", whole())


class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, rest = self.buffer.split(b"\r\n\r\n", 1)
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if len(rest) < length:
                return
            body, self.buffer = rest[:length], rest[length:]
            streams = length and json.loads(body).get("stream")
            self.transport.write(STREAMED if streams else WHOLE)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
