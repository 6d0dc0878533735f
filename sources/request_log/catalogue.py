"""The catalogue as the application writes it."""

from pathlib import Path

from sources.adapter import Record
from sources.reading import DataError
from sources.request_log.files import read_json_lines

_KIND = {str: "string", int: "number", float: "number"}


def read_catalogue(path: Path) -> list[Record]:
    """Reads a file of JSON lines, `{"item_id": "...", <feature>: <value>}`; what is null is missing.

    Returns:
      One record per item, ordered by item id.

    Raises:
      DataError: the file cannot be read, an item has no id or comes twice, or a value is no string or number.
    """
    items: dict[str, dict[str, str | int | float]] = {}
    types: dict[str, type] = {}
    for origin, line in read_json_lines(path):
        item_id = line.get("item_id")
        if not isinstance(item_id, str) or not item_id:
            raise DataError(f"{origin}: `item_id` must be a string. Received: {item_id!r}")
        if item_id in items:
            raise DataError(f"{origin}: an item must be listed once. Received: {item_id!r} twice")
        items[item_id] = {name: value for name, value in line.items() if value is not None}
        for name, value in items[item_id].items():
            if type(value) not in (str, int, float):
                raise DataError(f"{origin}: `{name}` must be a string or a number. Received: {value!r}")
            known = types.setdefault(name, type(value))
            if (known is str) != isinstance(value, str):
                raise DataError(f"{origin}: `{name}` must be a {_KIND[known]}, as before. Received: {value!r}")
            if isinstance(value, float):
                types[name] = float  # JSON may write 2.0 as 2
    if not items:
        raise DataError(f"{path}: at least one item is expected. Received: none")
    return [{name: [types[name](value)] for name, value in items[item_id].items()} for item_id in sorted(items)]
