"""What all commands share: flags in, one line and an exit code out.

Exit codes: 0 done, 1 the run failed (values became non-finite), 2 the input
was wrong or a result could not be written.
"""

import errno
import sys
from typing import Callable, Sequence
import warnings

from absl import flags, logging

from lebm_tf import config as configuration
from lebm_tf.errors import InputError, NonFiniteError

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS,
                errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR,
                errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}


def run(main: Callable[[flags.FlagValues], None], description: str,
        fields: Sequence[configuration.Field],
        argv: Sequence[str] | None = None) -> int:
    """Parses flags, calls `main` with them, and turns errors into one line.

    Args:
        main: Does the work; gets the parsed flags.
        description: What --help says first.
        fields: The flags that the command knows.
        argv: The command line; `sys.argv` if not given.

    Returns:
        The exit code.
    """
    flags.FLAGS.mark_as_parsed()  # Our own flags are; absl's have none.
    logging.use_absl_handler()
    warnings.filterwarnings("ignore", category=UserWarning, module="keras")
    logging.set_verbosity(logging.WARNING)
    try:
        values = parse(fields, sys.argv if argv is None else argv)
        if values["help"].value:
            say(description.strip() + "\n\n" + _help(fields))
            return 0
        main(values)
    except InputError as error:
        return _fail(2, error)
    except NonFiniteError as error:
        return _fail(1, error)
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        return _fail(2, f"{error.filename or 'disk'}: {error.strerror}.")
    return 0


def parse(fields: Sequence[configuration.Field], argv: Sequence[str]
          ) -> flags.FlagValues:
    """The flags of a command line, flagfiles read in place.

    Raises:
        InputError: If a flag is unknown or has no value, a flagfile can't be
            read, or something is not a flag.
    """
    values = flags.FlagValues()
    configuration.define(values, fields)
    flags.DEFINE_boolean("help", False, "Show this.", flag_values=values)
    try:
        rest = values(list(argv))[1:]
    except flags.UnrecognizedFlagError as error:
        name = error.flagname
        raise InputError(
            f"unknown flag --{name}"
            f"{configuration.nearest(name, values)}.") from None
    except flags.Error as error:
        raise InputError(" ".join(str(error).split())) from None
    if rest:
        raise InputError(f"expected flags only, got {rest[0]!r}.")
    return values


def say(text: str) -> None:
    """Writes a line for the person who runs the command."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fail(code: int, error) -> int:
    sys.stderr.write("error: " + " ".join(str(error).split()) + "\n")
    return code


def _help(fields) -> str:
    seen = {field.flag: field.help for field in fields}
    return "\n".join(f"  --{flag}\n      {text}" for flag, text in
                     {"flagfile": "File with one flag a line.",
                      **seen}.items())
