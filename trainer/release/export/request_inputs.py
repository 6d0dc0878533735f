"""What clients send, raw tensors or serialized request examples, as the model's batch."""

from collections.abc import Iterable, Mapping

import tensorflow as tf
import tensorflow_transform as tft

from serving import signatures
from trainer.data.features import Feature, FeatureSpec
from trainer.data.item_lookup import ItemLookup
from trainer.data.preprocessing import missing_value
from trainer.data.request_batch import history_batch

Batch = dict[str, tf.Tensor]

_DTYPES = {"string": tf.string, "int64": tf.int64, "float": tf.float32}


class RequestInputs(tf.Module):
    """Turns the request inputs of a signature into the request part of a batch.

    Scalars go through the graph that Transform made for training, item ids through the lookup tables.

    Args:
      features: the declared features.
      transform_dir: output folder of the requests' Transform (`transform_graph`).
      lookup: ids and rows of the catalogue.
    """

    def __init__(self, features: FeatureSpec, transform_dir: str, lookup: ItemLookup) -> None:
        super().__init__()
        self.lookup = lookup
        self._features = features
        transform_output = tft.TFTransformOutput(transform_dir)
        self._transform_spec = transform_output.raw_feature_spec()
        layer = transform_output.transform_features_layer()
        # Its tables, not the layer: `tf.saved_model.save` would trace a Keras layer anew for every model.
        self._tables = list(tf.train.TrackableView(layer).children(layer).values())
        self._transform = layer.call
        history = {name: tf.RaggedTensorSpec([None, None], dtype) for name, dtype in self._history_dtypes().items()}
        # One trace for all signatures.
        self._encoded = tf.function(self._encode, [self._scalar_specs(), history], autograph=False)

    def raw_specs(self) -> dict[str, tf.TensorSpec]:
        """Name, shape and type of every raw-tensor request input."""
        lists = {name: tf.TensorSpec([None, None], dtype, name) for name, dtype in self._history_dtypes().items()}
        return self._scalar_specs() | lists

    def from_raw(self, inputs: Mapping[str, tf.Tensor]) -> Batch:
        """Encodes raw-tensor inputs.

        Args:
          inputs: a tensor for every name of `raw_specs`; `""` in `history_item_id` is padding.

        Returns:
          The encoded request features, int32 `[B]`, and the history, `[B, history_size]`.
        """
        history_id = inputs[signatures.HISTORY_ITEM_ID]
        lists = {signatures.HISTORY_ITEM_ID: without_padding(history_id, history_id)}
        for feature in self._features.history:
            name = feature.example_name
            message = f"`{name}` must have the shape of `{signatures.HISTORY_ITEM_ID}`"
            tf.debugging.assert_equal(tf.shape(inputs[name]), tf.shape(history_id), message)
            lists[name] = without_padding(inputs[name], history_id)
        return self._encoded({name: inputs[name] for name in self._scalar_specs()}, lists)

    def from_examples(
        self, examples: tf.Tensor, more_lists: Iterable[str] = ()
    ) -> tuple[Batch, dict[str, tf.RaggedTensor]]:
        """Parses and encodes serialized request examples; any feature may be missing.

        Args:
          examples: string `[B]`.
          more_lists: names of further features that are lists of strings.

        Returns:
          The batch as `from_raw` returns it, and the ragged `candidate_item_id`, `exclude_item_id` and further lists.
        """
        spec = {
            feature.name: tf.io.FixedLenFeature([], _DTYPES[feature.dtype], missing_value(feature))
            for feature in self._features.request
        }
        lists = [signatures.HISTORY_ITEM_ID, signatures.CANDIDATE_ITEM_ID, signatures.EXCLUDE_ITEM_ID, *more_lists]
        spec |= {name: tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64) for name in lists}
        for feature in self._features.history:
            spec[feature.example_name] = tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)
        parsed = tf.io.parse_example(examples, spec)
        scalars, history = (
            {name: parsed[name] for name in names} for names in (self._scalar_specs(), self._history_dtypes())
        )
        return self._encoded(scalars, history), {name: parsed[name] for name in lists[1:]}

    def num_probed_leaves(self, examples: tf.Tensor) -> tf.Tensor:
        """Returns the feature of that name, int32 `[B]`, 0 where a request says nothing."""
        name = signatures.NUM_PROBED_LEAVES
        parsed = tf.io.parse_example(examples, {name: tf.io.FixedLenFeature([], tf.int64, 0)})
        return tf.cast(tf.clip_by_value(parsed[name], 0, tf.int32.max), tf.int32)

    def _scalar_specs(self) -> dict[str, tf.TensorSpec]:
        features = self._features.request
        return {each.name: tf.TensorSpec([None], _DTYPES[each.dtype], each.name) for each in features}

    def _history_dtypes(self) -> dict[str, tf.DType]:
        return {signatures.HISTORY_ITEM_ID: tf.string} | {
            feature.example_name: tf.int64 for feature in self._features.history
        }

    def _encode(self, scalars: Mapping[str, tf.Tensor], history: Mapping[str, tf.RaggedTensor]) -> Batch:
        return self._encoded_scalars(scalars) | history_batch(history, self._features, self.lookup.rows)

    def _encoded_scalars(self, inputs: Mapping[str, tf.Tensor]) -> Batch:
        features = self._features.request
        if not features:
            return {}
        encoded = self._transform({feature.name: self._transform_input(feature, inputs) for feature in features})
        return {name: tf.cast(encoded[name], tf.int32) for feature in features for name in feature.encoded_names}

    def _transform_input(self, feature: Feature, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor | tf.SparseTensor:
        """The scalar `[B]` in the form that the schema gave it in training: `[B]`, `[B, 1]` or sparse."""
        value = inputs[feature.name]
        spec = self._transform_spec[feature.name]
        if isinstance(spec, tf.io.FixedLenFeature):
            return tf.reshape(value, [-1, *spec.shape])
        batch_size = tf.shape(value, tf.int64)[0]
        row = tf.range(batch_size)
        return tf.SparseTensor(
            tf.stack([row, tf.zeros_like(row)], axis=1), value, tf.stack([batch_size, tf.constant(1, tf.int64)])
        )


def without_padding(values: tf.Tensor, item_id: tf.Tensor) -> tf.RaggedTensor:
    """Drops the values `[B, L]` where `item_id` `[B, L]` is `""`; ragged `[B, (items)]`."""
    return tf.ragged.boolean_mask(values, item_id != "")
