"""What a request and a catalogue item carry: the declared features and how each is encoded."""

import dataclasses
import zoneinfo
from collections.abc import Sequence
from typing import ClassVar, Literal

RawType = Literal["string", "int64", "float"]

_RESERVED = ("filter_", "num_probed_leaves")


@dataclasses.dataclass(frozen=True)
class Categorical:
    """A scalar looked up in a vocabulary; ids outside it share one out-of-vocabulary row.

    Args:
      name: feature name in the example.
      dtype: raw type, `"string"` or `"int64"`.
      embedding_dim: width of its embedding.
      max_vocabulary: keep only that many of the most frequent values; `None` keeps all.
      min_count: a value seen less often is out of vocabulary.
    """

    kind: ClassVar[str] = "categorical"

    name: str
    dtype: RawType = "string"
    embedding_dim: int = 8
    max_vocabulary: int | None = None
    min_count: int = 1

    @property
    def encoded_names(self) -> tuple[str, ...]:
        return (self.name,)


@dataclasses.dataclass(frozen=True)
class Hashed:
    """A scalar hashed into buckets, for ids without a vocabulary: too many, or new every day.

    Values that share a bucket share its embedding. The bucket of a value is the same on any machine and for any data; a
    missing one has a row of its own.

    Args:
      name: feature name in the example.
      dtype: raw type, `"string"` or `"int64"`.
      num_buckets: number of buckets, at least 2.
      embedding_dim: width of its embedding.

    Raises:
      ValueError: `dtype` or `num_buckets` is none of these.
    """

    kind: ClassVar[str] = "hashed"

    name: str
    dtype: RawType = "string"
    num_buckets: int = 2**16
    embedding_dim: int = 8

    def __post_init__(self) -> None:
        if self.dtype not in ("string", "int64"):
            raise ValueError(
                f"`dtype` of the hashed feature `{self.name}` must be 'string' or 'int64'. "
                f"Received: dtype={self.dtype!r}"
            )
        if self.num_buckets < 2:
            raise ValueError(
                f"`num_buckets` of the hashed feature `{self.name}` must be at least 2. "
                f"Received: num_buckets={self.num_buckets}"
            )

    @property
    def encoded_names(self) -> tuple[str, ...]:
        return (self.name,)


@dataclasses.dataclass(frozen=True)
class Numeric:
    """A scalar cut into quantile buckets of the training data.

    Args:
      name: feature name in the example.
      dtype: raw type, `"int64"` or `"float"`.
      num_buckets: number of buckets, at least 2.
      embedding_dim: width of its embedding.
    """

    kind: ClassVar[str] = "numeric"

    name: str
    dtype: RawType = "float"
    num_buckets: int = 16
    embedding_dim: int = 8

    @property
    def encoded_names(self) -> tuple[str, ...]:
        return (self.name,)


@dataclasses.dataclass(frozen=True)
class Timestamp:
    """Unix milliseconds, encoded as weekday (0 = Monday) and hour in the data's time zone.

    Args:
      name: feature name in the example, an int64 of Unix milliseconds.
      embedding_dim: width of each of the two embeddings.
    """

    kind: ClassVar[str] = "timestamp"

    name: str
    embedding_dim: int = 8
    dtype: RawType = "int64"

    @property
    def encoded_names(self) -> tuple[str, ...]:
        return (f"{self.name}_weekday", f"{self.name}_hour")


@dataclasses.dataclass(frozen=True)
class HistoryFeature:
    """A small non-negative integer aligned with `history_item_id`, such as the grade of an interaction.

    Args:
      name: name without the `history_` prefix.
      cardinality: values are clipped to `[0, cardinality)`.
      embedding_dim: width of its embedding.
    """

    name: str
    cardinality: int
    embedding_dim: int = 8

    @property
    def example_name(self) -> str:
        return f"history_{self.name}"


Feature = Categorical | Hashed | Numeric | Timestamp


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """The features of a data set.

    Args:
      request: user and context scalars of a request.
      item: scalars of a catalogue item; the item id has an embedding of its own and is not listed.
      history: integers aligned with the history.
      history_size: events kept per request, the latest ones.
      list_size: candidates per request, padded.
      ground_truth_stage: `candidate_stage` of the ground truth, the deepest of the data set.
      time_zone: IANA zone of the timestamps; it must have a constant UTC offset over the data.
    """

    request: tuple[Feature, ...] = ()
    item: tuple[Feature, ...] = ()
    history: tuple[HistoryFeature, ...] = ()
    history_size: int = 50
    list_size: int = 40
    ground_truth_stage: int = 3
    time_zone: str = "Asia/Shanghai"

    def __post_init__(self) -> None:
        for group in (self.request, self.item, self.history):
            _check_unique([feature.name for feature in group])
        for feature in self.request:
            if feature.name.startswith(_RESERVED):
                raise ValueError(
                    f"`name` of a request feature must not start with {' or '.join(map(repr, _RESERVED))}, which "
                    f"requests ask the index with. Received: name={feature.name!r}"
                )
        for name in ("history_size", "list_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {name}={getattr(self, name)}")
        try:
            zoneinfo.ZoneInfo(self.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(
                f"`time_zone` must be an IANA time zone such as 'Asia/Shanghai'. Received: time_zone={self.time_zone!r}"
            ) from error


@dataclasses.dataclass(frozen=True)
class EncodedFeature:
    """A feature after Transform: integer ids in `[0, cardinality)`.

    Args:
      name: key in the training batch, or column of the item table.
      cardinality: number of ids, out-of-vocabulary ones included.
      embedding_dim: width of its embedding.
    """

    name: str
    cardinality: int
    embedding_dim: int


def _check_unique(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"A feature is declared once. Received `{name}` {names.count(name)} times")
