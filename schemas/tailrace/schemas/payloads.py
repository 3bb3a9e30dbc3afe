"""Large and repeated payloads: references instead of values in an event's JSON.

A value over `INLINE_BYTES` becomes `{"$body": "<sha256>"}`, its JSON a body of that hash. A list of
messages becomes a chain: a body `{"$list": "<sha256 of the previous list>", "+": [what is new]}`,
so that a turn of a conversation costs what it adds, whatever came before. A value over
`MAX_BODY_BYTES` is cut: `{"$cut": {...}}` keeps its hash, size, beginning and end. Data of the user
that holds such keys itself is escaped by one more `$`, so that `payload_reading.resolve` gives back
what went in.

Pure but for the memory of a `ListChain`. What was sent already, and when, is the producer's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import orjson
from pydantic_core import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

BODY = "$body"
LIST = "$list"
ADDED = "+"
CUT = "$cut"

INLINE_BYTES = 8 * 1024
"""A part of an event's JSON up to this size stays in the event."""

INLINE_LIST_BYTES = 1024
"""A list of messages up to this size stays in the event: a reference would hardly be smaller."""

LARGEST_BODY_BYTES = 768 * 1024
"""More than this never stays whole, so that no record passes the broker's usual limit of 1 MiB."""


def body_limit(told: str) -> int:
    """Return the limit that a setting asks for, or the nearest that there can be.

    Args:
        told: bytes in decimal digits; the largest limit for anything else.
    """
    if not (told.isascii() and told.isdigit()):
        return LARGEST_BODY_BYTES
    return min(max(int(told[:9]), 2 * INLINE_BYTES), LARGEST_BODY_BYTES)


MAX_BODY_BYTES = body_limit(os.environ.get("TAILRACE_MAX_BODY_BYTES", ""))
"""A value over this size is cut: its hash, its size, its beginning and its end are kept."""

_CUT_ENDS_BYTES = 1024
_NODE_BYTES = 256 * 1024
_RESERVED_TEXT = re.compile(rb'"\$+(?:body|list|cut)":')
_RESERVED = re.compile(r"\$+(?:body|list|cut)")


def _sorted_encoder() -> Callable[[Any], str]:
    encoder = json.JSONEncoder(
        sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
    )
    make = cast("Any", getattr(json.encoder, "c_make_encoder", None))
    if make is None:
        return encoder.encode
    # What `encode` makes anew for every value, made once; equal by test.
    text_of = cast("Any", json.encoder).encode_basestring
    chunks = make(None, encoder.default, text_of, None, ":", ",", True, False, True)  # noqa: FBT003 - theirs
    return lambda value: "".join(chunks(value, 0))


_sorted_text = _sorted_encoder()


def _laid_out_alike() -> bool:
    """Say whether orjson lays numbers out as the standard library does, small ones excepted."""
    numbers = [0.1, -0.0, 1e-4, 1e15, 1e16, 1e22, 1.5e300, 123456789012345680.0, 2**63 - 1]
    return orjson.dumps(numbers) == json.dumps(numbers, separators=(",", ":")).encode()


# A later version may lay them out anew; digests must not change for that.
_ALIKE = _laid_out_alike()


@dataclass(frozen=True, slots=True)
class Body:
    """A payload named by its content."""

    sha256: str
    """SHA-256 of the content, 64 hex digits."""

    content: bytes
    """The payload as JSON, UTF-8."""

    previous: str = ""
    """The body of the list that this one continues; empty when it continues none."""

    @property
    def text(self) -> str:
        """The payload as JSON text."""
        return self.content.decode()


@dataclass(frozen=True, slots=True)
class Externalized:
    """A value as it stands in an event, and what has to be stored beside it."""

    json: bytes
    """JSON with references, UTF-8."""

    bodies: tuple[Body, ...] = ()
    """Bodies to publish, in the order in which they build on each other."""

    reused: tuple[str, ...] = ()
    """Hashes of bodies that it names and that the chain gave out before."""

    lists: tuple[tuple[bytes, str, float], ...] = ()
    """What a chain can build on once these bodies are on their way; see `ListChain.learn`."""

    @property
    def text(self) -> str:
        """JSON with references."""
        return self.json.decode()

    @property
    def hashes(self) -> tuple[str, ...]:
        """What the event lists in its `bodies` column."""
        return tuple(dict.fromkeys((*(body.sha256 for body in self.bodies), *self.reused)))


