"""A server of the OpenAI protocol, on loopback, that fails as it is told and keeps its own ledger of what it bills.

It has no model: a text is words drawn from the request's seed, one token each. Faults are drawn from a seed in the
order in which requests arrive. It bills every request that it lets through in full when it begins, whatever becomes of
the reply, so it bills at least as much as any real server would. Run it alone with

    python -m tests.engines.openai.fault_server

which prints its port; `POST /configure` then sets faults and clears the ledger, and `GET /ledger` shows it.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

WORDS = (
    "so",
    "then",
    "we",
    "add",
    "the",
    "two",
    "numbers",
    "and",
    "see",
    "that",
    "it",
    "must",
    "be",
    "even",
    "or",
    "odd",
)
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many", 500: "Error"}
UNBILLED = ("429", "429_after", "echo_key_400")
EVERYTHING = frozenset(
    {"chat", "raw", "n", "seeds", "logprobs", "stream", "usage", "flag", "prefill", "echo", "models"}
)


@dataclass
class Config:
    """How it behaves.

    Attributes:
        faults: kind → share of the requests.
        script: faults of the first requests, in order ("" for none), before any are drawn.
        seed: of the faults.
        seconds: that a reply takes.
        slow_seconds: that the first token of a "slow" one takes.
        hesitation: seconds that the first refusals take, in order.
        retry_after: what "429_after" asks for.
        slots: requests at once; more get 429.
        features: what it can do; "repeats": it begins a continuation with what it continues; "new_limit": in chat it
            wants the most tokens as max_completion_tokens.
        tokens, fewest: of a completion.
        numbered: every text ends with the number of its entry in the ledger.
        key: that it wants; "" for any.
        context: tokens of prompt and completion together.
        model: that it serves.
        server: what it says that it is.
        gap: seconds between the events of a stream.
        text: that it says, whatever it is asked; "" for words.
    """

    faults: dict[str, float] = field(default_factory=dict)
    script: list[str] = field(default_factory=list)
    seed: int = 0
    seconds: float = 0.0
    slow_seconds: float = 1.0
    hesitation: list[float] = field(default_factory=list)
    retry_after: str = "0"
    slots: int = 100_000
    features: frozenset[str] = EVERYTHING
    tokens: int = 12
    fewest: int = 3
    numbered: bool = False
    key: str = ""
    context: int = 4096
    model: str = "m"
    server: str = "vllm"
    gap: float = 0.0
    text: str = ""


@dataclass
class Entry:
    """One request that may have been billed. `delivered`: the reply left whole, and says what it cost."""

    number: int
    fault: str
    prompt: int
    completion: int
    delivered: bool = False

    @property
    def tokens(self) -> int:
        """Billed."""
        return self.prompt + self.completion


@dataclass
class FaultServer:
    """The server. `requests` are the bodies that it was sent, `headers` those of the last one."""

    config: Config = field(default_factory=Config)
    ledger: list[Entry] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    at_once: int = 0
    most_at_once: int = 0
    dropped_by_client: int = 0
    port: int = 0
    gone: dict[asyncio.StreamWriter, Callable[[], bool]] = field(default_factory=dict)
    _rng: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def configure(self, **changes: Any) -> None:
        """Behave differently from now on; the ledger begins anew."""
        for name, value in changes.items():
            setattr(self.config, name, frozenset(value) if name == "features" else value)
        self._rng = random.Random(self.config.seed)
        for record in (self.ledger, self.requests, self.paths, self.seen):
            record.clear()  # type: ignore[attr-defined]
        self.most_at_once = self.dropped_by_client = 0

    def billed(self) -> int:
        """Tokens."""
        return sum(entry.tokens for entry in self.ledger)

    async def serve(self, port: int = 0) -> asyncio.Server:
        server = await asyncio.start_server(self._connection, "127.0.0.1", port, limit=2**24)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split()
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.headers = headers
                self.gone[writer] = reader.at_eof
                await self._route(method, path, json.loads(body) if body else {}, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.gone.pop(writer, None)
            writer.transport.abort()

    async def _route(self, method: str, path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self.paths.append(path)
        if path == "/configure":
            self.configure(**body)
            return _send(writer, 200, {})
        if path == "/ledger":
            return _send(writer, 200, {"entries": [asdict(entry) for entry in self.ledger], "seen": self.seen})
        if self.config.key and self.headers.get("authorization") != f"Bearer {self.config.key}":
            return _send(writer, 401, {"error": {"message": f"Bad key {self.headers.get('authorization', '')}"}})
        if path == "/v1/models" and "models" in self.config.features:
            served = {"id": self.config.model, "owned_by": self.config.server, "max_model_len": self.config.context}
            return _send(writer, 200, {"data": [served]})
        kinds = {"/v1/chat/completions": "chat", "/v1/completions": "raw"}
        if method != "POST" or kinds.get(path) not in self.config.features:
            return _send(writer, 404, {"error": {"message": "not found"}})
        self.requests.append(body)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._complete(body, writer)
        finally:
            self.at_once -= 1
        return None

    async def _complete(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        refusal = self._refusal(body)
        if refusal is not None:
            await asyncio.sleep(self.config.hesitation.pop(0) if self.config.hesitation else 0)
            return _send(writer, 400, {"error": refusal})
        fault = "429" if self.at_once > self.config.slots else self._fault()
        self.seen[fault] = self.seen.get(fault, 0) + 1
        if fault in UNBILLED:
            return self._unbilled(fault, writer)
        reply = Reply(self.config, body, fault, len(self.ledger))
        entry = Entry(len(self.ledger), fault, reply.prompt_tokens, reply.completion_tokens)
        self.ledger.append(entry)
        await asyncio.sleep(self.config.seconds + (self.config.slow_seconds if fault == "slow" else 0))
        if self.gone[writer]():
            self.dropped_by_client += 1
        send = self._stream if body.get("stream") and "stream" in self.config.features else self._whole
        entry.delivered = await send(reply, fault, writer) and fault != "no_usage" and "usage" in self.config.features
        return None

    def _fault(self) -> str:
        if self.config.script:
            return self.config.script.pop(0)
        point = self._rng.random()
        for kind, share in self.config.faults.items():
            point -= share
            if point < 0:
                return kind
        return ""

    def _refusal(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """What it objects to in a request."""
        features, limit = self.config.features, body.get("max_tokens") or body.get("max_completion_tokens") or 16
        if body["model"] != self.config.model:
            return {"message": f"no model {body['model']}", "code": "model_not_found"}
        if _prompt_tokens(body) + limit > self.config.context:
            return {"message": f"This model's maximum context length is {self.config.context} tokens."}
        unknown = {
            "n": body.get("n", 1) > 1,
            "logprobs": bool(body.get("logprobs")),
            "stream": bool(body.get("stream_options")),
            "flag": bool(body.get("continue_final_message")),
            "echo": bool(body.get("echo")),
        }
        refused = [name for name, used in unknown.items() if used and name not in features]
        if "new_limit" in features and "messages" in body and "max_tokens" in body:
            refused.append("max_tokens")
        return {"message": f"unknown field {refused[0]}"} if refused else None

    def _unbilled(self, fault: str, writer: asyncio.StreamWriter) -> None:
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        if fault == "echo_key_400":
            return _send(writer, 400, {"error": {"message": f"your key {key} is odd"}})
        extra = {"Retry-After": self.config.retry_after} if fault == "429_after" else {}
        return _send(writer, 429, {"error": {"message": f"too many requests for {key}"}}, extra)

    async def _whole(self, reply: Reply, fault: str, writer: asyncio.StreamWriter) -> bool:
        """Whether all of it was sent."""
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        data = json.dumps(reply.whole(key)).encode()
        sent: dict[str, Callable[[], bytes]] = {
            "500": lambda: _message(500, {"error": {"message": f"out of memory, {key}"}}),
            "drop_before": lambda: b"",
            "drop_body": lambda: _bytes(200, data)[: -len(data) // 2],
            "malformed": lambda: _bytes(200, b'{"choices": [}'),
            "cut": lambda: _bytes(200, data[: len(data) // 2]),
            "empty": lambda: _bytes(200, b""),
            "null": lambda: _bytes(200, b"null"),
        }
        writer.write(sent.get(fault, lambda: _bytes(200, data))())
        if fault.startswith("drop"):
            await writer.drain()
            writer.transport.abort()
        return fault not in sent

    async def _stream(self, reply: Reply, fault: str, writer: asyncio.StreamWriter) -> bool:
        if fault in ("500", "drop_before", "malformed", "empty", "null"):
            return await self._whole(reply, fault, writer)
        writer.write(_head(200, "text/event-stream", {"Transfer-Encoding": "chunked"}))
        events = list(reply.events())
        half = len(events) // 2
        for number, event in enumerate(events[:half] if fault in ("cut", "drop_body", "late_429") else events):
            for _ in range(2 if fault == "duplicate" else 1):
                _chunk(writer, f"data: {json.dumps(event)}\n\n".encode())
            if self.config.gap or number == 0:
                await writer.drain()
                await asyncio.sleep(self.config.gap)
            if self.gone[writer]():
                self.dropped_by_client += 1
                return False
        if fault == "drop_body":
            await writer.drain()
            writer.transport.abort()
            return False
        if fault == "late_429":
            _chunk(writer, b'data: {"error": {"code": 429, "message": "too many requests"}}\n\n')
        if fault not in ("cut", "no_done"):
            _chunk(writer, b": that is all\n\ndata: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        return fault not in ("cut", "late_429")


@dataclass
class Reply:
    """What it says to one request."""

    config: Config
    body: dict[str, Any]
    fault: str
    number: int

    def __post_init__(self) -> None:
        self.chat = "messages" in self.body
        n = self.body.get("n", 1)
        self.n = max(0, n - 1) if self.fault == "fewer" else n
        self.texts = [self._words(choice) for choice in range(self.n)]
        self.prompt_tokens = _prompt_tokens(self.body)
        self.completion_tokens = sum(len(words) for words in self.texts)

    def _words(self, choice: int) -> list[str]:
        """The tokens of one choice."""
        said = self.body["messages"][-1] if self.chat else {"role": "raw", "content": self.body["prompt"]}
        able = "prefill" in self.config.features or bool(self.body.get("continue_final_message"))
        if said["role"] == "assistant" and able:
            words = {"six,": [" seven", ","], ", G,": [" H", ","]}.get(said["content"][-4:], [" goes", " on"])
            words = [said["content"]] * ("repeats" in self.config.features) + words
        elif self.config.text:
            words = [self.config.text]
        else:
            seed = self.body.get("seed") if "seeds" in self.config.features else None
            rng = random.Random(seed if seed is None else seed + choice)
            words = [f" {rng.choice(WORDS)}" for _ in range(rng.randint(self.config.fewest, self.config.tokens))]
        if self.config.numbered:
            words = [*words, f" #{self.number}"]
        limit = self.body.get("max_tokens") or self.body.get("max_completion_tokens") or 16
        return words[: 1 if self.fault == "length" else limit]

    def _finish(self) -> str:
        return {"length": "length", "filter": "content_filter"}.get(self.fault, "stop")

    def usage(self) -> dict[str, Any] | None:
        if self.fault == "no_usage" or "usage" not in self.config.features:
            return None
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
        }

    def whole(self, key: str) -> dict[str, Any]:
        """The reply in one piece."""
        choices = []
        for index, words in enumerate(self.texts):
            text = "".join(words) + (f" {key}" if self.fault == "echo_key" else "")
            if self.body.get("echo"):
                text = self.body["prompt"] + text
            place: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
            choices.append({"index": index, "finish_reason": self._finish(), **place, **self._logprobs(words)})
        return {"id": f"r{self.number}", "choices": choices, "usage": self.usage(), "system_fingerprint": "fs-1"}

    def events(self) -> Iterator[dict[str, Any]]:
        """The reply as a stream's events."""
        for index, words in enumerate(self.texts):
            for word in words:
                place: dict[str, Any] = {"delta": {"content": word}} if self.chat else {"text": word}
                yield self._event([{"index": index, "finish_reason": None, **place, **self._logprobs([word])}])
            yield self._event([{"index": index, "finish_reason": self._finish(), "delta": {}, "text": ""}])
        if (self.body.get("stream_options") or {}).get("include_usage") and self.usage():
            yield {**self._event([]), "usage": self.usage()}

    def _event(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": f"r{self.number}", "created": 1, "choices": choices}

    def _logprobs(self, words: list[str]) -> dict[str, Any]:
        wanted = self.body.get("logprobs")
        if not wanted or "logprobs" not in self.config.features:
            return {}
        scores = [-len(word) / 7 for word in words]
        if self.chat:
            top = [[{"token": w, "logprob": s} for w, s in self._most_likely(word).items()] for word in words]
            content = zip(words, scores, top, strict=True)
            return {"logprobs": {"content": [{"token": w, "logprob": s, "top_logprobs": t} for w, s, t in content]}}
        if self.body.get("echo"):
            said = self.body["prompt"].split(" ")
            words = [said[0], *(f" {w}" for w in said[1:]), *words]
            scores = [None, *(-len(word) / 7 for word in words[1:])]  # type: ignore[list-item]
        offsets = [sum(len(w) for w in words[:i]) for i in range(len(words))]
        top = [self._most_likely(word) for word in words]
        return {"logprobs": {"tokens": words, "token_logprobs": scores, "top_logprobs": top, "text_offset": offsets}}

    def _most_likely(self, word: str) -> dict[str, float]:
        """The tokens that might have come in a word's place: itself, and others, each less likely."""
        wanted = self.body.get("top_logprobs", 0) if self.chat else self.body["logprobs"]
        others = [other for other in (f" {each}" for each in WORDS) if other != word]
        return {each: -(i + len(word)) / 7 for i, each in enumerate([word, *others][:wanted])}


def _prompt_tokens(body: Mapping[str, Any]) -> int:
    said = body["prompt"] if "prompt" in body else " ".join(m["content"] for m in body["messages"])
    return len(said.split()) + 4


def _head(status: int, kind: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'No')}", f"Content-Type: {kind}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


def _bytes(status: int, data: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    return _head(status, "application/json", {"Content-Length": str(len(data)), **(headers or {})}) + data


def _message(status: int, value: object, headers: Mapping[str, str] | None = None) -> bytes:
    return _bytes(status, json.dumps(value).encode(), headers)


def _send(writer: asyncio.StreamWriter, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
    writer.write(_message(status, value, headers))


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


@asynccontextmanager
async def running(**config: Any) -> AsyncIterator[FaultServer]:
    """A server in this event loop."""
    server = FaultServer(Config(**config))
    server.configure()
    listening = await server.serve()
    try:
        yield server
    finally:
        listening.close()


async def main() -> None:
    server = FaultServer()
    listening = await server.serve()
    print(server.port, flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
