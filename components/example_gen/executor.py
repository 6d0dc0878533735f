"""Reads an adapter with Beam and writes TFRecords of `tf.train.Example`, split by day."""

import datetime
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
from absl import logging
from apache_beam.pvalue import TaggedOutput
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, artifact_utils

from components.example_gen.adapters import load_adapter
from components.example_gen.serialization import serialize_record
from sources.adapter import Count, Record, Shard
from sources.reading import DataError

NUM_EXAMPLES = "num_examples"
METRIC_NAMESPACE = "lcron."

_ERRORS = "errors"
_NUM_SHUFFLE_GROUPS = 4096


class _ReadShards(beam.DoFn):
    """Reads and serialises shards; a `DataError` goes to the output `errors`, whole, instead of into a trace.

    Args:
      declaration: JSON of the adapter.
      split: name of the split, for the counters.
    """

    def __init__(self, declaration: str, split: str):
        self._declaration = declaration
        self._namespace = METRIC_NAMESPACE + split

    def setup(self) -> None:
        self._adapter = load_adapter(self._declaration)

    def process(self, element: Any) -> Iterator[Any]:  # bytes, and str at `errors`
        try:
            for record in self.read(element, self._count):
                yield serialize_record(record)
                self._count(NUM_EXAMPLES, 1)
        except DataError as error:
            yield TaggedOutput(_ERRORS, str(error))

    def read(self, element: Any, count: Count) -> Iterator[Record]:
        raise NotImplementedError

    def _count(self, policy: str, number: int) -> None:
        beam.metrics.Metrics.counter(self._namespace, policy).inc(number)


class _ReadRequests(_ReadShards):
    def read(self, element: Shard, count: Count) -> Iterator[Record]:
        return self._adapter.read_requests(element, count)


class _ReadCatalogue(_ReadShards):
    def read(self, element: tuple[str, ...], count: Count) -> Iterator[Record]:
        return self._adapter.read_catalogue(element, count)


class _ExampleGenExecutor(BaseBeamExecutor):
    """What the two executors share: elements in, one directory of shuffled examples per split out."""

    def _generate(
        self,
        elements: Mapping[str, Sequence[Any]],
        read: type[_ReadShards],
        days: Iterable[str],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        examples.splits = list(elements)
        errors_prefix = str(Path(self._get_tmp_dir()) / "errors")

        pipeline = self._make_beam_pipeline()
        for split, work in elements.items():
            records = (
                pipeline
                | f"Shards[{split}]" >> beam.Create(work)
                | f"Distribute[{split}]" >> beam.Reshuffle()
                | f"Read[{split}]"
                >> beam.ParDo(read(exec_properties["adapter"], split)).with_outputs(_ERRORS, main="examples")
            )
            _ = (
                records.examples
                | f"Key[{split}]" >> beam.Map(_shuffle_key)
                | f"Shuffle[{split}]" >> beam.GroupByKey()
                | f"Order[{split}]" >> beam.FlatMap(_in_hash_order)
                | f"Write[{split}]"
                >> beam.io.WriteToTFRecord(f"{examples.path(split=split)}/data_tfrecord", file_name_suffix=".gz")
            )
            _ = records[_ERRORS] | f"Errors[{split}]" >> beam.io.WriteToText(f"{errors_prefix}-{split}")
        result = pipeline.run()
        result.wait_until_finish()

        _raise_errors(errors_prefix)
        _record_counts(result, examples)
        for split in elements:
            if not examples.has_custom_property(f"{split}.{NUM_EXAMPLES}"):
                raise DataError(f"The split '{split}' must hold at least one example. Received none")
        examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, "tfrecords_gzip")
        last_day = datetime.date.fromisoformat(max(days))
        examples.span = (last_day - datetime.date(1970, 1, 1)).days
        examples.version = json.loads(exec_properties["fingerprint"])["newest_mtime_s"]


class RequestExampleGenExecutor(_ExampleGenExecutor):
    """Executor of `RequestExampleGen`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes one split of request examples per entry of `splits`."""
        self._log_startup(input_dict, output_dict, exec_properties)
        adapter = load_adapter(exec_properties["adapter"])
        splits: dict[str, list[str]] = json.loads(exec_properties["splits"])
        shards = {split: adapter.request_shards(days) for split, days in splits.items()}
        every_day = [day for days in splits.values() for day in days]
        self._generate(shards, _ReadRequests, every_day, output_dict, exec_properties)


class CatalogueExampleGenExecutor(_ExampleGenExecutor):
    """Executor of `CatalogueExampleGen`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the catalogue known on `days` as the one split `train`."""
        self._log_startup(input_dict, output_dict, exec_properties)
        days = tuple(json.loads(exec_properties["days"]))
        self._generate({"train": [days]}, _ReadCatalogue, days, output_dict, exec_properties)


def _shuffle_key(example: bytes) -> tuple[int, bytes]:
    return int.from_bytes(hashlib.sha256(example).digest()[:4], "big") % _NUM_SHUFFLE_GROUPS, example


def _in_hash_order(group: tuple[int, Iterable[bytes]]) -> list[bytes]:
    # By content, not by chance: the same data is written in the same order again.
    return sorted(group[1], key=lambda example: hashlib.sha256(example).digest())


def _raise_errors(errors_prefix: str) -> None:
    folder = Path(errors_prefix).parent
    errors = sorted({line for file in folder.glob("errors-*") for line in file.read_text().splitlines()})
    if errors:
        others = f" (and {len(errors) - 1} more such errors)" if len(errors) > 1 else ""
        raise DataError(errors[0] + others)


def _record_counts(result: Any, examples: Artifact) -> None:
    """Stores the Beam counters as custom properties `<split>.<policy>`."""
    for counter in result.metrics().query()["counters"]:
        name = counter.key.metric
        if name.namespace.startswith(METRIC_NAMESPACE):
            split = name.namespace.removeprefix(METRIC_NAMESPACE)
            examples.set_int_custom_property(f"{split}.{name.name}", counter.committed)
            logging.info("%s: %s = %d", split, name.name, counter.committed)
