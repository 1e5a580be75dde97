"""Every way in which an answer does not come has a name, and no wait is endless."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mlops_ci.adapters.http_exchange import Exchange, Origin
from mlops_ci.errors import ConfigurationError
from mlops_ci.ports import Reply
from tests.adapters.scripted import Script, answer, reset, scripted

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@contextmanager
def exchange(url: str, *, timeout: float = 10.0, largest: int = 1000) -> Iterator[Exchange]:
    made = Exchange(Origin.of(url), timeout=timeout, largest=largest)
    try:
        yield made
    finally:
        made.close()


def asked(script: Script, *, timeout: float = 10.0, times: int = 1) -> Reply:
    with scripted(script) as url, exchange(url, timeout=timeout) as one:
        replies = [one.ask("/x", body=b"[]") for _ in range(times)]
    return replies[-1]


def says(*parts: bytes, close: bool = False) -> Script:
    def script(connection: socket.socket, _head: bytes) -> None:
        for part in parts:
            connection.sendall(part)
        if close:
            connection.close()

    return script


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (says(close=True), "the connection was closed without an answer"),
        (lambda connection, _: reset(connection), "the connection was reset"),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", close=True), "an answer that is not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", close=True), "an answer that was cut off"),
        (says(CHUNKED, b"5\r\nabc", close=True), "an answer that was cut off"),
        (says(CHUNKED, b"zz\r\n", close=True), "an answer that was cut off"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n"), "an answer that is not HTTP"),
        (says(answer(b"a" * 1001)), "an answer of more than 1000 bytes"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 1001, close=True), "an answer of more than 1000 bytes"),
    ],
)  # fmt: skip
def test_each_failure_has_a_name(script: Script, failure: str) -> None:
    reply = asked(script)
    assert (reply.failure, reply.status, reply.reached) == (failure, 0, True)
    assert reply.summary == failure


def test_a_service_that_never_answers_is_given_up() -> None:
    assert asked(says(), timeout=0.2).failure == "no whole answer within 0.2 s"


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: "])
def test_an_answer_that_comes_drop_by_drop_is_given_up(head: bytes) -> None:
    """No single wait is long, and the whole would never end."""
    over = threading.Event()

    def drip(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(head)
        while not over.wait(0.02):
            connection.sendall(b"a")

    with scripted(drip) as url, exchange(url, timeout=0.4) as one:
        reply = one.ask("/x")
        over.set()
    assert reply.failure == "no whole answer within 0.4 s"


def test_a_body_without_a_length_that_is_given_up_is_no_answer() -> None:
    over = threading.Event()

    def endless(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}")
        over.wait(10)

    with scripted(endless) as url, exchange(url, timeout=0.2) as one:
        reply = one.ask("/x")
        over.set()
    assert reply.failure == "no whole answer within 0.2 s"


@pytest.mark.parametrize(
    ("url", "failure"),
    [
        ("http://127.0.0.1:9", "connection refused"),
        ("http://no-such-host.invalid", "the host's name is not known"),
        (f"http://{'a' * 70}.example", "the host's name is not known"),
    ],
)
def test_where_nobody_can_be_reached(url: str, failure: str) -> None:
    with exchange(url) as one:
        reply = one.ask("/")
    assert failure in reply.failure
    assert not reply.reached


def test_what_speaks_no_tls_is_not_reached_by_https() -> None:
    with scripted(says()) as url, exchange(url.replace("http:", "https:"), timeout=0.3) as one:
        reply = one.ask("/")
    assert reply.failure == "no connection within 0.3 s"
    assert not reply.reached


def self_signed(folder: Path) -> Path:
    """A file with the key and the certificate of 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    begin = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "service.pem"
    path.write_bytes(key.private_bytes(*plain) + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_has_to_be_vouched_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool) -> None:
    pem = self_signed(tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with scripted(says(answer(b"{}")), context) as url, exchange(url) as one:
        replies = [one.ask("/"), one.ask("/")]
    for reply in replies:
        assert reply.status == (200 if trusted else 0)
        assert reply.reached is trusted
        assert reply.failure.startswith("TLS: the certificate is not trusted") is not trusted


@pytest.mark.parametrize(
    ("sent", "summary"),
    [
        (answer(b"{}"), "status 200"),
        (answer(b"no", status="503 Busy"), "status 503"),
        (answer(b"", status="307 T", location="https://login.example/a?token=secret"),
         "status 307, a redirect to https://login.example/a"),
        (answer(b"", status="302 Found"), "status 302, a redirect to nowhere"),
        (answer(b"<!doctype html><h1>Welcome", content_type="text/html; charset=utf-8"),
         "status 200 with an HTML page, as a proxy or a web server sends it"),
        (answer(b"\n <html>Bad Gateway", status="502 Bad Gateway"),
         "status 502 with an HTML page, as a proxy or a web server sends it"),
    ],
)  # fmt: skip
def test_what_an_answer_is_said_to_be(sent: bytes, summary: str) -> None:
    assert asked(says(sent)).summary == summary


def test_the_connection_is_kept_and_made_anew_where_the_service_has_closed_it() -> None:
    connections: set[int] = set()

    def script(connection: socket.socket, _head: bytes) -> None:
        connections.add(connection.fileno())
        connection.sendall(answer(b"{}"))

    with scripted(script) as url, exchange(url) as one:
        assert [one.ask("/x").status for _ in range(3)] == [200] * 3
    assert len(connections) == 1
    assert asked(says(answer(b"{}", connection="close"), close=True), times=3).status == 200


def test_a_connection_that_the_service_closed_meanwhile_is_not_used_again() -> None:
    closed = threading.Event()

    def script(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(answer(b"{}"))
        connection.close()
        closed.set()

    with scripted(script) as url, exchange(url) as one:
        for _ in range(3):
            assert one.ask("/x").status == 200
            assert closed.wait(10)
            closed.clear()


def test_bytes_that_nobody_asked_for_are_not_taken_for_the_next_answer() -> None:
    gone = threading.Event()

    def script(connection: socket.socket, head: bytes) -> None:
        connection.sendall(answer(b"1" if b"/first" in head else b"3"))
        if b"/first" in head:
            connection.sendall(answer(b"2"))
            gone.set()

    with scripted(script) as url, exchange(url) as one:
        assert one.ask("/first").body == b"1"
        gone.wait(10)
        assert one.ask("/second").body in (b"3",)


def test_a_body_can_be_announced_and_never_sent() -> None:
    heads: list[bytes] = []

    def script(connection: socket.socket, head: bytes) -> None:
        heads.append(head)
        connection.sendall(answer(b"{}", status="413 Too Large"))

    with scripted(script) as url, exchange(url) as one:
        assert one.ask("/score", announced=1 << 40).status == 413
        assert one.ask("/score", body=b"[]").status == 413
    assert heads[0].startswith(b"POST /score HTTP/1.1")
    assert b"content-length: 1099511627776" in heads[0]


def test_the_path_of_the_address_goes_before_each_path() -> None:
    heads: list[bytes] = []

    def script(connection: socket.socket, head: bytes) -> None:
        heads.append(head)
        connection.sendall(answer(b"{}"))

    with scripted(script) as url, exchange(f"{url}/production/delay/") as one:
        one.ask("/score")
    assert heads[0].startswith(b"GET /production/delay/score HTTP/1.1")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8080",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://host:99999",
        "http://ho st",
        "http://host/\r\nx: y",
        "http://ada:hunter2@host",
        "http://hunter2@host",
        "http://host/?token=hunter2",
        "http://host/#hunter2",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Origin.of(url)
    assert "hunter2" not in str(caught.value)


def test_addresses() -> None:
    assert Origin.of("https://models.example/a/") == Origin(secure=True, host="models.example", port=443, path="/a")
    assert Origin.of("http://[::1]:81") == Origin(secure=False, host="::1", port=81, path="")
