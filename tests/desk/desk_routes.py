"""Every address of the desk that names a conversation, whoever added it, asked by somebody."""

from __future__ import annotations

from collections.abc import Iterator

from desk_world import Browser, Desk

LEAST = 12
"""A walk over fewer routes has gone wrong."""


def addresses(desk: Desk, conversation: str) -> Iterator[tuple[str, str]]:
    """Method and path of each route, with the parts of the path filled in."""
    for route in desk.server.app.router.routes():
        resource = route.resource
        if resource is None or "{conversation" not in resource.canonical:
            continue
        path = resource.canonical.replace("{view}", "open")
        for name in ("file", "episode", "message", "item", "what", "macro"):
            path = path.replace("{" + name + "}", "some")
        path = path.replace("{conversation}", conversation)
        assert "{" not in path, f"teach this walk about {resource.canonical}"
        if route.method in {"GET", "POST"}:
            yield route.method, path


async def assert_closed(desk: Desk, browser: Browser, conversation: str) -> None:
    """Each route answers as if there were no such conversation."""
    tried = 0
    for method, path in addresses(desk, conversation):
        if method == "POST":
            status, answer = await browser.act(path, text="x", label="x", note="x")
            assert (status, answer["code"]) == (404, "unknown-conversation"), path
        else:
            response = await browser.client.get(path, headers={"Accept": "application/json"})
            assert response.status == 404, path
        tried += 1
    assert tried > LEAST


async def read_all(desk: Desk, browser: Browser, conversation: str, **fields: str) -> str:
    """What all routes that only read answer; each must be there.

    Args:
        fields: Of the posts that read, such as the `ids` of messages to translate.
    """
    told, tried = [], 0
    for method, path in addresses(desk, conversation):
        if method == "POST" and not path.endswith("/translations"):
            continue
        if method == "POST":
            status, answer = await browser.act(path, **fields)
            told.append(str(answer))
        else:
            query = "?before=9999999999" if path.endswith("/earlier") else ""
            response = await browser.client.get(path + query)
            status = response.status
            told.append(await response.text())
            fragment = await browser.client.get(path + query, headers={"X-Fragment": "thread"})
            told.append(await fragment.text())
        assert status == 200, path
        tried += 1
    assert tried > 3
    return "\n".join(told)
