"""What must not leave the process is taken out here: rules over values, applied before all else.

A rule is a `Pattern` (what secrets look like, in any text), `Fields` (members whose name says that
they are secret), or a function of your own. Rules see a decoded copy of what was recorded, never
the agent's own values; after them come escaping, digests, bodies, the spool and the log.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import from_json

from tailrace.schemas.payloads import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WITHHELD = "[withheld: the redactor failed]"
"""What stands in the place of a value that a rule raised on."""

_LONG_NUMBER = 10**11
_KEY = re.compile(rb'"([^"]*)":')


def mark(name: str) -> str:
    """Return what stands in the place of what a rule of that name took out."""
    return f"[redacted: {name}]"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Takes every match out of every text, keys of objects and whole numbers included."""

    name: str
    """Said in the mark."""

    expression: re.Pattern[str]

    accept: Callable[[str], bool] | None = None
    """Whether a match is really one; None takes every match."""

    hint: Callable[[bytes], object] | None = None
    """Finds something in any JSON that the expression can match in; spares the rest the look."""

    def applied(self, text: str) -> str:
        """Return the text without its matches."""
        return self.expression.sub(self._replaced, text)

    def _replaced(self, match: re.Match[str]) -> str:
        taken = self.accept is None or self.accept(match[0])
        return mark(self.name) if taken else match[0]


class Fields:
    """Withholds the whole value of members whose name matches: wildcards, in any case of letters.

    A name with a dot is matched with the path from the argument on: `customer.*.phone`.
    """

    def __init__(self, *names: str) -> None:
        plain = [name.lower() for name in names if "." not in name]
        paths = [name.lower() for name in names if "." in name]
        self._named = lru_cache(maxsize=4096)(_one_of(plain))
        self._placed = _one_of(paths) if paths else None
        self.hint = None if paths else self._in_keys

    def covers(self, path: str) -> bool:
        """Say whether the value at a path is withheld."""
        lowered = path.lower()
        if self._named(lowered.rpartition(".")[2]):
            return True
        return self._placed is not None and self._placed(lowered)

    def _in_keys(self, text: bytes) -> bool:
        """Say whether JSON may hold a member of these names."""
        if b'\\"' in text:  # a quote within a text: not worth telling keys apart
            return True
        return any(self._named(key.decode().lower()) for key in _KEY.findall(text))


def _one_of(patterns: Sequence[str]) -> Callable[[str], bool]:
    matching = re.compile("|".join(map(translate, patterns)) or "(?!)").match
    return lambda name: matching(name) is not None


def any_of(*literals: str) -> Callable[[bytes], bool]:
    """Return a hint that finds one of some texts, none of which JSON would write differently."""
    known = tuple(literal.encode() for literal in literals)

    def found(text: bytes) -> bool:
        for literal in known:  # noqa: SIM110 - this runs for every value
            if literal in text:
                return True
        return False

    return found


def luhn(digits: str) -> bool:
    """Say whether a number has the check digit of a payment card; other characters are skipped."""
    total = 0
    for place, digit in enumerate(reversed([int(each) for each in digits if each in "0123456789"])):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004 - the sum of its digits
    return total % 10 == 0


KEYS = Pattern(
    "key",
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
        r"|(?<![A-Za-z0-9])[Bb]earer\s+[A-Za-z0-9._~+/=-]{8,}"
        r"|(?<![A-Za-z0-9])(?:sk|pk|rk|api|key)[-_][A-Za-z0-9_-]{16,}"
        r"|(?<![A-Za-z0-9])(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}(?![A-Z0-9])"
        r"|(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"
        r"|(?<![A-Za-z0-9])(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,})"
        r"|(?<![A-Za-z0-9])(?:hf_[A-Za-z0-9]{20,}|glpat-[A-Za-z0-9_-]{16,})"
        r"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        re.DOTALL,
    ),
    hint=any_of(
        "PRIVATE KEY",
        *[
            "earer",
            "sk-",
            "sk_",
            "pk-",
            "pk_",
            "rk-",
            "rk_",
            "api-",
            "api_",
            "key-",
            "key_",
            "AKIA",
            "ASIA",
            "AROA",
            "AIDA",
        ],
        *["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "xox", "AIza", "hf_", "glpat", "eyJ"],
    ),
)
"""Keys of common services, AWS access keys, bearer tokens, JSON web tokens, private key blocks."""

CARD_NUMBERS = Pattern(
    "card number",
    re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])"),
    accept=luhn,
    hint=re.compile(rb"[0-9](?:[ -]?[0-9]){12}").search,
)
"""Thirteen to nineteen digits, with blanks or dashes or without, whose check digit is right."""

