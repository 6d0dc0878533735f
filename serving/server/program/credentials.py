"""TLS for the gRPC port."""

import os

import grpc

from serving.server.messages import SSLConfig, TextMessageError, read_text_message


def server_credentials(ssl_config_file: str | os.PathLike[str]) -> grpc.ServerCredentials:
    """Reads a text-format SSLConfig: the key and the certificate in it, not their paths.

    Args:
      ssl_config_file: of `server_key`, `server_cert`, `custom_ca` (of the clients' certificates) and `client_verify`.

    Returns:
      Credentials of a server that, with `client_verify`, refuses a client without a certificate of `custom_ca`.

    Raises:
      TextMessageError: the file is no SSLConfig, or lacks something.
    """
    config = read_text_message(ssl_config_file, SSLConfig)
    for field in ["server_key", "server_cert", *(["custom_ca"] if config.client_verify else [])]:
        if not getattr(config, field):
            raise TextMessageError(f"The SSLConfig {ssl_config_file} must have `{field}`.")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
