"""Names of all Redis keys; no other file builds one.

`{s<n>}` is the hash tag of a shard: all keys of one script share it, so every script also runs on
Redis Cluster. A conversation's shard follows from its id.

| key                             | type   | content                              | TTL       | written by | read by |
|---------------------------------|--------|--------------------------------------|-----------|------------|---------|
| samvad:{s}:inbox                | stream | Inbound as JSON                      | until done | ingress   | engine  |
| samvad:{s}:outbox               | stream | Outbound as JSON                     | until sent | engine, desk | sender |
| samvad:{s}:record               | stream | rows for SQL (kind, JSON)            | until stored | all     | recorder |
| samvad:{s}:lease:<role>         | string | `<holder>|<fence>`                   | lease_s   | holder     | scripts |
| samvad:{s}:fence:<role>         | string | counter of lease grants              | none: must only grow | holder | holder |
| samvad:{s}:attempts             | hash   | inbox or outbox row → tries          | until done | engine, sender | engine, sender |
| samvad:{s}:written:<digest>:<minute> | string | messages of a customer in a minute | 60 s   | ingress    | ingress |
| samvad:{s}:seen:<message>       | string | 1: this delivery was taken           | 48 h      | ingress    | ingress |
| samvad:{s}:tracker:v1:<conv>    | string | window, slots and context as JSON    | 7 days    | engine     | engine  |
| samvad:{s}:owner:v1:<conv>      | string | copy of the conversation's SQL row   | 7 days    | whoever changes it | engine, ingress |
| samvad:{s}:transition:<conv>    | string | how many changes of owner are under way | 5 s       | who changes it | commit script |
| samvad:{s}:replies              | stream | replies for the REST channel, until fetched | 60 s  | sender, engine | ingress |
| samvad:{s}:webchat:<conv>       | stream | what the widget shows, last 200      | 7 days    | sender     | ingress |
| samvad:holders:<role>           | zset   | process name → Unix time of expiry   | none: bounded by processes | holders | holders, health |
| samvad:presence                 | zset   | agent id → Unix time of expiry       | none: bounded by agents | desk | engine, desk |
| samvad:activity                 | zset   | agent id → Unix time they last did something | none: bounded by agents | desk | engine, desk |
| samvad:content:live             | string | number of the live content version   | none: one value | publish, engine | all |
| samvad:content:ready            | hash   | engine → JSON: version, model        | none: bounded by engines | engine | publish, health |
| samvad:translation:v1:<source>:<target>:<sha256> | string | JSON: text, made by a machine | 30 days | engine | engine |
| samvad:translation:figures      | hash   | hits, misses, failures, last failure, pause | none: six numbers | engine | health |
| samvad:health                   | string | written to see that Redis takes writes | 60 s     | ingress, desk, probes | nobody |
| samvad:refused                  | hash   | `<channel> <code>` → deliveries refused | none: bounded by codes | ingress | health |
| samvad:set-aside                | hash   | process → JSON: loop → rows set aside | none: bounded by processes | all but ingress and desk | health |
| samvad:generation:<who>         | string | how often the visitor's sessions were ended | 31 days since the last session began or ended: longer than one lives | ingress, erasing | ingress |
| samvad:address-of:<conv>        | string | keyed digest of the address it last wrote from, and the hour | 1 day | ingress   | ingress, desk |
| samvad:address-blocked-by:<conv> | string | digest of the address that was shut with it | 1 day   | desk       | desk    |
| samvad:blocked-address:<digest> | set    | digests of the conversations it was shut for | 1 day  | desk       | ingress |
| samvad:limit:<what>:<who>:<slot>| string | counter of a rate limit; for handoffs a set of digests | its window | ingress, desk, engine | same |

Under `seen` there are also, with the life of its row unless said otherwise:

| in place of <message>   | type   | content                                               | written by | read by |
|-------------------------|--------|-------------------------------------------------------|------------|---------|
| sending-<message>       | hash   | `ids`: JSON, parts a vendor took; `by`: who sends next | sender     | sender  |
| sent-<conv>             | zset   | message → Unix ms right before Messenger was given it | sender     | ingress |
| delivered-<conv>        | string | Unix ms up to which Messenger delivered               | ingress    | ingress, sender |
| read-<conv>             | string | the same for what was read                            | ingress    | ingress, sender |
| window-<conv>           | string | Unix time the customer last wrote to Messenger, 7 days | ingress   | sender  |
| profile-<conv>          | string | locale Messenger told, or `-`                         | ingress    | ingress |
| echo-<message>          | string | 1: words from a page's inbox are noted                | ingress    | ingress |
| origin-<message>        | string | `<message>:<topic>` of a Telegram group               | ingress    | sender  |
| moved-<way>-<bot>-<chat> | string | where a Telegram group moved, or came from           | ingress, sender | same |
| webchat:<message>       | string | its place in the widget's stream                      | sender, ingress | same |

Pub/sub channels (nothing depends on their delivery): `samvad:content` (version number),
`samvad:live` (JSON: conversation, what), `samvad:news` (JSON: list of conversations with something
new to read, for desks alone: one comes with every message), `samvad:routing` (JSON: what),
`samvad:webchat:<conv>` (wake-up).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

PREFIX = "samvad"
LIVE_CHANNEL = f"{PREFIX}:live"
NEWS_CHANNEL = f"{PREFIX}:news"
ROUTING_CHANNEL = f"{PREFIX}:routing"
CONTENT_CHANNEL = f"{PREFIX}:content"
CONTENT_LIVE = f"{PREFIX}:content:live"
CONTENT_READY = f"{PREFIX}:content:ready"
PRESENCE = f"{PREFIX}:presence"
ACTIVITY = f"{PREFIX}:activity"
HEALTH = f"{PREFIX}:health"
REFUSED = f"{PREFIX}:refused"
SET_ASIDE = f"{PREFIX}:set-aside"
TRANSLATION_FIGURES = f"{PREFIX}:translation:figures"

SEEN_TTL_S = 48 * 3600
CONVERSATION_TTL_S = 7 * 24 * 3600
TRANSITION_TTL_S = 5
REPLIES_TTL_S = 60
GENERATION_TTL_S = 31 * 86400
TRANSLATION_TTL_S = 30 * 24 * 3600


@lru_cache(maxsize=65536)
def shard_of(conversation: str, shards: int) -> int:
    """Return a conversation's shard, the same for ever; conversations spread evenly."""
    return int.from_bytes(hashlib.sha256(conversation.encode()).digest()[:4], "big") % shards


