"""`lcron`: the command line of the project. Nothing heavy is imported before a command needs it."""

import gc
import sys

import click

from pipeline.cli.benchmark import benchmark
from pipeline.cli.evaluate import evaluate
from pipeline.cli.recommend import recommend
from pipeline.cli.releases import releases
from pipeline.cli.run import run
from pipeline.cli.runs import runs
from pipeline.cli.serve import serve
from pipeline.cli.simulate import simulate


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="lcron", prog_name="lcron")
def cli() -> None:
    """Train, gate, release and serve a whole recommender cascade as one network.

    \b
    From logs to a served recommendation:
      lcron simulate  --config demo --out runs/demo/data
      lcron run       --config demo --data runs/demo/data --root runs/demo
      lcron serve     --base runs/demo/serving --port 8500
      lcron recommend --config demo --data runs/demo/data --target 127.0.0.1:8500 -k 10
    """


for _command in (simulate, run, serve, recommend, evaluate, benchmark, runs, releases):
    cli.add_command(_command)


def main() -> None:
    """Runs the command line; a user's mistake ends in one line on stderr (2 = bad option, 1 = anything else)."""
    # The imports of TFX make millions of objects, hardly one of them garbage: 10 s of processor time instead of 12.
    gc.set_threshold(50_000, 20, 50)
    try:
        cli.main(prog_name="lcron", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.Abort:
        click.echo("lcron: interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "lcron"
        click.echo(f"{command}: {' '.join(error.format_message().split())}", err=True)
        sys.exit(error.exit_code)
