"""Which days train, which are held out."""

import dataclasses
import re
from collections.abc import Sequence

_RANGE = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")


@dataclasses.dataclass(frozen=True)
class SplitConfig:
    """The days of each split. A split is a number of days, counted from the end of what the later splits leave, or an
    inclusive range such as `"2024-02-01..2024-02-07"`.

    Args:
      train_days: `None` takes every day before the evaluation days.
      eval_days: days that watch the training; 0 watches it on its own last day, for trainings of one epoch, which
        choose nothing by what they see.
      test_days: days that judge the release; 0 judges it on the evaluation days.
    """

    train_days: int | str | None = None
    eval_days: int | str = 1
    test_days: int | str = 1

    def resolve(self, days: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Divides the days of a data set.

        Args:
          days: ISO days in order.

        Returns:
          `train`, `eval` and, unless it is 0 days, `test`, each with its days.

        Raises:
          ValueError: a split is empty.
        """
        test = _take("test_days", self.test_days, days)
        eval_ = _take("eval_days", self.eval_days, [day for day in days if not test or day < test[0]])
        held_out = eval_ or test
        before = [day for day in days if not held_out or day < held_out[0]]
        train = tuple(before) if self.train_days is None else _take("train_days", self.train_days, before)
        if self.eval_days == 0:
            eval_ = train[-1:]
        splits = {"train": train, "eval": eval_} | ({"test": test} if self.test_days != 0 else {})
        for name, split in splits.items():
            if not split:
                held = f"{days[0]} to {days[-1]} ({len(days)} days)" if days else "no days"
                raise ValueError(
                    f"`splits.{name}_days` must select at least one day before the later splits. "
                    f"Received: {name}_days={getattr(self, f'{name}_days')!r} of data that holds {held}"
                )
        return splits


def _take(name: str, wanted: int | str, days: Sequence[str]) -> tuple[str, ...]:
    if isinstance(wanted, int):
        if wanted < 0:
            raise ValueError(f"`splits.{name}` must not be negative. Received: {name}={wanted}")
        return tuple(days[-wanted:]) if 0 < wanted <= len(days) else ()
    match = _RANGE.fullmatch(wanted)
    if not match or match[1] > match[2]:
        raise ValueError(
            f"`splits.{name}` must be a number of days or a range such as '2024-02-01..2024-02-07'. "
            f"Received: {name}={wanted!r}"
        )
    return tuple(day for day in days if match[1] <= day <= match[2])
