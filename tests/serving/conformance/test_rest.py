"""Status, metadata, predict, classify and regress over REST."""

import base64
import concurrent.futures
import gzip
import http.client
import json
import math

import pytest
from patience import PATIENCE_S


def b64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def test_status(server):
    for path in ("half", "half/versions/123", "half/versions/000123"):
        answer = server.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        status = {"error_code": "OK", "error_message": ""}
        assert answer.json == {"model_version_status": [{"version": "123", "state": "AVAILABLE", "status": status}]}


def test_metadata(server):
    answer = server.get("half/metadata")
    assert answer.status == 200
    assert answer.json["model_spec"] == {"name": "half", "signature_name": "", "version": "123"}
    signature = answer.json["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["name"] == "x:0"
    assert [dim["size"] for dim in signature["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1"]
    assert server.get("half/versions/123/metadata").json == answer.json


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("nope", 404, "Could not find any versions of model nope"),
        ("half?verbose", 404, "Could not find any versions of model half?verbose"),
        ("half/versions/5", 404, "Could not find version 5 of model half"),
        ("nope/metadata", 404, "Servable not found for request: Latest(nope)"),
        ("half/versions/5/metadata", 404, "Servable not found for request: Specific(half, 5)"),
        ("half/labels/canary/metadata", 400, "Unrecognized servable version label: canary"),
        ("half/versions/99999999999999999999", 400, "Failed to convert version: 99999999999999999999 to numeric."),
    ],
)
def test_get_what_is_not_there(server, path, code, message):
    answer = server.get(path)
    assert (answer.status, answer.error) == (code, message)


@pytest.mark.parametrize("path", ["half:predict", "half/versions/123:predict", "name%20with%20space:predict"])
def test_rows_of_one_input_and_one_output(server, path):
    answer = server.post(path, {"instances": [1.0, 2, 5.0]})
    plus = 4.0 if path.startswith("name") else 2.0
    assert (answer.status, answer.json) == (200, {"predictions": [0.5 + plus, 1.0 + plus, 2.5 + plus]})
    assert answer.headers["Content-Type"] == "application/json"


def test_columns_of_one_input_and_one_output(server):
    assert server.post("half:predict", {"inputs": [1.0, 2.0]}).json == {"outputs": [2.5, 3.0]}
    assert server.post("half:predict", {"inputs": {"x": [1.0, 2.0]}}).json == {"outputs": [2.5, 3.0]}
    named = server.post("half:predict", {"signature_name": "twice", "inputs": [1.0]})
    assert named.json == {"outputs": {"y": [5.0], "x2": [2.0]}}
    matrix = server.post("assorted:predict", {"inputs": [[2, 4], [6, 8]]})
    assert matrix.json == {"outputs": [[3.0, 4.0], [5.0, 6.0]]}


def test_named_inputs_and_several_outputs(server):
    pair = {"signature_name": "pair"}
    rows = server.post("assorted:predict", pair | {"instances": [{"a": 3, "b": 1}, {"a": 5.5, "b": 0.5}]})
    assert rows.json == {"predictions": [{"sum": 4.0, "difference": 2.0}, {"sum": 6.0, "difference": 5.0}]}
    columns = server.post("assorted:predict", pair | {"inputs": {"a": [3, 5.5], "b": [1, 0.5]}})
    assert columns.json == {"outputs": {"sum": [4.0, 6.0], "difference": [2.0, 5.0]}}


def test_text_and_bytes(server):
    text = {"signature_name": "text"}
    rows = server.post("assorted:predict", text | {"instances": ["ab", b64(b"\x00\xff"), "日本"]})
    assert rows.status == 200
    document = rows.body.replace(b"\x00\xff\x00\xff", b"").replace(b"\\u0000\xff\\u0000\xff", b"")
    predictions = json.loads(document)["predictions"]
    assert [row["s_bytes"] for row in predictions] == [b64(b"ab"), b64(b"\x00\xff"), b64("日本".encode())]
    assert (predictions[0]["s"], predictions[2]["s"]) == ("abab", "日本日本")
    named = server.post("assorted:predict", text | {"instances": [{"s": b64(b"ab")}]})
    assert named.json == {"predictions": [{"s": "abab", "s_bytes": b64(b"ab")}]}
    column = server.post("assorted:predict", text | {"inputs": ["ab"]})
    assert column.json == {"outputs": {"s": ["abab"], "s_bytes": [b64(b"ab")]}}


def test_every_dtype(server):
    row = {
        "float": 0.1,
        "double": 0.1,
        "int32": -(2**31),
        "int64": -(2**63),
        "bool": True,
        "string": 'quote " and \\ and\nline',
        "uint8": 255,
    }
    answer = server.post("assorted:predict", {"signature_name": "echo", "instances": [row]})
    assert answer.json == {"predictions": [row]}


