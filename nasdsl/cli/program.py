"""The program ``nasdsl``: its verbs, and how a call ends.

Only click is imported here and in the modules of the verbs; each verb imports what it needs
when it runs, because ``nasdsl check`` in an editor has to answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from nasdsl.cli.editing import init, lsp
from nasdsl.cli.models import compile_command, metrics, score
from nasdsl.cli.output import Output, verbosity
from nasdsl.cli.runs import report, run, trials
from nasdsl.cli.searchers import search
from nasdsl.cli.spaces import info, neighbors, path, sample, show
from nasdsl.cli.texts import check, fmt
from nasdsl.diagnostics import DiagnosticError
from nasdsl.version import __version__

OK = 0
DIAGNOSTICS = 1
USAGE = 2
INTERRUPTED = 130
READER_GONE = 141
"""As a shell reports a program that SIGPIPE ended: whoever read the output went away."""


class InOrder(click.Group):
    """A group that lists its verbs in the order in which a person meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names as registered."""
        return list(self.commands)


@click.group(
    cls=InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="""\b
Examples:
  nasdsl run examples/quickstart.nas
  nasdsl check space.nas
  nasdsl sample space.nas -n 5 --seed 0
""",
)
@click.version_option(__version__, prog_name="nasdsl", message="%(prog)s %(version)s")
@verbosity
def program() -> None:
    """Describe a space of neural networks in a .nas file, and search it.

    A verb takes the file first. 'nasdsl VERB --help' shows its options and an example.
    """


for _verb in (
    init,
    run,
    check,
    fmt,
    info,
    sample,
    show,
    neighbors,
    path,
    compile_command,
    score,
    metrics,
    search,
    trials,
    report,
    lsp,
):
    program.add_command(_verb)


def main(args: Sequence[str] | None = None) -> int:
    """Run one call of the command line and return its exit code.

    0: done. 1: a text, file or setting cannot be used, and diagnostics say why. 2: the
    arguments are not those of a verb. 3: the run finished, but no trial succeeded. 130:
    interrupted. A bug of ours is not caught: its traceback is wanted.
    """
    arguments = list(sys.argv[1:] if args is None else args)
    # Counts are exact at any size; Python refuses to print more than 4,300 digits by itself.
    sys.set_int_max_str_digits(0)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows a replacement for it.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if "_NASDSL_COMPLETE" in os.environ:  # click answers a shell that completes a command line
        program.main(arguments, prog_name="nasdsl")
    output = Output()
    try:
        with program.make_context("nasdsl", arguments, obj=output) as context:
            code = program.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else OK
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return USAGE
    except DiagnosticError as error:
        output.diagnostics(error.diagnostics)
        return DIAGNOSTICS
    except (KeyboardInterrupt, click.Abort) as stop:
        # An interrupted run says how to go on with it.
        click.echo(str(stop) or "interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at its end, and must find it writable.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
