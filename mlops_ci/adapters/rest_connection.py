"""Requests to one host with one token, which no other host ever gets, and which no error or log repeats."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from mlops_ci import __version__
from mlops_ci.errors import ConfigurationError
from mlops_ci.ports import Clock, Reply

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 10.0, 60.0, 300.0
LARGEST = 64 * 1024 * 1024
"""Bytes of an answer; a file of a repository may have 40 MB, which is what is left of it in base64."""
_CHUNK = 1 << 16
_REDIRECTS = (301, 302, 307, 308)
_HOPS = 5
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, kw_only=True)
class Service:
    """Whom requests go to, and how it wants to be spoken to. `variable` is what its address is taken from, `addresses`
    says what that may be, `tokens` where a token comes from.
    """

    name: str
    variable: str
    addresses: str
    tokens: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Connection:
    """Sends requests to the host of `address`, below which each request's path lies.

    `basic` has the token sent as a password without a user's name, not as a bearer's.
    Raises ConfigurationError for what is no address, no token, or would send the token in the clear.
    """

    def __init__(self, service: Service, address: str, *, token: str, clock: Clock, basic: bool = False) -> None:
        if not _TOKEN.fullmatch(token):
            name = f"{service.name}'s API"
            raise ConfigurationError(
                f"there is no token for {name}" if not token else f"the token for {name} is no token",
                fix=f"{service.tokens}, without spaces or line breaks",
            )
        self._service = service
        self._token = token
        self._encoded = b64encode(f":{token}".encode()).decode()
        self._authorization = f"Basic {self._encoded}" if basic else f"Bearer {token}"
        self._address = address.rstrip("/")
        self._origin = _checked_origin(service, self._address)
        self._clock = clock
        self._session: Session | None = None

    def __repr__(self) -> str:
        return f"Connection({self._address!r})"

    def ask(self, method: str, path: str, *, body: bytes | None) -> Reply:
        """The answer to one request; `path` may be a whole address of the same host, as answers contain them.

        Redirects are followed as long as they stay on the host; one that leaves it is the answer itself.
        """
        url = path if "://" in path else self._address + path
        for _ in range(_HOPS):
            if origin_of(url) != self._origin:
                return Reply(failure=f"it points to another host than {self._address}")
            reply = self._exchange(method, url, body)
            location = reply.headers.get("location", "")
            if reply.status not in _REDIRECTS or not location:
                return reply
            following = urljoin(url, location)
            if origin_of(following) != self._origin:
                return reply
            url = following
        return Reply(failure=f"more than {_HOPS} redirects")

    def _exchange(self, method: str, url: str, body: bytes | None) -> Reply:
        import requests

        if self._session is None:
            self._session = requests.Session()
            self._session.trust_env = self._origin[0] == "https"  # what goes to this machine passes no proxy
        headers = {"User-Agent": f"mlops-ci/{__version__}", **self._service.headers}
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            with self._session.request(
                method, url, data=body, headers=headers, auth=self._sign, allow_redirects=False, stream=True,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            ) as response:  # fmt: skip
                return self._received(response)
        except (requests.RequestException, OSError, ValueError) as error:
            # The exception holds the request, and that the token: only its name leaves here.
            return _failed(error)

    def _received(self, response: Response) -> Reply:
        parts, size, begun = [], 0, self._clock.monotonic()
        for part in response.iter_content(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > LARGEST:
                return Reply(failure=f"an answer of more than {LARGEST} bytes")
            if self._clock.monotonic() - begun > WHOLE_SECONDS:
                return Reply(failure=f"no whole answer within {WHOLE_SECONDS:g} s")
        headers = {name.lower(): value for name, value in response.headers.items()}
        body = b"".join(parts)
        if not response.ok:  # what is said of a failure is repeated to people; whoever answers may repeat the request
            body = body.replace(self._token.encode(), b"***").replace(self._encoded.encode(), b"***")
        return Reply(status=response.status_code, headers=headers, body=body)

    @property
    def _sign(self) -> Callable[[PreparedRequest], PreparedRequest]:
        """Given as `auth`, so that no .netrc of the machine puts something else in its place."""

        def sign(request: PreparedRequest) -> PreparedRequest:
            request.headers["Authorization"] = self._authorization
            return request

        return sign


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def _checked_origin(service: Service, address: str) -> tuple[str, str, int]:
    origin = origin_of(address)
    parts = urlsplit(address) if origin else None
    if origin is None or parts is None or parts.query or parts.fragment or parts.username or parts.password:
        raise ConfigurationError(
            f"the address of {service.name}'s API is no address", where=service.variable, fix=service.addresses
        )
    if origin[0] == "http" and origin[1] not in _THIS_MACHINE:
        raise ConfigurationError(
            f"{origin[1]} would get the token unencrypted", where=service.variable, fix="write https://"
        )
    return origin


def _failed(error: Exception) -> Reply:
    """What went wrong, by a name of ours, and whether the request may have been received."""
    from requests import exceptions

    # requests has one name for what happens before a connection is there and for what happens after it.
    reason = getattr(error.args[0], "reason", None) if error.args else None
    unconnected = any(kind.__name__ == "NewConnectionError" for kind in type(reason).__mro__)
    if isinstance(error, exceptions.SSLError):
        return Reply(failure="TLS fails: the host's certificate may not be trusted")
    if isinstance(error, exceptions.ProxyError):
        return Reply(failure="the proxy does not connect to the host", reached=False)
    if isinstance(error, exceptions.ConnectTimeout):
        return Reply(failure=f"no connection within {CONNECT_SECONDS:g} s", reached=False)
    if unconnected:
        return Reply(failure="no connection: nobody answers there, or the name is not known", reached=False)
    if isinstance(error, exceptions.Timeout):
        return Reply(failure=f"no answer within {READ_SECONDS:g} s")
    return Reply(failure=f"the connection was lost ({type(error).__name__})")
