"""TF Serving's PredictionService."""

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving.server.calls.classify import classify
from serving.server.calls.multi_inference import multi_inference, multi_inference_model
from serving.server.calls.predict import predict
from serving.server.calls.regress import regress
from serving.server.grpc.method import counted, ends_with_status
from serving.server.metrics import Metrics
from serving.server.models.lookup import ServableLookup, required_model_spec
from serving.server.models.metadata import model_metadata


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers calls from the models that are loaded.

    Args:
      lookup: finds them.
      metrics: counts the calls.
    """

    def __init__(self, lookup: ServableLookup, metrics: Metrics):
        self._lookup = lookup
        self.metrics = metrics

    @ends_with_status
    @counted
    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature of a model."""
        return predict(self._lookup.servable(required_model_spec(request)), request)

    @ends_with_status
    @counted
    def Classify(
        self, request: classification_pb2.ClassificationRequest, context: grpc.ServicerContext
    ) -> classification_pb2.ClassificationResponse:
        """Runs a classification signature of a model on examples."""
        return classify(self._lookup.servable(required_model_spec(request)), request)

    @ends_with_status
    @counted
    def Regress(
        self, request: regression_pb2.RegressionRequest, context: grpc.ServicerContext
    ) -> regression_pb2.RegressionResponse:
        """Runs a regression signature of a model on examples."""
        return regress(self._lookup.servable(required_model_spec(request)), request)

    @ends_with_status
    @counted
    def MultiInference(
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.ServicerContext
    ) -> inference_pb2.MultiInferenceResponse:
        """Runs several classification and regression signatures of a model on the same examples."""
        return multi_inference(self._lookup.servable(multi_inference_model(request)), request)

    @ends_with_status
    def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Returns the signatures of a model."""
        return model_metadata(self._lookup, request)
