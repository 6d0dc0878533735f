"""Tiny SavedModels, built once per session, and servers for them."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from gate import SPECS, hold
from patience import PATIENCE_S, wait_until
from tensorflow_serving.apis import (
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving import signatures
from serving.server.models.model_config import ModelConfig, model_config
from serving.server.models.version_source import Aspired, VersionSource
from serving.server.program.server import ModelServer

DTYPES = {
    "float": tf.float32,
    "double": tf.float64,
    "int32": tf.int32,
    "int64": tf.int64,
    "bool": tf.bool,
    "string": tf.string,
    "uint8": tf.uint8,
    "half": tf.float16,
}


def spec(dtype: tf.DType, *shape: int | None) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype)


def save(
    folder: Path, functions: dict[str, tuple[Callable, dict[str, tf.TensorSpec]]], **variables: tf.Variable
) -> Path:
    module = tf.Module()
    for name, variable in variables.items():
        setattr(module, name, variable)
    concrete = {
        name: tf.function(function, autograph=False).get_concrete_function(
            **{k: tf.TensorSpec(s.shape, s.dtype, k) for k, s in specs.items()}
        )
        for name, (function, specs) in functions.items()
    }
    tf.saved_model.save(module, str(folder), signatures=concrete)
    return folder


@pytest.fixture(scope="session")
def half_plus(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """`y = x / 2 + b`, with `b` in a variable."""
    saved: dict[float, Path] = {}

    def build(addend: float) -> Path:
        if addend not in saved:
            b = tf.Variable(addend)
            specs = {"x": spec(tf.float32, None)}
            functions = {
                "serving_default": (lambda x: {"y": x / 2 + b}, specs),
                "twice": (lambda x: {"y": x + 2 * b, "x2": x * 2}, specs),
            }
            saved[addend] = save(tmp_path_factory.mktemp("half_plus"), functions, b=b)
        return saved[addend]

    return build


@pytest.fixture(scope="session")
def assorted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signatures for every case that a server must tell apart."""
    pair = {"a": spec(tf.float32, None), "b": spec(tf.float32, None)}

    functions = {
        "serving_default": (lambda s: {"s": tf.strings.join([s, s])}, {"s": spec(tf.string, None)}),
        "echo": (lambda **x: x, {name: spec(dtype, None) for name, dtype in DTYPES.items()}),
        "pair": (lambda a, b: {"sum": a + b, "difference": a - b}, pair),
        "matrix": (lambda x: {"y": x / 2 + 2}, {"x": spec(tf.float32, None, 2)}),
        "scalar": (lambda s: {"s": s}, {"s": spec(tf.string)}),
        "divide": (lambda a, b: {"y": a // b}, {"a": spec(tf.int32, None), "b": spec(tf.int32, None)}),
        "hold": (hold, SPECS),
    }
    return save(tmp_path_factory.mktemp("assorted"), functions)


@pytest.fixture(scope="session")
def cascade_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], dict[str, Path]]:
    """A release of ten items `i0` to `i9`: retrieval scores item n with n, ranking with 100 * release - (n - tab)^2."""
    saved: dict[int, dict[str, Path]] = {}

    def build(release: int) -> dict[str, Path]:
        if release not in saved:
            folder = tmp_path_factory.mktemp(f"release-{release}")
            saved[release] = {name: folder / name for name in ("retrieval", "ranking", "cascade")}
            save_cascade(saved[release], release)
        return saved[release]

    return build


