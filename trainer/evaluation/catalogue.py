"""The items that can be recommended, as the evaluation needs them: rows and upload times."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from trainer.evaluation.examples import INT64_LIST, STRING, read_batches

UNKNOWN = -1
"""Row of an item that the catalogue lacks, and upload time of an item that has none."""


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Items by row.

    Args:
      item_ids: index of the ids, bytes.
      upload_time_ms: int64 `[num_items]`, Unix milliseconds, `UNKNOWN` where not known.
    """

    item_ids: pd.Index
    upload_time_ms: np.ndarray

    @property
    def num_items(self) -> int:
        return len(self.item_ids)

    def rows(self, item_ids: np.ndarray) -> np.ndarray:
        """Returns the row of each id, int64 of the same shape, `UNKNOWN` for ids not in the catalogue."""
        return self.item_ids.get_indexer(pd.Index(item_ids.ravel(), dtype=object)).reshape(item_ids.shape)


def read_catalogue(files: Sequence[str], *, batch_size: int = 4096) -> Catalogue:
    """Reads catalogue examples.

    Args:
      files: TFRecord GZIP files of catalogue examples.
      batch_size: examples per parsed batch.

    Returns:
      The catalogue.

    Raises:
      ValueError: if the files hold no item or an item twice.
    """
    item_ids, upload_times_ms = [], []
    features = {"item_id": STRING, "upload_time_ms": INT64_LIST}
    for batch in read_batches(files, features, batch_size=batch_size):
        item_ids.append(batch["item_id"].numpy())
        upload_times_ms.append(batch["upload_time_ms"].to_tensor(UNKNOWN, shape=(None, 1)).numpy()[:, 0])
    if not item_ids:
        raise ValueError(f"The catalogue must hold at least one item. Received: files={list(files)}")
    index = pd.Index(np.concatenate(item_ids), dtype=object)
    if not index.is_unique:
        raise ValueError(f"An item is listed once in the catalogue. Received twice: {index[index.duplicated()][0]!r}")
    return Catalogue(index, np.concatenate(upload_times_ms))
