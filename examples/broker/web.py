"""HTTP/1.1 for the partners: a small server and a small client on asyncio, both keep-alive.

Only what two well-behaved parties on one machine need, so that the partners of the broker stay
readable and have no dependencies. A request or an answer is bytes; JSON is the caller's.
"""
import asyncio
import json
from urllib.parse import urlsplit

HEAD_BYTES_MAX = 64 << 10
CONNECTIONS_MAX = 64        # of one client to one host; who comes later waits for a free one
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
           409: "Conflict", 503: "Service Unavailable"}


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body

    def json(self):
        return json.loads(self.body)


async def read_head(reader):
    """The first line and the headers (lower-case names), or None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial.strip():
            raise ConnectionError("the connection broke within a head") from None
        return None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return first, headers


async def read_body(reader, headers):
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        parts.append(await reader.readexactly(size))
        await reader.readline()
        if size == 0:
            return b"".join(parts)


class Server:
    """Answers with what `handler(request)` returns: a status and a value for JSON, or None."""

    def __init__(self, handler):
        self.handler = handler

    async def open(self):
        """Listens on a free port of this machine and returns the server's URL."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=HEAD_BYTES_MAX,
                                            backlog=1024)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def serve(self, reader, writer):
        try:
            while await self.serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ValueError, EOFError):
            pass            # a caller that was killed, or one that speaks no HTTP
        finally:
            writer.close()

    async def serve_one(self, reader, writer):
        head = await read_head(reader)
        if head is None:
            return False
        first, headers = head
        method, path, _ = first.split(" ")
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await read_body(reader, headers)
        try:
            status, value = await self.handler(Request(method, path, headers, body))
        except (ValueError, KeyError, TypeError) as wrong:
            status, value = 400, {"error": f"{type(wrong).__name__}: {wrong}"}
        answer = b"" if value is None else json.dumps(value).encode()
        writer.write(f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}\r\n"
                     "Content-Type: application/json\r\n"
                     f"Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
        await writer.drain()
        return headers.get("connection", "").lower() != "close"


class Client:
    """Posts over connections that it keeps open, at most CONNECTIONS_MAX to each host."""

    def __init__(self):
        self.idle = {}
        self.slots = {}

    async def post(self, url, body, headers=(), timeout=10.0):
        """The status of the answer. ConnectionError, OSError or TimeoutError when none came."""
        parts = urlsplit(url)
        where = (parts.hostname, parts.port or 80)
        slots = self.slots.setdefault(where, asyncio.Semaphore(CONNECTIONS_MAX))
        async with slots:
            async with asyncio.timeout(timeout):
                return await self.exchange(where, parts.path, body, headers)

    async def exchange(self, where, path, body, headers):
        reader, writer = await self.connect(where)
        well = False
        try:
            lines = [f"POST {path} HTTP/1.1", f"Host: {where[0]}:{where[1]}",
                     "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            head = await read_head(reader)
            if head is None:
                raise ConnectionError("the connection ended before an answer")
            first, answered = head
            await read_body(reader, answered)
            well = answered.get("connection", "").lower() != "close"
            return int(first.split(" ")[1])
        except (asyncio.IncompleteReadError, ValueError) as broken:
            raise ConnectionError(f"the answer broke off: {broken}") from broken
        finally:
            if well:
                self.idle.setdefault(where, []).append((reader, writer))
            else:
                writer.close()

    async def connect(self, where):
        idle = self.idle.setdefault(where, [])
        while idle:
            reader, writer = idle.pop()
            # A server that was killed leaves idle connections that have ended unnoticed.
            if not reader.at_eof() and reader.exception() is None:
                return reader, writer
            writer.close()
        return await asyncio.open_connection(*where, limit=HEAD_BYTES_MAX)
