"""All errors this project raises on purpose, in one tree.

SamvadError
├── ConfigurationError        a setting or file is wrong; the start stops
├── ContentError              an FAQ file or version is wrong; carries the problems
│   └── VersionConflict       files are not based on the live version
├── StoreUnavailable          Redis or SQL did not answer; the message stays where it is
├── TransitionRefused         the conversation may not go from this state to that one
│   └── StaleConversation     somebody else changed it first
├── LeaseLost                 another process holds the shard now; the turn is void
├── TurnInterrupted           the conversation changed hands during the turn; run it again
├── StaleCursor               another process has moved a connector's cursor
├── BadRequest                what a stranger sent cannot be used; `status` and `code` for HTTP
│   ├── NotAuthenticated
│   ├── TooLarge
│   ├── TooMany               more requests than the allowance; `retry_after_s`
│   ├── TooBusy               no room for one more at the moment; `retry_after_s`
│   └── FileRefused           a file is too large, of a kind we do not take, or not what it says
├── TranslationUnavailable    no machine translation; the original text is shown
└── DeliveryFailed            a vendor refused a message; `permanent` says whether for good
"""

from __future__ import annotations


class SamvadError(Exception):
    """Base class of all errors."""


class ConfigurationError(SamvadError):
    """A setting cannot be used.

    Args:
        key: Environment name or file and key.
        problem: What is wrong with the value and what to write instead.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key


class ContentError(SamvadError):
    """Content cannot be published; `problems` has one line per fault (file, entry, fix)."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class VersionConflict(ContentError):
    """The files are based on another version than the live one."""

    def __init__(self, based_on: int | None, live: int) -> None:
        super().__init__(
            [
                f"the files are based on version {based_on or 'none'}, but version {live} is live: "
                "export it, merge your change, and publish again (or publish with --force)"
            ]
        )
        self.based_on = based_on
        self.live = live


class StoreUnavailable(SamvadError):
    """Redis or the database did not answer, or said "not now".

    Args:
        store: `redis` or `database`.
        reason: What it said, for the log.
        why: One of `bot.stores.not_now.REASONS`, for the health page.
    """

    def __init__(self, store: str, reason: str, why: str = "away") -> None:
        super().__init__(f"{store} did not answer: {reason}")
        self.store = store
        self.why = why


class TransitionRefused(SamvadError):
    """The table of states does not allow the change."""

    def __init__(self, conversation_id: str, state: str, target: str) -> None:
        super().__init__(f"conversation {conversation_id} cannot go from '{state}' to '{target}'")
        self.conversation_id = conversation_id
        self.state = state
        self.target = target


class StaleConversation(TransitionRefused):
    """The row changed since it was read."""


class LeaseLost(SamvadError):
    """The shard's lease passed to another process."""

    def __init__(self, shard: int) -> None:
        super().__init__(f"the lease of shard {shard} is no longer ours")
        self.shard = shard


class TurnInterrupted(SamvadError):
    """The owner changed while the bot was working on the turn."""

    def __init__(self, conversation_id: str) -> None:
        super().__init__(f"conversation {conversation_id} changed hands during the turn")
        self.conversation_id = conversation_id


class StaleCursor(SamvadError):
    """Another process has moved a connector's cursor meanwhile."""

    def __init__(self, connector: str) -> None:
        super().__init__(f"the cursor of connector {connector} has moved meanwhile")
        self.connector = connector


class BadRequest(SamvadError):
    """Input from outside cannot be used.

    Args:
        code: Stable word for clients, such as "text-too-long".
        message: For the person who calls the API.
        status: HTTP status.
        values: Limits and the like, for who says it in another language.
    """

    def __init__(self, code: str, message: str, status: int = 400, **values: object) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.values = values


class NotAuthenticated(BadRequest):
    """There is no session, or a forged or expired one."""

    def __init__(self, code: str = "not-authenticated", message: str = "no valid session") -> None:
        super().__init__(code, message, status=401)


class TooLarge(BadRequest):
    """Input has more bytes or characters than the limit."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, status=413)


class TooMany(BadRequest):
    """The allowance of this window is used up."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too-many", f"too many requests; wait {retry_after_s} s", status=429)
        self.retry_after_s = retry_after_s


class TooBusy(BadRequest):
    """So much is under way that this must wait."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("busy", f"too much at once; come back in {retry_after_s} s", status=503)
        self.retry_after_s = retry_after_s


class FileRefused(BadRequest):
    """A file is not accepted; `code` is one of the reasons in docs/attachments.md."""

    def __init__(self, code: str, message: str) -> None:
        statuses = {"too-large": 413, "type-not-allowed": 415, "content-mismatch": 415}
        super().__init__(code, message, status=statuses.get(code, 400))


class TranslationUnavailable(SamvadError):
    """A provider did not translate.

    Args:
        provider: Its name in TRANSLATION_PROVIDER.
        reason: Stable word: `timeout`, `rate-limited`, `refused`, `unreachable`, `failed`,
            `damaged`, `paused` or `busy`.
    """

    def __init__(self, provider: str, reason: str) -> None:
        super().__init__(f"{provider} did not translate: {reason}")
        self.provider = provider
        self.reason = reason


class DeliveryFailed(SamvadError):
    """A channel could not deliver a message.

    Args:
        reason: Stable word, such as "blocked" or "vendor-error".
        permanent: True when trying again cannot help.
        retry_after_s: What the vendor asked for, if it did.
    """

    def __init__(
        self, reason: str, *, permanent: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after_s = retry_after_s
