"""`tf.train.Example` without TensorFlow: a message of the same wire format."""

from typing import Any

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.message import DecodeError

from sources.reading import DataError

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "lcron.request_log"
_LISTS = {"BytesList": _Field.TYPE_BYTES, "FloatList": _Field.TYPE_FLOAT, "Int64List": _Field.TYPE_INT64}


def parse_example(serialized: bytes, origin: str) -> dict[str, list[Any]]:
    """Reads the values of each feature, strings as `str`; a feature without values is left out.

    Args:
      serialized: a `tf.train.Example`.
      origin: what the error names.

    Raises:
      DataError: it is none, or a string is not UTF-8.
    """
    try:
        example = _EXAMPLE.FromString(serialized)
        lists = {name: _values(feature) for name, feature in example.features.feature.items()}
    except (DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{origin}: expected a tf.train.Example with text in UTF-8. Received: {error}") from None
    return {name: values for name, values in lists.items() if values}


def _values(feature: Any) -> list[Any]:
    kind = feature.WhichOneof("kind")
    if kind is None:
        return []
    values = getattr(feature, kind).value
    return [value.decode() for value in values] if kind == "bytes_list" else list(values)


def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="lcron/request_log_example.proto", package=_PACKAGE, syntax="proto3")
    for name, element in _LISTS.items():
        # Parsers read packed and unpacked numbers alike.
        file.message_type.add(name=name).field.add(name="value", number=1, type=element, label=_Field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, list_name) in enumerate(zip(("bytes_list", "float_list", "int64_list"), _LISTS, strict=True), 1):
        field = feature.field.add(name=name, number=number, type=_Field.TYPE_MESSAGE, label=_Field.LABEL_OPTIONAL)
        field.type_name, field.oneof_index = f".{_PACKAGE}.{list_name}", 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
    value = entry.field.add(name="value", number=2, type=_Field.TYPE_MESSAGE, label=_Field.LABEL_OPTIONAL)
    value.type_name = f".{_PACKAGE}.Feature"
    field = features.field.add(name="feature", number=1, type=_Field.TYPE_MESSAGE, label=_Field.LABEL_REPEATED)
    field.type_name = f".{_PACKAGE}.Features.FeatureEntry"
    example = file.message_type.add(name="Example")
    field = example.field.add(name="features", number=1, type=_Field.TYPE_MESSAGE, label=_Field.LABEL_OPTIONAL)
    field.type_name = f".{_PACKAGE}.Features"
    return message_factory.GetMessages([file])[f"{_PACKAGE}.Example"]


_EXAMPLE = _message_class()
