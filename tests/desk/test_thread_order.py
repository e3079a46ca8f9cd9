"""What a message causes stands behind it, though both have the time it was received."""

import time

import desk_seed as seed
from desk_world import Desk
from sqlalchemy.engine import Connection

from bot.desk.conversation import thread


def test_causes_stand_in_front_of_what_they_cause(desk: Desk) -> None:
    at = time.time() - 30

    def rows(connection: Connection) -> list[str]:
        seed.conversation(connection, "t1", state="waiting")
        for kind in ("handoff.requested", "episode.started", "language.switched"):
            seed.event(connection, "t1", kind, occurred_at=at)
        seed.message(connection, "t1", "a person, please", created_at=at)
        found = thread.load(connection, "t1", "u-asha")
        assert found is not None
        return [item.author for item in found.items]

    shown = desk.database.call(rows)
    assert shown[:2] == ["episode.started", "customer"]
    assert sorted(shown[2:]) == ["handoff.requested", "language.switched"]
