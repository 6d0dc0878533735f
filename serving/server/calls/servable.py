"""One loaded version of a model."""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import model_pb2

from serving.server.calls.signature import Signature
from serving.server.errors import failed_precondition, invalid_argument

_DEFAULT_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
_KINDS = {
    tf.saved_model.CLASSIFY_METHOD_NAME: "classification",
    tf.saved_model.REGRESS_METHOD_NAME: "regression",
}


@dataclasses.dataclass(frozen=True)
class Servable:
    """A model version that answers calls; calls in flight keep it alive after it is unloaded.

    Args:
      name: of the model.
      version: number of its folder.
      signature_defs: the signatures as the SavedModel declares them, for GetModelMetadata.
      signatures: those that can be run.
      saved_model: owns the variables that the signatures read.
      checks_method_names: whether Classify and Regress ask for a signature's method name to be theirs. What
        TensorFlow 2 exports always says `predict`, so TF Serving does not ask by default.
    """

    name: str
    version: int
    signature_defs: Mapping[str, meta_graph_pb2.SignatureDef]
    signatures: Mapping[str, Signature]
    saved_model: object = dataclasses.field(repr=False)
    checks_method_names: bool = False

    def signature(self, name: str) -> Signature:
        """Returns the signature of that name.

        Raises:
          ServingError: FAILED_PRECONDITION if there is none.
        """
        if name not in self.signatures:
            raise failed_precondition(f'Serving signature key "{name}" not found.')
        return self.signatures[name]

    def signature_of_method(self, name: str, method_name: str) -> Signature:
        """Returns the signature of that name, the default one for "", for Classify or Regress.

        Raises:
          ServingError: INVALID_ARGUMENT if there is none or its method is another one.
        """
        name = name or _DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise invalid_argument(f"No signature was found with the name: {name}")
        self.check_method(self.signatures[name], method_name)
        return self.signatures[name]

    def check_method(self, signature: Signature, method_name: str) -> None:
        """Raises INVALID_ARGUMENT if method names are checked and the signature has another one."""
        own = signature.definition.method_name
        if self.checks_method_names and own != method_name:
            raise invalid_argument(
                f"Expected {_KINDS[method_name]} signature method_name to be {method_name}. Was: {own}"
            )


def signature_name(model_spec: model_pb2.ModelSpec) -> str:
    """Returns the signature that a request asks for, by default `serving_default`."""
    return model_spec.signature_name or _DEFAULT_SIGNATURE


def answered_by(servable: Servable, asked: model_pb2.ModelSpec) -> model_pb2.ModelSpec:
    """Returns the ModelSpec of an answer: the model, the version and the signature that gave it."""
    model_spec = model_pb2.ModelSpec(name=servable.name, signature_name=signature_name(asked))
    model_spec.version.value = servable.version
    return model_spec
