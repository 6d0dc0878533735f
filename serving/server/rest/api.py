"""The REST API without HTTP: from a method, a path and a body to a status and a document."""

import dataclasses
import logging
import re
import time
import urllib.parse
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    regression_pb2,
)

from serving.server.calls.classify import classify
from serving.server.calls.regress import regress
from serving.server.calls.servable import signature_name
from serving.server.errors import from_exception, invalid_argument
from serving.server.metrics import REQUEST_COUNT, REQUEST_LATENCY, Metrics
from serving.server.models.lookup import ServableLookup
from serving.server.models.metadata import SIGNATURE_DEF, model_metadata
from serving.server.models.status import model_status
from serving.server.rest.json_examples import (
    read_examples,
    write_classifications,
    write_regressions,
)
from serving.server.rest.json_predict import read_inputs, write_outputs
from serving.server.rest.json_text import encode, format_error, parse_object, write_object, write_string

_MODEL = r"/v1/models/(?P<model>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_CALL = re.compile(rf"{_MODEL}:(?P<verb>classify|regress|predict)", re.IGNORECASE)
_LOOK = re.compile(rf"(?:{_MODEL}|/v1/models)(?P<metadata>/metadata)?", re.IGNORECASE)

_HTTP_STATUS = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
}
_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What goes back over HTTP.

    Args:
      status: of HTTP.
      body: the document.
      content_type: of the body.
    """

    status: int
    body: bytes
    content_type: str = "application/json"


def error_answer(error: Exception) -> Answer:
    """Returns `{"error": ...}` with the HTTP status of the error's code, 500 where it has none."""
    if isinstance(error, RecursionError):
        error = invalid_argument("JSON Parse error: The document is nested too deeply.")
    status = from_exception(error)
    if status.code == grpc.StatusCode.INTERNAL:
        _LOGGER.error("A REST call failed", exc_info=error)
    body = encode(write_object({"error": write_string(status.message)}))
    return Answer(_HTTP_STATUS.get(status.code, 500), body)


class RestApi:
    """Answers REST requests.

    Args:
      lookup: finds the models.
      metrics: counts the calls.
    """

    def __init__(self, lookup: ServableLookup, metrics: Metrics):
        self._lookup = lookup
        self._metrics = metrics

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answers one request.

        Args:
          method: of HTTP.
          path: with the query, if there is one, still percent-encoded.
          body: decompressed.
        """
        call = _CALL.fullmatch(path) if method == "POST" else None
        if call is not None and call["verb"].islower():
            return self._counted(call, body)
        look = _LOOK.fullmatch(path) if method == "GET" else None
        try:
            if look is None:
                raise invalid_argument(f"Malformed request: {method} {path}")
            if look["model"] is None:
                raise invalid_argument("Missing model name in request.")
            show = self._metadata if look["metadata"] else self._status
            return Answer(200, encode(show(_model_spec(look))))
        except Exception as error:
            return error_answer(error)

    def _counted(self, call: re.Match[str], body: bytes) -> Answer:
        model = urllib.parse.unquote(call["model"])
        start_s = time.perf_counter()
        try:
            run = {"predict": self._predict, "classify": self._classify, "regress": self._regress}[call["verb"]]
            answer = Answer(200, encode(run(_model_spec(call), body)))
        except Exception as error:
            self._metrics.count(REQUEST_COUNT, model, from_exception(error).code.name)
            return error_answer(error)
        latency_us = (time.perf_counter() - start_s) * 1e6
        self._metrics.observe(REQUEST_LATENCY, latency_us, model, call["verb"], "REST")
        self._metrics.count(REQUEST_COUNT, model, "OK")
        return answer

    def _predict(self, model_spec: model_pb2.ModelSpec, body: bytes) -> str:
        document = parse_object(body)
        _take_signature_name(document, model_spec)
        servable = self._lookup.servable(model_spec)
        name = signature_name(model_spec)
        if name not in servable.signatures:
            raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
        signature = servable.signatures[name]
        if not signature.inputs:
            raise invalid_argument(f"Failed to get input map for signature: {model_spec.signature_name or 'DEFAULT'}")
        inputs, form = read_inputs(document, signature.inputs)
        for key, array in inputs.items():
            signature.check_input(key, array, signature.inputs[key].dtype)
        return write_outputs(signature.run(inputs, list(signature.outputs)), form)

    def _classify(self, model_spec: model_pb2.ModelSpec, body: bytes) -> str:
        document = parse_object(body)
        _take_signature_name(document, model_spec)
        examples = read_examples(document)
        request = classification_pb2.ClassificationRequest(model_spec=model_spec, input=examples)
        return write_classifications(classify(self._lookup.servable(model_spec), request).result)

    def _regress(self, model_spec: model_pb2.ModelSpec, body: bytes) -> str:
        document = parse_object(body)
        _take_signature_name(document, model_spec)
        request = regression_pb2.RegressionRequest(model_spec=model_spec, input=read_examples(document))
        return write_regressions(regress(self._lookup.servable(model_spec), request).result)

    def _status(self, model_spec: model_pb2.ModelSpec) -> str:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec)
        return _json(model_status(self._lookup, request))

    def _metadata(self, model_spec: model_pb2.ModelSpec) -> str:
        request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=model_spec, metadata_field=[SIGNATURE_DEF])
        response = model_metadata(self._lookup, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURE_DEF].Unpack(signatures)
        metadata = write_object({SIGNATURE_DEF: _json(signatures)})
        return write_object({"model_spec": _json(response.model_spec), "metadata": metadata})


def _json(message: Message) -> str:
    # The types of protobuf 5 call it `always_print_fields_with_no_presence`; TensorFlow 2.15 takes protobuf 4.
    options: dict[str, Any] = {"including_default_value_fields": True}
    return json_format.MessageToJson(message, preserving_proto_field_name=True, **options)


def _model_spec(match: re.Match[str]) -> model_pb2.ModelSpec:
    model_spec = model_pb2.ModelSpec(name=urllib.parse.unquote(match["model"]))
    if match["version"] is not None:
        digits = match["version"].lstrip("0") or "0"
        if len(digits) > len(str(2**63)) or int(digits) >= 2**63:
            raise invalid_argument(f"Failed to convert version: {match['version']} to numeric.")
        model_spec.version.value = int(digits)
    if match["label"] is not None:
        model_spec.version_label = urllib.parse.unquote(match["label"])
    return model_spec


def _take_signature_name(document: dict, model_spec: model_pb2.ModelSpec) -> None:
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise format_error(document, "not formatted correctly. 'signature_name' key must be a string value.")
    model_spec.signature_name = name
