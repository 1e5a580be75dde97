"""The envelope, against the specification's own example and against another implementation of it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as OtherEnvelope

from mlops_ci.core.dsse import Envelope, KeySignature, pre_authentication_encoding

ENVELOPE = Envelope(
    payload_type="application/vnd.in-toto+json",
    payload=b'{"a": 1}',
    signatures=(KeySignature(key="f" * 64, value=b"\x00\xff>?"),),
)


def test_the_example_of_the_specification() -> None:
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@given(st.text(), st.binary())
def test_what_is_signed_is_what_another_implementation_signs(payload_type: str, payload: bytes) -> None:
    other = OtherEnvelope(payload=payload, payload_type=payload_type, signatures={})
    assert pre_authentication_encoding(payload_type, payload) == other.pae()


@given(st.tuples(st.text(), st.binary()), st.tuples(st.text(), st.binary()))
def test_no_two_messages_are_signed_alike(one: tuple[str, bytes], two: tuple[str, bytes]) -> None:
    assert (one == two) == (pre_authentication_encoding(*one) == pre_authentication_encoding(*two))


def test_an_envelope_comes_back_and_others_read_it() -> None:
    value = ENVELOPE.to_json()
    assert Envelope.from_json(value) == ENVELOPE
    other = OtherEnvelope.from_dict(ENVELOPE.to_json())
    assert other.pae() == ENVELOPE.signed_bytes
    assert set(other.signatures) == {"f" * 64}
    assert Envelope.from_json(other.to_dict()) == ENVELOPE


def test_both_alphabets_are_read_and_a_key_id_may_be_missing() -> None:
    value: dict[str, Any] = ENVELOPE.to_json()
    sig = base64.urlsafe_b64encode(b"\x00\xff>?").decode()
    assert "_" in sig or "-" in sig
    value["signatures"] = [{"sig": sig}]
    assert Envelope.from_json(value).signatures == (KeySignature(key="", value=b"\x00\xff>?"),)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {},
        {"payloadType": "t", "payload": "YQ==", "signatures": {}},
        {"payloadType": "t", "payload": "YQ==", "signatures": ["x"]},
        {"payloadType": "t", "payload": "YQ==", "signatures": [{}]},
        {"payloadType": "t", "payload": "YQ==", "signatures": [{"sig": 1}]},
        {"payloadType": "t", "payload": "YQ==", "signatures": [{"sig": "YQ==", "keyid": 7}]},
        {"payloadType": "t", "payload": "no base64!", "signatures": []},
        {"payloadType": "t", "payload": "YQ", "signatures": []},
        {"payloadType": "t", "payload": "ä", "signatures": []},
        {"payloadType": 1, "payload": "YQ==", "signatures": []},
        {"payload": "YQ==", "signatures": []},
    ],
)
def test_what_is_no_envelope(value: Any) -> None:
    with pytest.raises(ValueError, match="no DSSE envelope"):
        Envelope.from_json(value)
