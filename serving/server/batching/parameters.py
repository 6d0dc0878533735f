"""TF Serving's BatchingParameters, checked; read without TensorFlow."""

import dataclasses
import os
from collections.abc import Sequence

from serving.server.messages import BatchingParameters, TextMessageError, read_text_message


@dataclasses.dataclass(frozen=True)
class BatchingOptions:
    """How calls are joined.

    Args:
      max_batch_size: rows that a call, and without `max_execution_batch_size` a batch, may have.
      batch_timeout_s: how long a call waits for others.
      max_enqueued_batches: full batches that may wait, by signature; more are refused.
      num_batch_threads: batches that run at the same time; 0 stands for one per CPU.
      allowed_batch_sizes: rows that a batch is padded to, in rising order; any number if empty.
      pads_inputs: whether inputs of unequal shape are padded to the largest, with their first value.
      max_execution_batch_size: rows of a batch; larger calls are split. `None` splits no call.
    """

    max_batch_size: int = 1000
    batch_timeout_s: float = 0.0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 0
    allowed_batch_sizes: Sequence[int] = ()
    pads_inputs: bool = False
    max_execution_batch_size: int | None = None

    @property
    def batch_limit(self) -> int:
        """Rows that a batch may have."""
        return self.max_execution_batch_size or self.max_batch_size


def read_batching_parameters(path: str | os.PathLike[str]) -> BatchingOptions:
    """Reads a text-format BatchingParameters.

    Raises:
      TextMessageError: the file cannot be read or asks for what cannot be.
    """
    message = read_text_message(path, BatchingParameters)
    given = {
        field: getattr(message, field).value
        for field in ("max_batch_size", "max_enqueued_batches", "num_batch_threads")
        if message.HasField(field)
    }
    for field, value in given.items():
        if value < 1:
            raise TextMessageError(f"`{field}` must be positive in {path}. Received: {value}")
    timeout_us = message.batch_timeout_micros.value
    if timeout_us < 0:
        raise TextMessageError(f"`batch_timeout_micros` must not be negative in {path}. Received: {timeout_us}")
    options = BatchingOptions(
        **given,
        batch_timeout_s=timeout_us / 1e6,
        allowed_batch_sizes=list(message.allowed_batch_sizes),
        pads_inputs=message.pad_variable_length_inputs,
    )
    if message.enable_large_batch_splitting.value:
        limit = message.max_execution_batch_size.value or options.max_batch_size
        options = dataclasses.replace(options, max_execution_batch_size=limit)
    sizes = list(options.allowed_batch_sizes)
    if sizes != sorted(set(sizes)) or (sizes and sizes[0] < 1):
        raise TextMessageError(f"allowed_batch_sizes entries must be positive and rising in {path}. Received: {sizes}")
    if sizes and sizes[-1] != options.batch_limit:
        raise TextMessageError(
            "Last entry in allowed_batch_sizes must match max_batch_size; "
            f"last entry was {sizes[-1]}; expected {options.batch_limit}"
        )
    return options
