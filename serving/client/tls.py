"""TLS between client and server."""

import dataclasses
import os
from pathlib import Path

import grpc


@dataclasses.dataclass(frozen=True)
class TlsConfig:
    """How a server is known, and how it knows the client.

    Args:
      ca_file: PEM certificates of the authorities that vouch for the server; `None` takes those of the system.
      cert_file: PEM certificate chain of the client, for a server that asks for one (mutual TLS).
      key_file: PEM private key of the client.
      server_name: name in the server's certificate, where it is not the one in the address.
    """

    ca_file: str | os.PathLike[str] | None = None
    cert_file: str | os.PathLike[str] | None = None
    key_file: str | os.PathLike[str] | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError(
                "`cert_file` and `key_file` must be given together. "
                f"Received: cert_file={self.cert_file!r}, key_file={self.key_file!r}"
            )

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files.

        Raises:
          ValueError: a file cannot be read.
        """
        return grpc.ssl_channel_credentials(self._read("ca_file"), self._read("key_file"), self._read("cert_file"))

    def channel_options(self) -> list[tuple[str, str]]:
        """Returns gRPC's options of a channel."""
        return [] if self.server_name is None else [("grpc.ssl_target_name_override", self.server_name)]

    def _read(self, field: str) -> bytes | None:
        path = getattr(self, field)
        if path is None:
            return None
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise ValueError(f"`{field}` must be a readable file. Received: {path}: {error.strerror}") from None
