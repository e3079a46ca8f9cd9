"""Fetching: only from the vendor, only what we take, and every file ends in a state with a word."""

from __future__ import annotations

import asyncio

import pytest
from builders import NOW, until
from files_bench import JPEG, PNG, Bench, Cdn
from yarl import URL

from bot.errors import StoreUnavailable
from bot.files import fetch
from bot.files.addresses import Hosts, PublicOnly, is_public


async def test_a_file_is_stored_as_what_it_is(bench: Bench, cdn: Cdn) -> None:
    await bench.came(cdn.gives("/a", JPEG), name="invoice.pdf.exe")
    assert await bench.outcome() == ("stored", "")
    row = await bench.row()
    assert (row["type"], row["kind"], row["size"]) == ("image/jpeg", "image", len(JPEG))
    assert row["name"] == "invoice.pdf.exe.jpg"
    assert row["source"] is None
    assert await bench.content() == JPEG
    assert bench.told == []


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"<!DOCTYPE html><script>alert(1)</script>", "a.png", "content-mismatch"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", "a.svg", "type-not-allowed"),
        (b"MZ\x90\0" + bytes(99), "setup.exe", "type-not-allowed"),
        (b"PK\x03\x04" + bytes(99), "a.zip", "type-not-allowed"),
        (b"", "a.png", "empty"),
        (bytes(2_000_000), "a.bin", "type-not-allowed"),
        (PNG + bytes(1_000_000), "a.png", "too-large"),
    ],
)
async def test_what_we_do_not_take_is_refused_with_a_word_and_leaves_nothing(
    bench: Bench, cdn: Cdn, content: bytes, name: str, reason: str
) -> None:
    await bench.came(cdn.gives("/a", content), name=name)
    assert await bench.outcome() == ("refused", reason)
    assert bench.stored() == []
    assert [row["id"] for row in bench.told] == ["ann-f0"]


async def test_a_stream_without_end_is_cut_off(bench: Bench, cdn: Cdn) -> None:
    await bench.came(cdn.pours("/a"))
    assert await bench.outcome() == ("refused", "too-large")
    assert bench.stored() == []


async def test_a_size_announced_too_large_is_not_asked_for(bench: Bench, cdn: Cdn) -> None:
    await bench.came(cdn.gives("/a", PNG), size=2_000_000)
    assert await bench.outcome() == ("refused", "too-large")
    assert cdn.asked == []


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/x",
        "http://[::1]/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "//10.0.0.1/x",
        "https://evil.example/x",
        "file:///etc/passwd",
        "ftp://fbcdn.net/x",
        "https://user@fbcdn.net/x",
        "https://fbcdn.net.evil.example/x",
        "https://evilfbcdn.net/x",
        "https://x.fbcdn.net:8443/x",
        "http://x.fbcdn.net/x",
        "https://evil.example\\@fbcdn.net/x",
        "https://evil.example#@fbcdn.net",
        "javascript:x",
        "https://fbcdn.net@evil.example/",
    ],
)
@pytest.mark.parametrize("how", ["at once", "by a redirect"])
async def test_other_hosts_are_never_asked(bench: Bench, cdn: Cdn, target: str, how: str) -> None:
    bench.vendor.hosts = Hosts(cdn.url, ("fbcdn.net",))
    await bench.came(cdn.leads("/a", target) if how == "by a redirect" else target)
    state, reason = await bench.outcome()
    assert state in ("refused", "fetching"), reason
    if state == "fetching":  # no address at all: it is tried again, and ends as unreachable
        assert (await bench.row())["tries"] == 1
    assert bench.stored() == []
    assert cdn.asked == (["/a"] if how == "by a redirect" else [])


async def test_the_vendors_redirects_to_itself_are_followed_a_few_times(
    bench: Bench, cdn: Cdn
) -> None:
    cdn.gives("/c", PNG)
    cdn.leads("/b", "/c")
    cdn.leads("/loop", cdn.url + "/loop")
    await bench.came(cdn.leads("/a", cdn.url + "/b"), cdn.url + "/loop")
    assert await bench.outcome() == ("stored", "")
    assert await bench.outcome("ann-f1") == ("failed", "unreachable")


async def test_a_name_on_the_list_that_leads_inside_is_refused_when_connecting() -> None:
    resolver = PublicOnly()
    with pytest.raises(OSError, match="public"):
        await resolver.resolve("localhost", 443)
    assert await PublicOnly({"localhost"}).resolve("localhost", 443)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2a03:2880:f12f:83:face:b00c::25de", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", False),
        ("64:ff9b:1::808:808", False),
        ("::8.8.8.8", False),
        ("::ffff:0:8.8.8.8", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("2001:20::1", False),
        ("2001:db8::1", False),
        ("2002:808:808::1", False),
        ("3ffe::1", False),
        ("3fff:1::1", False),
        ("4000::1", False),
        ("5f00::1", False),
        ("fec0::1", False),
        ("2606:4700::6810:84e5", True),
        ("2001:4860:4860::8888", True),
        ("2002:a00:1::", False),
        ("ff02::1", False),
        ("nonsense", False),
    ],
)
def test_addresses_of_our_own_network_are_known_in_every_spelling(
    address: str, public: bool
) -> None:
    assert is_public(address) == public


