"""What every source needs to read data: the error of bad data, days and time zones."""

import datetime
import zoneinfo


class DataError(ValueError):
    """Input data that cannot be used.

    The message names the file (or request), the field, what was expected and what came.
    """


def is_iso_day(text: str) -> bool:
    """Whether `text` is a day such as `"2024-01-13"`."""
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def read_time_zone(name: str) -> zoneinfo.ZoneInfo:
    """Returns the zone of an IANA name such as `"Asia/Shanghai"`.

    Raises:
      ValueError: there is no such zone.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder of zones
        raise ValueError(
            f"`time_zone` must be an IANA time zone such as 'Asia/Shanghai'. Received: time_zone={name!r}"
        ) from error
