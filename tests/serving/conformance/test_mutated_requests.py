"""Requests that went wrong on their way: each is answered, or refused for what it is, and the server goes on.

`pytest -s tests/serving/conformance/test_mutated_requests.py --num-mutations 100000 --timeout 0` sends as many of each
kind and prints how they were answered.
"""

import collections
import copy
import gzip
import http.client
import json
import random
import urllib.parse
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from conformance_models import ECHOED
from conformance_requests import config_of, examples, half, predict_request, serve, spec
from conformance_server import running
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from patience import PATIENCE_S, wait_until
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    regression_pb2,
)

IN_FLIGHT = 32
ODD_BYTES = (b"\0", b"\xff", b"\xff\xff\xff\xff\x0f", b"\x80" * 9 + b"\x01", b"\xed\xa0\x80", b"-1")
ODD_TEXT = ("", "x", "a", "half", "echo", "serving_default", "\0", "\U0001f600", "tensorflow/serving/regress", "9" * 40)
ODD_INTEGERS = (0, 1, 2, 3, 7, 9, 123, 2**31 - 1, 2**31, 2**62, -1, -2, -(2**31), -(2**63))
ODD_FLOATS = (0.0, -1.5, 1e300, float("nan"), float("inf"))
ODD_JSON = [
    *("null", "true", "-1", "1.5", "1e400", "NaN", "-Infinity", "9223372036854775808", "[]", "[[]]", "[1,[2]]", "{}"),
    *('""', '"1"', '"\\ud800"', '"\\u0000"', '"serving_default"', '{"b64":"?"}', '{"b64":"YQ=="}', "[[[[[[]]]]]]"),
]
LOOKS = ("half", "half/metadata", "half/versions/123", "half/versions/123/metadata", "half/labels/stable")
REFUSALS = {
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "FAILED_PRECONDITION",
    "UNIMPLEMENTED",
    "OUT_OF_RANGE",
    "RESOURCE_EXHAUSTED",
}


