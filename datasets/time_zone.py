"""The time zone that a data set's days were cut in."""

import zoneinfo


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
