"""What is wrong with a command line, in one line: Typer's complaints in our words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Sequence
from typing import Any

from chainrule.errors import one_line, unknown_name

_EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((?P<words>.*)\)", re.DOTALL)


def usage_message(error: Any, arguments: Sequence[str], commands: Container[str]) -> str:
    """Turn Typer's complaint about the command line into one line that helps.

    Parameters
    ----------
    error : exception
        Typer's.
    arguments : sequence of str
        What was typed.
    commands : container of str
        The names of the commands.
    """
    message = str(error.format_message()).strip().rstrip(".")
    ctx = getattr(error, "ctx", None)
    command = ctx.command if ctx is not None else None
    path = ctx.command_path if ctx is not None else "chainrule"
    if ctx is None and arguments and arguments[0] in commands:
        path = f"chainrule {arguments[0]}"
    if command is not None and (typed := getattr(error, "option_name", None)) and message.startswith("No such option"):
        message = _no_option(typed, command)
    elif message.startswith("No such command") and command is not None:
        typed = message.split("'")[1] if "'" in message else ""
        return unknown_name("command", typed, command.commands)
    elif message.startswith("Invalid value for "):
        message = _invalid_value(message, arguments)
    elif message.endswith("requires an argument"):
        message = f"{message.split(chr(39))[1]} needs a value"
    elif message.startswith("Missing "):
        kind, _, name = message.removeprefix("Missing ").partition(" ")
        message = f"{name.strip(chr(39))} is missing" + (": this option is needed" if kind == "option" else "")
    elif command is not None and (extra := _EXTRA.fullmatch(message)):
        message = _unexpected(extra["words"], command, path)
    return f"{one_line(message, 400)} (see {path} --help)"


def _no_option(typed: str, command: Any) -> str:
    """Name the nearest option."""
    known = {name.lstrip("-"): name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    near = difflib.get_close_matches(typed.lstrip("-"), known, n=1, cutoff=0.5)
    return f"no such option '{one_line(typed)}'" + (f"; did you mean '{known[near[0]]}'?" if near else "")


def _invalid_value(message: str, arguments: Sequence[str]) -> str:
    """Say what kind of value an option needs, and what it got."""
    names, _, rest = message.removeprefix("Invalid value for ").partition(": ")
    name = names.split(" / ")[0].strip("'")
    kind = "a whole number" if "integer" in rest else "a number" if "number" in rest or "float" in rest else ""
    return f"{name}: {kind} is needed{_typed(name, arguments)}" if kind else f"{name}: {rest}"


def _unexpected(words: str, command: Any, path: str) -> str:
    """Say which arguments are too many, and what the command takes instead."""
    taken = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    names = " ".join(parameter.metavar or parameter.name.upper() for parameter in taken)
    options = {name for parameter in command.params for name in parameter.opts}
    if taken:
        takes = f"{path} takes {names} and options"
    else:
        takes = f"{path} takes options only" + ("; a store is named with --store" if "--store" in options else "")
    return f"unexpected '{one_line(words)}': {takes}"


def _typed(name: str, arguments: Sequence[str]) -> str:
    """Say what was typed for an option, if it can be found."""
    for word, following in reversed(list(zip(arguments, [*arguments[1:], ""], strict=True))):
        if word == name:
            return f", got '{one_line(following)}'"
        if word.startswith(f"{name}="):
            return f", got '{one_line(word.removeprefix(f'{name}='))}'"
    return ""
