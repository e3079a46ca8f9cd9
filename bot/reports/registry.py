"""List of all reports; a new one needs its file and a row here."""

from __future__ import annotations

from bot.reports import quick_replies
from bot.reports.base import Report

REPORTS: tuple[Report, ...] = (quick_replies.REPORT,)