class ListChain:
    """Remembers the lists that bodies were made of, so that a longer one can build on them.

    A list continues the longest known list that it begins with, of whatever run. Safe from several
    threads. What is older than `max_age_s` is forgotten: it must not outlive the log's retention.
    """

    def __init__(
        self,
        *,
        max_lists: int = 4096,
        max_age_s: float = 24 * 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_lists = max_lists
        self._max_age_s = max_age_s
        self._clock = clock
        self._lock = threading.Lock()
        # Digest of the list so far -> its body, and when the oldest body below it was made.
        self._known: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def extend(self, items: Sequence[bytes]) -> Externalized:
        """Do what `plan` does, and `learn` it: for a caller whom nobody can overtake."""
        planned = self.plan(items)
        self.learn(planned)
        return planned

    def plan(self, items: Sequence[bytes]) -> Externalized:
        """Return the reference to a list of JSON items, and the bodies that it needs.

        Two who plan the same at once get the same bodies, and each sends them.

        Args:
            items: each message as JSON text, already escaped by `escape`.
        """
        prefixes = _prefix_digests(items)
        now = self._clock()
        with self._lock:
            known, digest_known, born = self._longest(prefixes, now)
            if known == 0 and sum(map(len, items)) <= INLINE_LIST_BYTES:
                return Externalized(b"[" + b",".join(items) + b"]")
            if known == len(items):
                return Externalized(reference(digest_known), (), (digest_known,))
        bodies, last = _nodes(items[known:], digest_known)
        return Externalized(reference(last), bodies, (), ((prefixes[-1], last, born),))

    def learn(self, planned: Externalized) -> None:
        """Remember what was planned; its bodies are on their way, so others may refer to them."""
        if planned.lists:
            with self._lock:
                for prefix, body, born in planned.lists:
                    self._remember(prefix, body, born)

    def forget(self) -> None:
        """Forget every list: the next one is told whole again."""
        with self._lock:
            self._known.clear()

    def _longest(self, prefixes: Sequence[bytes], now: float) -> tuple[int, str, float]:
        for count in range(len(prefixes), 0, -1):
            found = self._known.get(prefixes[count - 1])
            if found is not None and now - found[1] < self._max_age_s:
                self._known.move_to_end(prefixes[count - 1])
                return count, found[0], found[1]
        return 0, "", now

    def _remember(self, prefix: bytes, body: str, born: float) -> None:
        self._known[prefix] = (body, born)
        if len(self._known) > self._max_lists:
            self._known.popitem(last=False)


def _prefix_digests(items: Sequence[bytes]) -> list[bytes]:
    running = hashlib.sha256()
    digests: list[bytes] = []
    for item in items:
        running.update(len(item).to_bytes(8, "big"))
        running.update(item)
        digests.append(running.copy().digest())
    return digests


def _nodes(items: Sequence[bytes], previous: str) -> tuple[tuple[Body, ...], str]:
    """Return the bodies that add the items to the previous list, and the last one's hash."""
    bodies: list[Body] = []
    added: list[bytes] = []
    size = 0
    for place, item in enumerate(items):
        text, large = outline(item)
        bodies.extend(large)
        added.append(text)
        size += len(text)
        if size > _NODE_BYTES or place == len(items) - 1:
            before = f'"{previous}"'.encode() if previous else b"null"
            node = b'{"$list":' + before + b',"+":[' + b",".join(added) + b"]}"
            bodies.append(Body(hashlib.sha256(node).hexdigest(), node, previous))
            previous, added, size = bodies[-1].sha256, [], 0
    return tuple(bodies), previous


def dumps(value: Any) -> bytes:
    """Return a JSON value as compact JSON, in UTF-8, keys in the order given."""
    try:
        return to_json(value, inf_nan_mode="strings")
    except ValueError:  # a lone surrogate: JSON's own escape can say it, UTF-8 cannot
        return json.dumps(value, separators=(",", ":")).encode()


def escape(text: bytes) -> bytes:
    """Return JSON in which no key of the user's can be taken for a reference."""
    # From the right, bytes are searched in half the time.
    if text.rfind(b'"$') < 0 or _RESERVED_TEXT.search(text) is None:
        return text
    return dumps(_escaped(json.loads(text)))


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {_escaped_key(key): _escaped(item) for key, item in fields.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in cast("list[Any]", value)]
    return value


def _escaped_key(key: str) -> str:
    return "$" + key if _RESERVED.fullmatch(key) else key


def reference(sha256: str) -> bytes:
    """Return the JSON that stands in an event for a body."""
    return b'{"$body":"' + sha256.encode() + b'"}'


def outline(text: bytes, limit_bytes: int = INLINE_BYTES) -> tuple[bytes, tuple[Body, ...]]:
    """Return escaped JSON as it is, or the reference to a body of it when it is over the limit."""
    if len(text) <= limit_bytes:
        return text, ()
    digest = hashlib.sha256(text).hexdigest()
    if len(text) <= MAX_BODY_BYTES:
        return reference(digest), (Body(digest, text),)
    cut = {
        "sha256": digest,
        "size_bytes": len(text),
        "head": text[:_CUT_ENDS_BYTES].decode(errors="ignore"),
        "tail": text[-_CUT_ENDS_BYTES:].decode(errors="ignore"),
    }
    return dumps({CUT: cut}), ()


def externalize(
    value: Any, *, chain: ListChain | None = None, lists: Iterable[str] = ("messages",)
) -> Externalized:
    """Return a JSON value as it stands in an event, large parts of it as bodies.

    The parts are the values of an object; any other value is one part. `resolve` gives the value
    back. What is no JSON value must have been made one before.

    Args:
        value: what a step or run was given, or gave back.
        chain: when given, the parts named in `lists` that are lists become chains in it.
        lists: the names of the parts that are lists of messages.
    """
    if not isinstance(value, dict):
        text, bodies = outline(escape(dumps(value)))
        return Externalized(text, bodies)
    fields = cast("dict[str, Any]", value)
    named = frozenset(lists) if chain is not None else frozenset[str]()
    texts: dict[str, bytes | list[bytes]] = {}
    for name, part in fields.items():
        if name in named and isinstance(part, list):
            texts[name] = [escape(dumps(item)) for item in cast("list[Any]", part)]
        else:
            texts[name] = escape(dumps(part))
    return externalize_parts(texts, chain)


def externalize_parts(
    parts: Mapping[str, bytes | list[bytes]], chain: ListChain | None = None, *, learn: bool = True
) -> Externalized:
    """Return the object of named parts: `externalize` for parts that are escaped JSON already.

    A part that is a list of texts is a list of messages and goes into the chain.

    Args:
        parts: JSON by name.
        chain: what lists build on.
        learn: whether the chain knows the lists from now on; otherwise the caller tells it.
    """
    bodies: list[Body] = []
    reused: list[str] = []
    lists: list[tuple[bytes, str, float]] = []
    members: list[bytes] = []
    for name, part in parts.items():
        if isinstance(part, bytes):
            text, large = outline(part)
            bodies.extend(large)
        else:
            listed = (chain or ListChain()).plan(part)
            if learn and chain is not None:
                chain.learn(listed)
            lists.extend(listed.lists)
            text = listed.json
            bodies.extend(listed.bodies)
            reused.extend(listed.reused)
        members.append(_member(name) + text)
    whole, large = outline(b"{" + b",".join(members) + b"}")
    return Externalized(whole, (*bodies, *large), tuple(reused), tuple(lists))


@lru_cache(maxsize=4096)
def _member(name: str) -> bytes:
    """Return what stands before a member of an object, escaped."""
    return dumps(_escaped_key(name)) + b":"


def inline_parts(parts: Mapping[str, bytes]) -> bytes:
    """Return the object of named parts that stay in the event: the short way for small ones.

    What `externalize_parts` gives for parts of that size.
    """
    return b"{%b}" % b",".join([_member(name) + part for name, part in parts.items()])


def _quickly(value: Any) -> bytes:
    """Return the canonical form where orjson gives it, in a quarter of the time; else nothing."""
    if not _ALIKE:
        return b""
    try:
        text = orjson.dumps(value, None, orjson.OPT_SORT_KEYS)
    except TypeError:  # what it does not take: integers over 64 bits, 255 levels, lone surrogates
        return b""
    # Nearer to zero than 0.0001 the two lay numbers out differently: 1e-7 and 1e-07.
    return text if text.rfind(b"e-") < 0 and text.rfind(b"0.0000") < 0 else b""


def canonical(text: bytes) -> bytes:
    """Return JSON in its canonical form: keys sorted, no blanks, UTF-8; what digests are made of.

    The form is that of the standard library's `json`, numbers too. A text that is a string, an
    integer or a constant is canonical as `dumps` writes it.
    """
    try:
        value = from_json(text)
    except ValueError:  # a lone surrogate again, or nesting that only Python's own parser follows
        value = json.loads(text)
    return _quickly(value) or _sorted_text(value).encode(errors="surrogatepass")
