"""Answers a GetModelStatusRequest."""

from tensorflow_serving.apis import get_model_status_pb2

from serving.server.errors import not_found
from serving.server.models.lookup import ServableLookup, required_model_spec
from serving.server.models.transition import VersionRecord


def model_status(
    lookup: ServableLookup, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """Returns the state of one version or of all versions that the server has seen, highest first.

    Raises:
      ServingError: INVALID_ARGUMENT without a model or for an unknown label, NOT_FOUND for what was never seen.
    """
    model_spec = required_model_spec(request)
    version = lookup.version(model_spec)
    records = lookup.versions.records(model_spec.name)
    if version is not None:
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
