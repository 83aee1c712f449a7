"""Shared behaviour of commands: flag parsing, error messages and exit codes.

Exit codes: 0 for success, 1 if the run failed (non-finite values, a lost
worker), 2 for invalid input or a result that cannot be written, 130 if
interrupted.
"""

import errno
import os
import sys
from typing import Callable, Sequence
import warnings

from absl import flags, logging

from lebm_tf.configuration import fields as configuration
from lebm_tf.configuration.flag_values import convert
from lebm_tf.errors import ClusterError, InputError, NonFiniteError, nearest
from lebm_tf.ranges import Declared
from lebm_tf.text_files import read_text

Fields = Callable[[], Sequence[configuration.Field]]
PLUGINS = configuration.Field(
    "plugins", ("plugins",), tuple[str, ...],
    "Modules to import first, such as my_package.my_module. They may "
    "register families, evaluators, data sets and networks.", (),
    declared=Declared(str, True, ()))
_NAME_FILES = ("flagfile", "baseline", "backbone")
_HELP = {"help": "h", "helpfull": None, "helpshort": None}
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS,
                errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR,
                errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}


def run(main: Callable[[flags.FlagValues], None], description: str,
        fields: Sequence[configuration.Field] | Fields,
        argv: Sequence[str] | None = None,
        load_plugins: Callable[[Sequence[str]], None] | None = None) -> int:
    """Parses flags, calls `main` with them, and turns errors into one line.

    Args:
        main: Function that does the work; receives the parsed flags.
        description: First paragraph of --help.
        fields: Flags of the command, or a function that returns them.
        argv: Command line; default: `sys.argv`.
        load_plugins: Imports the modules of --plugins, which may add flags;
            None for a command without plugins.

    Returns:
        The exit code.
    """
    flags.FLAGS.mark_as_parsed()  # absl itself has none to parse.
    logging.use_absl_handler()
    warnings.filterwarnings("ignore", category=UserWarning, module="keras")
    logging.set_verbosity(logging.WARNING)
    try:
        argv = sys.argv if argv is None else argv
        argv = [argv[0], *expand(argv[1:])]
        if load_plugins is not None:
            load_plugins(plugins_of(argv))
        fields = [*(fields() if callable(fields) else fields),
                  *([PLUGINS] if load_plugins else [])]
        values = parse(fields, argv)
        if any(values[name].value for name in _HELP):
            say(description.strip() + "\n\n" + _help(_of_family(
                fields, values)))
            return 0
        main(values)
    except InputError as error:
        return _fail(2, error)
    except (NonFiniteError, ClusterError) as error:
        return _fail(1, error)
    except KeyboardInterrupt:
        return _fail(130, "interrupted; the same train command resumes from "
                          "the newest checkpoint.")
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        return _fail(2, f"{error.filename or 'disk'}: {error.strerror}.")
    return 0


def parse(fields: Sequence[configuration.Field], argv: Sequence[str]
          ) -> flags.FlagValues:
    """Parses a command line; flagfiles are expanded in place.

    Args:
        fields: Flags of the command.
        argv: Command line with the program first.

    Raises:
        InputError: If a flag is unknown or has no value, a flagfile cannot be
            read, or an argument is not a flag.
    """
    values = flags.FlagValues()
    configuration.define(values, fields)
    for name, short in _HELP.items():
        flags.DEFINE_boolean(name, False, "Show this help.", short_name=short,
                             flag_values=values)
    try:
        rest = values([argv[0], *succeed(expand(argv[1:]), fields)])[1:]
    except flags.UnrecognizedFlagError as error:
        name = error.flagname
        raise InputError(
            f"unknown flag --{name}"
            f"{nearest(name, values)}.") from None
    except flags.Error as error:
        raise InputError(" ".join(str(error).split())) from None
    if rest:
        raise InputError(f"expected flags only, got {rest[0]!r}.")
    return values


def plugins_of(argv: Sequence[str]) -> list[str]:
    """Returns the modules that --plugins names, in order.

    Args:
        argv: Flags, with flagfiles expanded.
    """
    words, found = list(argv), []
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.lstrip("-") == PLUGINS.flag and name.startswith("-"):
            value = value if equals else "".join(words[i + 1:i + 2])
            found += [part.strip() for part in value.split(",")]
    return [name for name in found if name]


