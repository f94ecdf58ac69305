"""The command line that the scripts in ``data`` share."""

from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser
from collections.abc import Callable
from typing import Any


def command_line(
    work: Callable[..., Any], description: str, **options: tuple[Any, str]
) -> Any:
    """Call a function with what the command line says.

    Parameters
    ----------
    work : callable
        Is given every option by its name.
    description : str
        What it does, for ``--help``.
    **options : (object, str)
        The default of each option, which decides its kind, and what it means. A tuple
        takes as many values as it has; a type in place of the default stands for an
        option that is None where it is not given; ``...`` for a word that must be.

    Returns
    -------
    object
        What `work` returns.

    Raises
    ------
    SystemExit
        If the command line is wrong, or `work` raises KeyError, ValueError or OSError:
        with one line that says so, and no traceback.
    """
    parser = ArgumentParser(
        description=description, formatter_class=ArgumentDefaultsHelpFormatter
    )
    for name, (default, meaning) in options.items():
        if default is ...:
            parser.add_argument(name, help=meaning)
        elif isinstance(default, type):
            parser.add_argument(f"--{name}", type=default, help=meaning)
        elif isinstance(default, tuple):
            parser.add_argument(
                f"--{name}",
                type=type(default[0]),
                nargs=len(default),
                default=default,
                help=meaning,
            )
        else:
            parser.add_argument(
                f"--{name}", type=type(default), default=default, help=meaning
            )
    chosen = vars(parser.parse_args())
    for name, value in chosen.items():
        chosen[name] = tuple(value) if isinstance(value, list) else value
    try:
        return work(**chosen)
    except KeyError as error:  # its text would be in quotes
        parser.error(error.args[0])
    except (ValueError, OSError) as error:
        parser.error(str(error))
