"""TF Serving's ModelService."""

import grpc
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
)

from serving.server.grpc.method import ends_with_status
from serving.server.models.lookup import ServableLookup
from serving.server.models.reload import ConfigReloader
from serving.server.models.status import model_status


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Tells the state of the models and takes other ones.

    Args:
      lookup: knows them.
      reloader: changes them.
    """

    def __init__(self, lookup: ServableLookup, reloader: ConfigReloader):
        self._lookup = lookup
        self._reloader = reloader

    @ends_with_status
    def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Returns the state of a model's versions."""
        return model_status(self._lookup, request)

    @ends_with_status
    def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves the models of the request from now on; returns when the new ones answer."""
        self._reloader.reload(request.config, context.is_active)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response