def inbox(shard: int) -> str:
    return f"{PREFIX}:{{s{shard}}}:inbox"


def outbox(shard: int) -> str:
    return f"{PREFIX}:{{s{shard}}}:outbox"


def record(shard: int) -> str:
    return f"{PREFIX}:{{s{shard}}}:record"


def lease(shard: int, role: str) -> str:
    return f"{PREFIX}:{{s{shard}}}:lease:{role}"


def fence(shard: int, role: str) -> str:
    return f"{PREFIX}:{{s{shard}}}:fence:{role}"


def attempts(shard: int) -> str:
    return f"{PREFIX}:{{s{shard}}}:attempts"


def written(shard: int, conversation: str, minute: int) -> str:
    digest = hashlib.sha256(conversation.encode()).hexdigest()[:16]
    return f"{PREFIX}:{{s{shard}}}:written:{digest}:{minute}"


def seen(shard: int, message: str) -> str:
    return f"{PREFIX}:{{s{shard}}}:seen:{message}"


def tracker(shard: int, conversation: str) -> str:
    return f"{PREFIX}:{{s{shard}}}:tracker:v1:{conversation}"


def owner(shard: int, conversation: str) -> str:
    return f"{PREFIX}:{{s{shard}}}:owner:v1:{conversation}"


def transition(shard: int, conversation: str) -> str:
    return f"{PREFIX}:{{s{shard}}}:transition:{conversation}"


def replies(shard: int) -> str:
    return f"{PREFIX}:{{s{shard}}}:replies"


def webchat(shard: int, conversation: str) -> str:
    return f"{PREFIX}:{{s{shard}}}:webchat:{conversation}"


def webchat_channel(conversation: str) -> str:
    return f"{PREFIX}:webchat:{conversation}"


def holders(role: str) -> str:
    return f"{PREFIX}:holders:{role}"


def translation(source: str, target: str, digest: str) -> str:
    return f"{PREFIX}:translation:v1:{source}:{target}:{digest}"


def generation(conversation: str) -> str:
    return f"{PREFIX}:generation:{hashlib.sha256(conversation.encode()).hexdigest()[:32]}"


def address_of(conversation: str) -> str:
    return f"{PREFIX}:address-of:{conversation}"


def blocked_by(conversation: str) -> str:
    return f"{PREFIX}:address-blocked-by:{conversation}"


def blocked_address(origin: str) -> str:
    return f"{PREFIX}:blocked-address:{origin}"


def limit(name: str, subject: str, slot: int) -> str:
    return f"{PREFIX}:limit:{name}:{hashlib.sha256(subject.encode()).hexdigest()[:16]}:{slot}"
