"""TF Serving's ModelService: GetModelStatus."""

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from serving.server.errors import ends_with_status, not_found
from serving.server.lookup import required_model_spec
from serving.server.manager import ModelManager
from serving.server.transition import VersionRecord


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Tells the state of the models that `manager` holds."""

    def __init__(self, manager: ModelManager):
        self._manager = manager

    @ends_with_status
    def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Returns the state of one version or of all versions that the server has seen, highest first."""
        model_spec = required_model_spec(request)
        records = self._manager.records(model_spec.name)
        if model_spec.HasField("version"):
            version = model_spec.version.value
            if version not in records:
                raise not_found(f"Could not find version {version} of model {model_spec.name}")
            records = {version: records[version]}
        elif not records:
            raise not_found(f"Could not find any versions of model {model_spec.name}")
        statuses = [_version_status(version, record) for version, record in records.items()]
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=statuses)


def _version_status(version: int, record: VersionRecord) -> get_model_status_pb2.ModelVersionStatus:
    status = get_model_status_pb2.ModelVersionStatus(version=version, state=record.state)
    if record.error is not None:
        status.status.error_code = record.error.code.value[0]
        status.status.error_message = record.error.message
    else:
        status.status.SetInParent()
    return status
