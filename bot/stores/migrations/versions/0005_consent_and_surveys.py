"""Keep a customer's consent, and what they answered when asked how it went."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customers", sa.Column("consent_version", sa.String(32)))
    op.add_column("customers", sa.Column("consent_at", sa.Float))
    op.create_table(
        "survey_answers",
        sa.Column("episode_id", sa.String(96), primary_key=True),
        sa.Column("survey", sa.String(16), primary_key=True),
        sa.Column("conversation", sa.String(64), nullable=False),
        sa.Column("score", sa.Integer, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("answered_at", sa.Float, nullable=False),
    )
    op.create_index("ix_survey_answers_conversation", "survey_answers", ["conversation"])


def downgrade() -> None:
    op.drop_index("ix_survey_answers_conversation", table_name="survey_answers")
    op.drop_table("survey_answers")
    op.drop_column("customers", "consent_at")
    op.drop_column("customers", "consent_version")
