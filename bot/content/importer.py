"""Rasa importer: gives the FAQ entries to `rasa train` and `rasa data validate`."""

from __future__ import annotations

from typing import Any

from rasa.shared.core.domain import Domain
from rasa.shared.core.training_data.structures import StoryGraph
from rasa.shared.importers.importer import TrainingDataImporter
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from rasa.shared.utils.common import cached_method

from bot import settings
from bot.content.load import load_folder


class FaqImporter(TrainingDataImporter):
    """Importer of `data/faq`; stories, domain and config come from Rasa's own importer.

    Examples get the intent `faq/<id>`. There is no response per entry: each would become an action
    of the domain. One placeholder `utter_faq` in domain.yml is enough, since bot.dialogue.nlg
    answers.
    """

    def __init__(
        self,
        config_file: str | None = None,
        domain_path: str | None = None,
        training_data_paths: list[str] | str | None = None,
        **_: Any,
    ) -> None:
        self._settings = settings.load()

    def get_domain(self) -> Domain:
        return Domain.empty()

    def get_stories(self, exclusion_percentage: int | None = None) -> StoryGraph:
        return StoryGraph([])

    def get_conversation_tests(self) -> StoryGraph:
        return StoryGraph([])

    def get_config(self) -> dict[str, Any]:
        return {}

    def get_config_file_for_auto_config(self) -> str | None:
        return None

    @cached_method
    def get_nlu_data(self, language: str | None = "en") -> TrainingData:
        content = load_folder(self._settings.data_dir / "faq", self._settings.languages)
        return TrainingData(
            [
                Message.build(text, f"faq/{entry.id}")
                for entry in content.entries
                for texts in entry.examples.values()
                for text in texts
            ]
        )