EMAILS = Pattern(
    "e-mail",
    re.compile(r"[^\s@<>\"'(),:;\[\]\\]{1,64}@[^\s@<>\"'(),:;\[\]\\]{1,255}"),
    hint=any_of("@"),
)
"""E-mail addresses, of any alphabet."""

SECRET_FIELDS = Fields(
    "password", "passwd", "passphrase", "secret", "*_secret", "api_key", "apikey", "*_api_key",
    "authorization", "*-api-key", "access_token", "refresh_token", "id_token", "private_key",
    "cookie", "set-cookie", "cvv", "cvc",
)  # fmt: skip
"""Members whose name says that their value is a secret."""

READY: tuple[Pattern | Fields, ...] = (SECRET_FIELDS, KEYS, CARD_NUMBERS, EMAILS)
"""All ready rules: `Tailrace(redact=READY)`."""

if TYPE_CHECKING:
    Rule = Pattern | Fields | Callable[[str, Any], Any]


class Redaction:
    """Rules, applied one after the other at every level. Any thread may use it."""

    def __init__(self, rules: Rule | Sequence[Rule], on_failure: Callable[[], None]) -> None:
        """Take up rules.

        Args:
            rules: a function gets `(path, value)` for every value, from the outside in, and returns
                what is recorded instead; a path is like `question`, `order.items.0.name`, `output`,
                `error_message`.
            on_failure: called when a rule raised; the value it was asked about is withheld.
        """
        several = cast("Sequence[Rule]", rules if isinstance(rules, (list, tuple)) else (rules,))
        self._rules: tuple[Rule, ...] = tuple(several)
        self._on_failure = on_failure
        hints = [rule.hint for rule in self._rules if isinstance(rule, (Pattern, Fields))]
        # Without a hint for each rule every value has to be looked at.
        told = [hint for hint in hints if hint is not None]
        self._hints = told if len(told) == len(self._rules) else None

    def text(self, path: str, text: str) -> str:
        """Return a text as it may leave the process. Never raises."""
        redacted = self._guarded(path, text)
        return redacted if isinstance(redacted, str) else dumps(redacted).decode()

    def json(self, path: str, text: bytes) -> bytes:
        """Return JSON as it may leave the process, as JSON. Never raises."""
        if self._hints is not None and not self._hinted(path, text):
            return text
        try:
            return dumps(self._guarded(path, _loads(text)))
        except Exception:  # noqa: BLE001 - what a rule returned may be no JSON value
            self._on_failure()
            return dumps(WITHHELD)

    def _hinted(self, path: str, text: bytes) -> bool:
        assert self._hints is not None
        for rule in self._rules:
            if isinstance(rule, Fields) and rule.covers(path):
                return True
        return any(hint(text) for hint in self._hints)

    def parts(self, parts: Mapping[str, bytes | list[bytes]]) -> dict[str, bytes | list[bytes]]:
        """Return captured arguments as they may leave the process."""
        return {
            name: self.json(name, part)
            if isinstance(part, bytes)
            else [self.json(f"{name}.{place}", item) for place, item in enumerate(part)]
            for name, part in parts.items()
        }

    def _guarded(self, path: str, value: Any) -> Any:
        try:
            return self._walked(path, value)
        except Exception:  # noqa: BLE001 - recording never breaks the agent, and nothing leaks
            self._on_failure()
            return WITHHELD

    def _walked(self, path: str, value: Any) -> Any:
        for rule in self._rules:
            if isinstance(rule, Pattern):
                value = _matched(rule, value)
            elif isinstance(rule, Fields):
                if rule.covers(path):
                    return mark(path.rpartition(".")[2])
            else:
                value = rule(path, value)
        if isinstance(value, dict):
            return self._members(path, cast("dict[str, Any]", value))
        if isinstance(value, (list, tuple)):
            items = enumerate(cast("list[Any]", value))
            return [self._guarded(f"{path}.{place}", item) for place, item in items]
        return value

    def _members(self, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in fields.items():
            shown = str(key)
            for rule in self._rules:
                if isinstance(rule, Pattern):
                    shown = rule.applied(shown)
            # Two keys that look alike now are still two members.
            name, again = shown, 1
            while name in members:
                again += 1
                name = f"{shown} {again}"
            members[name] = self._guarded(f"{path}.{key}", value)
        return members


def _loads(text: bytes) -> Any:
    try:
        return from_json(text)
    except ValueError:  # a lone surrogate, or nesting that only Python's own parser follows
        return json.loads(text)


def _matched(rule: Pattern, value: Any) -> Any:
    if isinstance(value, str):
        return rule.applied(value)
    # A card number may come as a number.
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and _LONG_NUMBER < abs(value) < float("inf")
    ):
        text = str(int(value))
        applied = rule.applied(text)
        return value if applied == text else applied
    return value