def mutated(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """`data` with one to four edits, some of which take a piece of `other`."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(data) + 1)
        end = min(start + rng.choice((0, 1, 1, 2, 8, 64)), len(data))
        piece = rng.randrange(len(other) + 1)
        put = rng.choice(
            (
                b"",
                rng.randbytes(1),
                rng.choice(ODD_BYTES),
                other[piece : piece + rng.choice((1, 8, 64))],
                data[start:end] * 2,
            )
        )
        data = data[:start] + put + data[end:]
    return data


def edit_a_field(message: Message, rng: random.Random) -> None:
    """Sets, empties, doubles or drops some field of a message or of one inside it."""
    field = rng.choice(message.DESCRIPTOR.fields)
    inside = _messages_inside(message)
    if inside and rng.random() < 0.7:
        edit_a_field(rng.choice(inside), rng)
    elif rng.random() < 0.2:
        message.ClearField(field.name)
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        entries = getattr(message, field.name)
        value = field.message_type.fields_by_name["value"]
        if value.message_type is None:
            entries[rng.choice(ODD_TEXT)] = _odd_value(value, rng)
        else:
            entries[rng.choice(ODD_TEXT)].CopyFrom(entries[rng.choice([*entries, *ODD_TEXT])])
    elif field.label == FieldDescriptor.LABEL_REPEATED:
        values = getattr(message, field.name)
        values.extend(list(values) if values else [] if field.message_type else [_odd_value(field, rng)])
        if field.message_type is not None and not values:
            values.add()
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, _odd_value(field, rng))


def _messages_inside(message: Message) -> list[Message]:
    inside: list[Message] = []
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            inside += [each for each in value.values() if isinstance(each, Message)]
        else:
            inside += value if field.label == FieldDescriptor.LABEL_REPEATED else [value]
    return inside


def _odd_value(field: FieldDescriptor, rng: random.Random) -> object:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        text = rng.choice(ODD_TEXT)
        return text if field.type == FieldDescriptor.TYPE_STRING else text.encode() + rng.choice(ODD_BYTES)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return rng.choice(ODD_FLOATS)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return rng.choice((0, 1, 2, 3, 7, 9, 10, 14, 19, 101, 999))  # enums of proto3 are open
    lowest, highest = {
        FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
        FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
        FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
        FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    }[field.cpp_type]
    return rng.choice([number for number in ODD_INTEGERS if lowest <= number <= highest])


def requests() -> list[tuple[str, Message]]:
    """A method and a valid request of it."""
    echoed = {
        name: np.array([b"a" if dtype.name == "string" else 1], dtype.as_numpy_dtype) for name, dtype in ECHOED.items()
    }
    rows = examples({"x": 1.0}, {"x": 2.0, "bias": 3.0})
    with_context = examples({"x": 1.0}, context={"bias": 1.0})
    tasks = [
        inference_pb2.InferenceTask(model_spec=spec("half", signature=name), method_name=f"tensorflow/serving/{name}")
        for name in ("classify", "regress")
    ]
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=spec("assorted"), metadata_field=["signature_def"]
    )
    prediction, model = "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/"
    return [
        (f"{prediction}Predict", predict_request(spec("half", 123), {"x": np.float32([1, 2, 3])}, "y")),
        (f"{prediction}Predict", predict_request(spec("assorted"), {"x": np.float32([[1, 2], [3, 4]])})),
        (f"{prediction}Predict", predict_request(spec("assorted", signature="echo"), echoed)),
        (f"{prediction}Predict", predict_request(spec("assorted", signature="text"), {"s": [b"ab", b"c"]})),
        (
            f"{prediction}Predict",
            predict_request(spec("assorted", signature="divide"), {"a": np.int32([1, 2]), "b": np.int32([1, 2])}),
        ),
        (
            f"{prediction}Classify",
            classification_pb2.ClassificationRequest(model_spec=spec("half", signature="classify"), input=rows),
        ),
        (
            f"{prediction}Regress",
            regression_pb2.RegressionRequest(model_spec=spec("half", signature="regress"), input=with_context),
        ),
        (f"{prediction}MultiInference", inference_pb2.MultiInferenceRequest(tasks=tasks, input=rows)),
        (f"{prediction}GetModelMetadata", metadata),
        (f"{model}GetModelStatus", get_model_status_pb2.GetModelStatusRequest(model_spec=spec("half"))),
    ]


@pytest.fixture(scope="module", params=["alone", "batching"])
def asked(request, command, put, server, tmp_path_factory):
    """The suite's server, and one that joins concurrent calls."""
    if request.param == "alone":
        yield server
        return
    base = tmp_path_factory.mktemp("batching")
    put(base / "half", "00000123", "half_plus", 2.0)
    put(base / "assorted", 1, "assorted")
    (base / "models.config").write_text(
        f"model_config_list {{ {config_of('half', base / 'half')} {config_of('assorted', base / 'assorted')} }}"
    )
    flags = [f"--model_config_file={base}/models.config", "--enable_batching"]
    with running(command, flags, base / "server.log") as started:
        yield started


def test_over_grpc(asked, request):
    rng = random.Random(7)
    seeds = requests()
    for method, valid in seeds:
        asked.channel.unary_unary(method)(valid.SerializeToString(), timeout=PATIENCE_S)
    counts: collections.Counter[str] = collections.Counter()
    waiting: collections.deque[tuple[grpc.Future, type[Message], bytes]] = collections.deque()

    def take(future: grpc.Future, kind: type[Message], data: bytes) -> None:
        code = future.code().name
        counts[code] += 1
        if code == "OK" or code in REFUSALS:
            return
        assert code == "INTERNAL", (code, future.details(), kind.__name__, data)
        with pytest.raises(DecodeError):  # bytes that are no message never reach the server
            kind.FromString(data)

    for _ in range(request.config.getoption("num_mutations")):
        method, valid = rng.choice(seeds)
        message = copy.deepcopy(valid)
        for _ in range(rng.randint(0, 3)):
            edit_a_field(message, rng)
        data = message.SerializeToString()
        if rng.random() < 0.3:
            data = mutated(data, rng.choice(seeds)[1].SerializeToString(), rng)
        waiting.append((asked.channel.unary_unary(method).future(data, timeout=PATIENCE_S), type(message), data))
        if len(waiting) == IN_FLIGHT:
            take(*waiting.popleft())
    for each in waiting:
        take(*each)
    print(dict(counts))
    assert {"OK", "INVALID_ARGUMENT", "NOT_FOUND"} <= set(counts)
    assert half(asked) == (2.0, 123)


def test_reloads(changing, put, tmp_path):
    """A configuration that went wrong may be one that has no models, or that waits for one that is not there."""
    rng = random.Random(9)
    put(tmp_path / "half", 123, "half_plus", 2.0)
    good = config_of("half", tmp_path / "half", 'version_labels { key: "stable" value: 123 }')
    serve(changing, config_of("half", tmp_path / "half"))
    valid = text_format.Parse(
        f"config {{ model_config_list {{ {good} }} }}", model_management_pb2.ReloadConfigRequest()
    )
    codes: collections.Counter[str] = collections.Counter()
    limit_s = 0.5
    while not {"OK", "INVALID_ARGUMENT"} <= set(codes) and limit_s < PATIENCE_S:  # a slow machine needs more time
        calls = []
        for _ in range(200):
            message = copy.deepcopy(valid)
            for _ in range(rng.randint(1, 3)):
                edit_a_field(message, rng)
            calls.append(changing.model.HandleReloadConfigRequest.future(message, timeout=limit_s))
        codes.update(call.code().name for call in calls)
        limit_s *= 2
    print(dict(codes))
    assert set(codes) <= {"OK", "DEADLINE_EXCEEDED", "UNKNOWN", *REFUSALS}
    assert {"OK", "INVALID_ARGUMENT"} <= set(codes)

    def serves_again() -> bool:
        """A call whose time was over may come to its end only now, and change the configuration once more."""
        try:
            serve(changing, config_of("half", tmp_path / "half"))
            return half(changing) == (2.0, 123)
        except grpc.RpcError:
            return False

    wait_until(serves_again)


def test_over_rest(asked, request):
    rng = random.Random(8)
    rows = {"examples": [{"x": 1.0}, {"x": [2.0], "bias": 3.0}], "signature_name": "classify"}
    seeds = [
        ("half/versions/123:predict", {"instances": [1.0, 2.0]}),
        ("half:predict", {"inputs": {"x": [1.0, 2.0]}, "signature_name": "twice"}),
        ("assorted:predict", {"instances": [[1, 2], [3, 4]]}),
        ("assorted:predict", {"signature_name": "text", "instances": ["ab", {"b64": "YWI="}]}),
        ("assorted:predict", {"signature_name": "pair", "inputs": {"a": [1.5], "b": [2.5]}}),
        ("half:classify", rows),
        ("half:regress", rows | {"signature_name": "regress", "context": {"bias": 1.0}}),
    ]
    for path, body in seeds:
        assert asked.post(path, body).status == 200, (path, body)
    bodies = [json.dumps(body).encode() for _, body in seeds]
    counts: collections.Counter[int] = collections.Counter()
    connection = http.client.HTTPConnection("127.0.0.1", asked.rest_port, timeout=PATIENCE_S)
    for _ in range(request.config.getoption("num_mutations")):
        path, body = rng.choice(seeds)
        data = rng.choice((_other_json, _other_json, _other_bytes))(body, rng.choice(bodies), rng)
        method, headers = "POST", {}
        if rng.random() < 0.2:
            method, path = rng.choice(("GET", "GET", "POST", "PUT")), rng.choice((path, *LOOKS))
            mutated_path = mutated(path.encode(), rng.choice(seeds)[0].encode(), rng)
            path = urllib.parse.quote(mutated_path, safe="/:%?&=.")
        if rng.random() < 0.1:
            headers = {"Content-Encoding": "gzip"}
            data = gzip.compress(data) if rng.random() < 0.5 else mutated(gzip.compress(data), data, rng)
        connection.request(method, f"/v1/models/{path}", data, headers)
        response = connection.getresponse()
        answer = response.read()
        counts[response.status] += 1
        assert response.status in (200, 400, 404, 501), (response.status, answer, path, data)
        content = json.loads(answer.decode(errors="replace"))  # a message quotes bytes as they came
        assert response.status == 200 or set(content) == {"error"}, (response.status, answer, path, data)
    connection.close()
    print(dict(counts))
    assert {200, 400, 404} <= set(counts)
    assert half(asked) == (2.0, 123)


def _other_bytes(body: object, other: bytes, rng: random.Random) -> bytes:
    return mutated(json.dumps(body).encode(), other, rng)


def _other_json(body: object, other: bytes, rng: random.Random) -> bytes:
    """JSON in which a value is another, or a key is gone or doubled."""
    places = list(_places(body))
    wanted = rng.randrange(len(places))
    numbers = iter(range(len(places)))

    def write(value: object) -> str:
        if next(numbers) == wanted:
            return rng.choice(ODD_JSON)
        if isinstance(value, dict):
            pairs = [f"{json.dumps(key)}: {write(each)}" for key, each in value.items()]
            return "{" + ", ".join(pairs * rng.choice((1, 1, 2))) + "}"
        return "[" + ", ".join(map(write, value)) + "]" if isinstance(value, list) else json.dumps(value)

    return write(body).encode()


def _places(value: object) -> Iterator[object]:
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _places(each)
