"""Which registered domain covers an address, and how the host of an address is read."""

import pytest

from hegui.rules.cases import BASE_POLICY
from hegui.rules.facts import Facts, OptOut, Snapshot, host_of, loaded

AT = 1_000


def refused(url: str, *domains: str) -> str | None:
    records = [OptOut("domain", domain, "deny", 1) for domain in domains]
    found = Facts(Snapshot(BASE_POLICY, loaded(records)), AT, "default", None).preference_for_url(url)
    return None if found.statement is None else found.statement.subject


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.com/a", "example.com"),
        ("HTTPS://Example.COM", "example.com"),
        ("https://example.com:8443/a", "example.com"),
        ("https://user:pass@example.com/", "example.com"),
        ("https://user:p%40ss@example.com:1/", "example.com"),
        ("https://example.com@evil.example/", "evil.example"),
        ("https://example.com./a", "example.com"),
        ("https://example.com?x=1", "example.com"),
        ("https://example.com#x", "example.com"),
        ("//example.com/a", "example.com"),
        ("example.com/a", "example.com"),
        ("example.com", "example.com"),
        ("example.com:80/a", "example.com"),
        ("user@example.com/a", "example.com"),
        ("example.com/a//b", "example.com"),
        ("example.com/?next=https://other.example/", "example.com"),
        ("https://例子.公司/a", "xn--fsqu00a.xn--55qx5d"),
        ("https://例子。公司:80/a", "xn--fsqu00a.xn--55qx5d"),
        ("https://BÜCHER.example/", "xn--bcher-kva.example"),
        ("https://xn--fsqu00a.xn--55qx5d/", "xn--fsqu00a.xn--55qx5d"),
        ("http://192.168.1.10:80/", "192.168.1.10"),
        ("http://[2001:DB8::1]:80/", "2001:db8::1"),
        ("http://localhost/", "localhost"),
        ("ftp://files.example.com/a", "files.example.com"),
        ("https://ｅｘａｍｐｌｅ．ｃｏｍ/a", "example.com"),
        ("https://exam\u00adple.com/", "example.com"),
        ("https://fa\u00df.example/", "xn--fa-hia.example"),
        ("https://\u0435xample.com/", "xn--xample-2of.com"),
        ("https://i\u2764.example/", "xn--i-7iq.example"),
        ("https://%65xample.com/", "example.com"),
        ("https://ex%41mple.com:443/", "example.com"),
        ("https://example.com\u3002/", "example.com"),
        ("https://XN--FSQU00A.example/", "xn--fsqu00a.example"),
        (" https://example.com/a", "example.com"),
        ("\t\n\x00\ufeffhttps://example.com", "example.com"),
        ("https://example.com \ufeff", "example.com"),
        ("https://exam\tple.com\n/a", "example.com"),
        ("https://example.com:/a", "example.com"),
        ("https://a_b.-.example.com/", "a_b.-.example.com"),
        ("https://example.b2/", "example.b2"),
        ("http://[2001:db8:0:0:0:0:0:1]/", "2001:db8::1"),
        ("http://[2001:0DB8::0001]/", "2001:db8::1"),
        ("http://[::ffff:10.1.2.3]/", "10.1.2.3"),
        ("http://10.1.2.3./", "10.1.2.3"),
    ],
)
def test_the_host_of_an_address(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/a/b",
        "mailto:somebody@example.com",
        "data:text/plain,x",
        "https://",
        "https:///a",
        "https://user@/",
        "https://.",
        "http://[::1/",
        "https://" + "é" * 64 + ".example/",
        "https://é..example/",
        "https://a\u2100b.example/",
        "https://\ud800.example/",
        "https://example.com\\@evil.example/",
        "https://example.com\\.evil.example/",
        "https://example.com%2f.evil.example/",
        "https://example.com%00.evil.example/",
        "https://exam ple.com/",
        "https://https://example.com/",
        "https://http://example.com/",
        "https:\t//https://example.com/",
        "https://https:\t//example.com/",
        "\xa0https://example.com/",
        "<https://example.com/>",
        "https:/example.com/",
        "https:\\\\example.com/",
        "\\\\example.com/",
        "https://a..example.com/",
        "https://.example.com/",
        "https://a,b.example.com/",
        "https://a;b.example.com/",
        "https://a&b.example.com/",
        "https://a'b.example.com/",
        "http://0x7f.0.0.1/",
        "http://127.0.0.0x1/",
        "http://2130706433/",
        "http://127.1/",
        "http://010.0.0.1/",
        "http://1.2.3.4.5/",
        "http://256.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://[::10.1.2.3.4]/",
    ],
)
def test_an_address_without_a_readable_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        host_of(url)


