"""One question to a broker over Kafka's own protocol: who are you, and do you serve?

A socket and two structs instead of a client, since it is asked every 20 ms while a broker starts
and every client library logs each refusal.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

_METADATA = 3
_VERSION = 4  # the oldest that Kafka 4 answers, and the last before flexible fields
_ANSWER_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True)
class BrokerAnswer:
    """What a broker says of its cluster."""

    cluster_id: str
    brokers: int
    controller_id: int
    """-1 while there is no controller."""


def ask_broker(host: str, port: int, timeout_s: float) -> BrokerAnswer | None:
    """Return the broker's answer, None if there is none within `timeout_s`.

    A KRaft broker answers on its data listener only once it is registered and unfenced, so an
    answer that names a broker means that it takes records.
    """
    body = struct.pack(">ib", 0, 0)  # no topics, create none
    header = struct.pack(">hhih", _METADATA, _VERSION, 1, -1)
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
            (size,) = struct.unpack(">i", _exactly(connection, 4))
            if not 0 < size <= _ANSWER_LIMIT_BYTES:
                return None
            return _parsed(_exactly(connection, size))
    except (OSError, struct.error, UnicodeDecodeError):
        return None


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def _parsed(answer: bytes) -> BrokerAnswer:
    at = 8  # past the correlation id and the throttle time
    (brokers,) = struct.unpack_from(">i", answer, at)
    at += 4
    for _ in range(brokers):
        at = _past_string(answer, at + 4)  # node id, host
        at = _past_string(answer, at + 4)  # port, rack
    end = _past_string(answer, at)
    (controller_id,) = struct.unpack_from(">i", answer, end)
    return BrokerAnswer(answer[at + 2 : end].decode(), brokers, controller_id)


def _past_string(answer: bytes, at: int) -> int:
    (size,) = struct.unpack_from(">h", answer, at)
    return at + 2 + max(0, size)
