"""A client and a server that know each other by certificates."""

import grpc
import pytest
from patience import PATIENCE_S

from serving.client import ClientConfig, TlsConfig
from serving.client.errors import ServerUnavailableError
from serving.release.manifest import Stage
from serving.server.options import GrpcOptions
from serving.server.program.release_server import release_server

STAGES = (Stage("retrieval", 6), Stage("ranking", 4))


@pytest.fixture(scope="module")
def secure_target(served_base, certificates):
    """A server that asks for a certificate of the client's; its own names `localhost` and 127.0.0.1."""
    key, certificate, authority = (certificates[name].read_bytes() for name in ("server.key", "server.crt", "ca.crt"))
    credentials = grpc.ssl_server_credentials([(key, certificate)], authority, require_client_auth=True)
    with release_server(served_base, port=0, grpc_options=GrpcOptions(credentials=credentials)) as server:
        yield server.target


def options(certificates, name, **others):
    return {
        "ca_file": certificates["ca.crt"],
        "cert_file": certificates[f"{name}.crt"],
        "key_file": certificates[f"{name}.key"],
        **others,
    }


@pytest.mark.parametrize("name", [None, "localhost"])
def test_both_know_each_other(secure_target, open_client, certificates, name):
    tls = TlsConfig(**options(certificates, "client", server_name=name))
    client = open_client(secure_target, ClientConfig(STAGES, deadline_s=PATIENCE_S, tls=tls))
    assert client.recommend(context={"tab": 5}, k=1).item_ids == ["i5"]


def test_strangers_are_refused(secure_target, open_client, certificates):
    without_certificate = TlsConfig(ca_file=certificates["ca.crt"])
    another_authority = TlsConfig(**options(certificates, "client", ca_file=certificates["stranger.crt"]))
    another_name = TlsConfig(**options(certificates, "client", server_name="elsewhere"))
    strange_client = TlsConfig(**options(certificates, "stranger"))
    for tls in (without_certificate, another_authority, another_name, strange_client, None):
        client = open_client(secure_target, ClientConfig(STAGES, deadline_s=PATIENCE_S, tls=tls))
        with pytest.raises(ServerUnavailableError, match=f"^No model server answers at {secure_target}"):
            client.recommend()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cert_file": "c.pem"}, "`cert_file` and `key_file` must be given together. Received: cert_file='c.pem', key"),
        ({"ca_file": "/nowhere/ca.pem"}, "`ca_file` must be a readable file. Received: /nowhere/ca.pem: No such file"),
    ],
)
def test_files(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        TlsConfig(**arguments).credentials()