@pytest.mark.parametrize(
    ("url", "domains", "found"),
    [
        ("https://example.com/", ["example.com"], "example.com"),
        ("https://a.b.example.com/", ["example.com"], "example.com"),
        ("https://a.b.example.com/", ["b.example.com", "example.com"], "example.com"),
        ("https://example.com/", ["www.example.com"], None),
        ("https://notexample.com/", ["example.com"], None),
        ("https://example.com.evil.example/", ["example.com"], None),
        ("https://example.com/", ["com"], None),
        ("https://example.com/", ["Example.COM"], "Example.COM"),
        ("http://localhost/", ["localhost"], "localhost"),
        ("http://10.1.2.3/", ["10.1.2.3"], "10.1.2.3"),
        ("http://10.1.2.3/", ["2.3"], None),
        ("http://[::ffff:10.1.2.3]/", ["::ffff:10.1.2.3"], "::ffff:10.1.2.3"),
        ("http://[::ffff:10.1.2.3]/", ["2.3"], None),
        ("http://[::ffff:10.1.2.3]/", ["10.1.2.3"], "10.1.2.3"),
        ("http://[2001:db8::1]/", ["2001:db8:0:0:0:0:0:1"], "2001:db8:0:0:0:0:0:1"),
        ("https://a.intranet.b2/", ["intranet.b2"], "intranet.b2"),
        (" https://example.com/a", ["example.com"], "example.com"),
        ("\ufeffhttps://example.com/a", ["example.com"], "example.com"),
        ("https://example.com\n", ["example.com"], "example.com"),
        ("http://[2001:db8::1]/", ["2001:db8::1"], "2001:db8::1"),
    ],
)
def test_a_domain_covers_itself_and_what_lies_below_it(url: str, domains: list[str], found: str | None) -> None:
    assert refused(url, *domains) == found


@pytest.mark.parametrize("registered", ["example.com.", "例子.公司"])
def test_a_domain_registered_in_another_spelling_still_covers(registered: str) -> None:
    assert refused(f"https://{registered}/a", registered) is not None


@pytest.mark.parametrize(
    "first",
    [
        "https://https:/x",
        "https://https:\t/x",
        "https://https: /x",
        "https://https:\x00/x",
        "https://other.example\x00",
        "https://other.example\ufeff",
        "https://other.example\u3000",
        "https://user@other.example/",
    ],
)
def test_an_answer_that_what_follows_may_change_is_not_kept(first: str) -> None:
    snapshot = Snapshot(BASE_POLICY, loaded([OptOut("domain", "example.com", "deny", 1)]))
    assert snapshot.registered(first) == ((), False)
    assert not snapshot.optouts.is_unspoken(None, first)
    assert not snapshot._domains


@pytest.mark.parametrize("url", ["https://example.com:99999/x", "https://example.com/x\\y"])
def test_a_refused_domain_is_refused_whatever_the_rest_of_the_address(url: str) -> None:
    page = OptOut("url", "example.com/a", "deny", 1, source="list")
    for domain, value in (("deny", "deny"), ("allow", None), ("unknown", None)):
        table = loaded([page, OptOut("domain", "example.com", domain, 1)])
        facts = Facts(Snapshot(BASE_POLICY, table), AT, "default", None)
        if value is None:
            with pytest.raises(ValueError, match=r"."):
                facts.preference_for_url(url)
        else:
            assert facts.preference_for_url(url).value == value


def test_an_address_without_a_host_is_no_answer() -> None:
    with pytest.raises(ValueError, match="the url has no host"):
        refused("/a/b", "example.com")


@pytest.mark.parametrize("registered", ["é" * 64 + ".example", "é..example"])
def test_a_registered_domain_that_cannot_be_encoded_covers_nothing(registered: str) -> None:
    assert OptOut("domain", registered, "deny", 1).key() == ("domain", registered)
    assert refused("https://example.com/", registered) is None


def test_the_answer_for_a_host_follows_the_table() -> None:
    table = loaded([OptOut("domain", "example.com", "deny", 1)])
    facts = Facts(Snapshot(BASE_POLICY, table), AT, "default", None)
    urls = ["https://www.example.com/a", "https://www.example.com/b", "https://other.example/a"]
    for _ in range(2):
        assert [facts.preference_for_url(url).value == "deny" for url in urls] == [True, True, False]
    table.put(b"0", None)
    table.put(b"other", OptOut("domain", "other.example", "deny", 1))
    for _ in range(2):
        assert [facts.preference_for_url(url).value == "deny" for url in urls] == [False, False, True]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/a", "https://example.com@other.example/a"),
        ("https://example.com?a/b", "https://example.com#@other.example/b"),
        ("longscheme://example.com/a", "longscheme://other.example/a"),
        ("http://x/a", "http://y/a"),
        ("example.com/a", "example.com.other.example/a"),
        ("https://example.com/a", " https://other.example/a"),
        (" https://example.com/a", " https://other.example/a"),
        ("http:/\t/x.example/a", "http:/\t/y.example/a"),
    ],
)
def test_the_answer_for_one_address_is_not_given_for_another(one: str, other: str) -> None:
    facts = Facts(Snapshot(BASE_POLICY, loaded([OptOut("domain", host_of(one), "deny", 1)])), AT, "default", None)
    for _ in range(2):
        assert facts.preference_for_url(one).value == "deny"
        assert (facts.preference_for_url(other).value == "deny") == (host_of(other) == host_of(one))


def test_answers_for_hosts_are_kept_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hegui.rules.facts.MAX_ORIGINS", 3)
    snapshot = Snapshot(BASE_POLICY, loaded([OptOut("domain", "example.com", "deny", 1)]))
    for number in range(10):
        assert snapshot.registered(f"https://{number}.example.com/")[0] == ("example.com",)
        assert len(snapshot._domains) <= 3
    assert snapshot.registered(f"https://{'a.' * 200}example.com/")[0] == ("example.com",)
    assert all(len(origin) < 300 for origin in snapshot._domains)
