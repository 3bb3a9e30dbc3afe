"""HTTP compression in both directions: gzip, deflate, lz4 frames, zstd, brotli where installed."""

from __future__ import annotations

import importlib
import zlib
from typing import TYPE_CHECKING, Any, Protocol

from tailrace.console.local.gateway.errors import CANNOT_DECOMPRESS, GatewayError, refusal

if TYPE_CHECKING:
    from collections.abc import Callable


MAX_PIECE_BYTES = 64 << 20
"""The most that one piece from the network (some hundred KiB) may expand to."""


class Decoder(Protocol):
    """Undoes an encoding piece by piece."""

    def feed(self, data: bytes) -> bytes: ...  # noqa: D102
    def end(self) -> None:
        """Raise GatewayError if the stream stopped in the middle."""


class Encoder(Protocol):
    """Applies an encoding piece by piece."""

    def feed(self, data: bytes) -> bytes: ...  # noqa: D102
    def end(self) -> bytes: ...  # noqa: D102


class Plain:
    """No encoding."""

    def feed(self, data: bytes) -> bytes:
        """Return the data."""
        return data

    def end(self) -> None:
        """Be content."""


class _Frames:
    """Any number of frames one after another, each undone by a decompressor of its own."""

    def __init__(self, name: str, fresh: Callable[[], Any]) -> None:
        self._name = name
        self._fresh = fresh
        self._frame: Any = None

    def feed(self, data: bytes) -> bytes:
        out: list[bytes] = []
        try:
            while data:
                if self._frame is None:
                    self._frame = self._fresh()
                out.append(self._frame.decompress(data, MAX_PIECE_BYTES))
                if len(out[-1]) >= MAX_PIECE_BYTES:
                    raise ValueError("one piece expands beyond all measure")  # noqa: TRY301
                if not self._frame.eof:
                    break
                data = self._frame.unused_data
                self._frame = None
        except Exception as raised:
            # Each library has its own exception types; all mean that the bytes are not this format.
            raise _broken(self._name) from raised
        return b"".join(out)

    def end(self) -> None:
        if self._frame is not None:
            raise _broken(self._name)


class _Deflate:
    def __init__(self) -> None:
        self._kept = zlib.compressobj()

    def feed(self, data: bytes) -> bytes:
        return self._kept.compress(data)

    def end(self) -> bytes:
        return self._kept.flush()


class _Gzip(_Deflate):
    def __init__(self) -> None:
        super().__init__()
        self._kept = zlib.compressobj(3, zlib.DEFLATED, 16 + zlib.MAX_WBITS)


class _Lz4:
    def __init__(self) -> None:
        self._frame: Any = importlib.import_module("lz4.frame").LZ4FrameCompressor()
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        begin = b"" if self._begun else self._frame.begin()
        self._begun = True
        return begin + self._frame.compress(data)

    def end(self) -> bytes:
        begin = b"" if self._begun else self._frame.begin()
        return begin + self._frame.flush()


class _Zstd:
    def __init__(self) -> None:
        self._frame: Any = _zstd().ZstdCompressor(level=1)

    def feed(self, data: bytes) -> bytes:
        return self._frame.compress(data)

    def end(self) -> bytes:
        return self._frame.flush()


def decoder(name: str) -> Decoder:
    """Return what undoes a request's Content-Encoding; raises GatewayError for an unknown one."""
    name = name.strip().lower()
    if name in {"", "identity"}:
        return Plain()
    make = _DECODERS.get(name)
    if make is None or not _installed(name):
        raise refusal(
            CANNOT_DECOMPRESS,
            "CANNOT_DECOMPRESS",
            f"Content-Encoding {name[:40]} is not understood here; send one of "
            f"{', '.join(sorted(n for n in _DECODERS if _installed(n)))}.",
        )
    return _Frames(name, make)


def choose_encoder(accepted: str) -> tuple[str, Encoder] | None:
    """Return the first encoding of an Accept-Encoding header that can be made here."""
    for part in accepted.split(","):
        name, _, quality = part.strip().lower().partition(";")
        name = name.strip()
        if name in _ENCODERS and _installed(name) and quality.replace(" ", "") not in _REFUSED:
            return name, _ENCODERS[name]()
    return None


def _zstd() -> Any:
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        return importlib.import_module("backports.zstd")


def _installed(name: str) -> bool:
    try:
        if name == "lz4":
            importlib.import_module("lz4.frame")
        if name == "zstd":
            _zstd()
    except ImportError:
        return False
    return True


def _broken(name: str) -> GatewayError:
    return refusal(
        CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", f"The body is not complete and valid {name}."
    )


_REFUSED = {"q=0", "q=0.0", "q=0.00", "q=0.000"}
_DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "deflate": zlib.decompressobj,
    "lz4": lambda: importlib.import_module("lz4.frame").LZ4FrameDecompressor(),
    "zstd": lambda: _zstd().ZstdDecompressor(),
}
_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "lz4": _Lz4,
    "zstd": _Zstd,
    "gzip": _Gzip,
    "deflate": _Deflate,
}