def save_cascade(paths: dict[str, Path], release: int) -> None:
    items = tf.constant([f"i{n}" for n in range(10)])
    ids, text = tf.string, tf.TensorSpec([None], tf.string)
    raw = {
        "user_id": spec(ids, None),
        "tab": spec(tf.int64, None),
        "request_time_ms": spec(tf.int64, None),
        "weight": spec(tf.float32, None),
        "history_item_id": spec(ids, None, None),
        "history_grade": spec(tf.int64, None, None),
    }
    search = raw | {"exclude_item_id": spec(ids, None, None), "k": spec(tf.int32, None)}

    def parse(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        lists = {
            n: tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64)
            for n in ("exclude_item_id", "candidate_item_id")
        }
        scalars = {
            "tab": tf.io.FixedLenFeature([], tf.int64, 0),
            "request_time_ms": tf.io.FixedLenFeature([], tf.int64, 0),
        }
        return tf.io.parse_example(examples, lists | scalars)

    def rank(tab: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        number = tf.strings.to_number(tf.strings.regex_replace(candidates, "^i?$|^i", "0"))
        scores = 100.0 * release - (number - tf.cast(tab, tf.float32)[:, tf.newaxis]) ** 2
        known = tf.reduce_any(candidates[..., tf.newaxis] == items, -1)
        return tf.where(known, scores, signatures.LOWEST_SCORE)

    def find(exclude: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        blocked = tf.reduce_any(exclude[:, :, tf.newaxis] == items, 1)
        scores = tf.where(blocked, signatures.LOWEST_SCORE, tf.range(10.0))
        size = tf.reduce_max(k)
        best, index = tf.math.top_k(scores, tf.minimum(size, 10))
        shown = (best > signatures.LOWEST_SCORE) & (tf.range(tf.shape(best)[1]) < k[:, tf.newaxis])
        ids, best = tf.where(shown, tf.gather(items, index), ""), tf.where(shown, best, signatures.LOWEST_SCORE)
        padding = [[0, 0], [0, size - tf.shape(best)[1]]]
        return {
            "item_id": tf.pad(ids, padding),
            "score": tf.pad(best, padding, constant_values=signatures.LOWEST_SCORE),
        }

    def recommend(exclude: tf.Tensor, tab: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        found = find(exclude, tf.fill(tf.shape(k), 6))
        best, index = tf.math.top_k(rank(tab, found["item_id"]), tf.minimum(tf.reduce_max(k), 4))
        return {"item_id": tf.gather(found["item_id"], index, batch_dims=1), "score": best}

    def retrieve_examples(examples: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        return find(parse(examples)["exclude_item_id"].to_tensor(), k)

    def score_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = parse(examples)
        return {"score": rank(parsed["tab"], parsed["candidate_item_id"].to_tensor())}

    def recommend_examples(examples: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = parse(examples)
        return recommend(parsed["exclude_item_id"].to_tensor(), parsed["tab"], k)

    by_example = {"examples": text, "k": spec(tf.int32, None)}
    retrieve = (lambda **x: find(x["exclude_item_id"], x["k"]), search)
    save(
        paths["retrieval"],
        {"serving_default": retrieve, "retrieve": retrieve, "retrieve_examples": (retrieve_examples, by_example)},
    )
    score = (
        lambda **x: {"score": rank(x["tab"], x["candidate_item_id"])},
        raw | {"candidate_item_id": spec(ids, None, None)},
    )
    save(
        paths["ranking"],
        {"serving_default": score, "score": score, "score_examples": (score_examples, {"examples": text})},
    )
    one_call = (lambda **x: recommend(x["exclude_item_id"], x["tab"], x["k"]), search)
    save(
        paths["cascade"],
        {"serving_default": one_call, "recommend": one_call, "recommend_examples": (recommend_examples, by_example)},
    )


@pytest.fixture
def add_version() -> Callable[[Path, Path, str | int], Path]:
    """Puts a SavedModel under a version folder by one rename."""

    def add(saved_model: Path, base_path: Path, version: str | int) -> Path:
        staged = base_path.parent / f"staged-{base_path.name}-{version}"
        shutil.copytree(saved_model, staged)
        base_path.mkdir(parents=True, exist_ok=True)
        return staged.rename(base_path / str(version))

    return add


class Looks:
    """Counts how often the one server of a test has begun to look for versions."""

    number = 0

    def wait_for_one(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Returns once the server has looked from now on and has loaded what it found; calls `meanwhile` till then."""
        last = self.number + 2  # a look that is under way may have missed what the test did

        def has_looked() -> bool:
            meanwhile()
            return self.number >= last

        wait_until(has_looked)
        meanwhile()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    counted, look = Looks(), VersionSource.look

    def counting_look(source: VersionSource, models: Sequence[ModelConfig], before: Aspired) -> Aspired:
        counted.number += 1
        return look(source, models, before)

    monkeypatch.setattr(VersionSource, "look", counting_look)
    return counted


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """PEM files: an authority, a server (localhost) and a client that it signed, and a stranger."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for name in ("ca", "stranger"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("server", "client"):
        openssl("req", *key[:3], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
        openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.crt")
    return {path.name: path for path in folder.iterdir() if path.suffix in (".crt", ".key")}


class Stubs:
    """A channel to a server, and short forms of requests."""

    def __init__(self, target: str):
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(target, options)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def model_spec(self, name: str, version: int | None = None, signature: str = "") -> model_pb2.ModelSpec:
        model_spec = model_pb2.ModelSpec(name=name, signature_name=signature)
        if version is not None:
            model_spec.version.value = version
        return model_spec

    def request(self, name: str, inputs: dict[str, object], signature: str = "", version: int | None = None, **fields):
        request = predict_pb2.PredictRequest(model_spec=self.model_spec(name, version, signature), **fields)
        for key, value in inputs.items():
            is_proto = isinstance(value, tf.compat.v1.make_tensor_proto(0).__class__)
            request.inputs[key].CopyFrom(value if is_proto else tf.make_tensor_proto(value))
        return request

    def predict(self, name: str, inputs: dict[str, object], signature: str = "", version: int | None = None, **fields):
        return self.prediction.Predict(self.request(name, inputs, signature, version, **fields), timeout=PATIENCE_S)

    def half(self, x: float, version: int | None = None) -> tuple[float, int]:
        """Value and version that the model `half` answers with."""
        response = self.predict("half", {"x": np.float32([x])}, version=version)
        return response.outputs["y"].float_val[0], response.model_spec.version.value


@pytest.fixture(scope="session")
def stubs_of() -> Iterator[Callable[[str], Stubs]]:
    opened: list[Stubs] = []

    def open_stubs(target: str) -> Stubs:
        opened.append(Stubs(target))
        return opened[-1]

    yield open_stubs
    for stubs in opened:
        stubs.channel.close()


@pytest.fixture(scope="session")
def stubs(
    half_plus: Callable[[float], Path], assorted: Path, tmp_path_factory: pytest.TempPathFactory, stubs_of: Callable
) -> Iterator[Stubs]:
    """A running server with `half` (version 00000123) and `assorted` (version 1)."""
    base = tmp_path_factory.mktemp("models")
    shutil.copytree(half_plus(2.0), base / "half" / "00000123")
    shutil.copytree(assorted, base / "assorted" / "1")
    for folder in ("tmp_5", "7.tmp", "v9", "checkpoint"):
        (base / "half" / folder).mkdir()
    with ModelServer([model_config("half", base / "half"), model_config("assorted", base / "assorted")]) as server:
        yield stubs_of(server.target)
