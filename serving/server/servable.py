"""One loaded version of a model."""

import dataclasses
from collections.abc import Mapping

import grpc
from tensorflow.core.protobuf import meta_graph_pb2

from serving.server.errors import ServingError
from serving.server.signature import Signature


@dataclasses.dataclass(frozen=True)
class Servable:
    """A model version that answers calls; calls in flight keep it alive after it is unloaded.

    Args:
      name: of the model.
      version: number of its folder.
      signature_defs: the signatures as the SavedModel declares them, for GetModelMetadata.
      signatures: those that can be run.
      saved_model: owns the variables that the signatures read.
    """

    name: str
    version: int
    signature_defs: Mapping[str, meta_graph_pb2.SignatureDef]
    signatures: Mapping[str, Signature]
    saved_model: object = dataclasses.field(repr=False)

    def signature(self, name: str) -> Signature:
        """Returns the signature of that name.

        Raises:
          ServingError: FAILED_PRECONDITION if there is none.
        """
        if name not in self.signatures:
            raise ServingError(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        return self.signatures[name]
