"""SQL tables that every process uses; docs/storage.md says what each keeps, and how long.

The desk's further tables are in bot/desk/tables.py. A change here needs a migration
(bot/stores/migrations).
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

conversations = sa.Table(
    "conversations",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("account", sa.String(128), nullable=False),
    sa.Column("vendor_user", sa.String(256), nullable=False),
    sa.Column("customer_id", sa.String(64), nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("episode_id", sa.String(96), nullable=False),
    sa.Column("episode_started_at", sa.Float, nullable=False),
    sa.Column("stint", sa.Integer, nullable=False),
    sa.Column("language", sa.String(16), nullable=False, default="en"),
    sa.Column("priority", sa.Integer, nullable=False, default=0),
    sa.Column("cause", sa.String(32)),
    sa.Column("cause_detail", sa.JSON),
    sa.Column("waiting_since", sa.Float),
    sa.Column("last_message_at", sa.Float, nullable=False),
    sa.Column("last_change", sa.String(96)),
    sa.Column("sentiment", sa.Float),
    sa.Column("blocked", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    sa.Column("team", sa.String(64)),
    sa.Column("topic", sa.String(64)),
    sa.Column("callback_at", sa.Float),
    sa.Column("late_told_at", sa.Float),
    sa.Column("last_agent", sa.String(64)),
    sa.Index("ix_conversations_queue", "state", "priority", "waiting_since"),
    sa.Index("ix_conversations_state_activity", "state", "last_message_at"),
    sa.Index("ix_conversations_owner", "owner", "state"),
    sa.Index("ix_conversations_counts", "state", "owner", "team"),
    # All columns that decide a place in a queue, so that no row of a long one is read.
    sa.Index("ix_conversations_place", "state", "team", "waiting_since", "priority"),
    sa.Index("ix_conversations_vendor_user", "vendor_user", "channel"),
)

team_stints = sa.Table(
    # Which teams had a stint of a conversation: bot/conversation/stints.py. A stint that no team
    # had has no row.
    "team_stints",
    METADATA,
    sa.Column("conversation", sa.String(64), primary_key=True),
    sa.Column("stint", sa.Integer, primary_key=True),
    sa.Column("team", sa.String(64), primary_key=True),
    sa.Column("episode_id", sa.String(96), nullable=False),
    # When the stint began, not when the team got it: it reads what the customer told the bot.
    sa.Column("began_at", sa.Float, nullable=False),
    # When it left the team; null while the team has it.
    sa.Column("ended_at", sa.Float),
)

customers = sa.Table(
    "customers",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(256), nullable=False, default=""),
    sa.Column("locale", sa.String(32), nullable=False, default=""),
    sa.Column("zone", sa.String(64), nullable=False, server_default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("consent_version", sa.String(32)),
    sa.Column("consent_at", sa.Float),
)

messages = sa.Table(
    "messages",
    METADATA,
    sa.Column("id", sa.String(96), primary_key=True),
    sa.Column("conversation", sa.String(64), nullable=False),
    sa.Column("episode_id", sa.String(96), nullable=False, default=""),
    sa.Column("author", sa.String(16), nullable=False),
    sa.Column("agent", sa.String(64), nullable=False, default=""),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("language", sa.String(16), nullable=False, default=""),
    sa.Column("entry", sa.String(128), nullable=False, default=""),
    sa.Column("content_version", sa.Integer, nullable=False, default=0),
    sa.Column("quick_replies", sa.JSON),
    sa.Column("reading", sa.JSON),
    sa.Column("in_reply_to", sa.String(96), nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("delivery", sa.String(16), nullable=False, default=""),
    sa.Index("ix_messages_conversation", "conversation", "created_at"),
    sa.Index("ix_messages_time", "created_at"),
)

events = sa.Table(
    "events",
    METADATA,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("type", sa.String(48), nullable=False),
    sa.Column("conversation", sa.String(64), nullable=False, default=""),
    sa.Column("episode_id", sa.String(96), nullable=False, default=""),
    sa.Column("channel", sa.String(32), nullable=False, default=""),
    sa.Column("language", sa.String(16), nullable=False, default=""),
    sa.Column("actor", sa.String(16), nullable=False, default=""),
    sa.Column("actor_id", sa.String(64), nullable=False, default=""),
    sa.Column("content_version", sa.Integer, nullable=False, default=0),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("occurred_at", sa.Float, nullable=False),
    sa.Column("stored_at", sa.Float, nullable=False),
    sa.Index("ix_events_type", "type", "occurred_at"),
    sa.Index("ix_events_conversation", "conversation", "occurred_at"),
    sa.Index("ix_events_time", "occurred_at"),
    # The order in which connectors read.
    sa.Index("ix_events_stored", "stored_at"),
)

connector_cursors = sa.Table(
    # How far each connector has read the events; bot/connectors/kit/cursor.py.
    "connector_cursors",
    METADATA,
    sa.Column("connector", sa.String(64), primary_key=True),
    sa.Column("stored_at", sa.Float, nullable=False),
    # The event that failed last, empty for none; how often, and when it is tried again.
    sa.Column("stuck_on", sa.String(128), nullable=False, server_default=""),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", sa.Float, nullable=False, server_default="0"),
    # Grows with each change, so that of two processes only one moves it.
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
)

connector_seen = sa.Table(
    # Events a connector has been given, kept while it may read the same time again.
    "connector_seen",
    METADATA,
    sa.Column("connector", sa.String(64), primary_key=True),
    sa.Column("event", sa.String(128), primary_key=True),
    sa.Column("stored_at", sa.Float, nullable=False),
)

trackers = sa.Table(
    "trackers",
    METADATA,
    sa.Column("conversation", sa.String(64), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
)

queue_times = sa.Table(
    "queue_times",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("assigned_at", sa.Float, nullable=False, index=True),
    sa.Column("wait_s", sa.Float, nullable=False),
)

survey_answers = sa.Table(
    "survey_answers",
    METADATA,
    sa.Column("episode_id", sa.String(96), primary_key=True),
    sa.Column("survey", sa.String(16), primary_key=True),
    sa.Column("conversation", sa.String(64), nullable=False, index=True),
    sa.Column("score", sa.Integer, nullable=False),
    sa.Column("comment", sa.Text, nullable=False, default=""),
    sa.Column("language", sa.String(16), nullable=False, default=""),
    sa.Column("answered_at", sa.Float, nullable=False),
)

dead_letters = sa.Table(
    "dead_letters",
    METADATA,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("conversation", sa.String(64), nullable=False, index=True),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("replayed_at", sa.Float),
)

content_versions = sa.Table(
    "content_versions",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("based_on", sa.Integer),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("author", sa.String(64), nullable=False, default=""),
    sa.Column("note", sa.String(256), nullable=False, default=""),
    sa.Column("created_at", sa.Float, nullable=False),
)

content_pointer = sa.Table(
    "content_pointer",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, nullable=False),
)

users = sa.Table(
    "users",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("login", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password_hash", sa.String(256), nullable=False),
    sa.Column("languages", sa.JSON),
    sa.Column("interface_language", sa.String(16)),
    sa.Column("failed_logins", sa.Integer, nullable=False, default=0),
    sa.Column("locked_until", sa.Float, nullable=False, default=0.0),
    sa.Column("created_at", sa.Float, nullable=False),
)

sessions = sa.Table(
    "sessions",
    METADATA,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id"), nullable=False),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
)

files = sa.Table(
    # Their bytes are in the `FileStore`.
    "files",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("conversation", sa.String(64), nullable=False, index=True),
    # Empty until a message has it; an upload that no message ever has is deleted after a day.
    sa.Column("message", sa.String(96), nullable=False, default="", index=True),
    sa.Column("position", sa.Integer, nullable=False, default=0),
    sa.Column("author", sa.String(16), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False, default=""),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("name", sa.String(160), nullable=False),
    sa.Column("type", sa.String(128), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False, default=0),
    sa.Column("sha256", sa.String(64), nullable=False, default=""),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(32), nullable=False, default=""),
    # Where the worker fetches it from; empty once it is fetched or given up.
    sa.Column("source", sa.JSON),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    # Unix seconds until which no worker takes it: the next try, or a claim's end.
    sa.Column("due_at", sa.Float, nullable=False, default=0.0),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Index("ix_files_state", "state", "due_at"),
)

snoozes = sa.Table(
    "desk_snoozes",
    METADATA,
    sa.Column("conversation", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("until", sa.Float, nullable=False, index=True),
    sa.Column("created_at", sa.Float, nullable=False),
)
