"""The body of an HTTP request: by length or in chunks, compressed or not."""

import io
import zlib
from email.message import Message

_BLOCK = 1 << 20
_LINE = 1 << 12
MAX_INFLATED = 1 << 30
"""Bytes that a compressed body may become."""


class BodyError(ValueError):
    """A body that cannot be read: the connection is of no more use."""


def read_body(stream: io.BufferedIOBase, headers: Message) -> bytes:
    """Reads a request's body and decompresses it.

    Args:
      stream: behind the request's headers.
      headers: of the request.

    Returns:
      The body; empty if it says that it is gzip and is none, as TF Serving has it.

    Raises:
      BodyError: the length is wrong or the connection ends too soon.
    """
    body = _read(stream, headers)
    return _inflate(body) if "gzip" in headers.get("Content-Encoding", "").lower() else body


def _read(stream: io.BufferedIOBase, headers: Message) -> bytes:
    if headers.get("Transfer-Encoding", "identity").lower() == "chunked":
        return _read_chunks(stream)
    length = headers.get("Content-Length", "0")
    if not length.isascii() or not length.isdigit():
        raise BodyError(f"Bad Content-Length: {length[:40]!r}")
    return _read_exactly(stream, int(length))


def _read_chunks(stream: io.BufferedIOBase) -> bytes:
    body = bytearray()
    while True:
        size = _read_line(stream).partition(b";")[0].strip()
        try:
            length = int(size, 16)
        except ValueError:
            raise BodyError(f"Bad size of a chunk: {size[:40]!r}") from None
        if length < 0:
            raise BodyError(f"Bad size of a chunk: {size[:40]!r}")
        if not length:
            break
        body += _read_exactly(stream, length)
        if _read_line(stream):
            raise BodyError("A chunk is longer than it says")
    while _read_line(stream):
        pass  # trailers
    return bytes(body)


def _read_line(stream: io.BufferedIOBase) -> bytes:
    line = stream.readline(_LINE)
    if not line.endswith(b"\n"):
        raise BodyError("A line of a chunked body does not end")
    return line.rstrip(b"\r\n")


def _read_exactly(stream: io.BufferedIOBase, length: int) -> bytes:
    body = bytearray()
    while len(body) < length:
        block = stream.read(min(_BLOCK, length - len(body)))
        if not block:
            raise BodyError("The connection ended within the body")
        body += block
    return bytes(body)


def _inflate(body: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(body, MAX_INFLATED)
    except zlib.error:
        return b""
    if inflater.unconsumed_tail:
        raise BodyError(f"A compressed body of more than {MAX_INFLATED} bytes")
    return inflated if inflater.eof else b""
