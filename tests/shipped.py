"""The rule files that come with Sluice, by name: the folder `rules` is its user's, who may have put others beside them."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "rules"
TOPICS = ("hubspot-contacts", "hubspot-tickets", "pipedrive-deals", "pipedrive-people")
RULES = [FOLDER / f"{topic}.yaml" for topic in TOPICS]
TESTS = [FOLDER / f"{topic}.test.yaml" for topic in TOPICS]
CONTENT = {file.name: file.read_bytes() for file in RULES}
