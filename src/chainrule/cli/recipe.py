"""`chainrule recipe`: a recipe to start from, whether one is right, what it holds, and its JSON schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli._console import Output, clean, count, error_line
from chainrule.cli._help import Command, Group
from chainrule.cli._options import (
    MAX_SEEDS,
    DataDir,
    EngineName,
    Json,
    Memory,
    Quiet,
    Threads,
    parse_path,
    parse_resources,
)
from chainrule.errors import ChainruleError, ConfigError

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

EPILOG = """\
A recipe is a TOML file: data, network, training, the axes that vary, seeds,
when a run counts as a success, and what you want to know.

Examples:

  chainrule recipe new xor.toml
  chainrule recipe new iris.toml --data 'iris.csv?target=species'
  chainrule recipe check *.toml
  chainrule recipe show xor.toml --seeds 100
  chainrule sweep xor.toml"""

NEW_EPILOG = """\
Examples:

  chainrule recipe new
  chainrule recipe new moons.toml --data 'moons(noise=0.2)'"""

CHECK_EPILOG = """\
Each file gets one line: its cells and runs, or what is wrong with it, with the
key's path, the values allowed and the nearest name. Data that are at hand are
looked at too. The exit status is 2 if any file is wrong.

Example:

  chainrule recipe check *.toml"""

SHOW_EPILOG = """\
The time comes from training a small sample here, for about two seconds; it is
an estimate, and runs that stop early make it too long.

Examples:

  chainrule recipe show recipe.toml
  chainrule recipe show recipe.toml --seeds 1000 --all
  chainrule recipe show recipe.toml --quick --json"""

SCHEMA_EPILOG = """\
Editors complete and check recipes with it: put a line "#:schema FILE" on top.

Example:

  chainrule recipe schema > recipe.schema.json"""

USER_ERROR = 2

recipes = typer.Typer(
    cls=Group, epilog=EPILOG, help="Write, check and look at recipes: experiments as TOML files.", no_args_is_help=False
)


def register(app: typer.Typer) -> None:
    """Add the command and its sub-commands."""
    for function, epilog in (
        (new, NEW_EPILOG),
        (check, CHECK_EPILOG),
        (show, SHOW_EPILOG),
        (schema, SCHEMA_EPILOG),
    ):
        recipes.command(cls=Command, epilog=epilog)(function)
    app.add_typer(recipes, name="recipe")


@recipes.callback(invoke_without_command=True)
def _top(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        ctx.get_help()  # Typer prints it on the way
        raise typer.Exit


RecipeFile = Annotated[str, typer.Argument(metavar="FILE", help="A recipe, as TOML.", show_default=False)]


def new(
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="What is written.")] = "recipe.toml",
    data: Annotated[
        str, typer.Option("--data", metavar="NAME", help="A data set, as xor, or a table FILE?target=COLUMN.")
    ] = "xor",
    data_dir: DataDir = None,
    force: Annotated[bool, typer.Option("--force", metavar="", help="Replace the file if it is there.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a commented recipe to start from; it runs in seconds."""
    from chainrule.cli._request import load_source
    from chainrule.experiments.recipes.starter import starter_text
    from chainrule.files import write_text

    output = Output(quiet, as_json)
    path = parse_path(file, "FILE")
    if path.is_dir():
        raise ConfigError(f"'{clean(path)}' is a folder; name a file in it, such as {clean(path / 'recipe.toml')}")
    if path.exists() and not force:
        raise ConfigError(f"'{clean(path)}' is there already: name another file, or replace it with --force")
    source = load_source(data, data_dir)
    write_text(path, starter_text(source, data, str(path)))
    output.json({"command": "recipe new", "file": str(path), "data": source.spec})
    output.result(clean(path))
    output.detail(f"next: chainrule recipe show {clean(path)}")


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recipes, as TOML.", show_default=False)],
    data_dir: DataDir = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check recipes: one line each, with what is wrong."""
    from chainrule.cli._recipes import told
    from chainrule.experiments import load_recipe
    from chainrule.experiments.recipes.data_checks import check_with_data

    output = Output(quiet, as_json)
    results: list[dict[str, object]] = []
    for file in files:
        try:
            recipe = load_recipe(parse_path(file, "FILE"))
            notes = check_with_data(recipe, data_dir)
        except ChainruleError as error:
            results.append({"file": file, "right": False, "error": str(error)})
            if not as_json:
                error_line(str(error))
            continue
        results.append({"file": file, "right": True, "notes": notes, **told(recipe)})
        output.result(f"{clean(file)}: {_line(recipe)}")
        for note in notes:
            output.note(f"{clean(file)}: {note}")
    output.json({"command": "recipe check", "files": results})
    if not all(result["right"] for result in results):
        raise typer.Exit(USER_ERROR)


def _line(recipe: Recipe) -> str:
    """Say in a few words what a recipe holds."""
    from chainrule.cli._recipes import told

    if not recipe.trains:
        return "right; it trains nothing"
    facts = told(recipe)
    words = [count(int(facts[key]), key.removesuffix("s")) for key in ("cells", "seeds", "runs")]
    return "right; " + ", ".join(words)


def show(
    file: RecipeFile,
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="N", help="Seeds of each cell \\[default: as the recipe says]")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", metavar="", help="The quick run: fewer seeds and epochs.")] = False,
    everything: Annotated[bool, typer.Option("--all", metavar="", help="List every cell, however many.")] = False,
    no_estimate: Annotated[
        bool, typer.Option("--no-estimate", metavar="", help="Train no sample, so tell no time and memory.")
    ] = False,
    data_dir: DataDir = None,
    engine: EngineName = "auto",
    threads: Threads = None,
    memory: Memory = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show the grid of a recipe, and estimate its time and memory on this machine."""
    from chainrule.cli._recipes import Shown
    from chainrule.cli._request import check_engine
    from chainrule.experiments import load_recipe
    from chainrule.experiments.sweeps.estimate import BUDGET, estimate

    output = Output(quiet, as_json)
    if seeds is not None and not 1 <= seeds <= MAX_SEEDS:
        raise ConfigError(f"--seeds: a number of seeds from 1 to {MAX_SEEDS:,}, got {seeds}")
    check_engine(engine)
    resources = parse_resources(threads, memory)
    recipe = load_recipe(parse_path(file, "FILE"))
    made = estimate(
        recipe,
        seeds=seeds,
        quick=quick,
        engine=engine,
        resources=resources,
        data_dir=data_dir,
        budget=0.0 if no_estimate else BUDGET,
    )
    shown = Shown(recipe, made, seeds, quick, everything)
    output.json({"command": "recipe show", **shown.to_json()})
    shown.show(output)


def schema(
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Write it there \\[default: print it]")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Print the JSON schema of recipes, for editors."""
    from chainrule.experiments.recipes.json_schema import recipe_schema, schema_text
    from chainrule.files import write_text

    output = Output(quiet, as_json)
    if out is not None:
        path = write_text(parse_path(out, "--out"), schema_text())
        output.json({"command": "recipe schema", "file": str(path)})
        output.result(clean(path))
        return
    output.json(recipe_schema())
    output.result(schema_text().rstrip("\n"))
