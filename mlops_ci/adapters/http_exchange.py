"""One HTTP connection to one origin, whose failures have names and whose waiting has an end."""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mlops_ci.errors import ConfigurationError
from mlops_ci.ports import Reply

CONNECT_SECONDS = 5.0
LARGEST_ANSWER = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where requests to one address go; `path` is what precedes each request's own."""

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Origin:
        """Raises ConfigurationError for what is no address of a service, without repeating what may be a password."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in ("http", "https") or not url.isascii() or not url.isprintable():
            raise ConfigurationError(
                "this is no address of a scoring service", fix="write http://host:port, and a path where there is one"
            )
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment or " " in url:
            raise ConfigurationError(
                f"the address at {host} holds more than scheme, host, port and path",
                fix="leave user, password, query and fragment out: the address becomes part of what is reported",
            )
        secure = parts.scheme == "https"
        return cls(secure=secure, host=host, port=port or (443 if secure else 80), path=parts.path.rstrip("/"))


class Exchange:
    """Sends requests to an origin, one after the other, over a connection that is kept and made anew where it is gone.

    Neither proxies nor credentials of the environment have a part in it, and no redirect is followed. A whole request
    takes `timeout` seconds at most, also where the answer comes drop by drop.
    """

    def __init__(self, origin: Origin, *, timeout: float, largest: int = LARGEST_ANSWER) -> None:
        self._origin = origin
        self._timeout = timeout
        self._largest = largest
        self._connection: http.client.HTTPConnection | None = None
        self._given_up = ""

    def ask(
        self,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
        announced: int | None = None,
        watched: bool = True,
    ) -> Reply:
        """One request, a POST where it has a body; see `ports.ScoringClient.ask`.

        A caller who ends late requests by `give_up` itself says that it is not `watched` here.
        """
        connection = self._connected()
        if isinstance(connection, Reply):
            return connection
        self._given_up = ""
        late = f"no whole answer within {self._timeout:g} s"
        watch = threading.Timer(self._timeout, self.give_up, [late]) if watched else None
        if watch is not None:
            watch.daemon = True
            watch.start()
        try:
            return self._exchange(connection, path, body, headers, announced)
        except TimeoutError:
            return self._failed(self._given_up or late)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return self._failed(self._given_up or _name_of(error))
        finally:
            if watch is not None:
                watch.cancel()

    def give_up(self, why: str) -> None:
        """Ends the request that another thread waits for, if any; `why` becomes the name of its failure."""
        self._given_up = why
        sock = self._connection.sock if self._connection else None
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is gone already
                return

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection | Reply:
        """The connection, made anew where it is gone; what came back instead where there can be none."""
        if self._connection is not None and self._connection.sock is not None and _is_quiet(self._connection.sock):
            return self._connection
        self.close()
        place, wait = self._origin, min(CONNECT_SECONDS, self._timeout)
        connection = (
            http.client.HTTPSConnection(place.host, place.port, timeout=wait, context=ssl.create_default_context())
            if place.secure
            else http.client.HTTPConnection(place.host, place.port, timeout=wait)
        )
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            connection.close()
            return Reply(failure=_unreachable(error, wait), reached=False)
        connection.sock.settimeout(self._timeout)
        self._connection = connection
        return connection

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        announced: int | None,
    ) -> Reply:
        path = self._origin.path + path
        if announced is None:
            connection.request("GET" if body is None else "POST", path, body=body, headers=dict(headers))
        else:
            connection.putrequest("POST", path)
            # Without the expectation proxies may wait for the body before they pass the head on (Go's do).
            expecting = {"content-length": str(announced), "expect": "100-continue"}
            for name, value in {**headers, **expecting}.items():
                connection.putheader(name, value)
            connection.endheaders()
        response = connection.getresponse()
        content = response.read(self._largest + 1)
        if len(content) > self._largest:
            return self._failed(f"an answer of more than {self._largest} bytes")
        if not response.isclosed():
            response.read()
        if self._given_up:  # a body without a length looks whole when it is cut off
            return self._failed(self._given_up)
        if announced is not None:  # the service still waits for the body
            self.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Reply(status=response.status, headers=found, body=content)

    def _failed(self, failure: str) -> Reply:
        self.close()
        return Reply(failure=failure)


def _is_quiet(sock: socket.socket) -> bool:
    """Between requests nothing is to be read: what can be is the end of the connection, or no HTTP."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)


def _unreachable(error: Exception, waited: float) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return "the host's name is not known"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    if isinstance(error, TimeoutError):
        return f"no connection within {waited:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: the certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'the handshake failed'}"
    return f"no connection: {error.strerror or type(error).__name__}" if isinstance(error, OSError) else str(error)


def _name_of(error: Exception) -> str:
    """What went wrong once there was a connection; nothing of what was sent or received."""
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the connection was reset"
    if isinstance(error, http.client.IncompleteRead):
        return "an answer that was cut off"
    if isinstance(error, OSError):
        return f"the connection failed: {error.strerror or type(error).__name__}"
    return "an answer that is not HTTP"
