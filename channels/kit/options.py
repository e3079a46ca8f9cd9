"""Command line options that set-up commands of several channels have."""

from __future__ import annotations

import argparse


def add_show(parser: argparse.ArgumentParser) -> None:
    """Add `--show`: look, and leave everything as it is."""
    parser.add_argument("--show", action="store_true", help="change nothing")
