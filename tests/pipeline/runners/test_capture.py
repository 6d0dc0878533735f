import logging
import os
import subprocess
import sys

from pipeline.runners.capture import captured_output


def test_everything_but_the_terminal_goes_to_the_log(tmp_path, capsys):
    log_path = tmp_path / "logs" / "run.log"
    with captured_output(log_path) as terminal:
        print("printed")
        print("complained", file=sys.stderr)
        os.write(1, b"from C\n")
        os.write(2, b"from C++\n")
        logging.getLogger("library").info("logged")
        print("shown", file=terminal)
    print("after")

    log = log_path.read_text()
    assert all(text in log for text in ("printed\n", "complained\n", "from C\n", "from C++\n", "library] logged\n"))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("shown\nafter\n", "")


def test_of_a_whole_process(tmp_path):
    script = """
import os, sys, pathlib
from pipeline.runners.capture import captured_output
with captured_output(pathlib.Path(sys.argv[1])) as terminal:
    print("printed"); os.system("echo child; echo child error >&2"); terminal.write("shown\\n")
print("after")
"""
    log_path = tmp_path / "run.log"
    done = subprocess.run([sys.executable, "-c", script, str(log_path)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("shown\nafter\n", "")
    assert sorted(log_path.read_text().splitlines()) == ["child", "child error", "printed"]


def test_appends_and_restores_after_an_error(tmp_path, capsys):
    log_path = tmp_path / "run.log"
    level = logging.getLogger().level
    for text in ("first", "second"):
        try:
            with captured_output(log_path):
                print(text)
                raise KeyError
        except KeyError:
            pass
    assert log_path.read_text() == "first\nsecond\n"
    assert logging.getLogger().level == level
    print("visible")
    assert capsys.readouterr().out == "visible\n"
