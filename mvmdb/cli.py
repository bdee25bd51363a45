"""The command `mvmdb`: gathers the commands, and turns errors into one line and an exit code."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from mvmdb import __version__
from mvmdb.console.arguments import Commands
from mvmdb.console.commands.adopt import adopt
from mvmdb.console.commands.align import align
from mvmdb.console.commands.astrometry import astrometry
from mvmdb.console.commands.cells import cells
from mvmdb.console.commands.companions import companions
from mvmdb.console.commands.config import config
from mvmdb.console.commands.contributors import contributors
from mvmdb.console.commands.coverage import coverage
from mvmdb.console.commands.demo import demo
from mvmdb.console.commands.explain import explain
from mvmdb.console.commands.hips import hips
from mvmdb.console.commands.history import history
from mvmdb.console.commands.import_table import import_table
from mvmdb.console.commands.ingest import ingest
from mvmdb.console.commands.init import init
from mvmdb.console.commands.mosaic import mosaic
from mvmdb.console.commands.nightly import nightly
from mvmdb.console.commands.page import page
from mvmdb.console.commands.plot import plot
from mvmdb.console.commands.poller import poller
from mvmdb.console.commands.process import process
from mvmdb.console.commands.quarantine import quarantine
from mvmdb.console.commands.query import query
from mvmdb.console.commands.readmit import readmit
from mvmdb.console.commands.rebuild import rebuild
from mvmdb.console.commands.reconcile import reconcile
from mvmdb.console.commands.schema import schema
from mvmdb.console.commands.seams import seams
from mvmdb.console.commands.search import search
from mvmdb.console.commands.serve import serve
from mvmdb.console.commands.stage import stage
from mvmdb.console.commands.status import status
from mvmdb.console.commands.verify import verify
from mvmdb.console.commands.withdraw import withdraw
from mvmdb.console.localpath import LocalPath
from mvmdb.console.logs import log_outcome, start_logging
from mvmdb.console.options import Session
from mvmdb.console.show import warn
from mvmdb.console.streams import COULD_NOT_RUN, Ending, flush_output, keep_standard_streams
from mvmdb.errors import MvmdbError
from mvmdb.garbage import collect_less_often
from mvmdb.passwords import secrets_of, without_secrets


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="mvmdb")
@click.option(
    "--db", default="mvm.db", envvar="MVMDB_DB", show_envvar=True, show_default=True, metavar="DB",
    help="The catalog: a path, or an SQLAlchemy URL.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Log every step on standard error.")
@click.option(
    "--log", type=LocalPath(dir_okay=False), metavar="FILE",
    help="Add a line with the time to this file for every step, error and end of a command.",
)  # fmt: skip
@click.pass_context
def commands(context: click.Context, db: str, verbose: bool, log: Path | None) -> None:
    """Find out which Hubble multi-visit mosaics are out of date and why, and bring them up to date.

    Exit codes: 0 done; 1 done, and something needs attention; 2 could not run; 130 or 143 stopped by Ctrl-C or SIGTERM.
    """
    secrets = secrets_of(db)
    end_log = start_logging(verbose=verbose, path=log, secrets=secrets)
    if context.obj is None:
        context.call_on_close(end_log)
    else:
        context.obj.end_log, context.obj.secrets = end_log, secrets
    context.obj = Session(db, context.obj or Ending())
    log_outcome(f"begins: {context.obj.run.words}")


for command in (
    init, ingest, import_table, withdraw, readmit, cells, search, coverage, contributors, astrometry, seams, query,
    status, explain, history, plot, poller, stage, reconcile, nightly, companions, process, mosaic, align, verify,
    quarantine, adopt, rebuild, config, schema, page, serve, hips, demo,
):  # fmt: skip
    commands.add_command(command)


def main() -> None:
    """Run the command line; an error becomes one line on standard error and exit code 2."""
    collect_less_often()
    keep_standard_streams()
    ending = Ending()
    ending.follow_signals()
    try:
        code = commands(standalone_mode=False, obj=ending)
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except SystemExit as leaving:  # a command's exit code, of `options.finish`
        code = leaving.code
    except click.Abort:
        code = _refuse("stopped; what was finished is recorded, and the next run goes on from there", ending.code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message(), err=True)
        code = COULD_NOT_RUN
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "mvmdb"
        code = _refuse(f"{error.format_message()} See `{where} --help`.", COULD_NOT_RUN)
    except (MvmdbError, click.ClickException) as error:
        code = _refuse(error.format_message() if isinstance(error, click.ClickException) else str(error), COULD_NOT_RUN)
    except OSError as error:
        code = _refuse(f"{error.filename or 'the system'}: {error.strerror or error}", COULD_NOT_RUN)
    except Exception as error:  # an internal error: one line for cron, and the traceback with -v
        logging.getLogger("mvmdb").info("", exc_info=True)
        code = _refuse(
            f"internal error, please report it: {type(error).__name__}: {without_secrets(str(error), ending.secrets)}; "
            "run mvmdb -v for the traceback",
            COULD_NOT_RUN,
        )
    code = code if flush_output() else 0
    log_outcome(f"ends with exit code {code or 0}")
    ending.end_log()
    # `python -m` ends by SIGINT, whatever the exit code, if an interrupt was raised in `exec` of a text, as it may be
    # while a dataclass is made; running another text makes it forget that (CPython's unhandled_keyboard_interrupt).
    exec("")
    sys.exit(code)


def _refuse(message: str, code: int) -> int:
    words = " ".join(message.split())
    warn(f"mvmdb: {words}")
    log_outcome(words)
    return code


if __name__ == "__main__":
    main()
