"""The files of KuaiRand-Pure: the official CSV release and the parquet cut of it."""

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path

from sources.reading import DataError

USER_FEATURES = "user_features_pure.csv"
VIDEO_FEATURES = "video_features_basic_pure.csv"


@dataclasses.dataclass(frozen=True)
class LogFile:
    """A file of exposures.

    Args:
      name: file name.
      first_day: first ISO day that it holds.
      last_day: last ISO day that it holds.
      has_time: false where the exposures have an order but no time; all are placed on `first_day`.
    """

    name: str
    first_day: str
    last_day: str
    has_time: bool = True

    @property
    def days(self) -> tuple[str, ...]:
        first, last = (datetime.date.fromisoformat(day) for day in (self.first_day, self.last_day))
        ordinals = range(first.toordinal(), last.toordinal() + 1)
        return tuple(datetime.date.fromordinal(ordinal).isoformat() for ordinal in ordinals)


OFFICIAL = (
    LogFile("log_standard_4_08_to_4_21_pure.csv", "2022-04-08", "2022-04-21"),
    LogFile("log_standard_4_22_to_5_08_pure.csv", "2022-04-22", "2022-05-08"),
)
OFFICIAL_RANDOM = LogFile("log_random_4_22_to_5_08_pure.csv", "2022-04-22", "2022-05-08")
PARQUET_CUT = (
    LogFile("derived_train_last50_exposures.parquet", "2022-04-24", "2022-04-24", has_time=False),
    LogFile("derived_exposures_0425_0508_raw_columns.parquet", "2022-04-25", "2022-05-08"),
)


def find_logs(data_dir: Path, random_log: bool) -> tuple[LogFile, ...]:
    """Returns the exposure files that `data_dir` is made of, in time order.

    Args:
      data_dir: folder of the data set, in the official or the parquet form.
      random_log: whether the official log of randomly inserted exposures belongs to it.

    Raises:
      DataError: `data_dir` holds neither form, holds both, or has no random log.
    """
    found = [form for form in (OFFICIAL, PARQUET_CUT) if any((data_dir / log.name).exists() for log in form)]
    if len(found) != 1:
        names = " or ".join(", ".join(log.name for log in form) for form in (OFFICIAL, PARQUET_CUT))
        received = "both" if found else "neither"
        raise DataError(f"{data_dir} must hold either {names}. Received: {received}")
    logs = found[0]
    if random_log and logs is PARQUET_CUT:
        raise DataError(f"`random_log` needs the official files, which {data_dir} is not made of")
    return (*logs, OFFICIAL_RANDOM) if random_log else logs


def days_of(logs: Sequence[LogFile]) -> tuple[str, ...]:
    """Returns the ISO days that `logs` hold, in order."""
    return tuple(sorted({day for log in logs for day in log.days}))