def test_numbers_that_are_not_finite(server):
    answer = server.rest("POST", "/v1/models/half:predict", b'{"instances": [NaN, Infinity, -Infinity, 1e-45, 3e38]}')
    values = answer.json["predictions"]
    assert math.isnan(values[0])
    assert values[1:3] == [math.inf, -math.inf]
    assert b"NaN" in answer.body
    assert b"-Infinity" in answer.body


@pytest.mark.parametrize("wrong", ['"1"', "true", "null", "[]", "[[1.0], 2.0]", "{}"])
def test_values_that_are_no_number(server, wrong):
    answer = server.rest("POST", "/v1/models/half:predict", f'{{"instances": [{wrong}]}}'.encode())
    assert answer.status == 400
    assert answer.error


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"{", "JSON Parse error: "),
        (b'{"instances": [1.0]} more', "JSON Parse error: "),
        (b"\xff\xfe", "JSON Parse error: "),
        (b"[1.0]", "Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": [1.0], "inputs": [1.0]}, "expecting only one of 'inputs' or 'instances' keys"),
        ({"instances": 1.0}, "to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": ["1"]}, 'JSON Value: "1" Type: String is not of expected type: float'),
        ({"instances": [16777217]}, "Cannot convert JSON value: 16777217 to float without loss of precision."),
        ({"instances": [1.0, [1.0]]}, "Expecting"),
        ({"instances": [{"z": 1.0}]}, "JSON object: does not have named input: z"),
        ({"inputs": {"z": [1.0]}}, "Missing named input: x in 'inputs' object."),
        ({"inputs": [[1.0], [1.0, 2.0]]}, "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
        ({"signature_name": 5, "instances": [1.0]}, "'signature_name' key must be a string value."),
        (
            {"signature_name": "nope", "instances": [1.0]},
            'Serving signature name: "nope" not found in signature def',
        ),
    ],
)
def test_predict_refuses(server, body, message):
    answer = server.post("half:predict", body)
    assert answer.status == 400
    assert message in answer.error


@pytest.mark.parametrize(
    ("signature", "body", "message"),
    [
        ("pair", {"instances": [1.0]}, "instances is a plain list, but expecting list of objects"),
        ("pair", {"inputs": [1.0]}, "inputs is a plain value/list, but expecting an object"),
        ("pair", {"instances": [{"a": 1.0}]}, "must only have keys: a,b"),
        ("pair", {"instances": [{"a": 1.0, "b": 1.0, "c": 1.0}]}, "does not have named input: c"),
        ("pair", {"instances": [{"a": 1.0, "b": 2.0}, 3.0]}, "Expecting object but got list at item 1 of input list"),
        ("pair", {"inputs": {"a": [1.0]}}, "Missing named input: b in 'inputs' object."),
        ("integer", {"instances": [1.5]}, "Type: Number is not of expected type: int64"),
        ("integer", {"instances": [2**63]}, "is not of expected type: int64"),
        ("text", {"instances": [1]}, "JSON Value: 1 Type: Number is not of expected type: string"),
        ("text", {"instances": [{"b64": "!"}]}, "Unable to base64 decode"),
        ("", {"instances": [[1.0, 2.0, 3.0]]}, ""),
        ("", {"instances": [[1.0, 2.0], [1.0]]}, "Failed to process element: 1 of 'instances' list. Error: "),
    ],
)
def test_predict_on_other_signatures_refuses(server, signature, body, message):
    answer = server.post("assorted:predict", body | {"signature_name": signature})
    assert answer.status == 400
    assert message in answer.error


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("nope:predict", 404, "Servable not found for request: Latest(nope)"),
        ("half/versions/5:predict", 404, "Servable not found for request: Specific(half, 5)"),
        ("half/labels/canary:predict", 400, "Unrecognized servable version label: canary"),
        ("half/versions/99999999999999999999:predict", 400, "Failed to convert version: 99999999999999999999"),
    ],
)
def test_predict_on_what_is_not_there(server, path, code, message):
    answer = server.post(path, {"instances": [1.0]})
    assert answer.status == code
    assert message in answer.error


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models/half"),
        ("POST", "/v1/models/half:run"),
        ("POST", "/v1/models/half/versions/one:predict"),
        ("POST", "/v1/models/half/versions/1/labels/a:predict"),
        ("POST", "/v1/models/:predict"),
        ("GET", "/v1/models/half:predict"),
        ("PUT", "/v1/models/half:predict"),
        ("DELETE", "/v1/models/half"),
        ("GET", "/v1/models/half/other"),
        ("GET", "/v1/other"),
        ("GET", "/v1/models/../../etc/passwd"),
    ],
)
def test_malformed_requests(server, method, path):
    answer = server.rest(method, path, {"instances": [1.0]} if method == "POST" else None)
    assert answer.status == 400
    assert answer.error == f"Malformed request: {method} {path}"


