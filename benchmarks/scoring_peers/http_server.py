"""`http_server.py SERVER FOLDER PORT`: the same handler behind different HTTP servers and frameworks.

POST /score parses records, runs the graph and answers; POST /echo gives the body back; GET /ready answers {}. Every
server runs in one process with one worker and without an access log; else it keeps its defaults.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from floor import application, handlers

SERVER, FOLDER, PORT = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
JSON = "application/json"


def uvicorn() -> None:
    _on_uvicorn(application(FOLDER))


def _on_uvicorn(app: Any) -> None:
    import uvicorn

    uvicorn.run(
        app, host="127.0.0.1", port=PORT, http="httptools", loop="uvloop", access_log=False, log_level="warning",
        lifespan="off", ws="none",
    )  # fmt: skip


def granian_asgi() -> None:
    _granian("asginl", application(FOLDER))


def granian_rsgi() -> None:
    routes = handlers(FOLDER)
    headers = [("content-type", JSON)]

    async def app(scope: Any, protocol: Any) -> None:
        body = await protocol()
        protocol.response_bytes(200, headers, routes[scope.path](body))

    _granian("rsgi", app)


def _granian(interface: str, app: Any) -> None:
    """In this process, as the command line would start it in a child; so that all are weighed alike."""
    from granian import Granian
    from granian.constants import Interfaces, Loops

    server = Granian("app", address="127.0.0.1", port=PORT, interface=Interfaces(interface), loop=Loops.uvloop)
    server.serve(target_loader=lambda *_: app, wrap_loader=False)


def hypercorn() -> None:
    import uvloop
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{PORT}"]
    uvloop.run(serve(application(FOLDER), config))


def blacksheep() -> None:
    from blacksheep import Application, Content, Request, Response, get, post

    routes = handlers(FOLDER)
    app = Application()

    async def handle(request: Request) -> Response:
        answer = routes[request.url.path.decode()](await request.read() or b"")
        return Response(200, content=Content(JSON.encode(), answer))

    post("/score")(handle)
    post("/echo")(handle)
    get("/ready")(handle)
    _on_uvicorn(app)


def falcon() -> None:
    import falcon.asgi

    routes = handlers(FOLDER)
    app = falcon.asgi.App()

    class Resource:
        async def on_post(self, request: Any, response: Any) -> None:
            response.content_type = JSON
            response.data = routes[request.path](await request.stream.read())

        on_get = on_post

    for path in routes:
        app.add_route(path, Resource())
    _on_uvicorn(app)


def robyn() -> None:
    from robyn import Request, Response, Robyn

    routes = handlers(FOLDER)
    app = Robyn(__file__)

    def register(path: str) -> None:
        async def handle(request: Request) -> Response:
            body = request.body
            raw = body.encode() if isinstance(body, str) else bytes(body)
            return Response(status_code=200, headers={"content-type": JSON}, description=routes[path](raw))

        (app.get if path == "/ready" else app.post)(path)(handle)

    for path in routes:
        register(path)
    app.start(host="127.0.0.1", port=PORT)


def protocol() -> None:
    """httptools and a protocol of asyncio by hand: what is left when the ASGI server goes, too."""
    import asyncio

    import httptools
    import uvloop

    routes = handlers(FOLDER)

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            self.parser = httptools.HttpRequestParser(self)

        def data_received(self, data: bytes) -> None:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserError:
                self.transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                self.transport.close()

        def on_url(self, url: bytes) -> None:
            self.path, self.body = url.decode("latin-1"), b""

        def on_body(self, body: bytes) -> None:
            self.body += body

        def on_message_complete(self) -> None:
            answer = routes[self.path](self.body)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
            self.transport.write(head + answer)

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", PORT)
        await server.serve_forever()

    uvloop.run(main())


if __name__ == "__main__":
    servers = (uvicorn, granian_asgi, granian_rsgi, hypercorn, blacksheep, falcon, robyn, protocol)
    {each.__name__: each for each in servers}[SERVER]()
