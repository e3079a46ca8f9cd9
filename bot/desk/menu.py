"""Menu at the top of every page: its entries, and who sees them."""

from __future__ import annotations

from dataclasses import dataclass

from bot.desk.people.users import Role, User


@dataclass(frozen=True)
class Place:
    """One entry of the menu."""

    address: str
    text: str
    """Key of its name in the locales."""
    icon: str
    """Its drawing in `templates/_icons.html`."""
    least: Role = Role.AGENT
    """The lowest role that may open the page."""

    def open_to(self, user: User) -> bool:
        """Whether the menu shows this entry to a user."""
        roles = list(Role)
        return roles.index(user.role) >= roles.index(self.least)

    def holds(self, path: str) -> bool:
        """Whether a path is this page or one below it: they share the first part."""
        return path.split("/")[1:2] == self.address.split("/")[1:2]
