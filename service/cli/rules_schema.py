"""`sluice rules schema`: what an editor needs to complete and check rule files."""

from pathlib import Path

import msgspec
import rich_click as click

from service.actions import ACTIONS
from service.engine.schema import rules_schema

PLACE = Path(".schema", "rules.json")
"""Within the rules folder. Reading rules skips names that begin with a dot."""
MODELINE = "# yaml-language-server: $schema={}\n"
"""The first line of a rule file: where its schema is, relative to the file."""


def schema_text() -> str:
    """The schema as it is committed."""
    return msgspec.json.format(msgspec.json.encode(rules_schema(ACTIONS)), indent=1).decode() + "\n"


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default="rules")
@click.option("--write", is_flag=True, help="Write it to FOLDER/.schema/rules.json.")
def schema(folder: Path, *, write: bool) -> None:
    """Print the JSON Schema of rule files. FOLDER: where the rules are, `rules` if none is given.

    An editor with a YAML language server completes and checks a file that begins with
    `# yaml-language-server: $schema=.schema/rules.json`.
    """
    if not write:
        click.echo(schema_text(), nl=False)
        return
    place = folder / PLACE
    place.parent.mkdir(exist_ok=True)
    place.write_text(schema_text(), encoding="utf-8")
    click.echo(f"wrote {place}")