def test_no_model_name(server):
    answer = server.rest("GET", "/v1/models")
    assert (answer.status, answer.error) == (400, "Missing model name in request.")


@pytest.mark.parametrize("path", ["/", "/v2/models/half", "/metrics", "/etc/passwd"])
def test_paths_outside_of_the_api(server, path):
    assert server.rest("GET", path).status == 404


def test_classify_and_regress(server):
    classify = server.post("half:classify", {"signature_name": "classify", "examples": [{"x": 2.0}, {"x": [4.0]}]})
    assert (classify.status, classify.json) == (
        200,
        {"results": [[["up", 3.0], ["down", -3.0]], [["up", 4.0], ["down", -4.0]]]},
    )
    regress = server.post("half:regress", {"signature_name": "regress", "examples": [{"x": 2.0}, {"x": 0.0}]})
    assert (regress.status, regress.json) == (200, {"results": [3.0, 2.0]})
    context = {"signature_name": "regress", "context": {"bias": 10.0}, "examples": [{"x": 2.0}]}
    assert server.post("half/versions/123:regress", context).json == {"results": [13.0]}


@pytest.mark.parametrize("verb", ["classify", "regress"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "key 'examples' is expected and was not found"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": {}}, "Expecting 'examples' value to be an list/array"),
        ({"examples": [1.0]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type: Null"),
        ({"examples": [{"x": [1.0, 2]}]}, "Unexpected element type in feature: x expecting type: float"),
        ({"examples": [{"x": 2.0}], "signature_name": "nope"}, "No signature was found with the name: nope"),
        ({"examples": [{"x": 2}]}, "Data types don't match"),
    ],
)
def test_classify_and_regress_refuse(server, verb, body, message):
    answer = server.post(f"half:{verb}", {"signature_name": verb} | body)
    assert answer.status == 400
    assert message in answer.error


def test_a_compressed_body(server):
    body = gzip.compress(json.dumps({"instances": [1.0]}).encode())
    headers = {"Content-Encoding": "gzip"}
    answer = server.rest("POST", "/v1/models/half:predict", body, headers)
    assert (answer.status, answer.json) == (200, {"predictions": [2.5]})
    assert server.rest("POST", "/v1/models/half:predict", b"no gzip", headers).status == 400


def test_an_error_leaves_the_connection_usable(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=PATIENCE_S)
    answers = []
    for body in (b"{", b'{"instances": [1.0]}', b"", b'{"instances": [2.0]}'):
        connection.request("POST", "/v1/models/half:predict", body)
        used = connection.sock
        response = connection.getresponse()
        answers.append((response.status, response.read()))
        assert connection.sock is used
        assert used is not None
    connection.close()
    assert [status for status, _ in answers] == [400, 200, 400, 200]
    assert json.loads(answers[3][1]) == {"predictions": [3.0]}


def test_a_body_in_chunks(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=PATIENCE_S)
    connection.request("POST", "/v1/models/half:predict", iter([b'{"inst', b'ances": [1.0]}']))
    response = connection.getresponse()
    assert (response.status, json.load(response)) == (200, {"predictions": [2.5]})
    connection.close()


def test_32_callers_get_their_own_answers(server):
    def ask(n):
        return server.post("half:predict", {"instances": [float(n)]}).json["predictions"]

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert list(pool.map(ask, range(128))) == [[n / 2 + 2] for n in range(128)]


def test_metrics(server):
    server.post("half:predict", {"instances": [1.0]})
    server.post("nope:predict", {"instances": [1.0]})
    page = server.rest("GET", "/metrics/here")
    assert (page.status, page.headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    lines = page.body.decode().split("\n")
    assert "# TYPE :tensorflow:serving:request_count counter" in lines
    assert "# TYPE :tensorflow:serving:request_latency histogram" in lines
    counts = {line.rpartition(" ")[0]: int(line.rpartition(" ")[2]) for line in lines if "request_count{" in line}
    assert counts[':tensorflow:serving:request_count{model_name="half",status="OK"}'] >= 1
    latencies = [line for line in lines if line.startswith(":tensorflow:serving:request_latency_bucket")]
    assert any('model_name="half"' in line and 'entrypoint="REST"' in line for line in latencies)
    assert any('le="+Inf"' in line for line in latencies)
