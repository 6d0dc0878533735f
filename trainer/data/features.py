"""What a request and a catalogue item carry: the declared features and how each is encoded."""

import dataclasses
import zoneinfo
from collections.abc import Collection, Sequence
from typing import ClassVar, Literal

RawType = Literal["string", "int64", "float"]

_ASKED_OF_THE_INDEX = ("filter_", "num_probed_leaves")

RESERVED = frozenset(
    {
        *("history_item_id", "candidate_item_id", "candidate_stage", "candidate_rank", "candidate_label"),
        *("request_id", "exclude_item_id", "examples", "k"),
        *("history_item", "history_where", "history_hidden", "candidate_item", "where", "labels", "ground_truth"),
        *("request_day", "place", "num_requests"),
    }
)
"""Names in a request example, in a call of a served model and in a training batch that no feature can have."""


@dataclasses.dataclass(frozen=True)
class Categorical:
    """A scalar looked up in a vocabulary; ids outside it share one out-of-vocabulary row.

    Args:
      name: feature name in the example.
      dtype: raw type, `"string"` or `"int64"`.
      embedding_dim: width of its embedding.
      max_vocabulary: keep only that many of the most frequent values; `None` keeps all.
      min_count: a value seen less often is out of vocabulary.

    Raises:
      ValueError: a value is none of these; so do the other kinds.
    """

    kind: ClassVar[str] = "categorical"

    name: str
    dtype: RawType = "string"
    embedding_dim: int = 8
    max_vocabulary: int | None = None
    min_count: int = 1

    def __post_init__(self) -> None:
        _check_dtype(self, "string", "int64")
        _check_at_least(self, 1, "embedding_dim", "min_count", "max_vocabulary")

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
    """

    kind: ClassVar[str] = "hashed"

    name: str
    dtype: RawType = "string"
    num_buckets: int = 2**16
    embedding_dim: int = 8

    def __post_init__(self) -> None:
        _check_dtype(self, "string", "int64")
        _check_at_least(self, 2, "num_buckets")
        _check_at_least(self, 1, "embedding_dim")

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

    def __post_init__(self) -> None:
        _check_dtype(self, "int64", "float")
        _check_at_least(self, 2, "num_buckets")
        _check_at_least(self, 1, "embedding_dim")

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

    def __post_init__(self) -> None:
        _check_dtype(self, "int64")
        _check_at_least(self, 1, "embedding_dim")

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

    def __post_init__(self) -> None:
        _check_at_least(self, 1, "cardinality", "embedding_dim")

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
        _check_names("request", self.request, {*RESERVED, *(feature.example_name for feature in self.history)})
        _check_names("item", self.item, {"item_id"})
        _check_unique("history", [feature.name for feature in self.history])
        for history in self.history:
            if history.example_name in RESERVED:
                raise ValueError(
                    f"`name` of a history feature must not be {history.name!r}, which the history itself has"
                )
        for feature in self.request:
            if feature.name.startswith(_ASKED_OF_THE_INDEX):
                raise ValueError(
                    f"`name` of a request feature must not start with {' or '.join(map(repr, _ASKED_OF_THE_INDEX))}, "
                    f"which requests ask the index with. Received: name={feature.name!r}"
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


def _check_names(group: str, features: Sequence[Feature], taken: Collection[str]) -> None:
    """Checks the names of features, and those that they get when they are encoded."""
    names = [name for feature in features for name in dict.fromkeys([feature.name, *feature.encoded_names])]
    _check_unique(group, names)
    for name in names:
        if not name:
            raise ValueError(f"`name` of a feature of `{group}` must not be empty")
        if name in taken:
            owner = "an item" if group == "item" else "a request"
            raise ValueError(f"`name` of a feature of `{group}` must not be {name!r}, which {owner} itself has")


def _check_unique(group: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"The features of `{group}` must have names of their own, when they are encoded too. "
                f"Received: {name!r} {names.count(name)} times"
            )


def _check_dtype(feature: Feature, *dtypes: RawType) -> None:
    if feature.dtype not in dtypes:
        raise ValueError(
            f"`dtype` of the {feature.kind} feature `{feature.name}` must be {' or '.join(map(repr, dtypes))}. "
            f"Received: dtype={feature.dtype!r}"
        )


def _check_at_least(feature: Feature | HistoryFeature, least: int, *names: str) -> None:
    kind = getattr(feature, "kind", "history")
    for name in names:
        value = getattr(feature, name)
        if value is not None and value < least:
            raise ValueError(
                f"`{name}` of the {kind} feature `{feature.name}` must be at least {least}. Received: {name}={value}"
            )
