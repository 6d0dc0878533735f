"""The command line as a user meets it: its exit code and what it prints, of a process where one makes a difference."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S
from refused import assert_refused

from pipeline.configs import NAMES

LCRON = (sys.executable, "-c", "from pipeline.cli import main; main()")
ROOT = Path(__file__).resolve().parents[3]
COMMANDS = ("simulate", "run", "serve", "recommend", "evaluate", "runs", "releases")


def lcron(*arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # the command line sets its own
    return subprocess.run([*LCRON, *arguments], capture_output=True, text=True, env=environment, timeout=PATIENCE_S)


def test_help_lists_every_command():
    result = lcron("--help")
    assert result.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_shows_examples(command, lcron_here):
    result = lcron_here(command, "--help")
    assert result.returncode == 0
    assert f"  Examples:\n    lcron {command} " in result.stdout


def test_the_command_line_is_light():
    script = (
        "import sys, pipeline.cli, pipeline.configs\n"
        "[pipeline.configs.load(name) for name in pipeline.configs.NAMES]\n"
        "print([name for name in ('tensorflow', 'tfx', 'apache_beam') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout == "[]\n"


def test_refuses_bad_options_in_one_line(tmp_path, lcron_here):
    data = ("--data", str(tmp_path))
    assert_refused(lcron("run", "--bogus"), "lcron run: No such option '--bogus'.")
    assert_refused(lcron_here("run", "--config", "demo"), "lcron run: Missing option '--data'.")
    assert_refused(
        lcron_here("run", "--config", "nope", *data),
        f"lcron run: `config` must be one of {', '.join(NAMES)}. Received: 'nope'",
    )
    assert_refused(
        lcron_here("run", "--config", "kuairand", *data, "--tune"),
        "lcron run: --tune needs `tuning` in the experiment, and 'kuairand' has none",
    )
    assert_refused(
        lcron_here("run", "--config", "demo", *data, "--set", "trainer.epoch=3"),
        "lcron run: There is no key `trainer.epoch`. Did you mean `trainer.epochs`?",
    )
    assert_refused(
        lcron_here("run", "--config", "demo", *data, "--set", "trainer.epochs=many"),
        "lcron run: `trainer.epochs` must be an integer. Received: trainer.epochs='many'",
    )
    assert_refused(
        lcron_here("run", "--config", "demo", *data, "--set", "trainer.epochs=0"),
        "lcron run: `epochs` must be positive. Received: epochs=0",
    )
    assert_refused(
        lcron_here("run", "--config", "demo", *data, "--set", "epochs"),
        "lcron run: --set expects KEY=VALUE. Received: 'epochs'",
    )
    assert_refused(
        lcron_here("recommend", "--config", "demo", *data), "lcron recommend: give either --target or --base"
    )
    assert_refused(lcron_here("serve", "--base", str(tmp_path / "none")), "does not exist")
    assert_refused(
        lcron_here("simulate", "--config", "kuairand", "--out", str(tmp_path / "logs")),
        "lcron simulate: --config kuairand reads real logs and has no simulation",
    )
    assert not (tmp_path / "logs").exists()


def test_fails_in_one_line_where_there_is_nothing(tmp_path):
    assert_refused(lcron("runs", "--root", str(tmp_path)), f"lcron: no pipeline has run in {tmp_path}", code=1)
    assert_refused(lcron("serve", "--base", str(tmp_path)), f"lcron: There is no release in {tmp_path} yet", code=1)


def test_simulates_and_reuses(tmp_path, lcron_here):
    out = tmp_path / "logs"
    arguments = (
        "simulate",
        "--config",
        "demo",
        "--smoke",
        "--out",
        str(out),
        "--days",
        "2",
        "--requests-per-day",
        "20",
    )
    first, second = lcron(*arguments), lcron_here(*arguments)
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout.startswith(f"40 requests of 2024-01-13 to 2024-01-14 written in {out}\n")
    assert "best possible    recall@10    recall@20    recall@50    recall@100\n" in first.stdout
    assert second.stdout.startswith(f"40 requests of 2024-01-13 to 2024-01-14 already there in {out}\n")
    assert_refused(
        lcron_here(*arguments, "--seed", "5"), "the folder holds a simulation of another configuration", code=1
    )
