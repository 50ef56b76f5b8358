"""``clinical-jepa``: parse, call one function of ``wiring``, print, return an exit status.

0 done, 1 failed, 2 wrong use, 3 done but something was quarantined or abstained. Importing this costs typer only; each
verb imports its own rooms in its body.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The console entry: runs the program and turns our errors into one readable message."""
    from clinical_jepa.cli.app import app
    from clinical_jepa.records.errors import BadRequest, ClinicalJepaError

    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments, prog_name="clinical-jepa")
    except ClinicalJepaError as error:
        if debug:
            raise
        print(f"clinical-jepa: {error}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, BadRequest) else 1) from None
    except SystemExit as end:  # typer makes one of Ctrl-C, and says nothing
        if end.code == 130:
            print(
                "clinical-jepa: stopped; what was committed is kept: "
                "the same command goes on from there, or says what is in its way",
                file=sys.stderr,
            )
        raise
    except (OSError, RuntimeError) as error:
        if debug:
            raise
        from clinical_jepa.cli.os_errors import explained

        known = explained(error) if isinstance(error, OSError) else None
        said, status = known or (f"{error}; run again with --debug to see where", 1)
        print(f"clinical-jepa: {said}", file=sys.stderr)
        raise SystemExit(status) from None
