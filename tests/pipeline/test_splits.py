import pytest

from pipeline.splits import SplitConfig

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05")


def test_counts_are_taken_from_the_end():
    assert SplitConfig(eval_days=1, test_days=2).resolve(DAYS) == {
        "train": DAYS[:2],
        "eval": DAYS[2:3],
        "test": DAYS[3:],
    }


def test_train_days_are_the_last_before_the_evaluation():
    assert SplitConfig(train_days=2).resolve(DAYS)["train"] == ("2024-01-02", "2024-01-03")


def test_no_test_days():
    assert SplitConfig(test_days=0).resolve(DAYS) == {"train": DAYS[:4], "eval": DAYS[4:]}


def test_without_evaluation_days_the_last_training_day_watches():
    splits = SplitConfig(eval_days=0, test_days=2).resolve(DAYS)
    assert splits == {"train": DAYS[:3], "eval": DAYS[2:3], "test": DAYS[3:]}


def test_ranges_are_inclusive_and_leave_days_after_them_out():
    splits = SplitConfig("2024-01-01..2024-01-02", "2024-01-03..2024-01-03", "2024-01-04..2024-01-04")
    assert splits.resolve(DAYS) == {"train": DAYS[:2], "eval": DAYS[2:3], "test": DAYS[3:4]}


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (
            SplitConfig(train_days=4),
            r"`splits.train_days` must select at least one day.*Received: train_days=4 of data",
        ),
        (SplitConfig(eval_days=3, test_days=3), r"`splits.eval_days` must select at least one day.*\(5 days\)"),
        (SplitConfig(eval_days="2024-01-05..2024-01-05"), "`splits.eval_days` must select at least one day"),
        (SplitConfig(test_days=-1), "`splits.test_days` must not be negative. Received: test_days=-1"),
        (SplitConfig(test_days="last week"), "must be a number of days or a range.*Received: test_days='last week'"),
        (SplitConfig(test_days="2024-01-05..2024-01-04"), "must be a number of days or a range"),
    ],
)
def test_refused(splits, message):
    with pytest.raises(ValueError, match=message):
        splits.resolve(DAYS)


def test_no_days_at_all():
    with pytest.raises(ValueError, match=r"of data that holds no days"):
        SplitConfig().resolve(())
