import pytest

from serving.server.messages import (
    BatchingParameters,
    HealthCheckResponse,
    MonitoringConfig,
    SSLConfig,
    TextMessageError,
    read_text_message,
)
from serving.server.program.credentials import server_credentials


def test_wire_format():
    assert HealthCheckResponse(status=1).SerializeToString() == b"\x08\x01"
    assert SSLConfig(server_key="k", client_verify=True).SerializeToString() == b"\x0a\x01k\x20\x01"
    parameters = BatchingParameters(allowed_batch_sizes=[2, 4], max_batch_size={"value": 4})
    assert parameters.SerializeToString() == b"\x0a\x02\x08\x04\x32\x02\x02\x04"


def test_reads_text(tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text('prometheus_config { enable: true path: "/here" }')
    config = read_text_message(file, MonitoringConfig)
    assert (config.prometheus_config.enable, config.prometheus_config.path) == (True, "/here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"Cannot read the SSLConfig file .*ssl.config: .*No such file"),
        ("server_key: 1", r"Invalid protobuf file: '.*ssl.config'. .*text-format tensorflow.serving.SSLConfig: 1:13"),
        ('server_key: "k"', r"The SSLConfig .*ssl.config must have `server_cert`\."),
        ('server_key: "k" server_cert: "c" client_verify: true', r"must have `custom_ca`\."),
    ],
)
def test_bad_ssl_config(tmp_path, text, message):
    file = tmp_path / "ssl.config"
    if text is not None:
        file.write_text(text)
    with pytest.raises(TextMessageError, match=message):
        server_credentials(file)