def modules(values: flags.FlagValues) -> tuple[str, ...]:
    """Returns the modules that --plugins named, from parsed flags."""
    return convert(PLUGINS, values[PLUGINS.flag].value or "")


def expand(argv: Sequence[str], folder: str = "", seen: tuple = ()
           ) -> list[str]:
    """Replaces each --flagfile by the flags of that file.

    Files named in a flagfile (a flagfile, baseline or backbone) are relative to
    it, so a run does not depend on the current folder.

    Args:
        argv: Flags.
        folder: Folder that file names are relative to.
        seen: Flagfiles being expanded.

    Raises:
        InputError: If a flagfile cannot be read, or includes itself.
    """
    flat, rest = [], list(argv)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        names_file = name[:1] == "-" and name.lstrip("-") in _NAME_FILES
        if names_file and not equals and rest:
            value = rest.pop(0)
        if not names_file or not value:
            flat.append(argument)
            continue
        path = os.path.join(folder, os.path.expanduser(value))
        if name.lstrip("-") != "flagfile":
            flat.append(f"{name}={path}")
            continue
        if os.path.realpath(path) in seen:
            raise InputError(f"the flagfile {path} includes itself.")
        flat += expand(_words(path), os.path.dirname(path),
                       (*seen, os.path.realpath(path)))
    return flat


def _words(path) -> list[str]:
    """Flags of a flagfile, one per line; "--name value" gives two words."""
    words = []
    for line in read_text(path, f"the flagfile {path}").splitlines():
        line = line.strip()
        if line and line[0] != "#":
            name, *value = line.split(None, 1)
            words += [name, *value] if "=" not in name else [line]
    return words


def succeed(argv: Sequence[str], fields: Sequence[configuration.Field]
            ) -> list[str]:
    """Drops the flags of a family that a later --family replaces.

    A flagfile of a data set followed by `--family=vae` then makes the same run
    with another model. Flags known to both families are kept; those of the
    first family alone are dropped and reported. Flags after --family are never
    dropped, so a flag that the new family lacks is still an error.

    Args:
        argv: Flags, with flagfiles expanded.
        fields: All flags of the command.
    """
    owners: dict[str, set[str]] = {}
    kinds = {field.flag: field.type for field in fields}
    for field in fields:
        owners.setdefault(field.flag, set()).add(field.family)
    kept: list[tuple[str, list[str]]] = []
    family, rest = None, list(argv)
    while rest:
        words = [rest.pop(0)]
        name, equals, value = words[0].lstrip("-").partition("=")
        if name not in kinds and name.startswith("no"):
            name = name[2:]
        if not equals and rest and kinds.get(name, bool) is not bool:
            words.append(rest.pop(0))
            value = words[1]
        if name == "family":
            lost = [known for known, _ in kept
                    if family in owners.get(known, ())
                    and not owners[known] & {value, ""}]
            if lost:
                say(f"Ignored, because the family {value} has no such flag: "
                    f"{', '.join(f'--{known}' for known in lost)}.")
            kept = [entry for entry in kept if entry[0] not in lost]
            family = value
        kept.append((name, words))
    return [word for _, words in kept for word in words]


def say(text: str) -> None:
    """Prints a line for the user of the command."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fail(code: int, error) -> int:
    sys.stderr.write("error: " + " ".join(str(error).split()) + "\n")
    return code


def _of_family(fields, values):
    """Flags of the family in --family; all flags without one."""
    family = values["family"].value if "family" in values else None
    if family not in {field.family for field in fields}:
        return fields
    return [field for field in fields if field.family in ("", family)]


def _help(fields) -> str:
    texts = {"flagfile": "File with one flag per line."}
    defaults: dict[str, dict[str, None]] = {"flagfile": {}}
    ranges: dict[str, str] = {}
    for field in fields:
        texts[field.flag], ranges[field.flag] = field.help, field.range
        value = field.default
        if isinstance(value, tuple):
            value = ",".join(map(str, value))
        shown = defaults.setdefault(field.flag, {})
        if value not in ("", None):
            shown[str(value)] = None
    lines = []
    for flag, text in texts.items():
        about = "; ".join(filter(None, (
            " or ".join(defaults[flag]), ranges.get(flag))))
        lines.append(f"  --{flag}" + (f" ({about})" if about else "")
                     + f"\n      {text}")
    return "\n".join(lines)
