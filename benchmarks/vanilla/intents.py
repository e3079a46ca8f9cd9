"""Script that trains and evaluates a Rasa NLU pipeline, in the environment of `make bench-env`.

Reads config.yml, nlu.yml and test.json (a list of texts); writes answers.json:
`{"intents": [[name, confidence], ...]}` in the order of the texts.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from rasa.core.agent import Agent
from rasa.model_training import train_nlu


def main(folder: Path) -> None:
    """Train, load, predict."""
    model = train_nlu(str(folder / "config.yml"), str(folder / "nlu.yml"), str(folder / "models"))
    agent = Agent.load(model)
    texts = json.loads((folder / "test.json").read_text("utf-8"))
    answers = asyncio.run(_ask(agent, texts))
    (folder / "answers.json").write_text(json.dumps({"intents": answers}), "utf-8")


async def _ask(agent: Agent, texts: list[str]) -> list[tuple[str, float]]:
    answers = []
    for text in texts:
        intent = (await agent.parse_message(text))["intent"]
        answers.append((intent["name"] or "", float(intent["confidence"])))
    return answers


if __name__ == "__main__":
    main(Path(sys.argv[1]))