def test_hosts_below_a_domain_are_allowed_by_https() -> None:
    hosts = Hosts("https://graph.facebook.com/v25.0", ("fbcdn.net", "fbsbx.com"))
    assert hosts.allow(URL("https://scontent-del1-1.xx.fbcdn.net/v/t39?oh=1"))
    assert hosts.allow(URL("https://cdn.fbsbx.com/v/t59/bill.pdf"))
    assert hosts.allow(URL("https://graph.facebook.com/x"))
    assert not hosts.allow(URL("http://graph.facebook.com/x"))


async def test_a_vendor_with_a_bad_moment_is_asked_again_and_in_the_end_given_up(
    bench: Bench, cdn: Cdn
) -> None:
    await bench.came(cdn.gives("/a", b"", 503))
    moment = NOW + 10
    for n in range(1, fetch.MOST_TRIES):
        assert await bench.fetcher.step(moment)
        row = await bench.row()
        assert (row["state"], row["tries"]) == ("fetching", n)
        assert not await bench.fetcher.step(moment), "not before its time"
        moment = row["due_at"]
    assert await bench.fetcher.step(moment)
    assert await bench.outcome() == ("failed", "unreachable")
    assert len(bench.told) == 1


async def test_it_recovers(bench: Bench, cdn: Cdn) -> None:
    await bench.came(cdn.gives("/a", b"", 500))
    assert await bench.fetcher.step(NOW + 10)
    cdn.gives("/a", PNG)
    assert await bench.fetcher.step((await bench.row())["due_at"])
    assert await bench.outcome() == ("stored", "")


async def test_an_address_that_has_run_out_is_given_up_at_once(bench: Bench, cdn: Cdn) -> None:
    await bench.came(cdn.gives("/a", b"", 403))
    assert await bench.outcome() == ("failed", "not-found")


async def test_a_vendor_that_stalls_is_left(
    bench: Bench, cdn: Cdn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "READ_TIMEOUT_S", 0.05)
    await bench.came(cdn.stalls("/a"))
    assert await bench.fetcher.step(NOW + 10)
    assert (await bench.row())["tries"] == 1
    assert bench.stored() == []


async def test_two_workers_never_fetch_the_same_file(bench: Bench, cdn: Cdn) -> None:
    await bench.came(*(cdn.gives(f"/{n}", PNG) for n in range(6)))
    await asyncio.gather(*(bench.outcome(f"ann-f{n}") for n in range(6)))
    assert sorted(cdn.asked) == [f"/{n}" for n in range(6)]


async def test_a_claim_of_a_dead_worker_ends(bench: Bench, cdn: Cdn) -> None:
    await bench.came(cdn.stalls("/a"))
    task = asyncio.create_task(bench.fetcher.step(NOW))
    await until(lambda: cdn.asked)
    assert not await bench.fetcher.step(NOW + fetch.CLAIM_S - 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    cdn.gives("/a", PNG)
    assert await bench.fetcher.step(NOW), "one that was stopped gives its claim back"
    assert await bench.outcome() == ("stored", "")


async def test_a_worker_that_was_only_slow_spoils_nothing(bench: Bench, cdn: Cdn) -> None:
    await bench.came(cdn.gives("/a", PNG))
    put = bench.store.put

    async def put_late(*arguments: object) -> object:
        bench.store.put = put  # type: ignore[method-assign]
        # Stopped for longer than its claim: another worker does it all meanwhile.
        assert await bench.fetcher.step(NOW + fetch.CLAIM_S + 1)
        assert await bench.outcome() == ("stored", "")
        return await put(*arguments)  # type: ignore[arg-type]

    bench.store.put = put_late  # type: ignore[method-assign,assignment]
    assert await bench.fetcher.step(NOW)
    assert await bench.outcome() == ("stored", "")
    assert await bench.content() == PNG


async def test_a_customer_erased_meanwhile_leaves_nothing(bench: Bench, cdn: Cdn) -> None:
    from bot.stores.tables import files

    await bench.came(cdn.gives("/a", PNG))
    put = bench.store.put

    async def put_and_erase(*arguments: object) -> object:
        done = await put(*arguments)  # type: ignore[arg-type]
        await bench.database.run(lambda c: c.execute(files.delete()))
        return done

    bench.store.put = put_and_erase  # type: ignore[method-assign,assignment]
    assert await bench.fetcher.step(NOW + 10)
    assert bench.stored() == []


async def test_a_full_disk_is_not_the_files_fault(bench: Bench, cdn: Cdn) -> None:
    await bench.came(cdn.gives("/a", PNG))
    bench.store._free_bytes = 10**18  # type: ignore[attr-defined]
    with pytest.raises(StoreUnavailable):
        await bench.fetcher.step(NOW + 10)
    row = await bench.row()
    assert (row["state"], row["tries"]) == ("fetching", 0)
    bench.store._free_bytes = 0  # type: ignore[attr-defined]
    assert await bench.outcome() == ("stored", "")
