"""robots.txt: groups, paths, preferences; what is refused of it, and that a crawl permission is no yes."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protego import Protego

from hegui.rules.cases import BASE_POLICY
from hegui.rules.facts import Facts, OptOut, Snapshot, loaded
from hegui.streams.optouts import ai_agents
from hegui.streams.optouts import robots as robots_module
from hegui.streams.optouts.normal_form import Reading
from hegui.streams.optouts.paths import path_rule
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.robots import MAX_BYTES
from tests.streams.optouts.texts import AT_MS, READING, SITE, read, said, told


def robots(*lines: str, agents: tuple[str, ...] = ("*",)) -> list:
    return read("robots", "\n".join(lines), READING._replace(agents=agents))


def no(path: str, scheme: str = "url_prefix") -> tuple[str, ...]:
    return (scheme, "example.com" + path, "train", "deny")


def silent(path: str) -> tuple[str, ...]:
    return ("url_prefix", "example.com" + path, "train", "unknown")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["User-agent: *", "Disallow: /"], {no("/")}),
        (["User-agent: *", "Disallow:"], set()),
        (["User-agent: *", "Allow: /"], set()),
        (["USER-AGENT:*", "  disallow :  /a/ # why"], {no("/a/")}),
        (["User-agent: *", "Disallow: /", "Allow: /open/"], {no("/"), silent("/open/")}),
        (["User-agent: *", "Disallow: /a", "Allow: /a"], set()),
        (["User-agent: *", "Disallow: /a/", "Allow: /a"], {no("/a/")}),
        (["User-agent: *", "Disallow: /a*"], {no("/a")}),
        (["User-agent: *", "Disallow: /a/*/"], set()),
        (["User-agent: *", "Disallow: *"], {no("/")}),
        (["User-agent: *", "Disallow: /a$"], {no("/a", "url")}),
        (["User-agent: *", "Disallow: /a?b=%7e"], {no("/a?b=~")}),
        (["User-agent: *", "Disallow: /é"], {no("/%C3%A9")}),
        (["User-agent: *", "Disallow: a"], {no("/a")}),
        (["User-agent: *", "Disallow: /a", "User-agent: Other", "Disallow: /b"], {no("/a")}),
        (["User-agent: Other", "User-agent: *", "Disallow: /b"], {no("/b")}),
        (["User-agent: *", "Crawl-delay: 1", "User-agent: Other", "Disallow: /b"], {no("/b")}),
        (["User-agent: *", "Disallow: /a", "", "User-agent: *", "Disallow: /b"], {no("/a"), no("/b")}),
        (["Disallow: /x", "User-agent: *", "Disallow: /a"], {no("/x"), no("/a")}),
        (["Allow: /x", "Content-Usage: train-ai=y"], set()),
    ],
)
def test_access_rules_become_refusals_and_never_a_yes(lines, found):
    assert said(robots(*lines)) == found


@pytest.mark.parametrize(
    ("agents", "found"),
    [
        (("*",), {no("/a")}),
        (("ours",), {no("/b")}),
        (("nobody",), {no("/a")}),
        (("ours", "*"), {no("/a"), no("/b")}),
        (("silent",), set()),
    ],
)
def test_the_groups_of_the_given_crawlers_count(agents, found):
    lines = ["User-agent: *", "Disallow: /a", "User-agent: Ours/1.0", "Disallow: /b", "User-agent: silent", "Allow: /"]
    assert said(robots(*lines, agents=agents)) == found


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["Content-Usage: train-ai=n"], {("/", "train", "deny")}),
        (["Content-Usage: train-ai=y, search=n"], {("/", "train", "allow"), ("/", "search", "deny")}),
        (["Content-Usage: /a train-ai=y"], {("/a", "train", "allow")}),
        (["Content-Usage: train-ai=n", "Content-Usage: /a train-ai=y"], {("/", "train", "deny"), ("/a", "train", "allow")}),
        (["Content-Usage: train-ai=y", "Content-Usage: /a/ train-ai=n"], {("/", "train", "allow"), ("/a/", "train", "deny")}),
        (["Content-Usage: train-ai=n", "Content-Usage: /a search=y"], {("/", "train", "deny"), ("/a", "train", "unknown"), ("/a", "search", "allow")}),
        (["Content-Usage: /a train-ai=y", "Content-Usage: /a train-ai=n"], {("/a", "train", "deny")}),
        (["Content-Usage: /a train-ai=y", "Content-Usage: /a/ train-ai=n"], {("/a", "train", "allow"), ("/a/", "train", "deny")}),
        (['Content-Usage: train-ai=y;because="x", other=n'], {("/", "train", "allow")}),
        (["Content-Usage: train-ai=?1"], set()),
        (["Content-Usage: train-ai=Y"], set()),
        (["Content-Usage: train-ai"], set()),
        (["Content-Usage: Train-AI=y"], set()),
        (["Content-Usage: train-ai=y, train-ai=n"], {("/", "train", "deny")}),
        (["Content-Signal: search=yes, ai-train=no, ai-input=no"], {("/", "search", "allow"), ("/", "train", "deny"), ("/", "input", "deny")}),
        (["Content-Signal: ai-train=YES"], {("/", "train", "allow")}),
        (["Content-Signal: ai-train=yes, ai-train=no"], {("/", "train", "deny")}),
        (["Content-Signal: ai-train=yes, ai-train=maybe"], set()),
        (["Content-Signal: ai-train"], set()),
        (["Content-Signal: use=yes"], set()),
        (["Content-Signal: ai-train: no"], set()),
        (["Content-Signal: ai-train: no, search=yes"], {("/", "search", "allow")}),
        (["Content-Signal: /a ai-train=no"], {("/a", "train", "deny")}),
        (["Content-Signal: ai-train=no", "Content-Signal: /a/ ai-train=yes"], {("/", "train", "deny"), ("/a/", "train", "allow")}),
    ],
)  # fmt: skip
def test_preferences_are_read_with_their_paths(lines, found):
    expected = {("url_prefix", "example.com" + path, category, value) for path, category, value in found}
    assert said(robots("User-agent: *", *lines)) == expected


def test_a_yes_counts_when_it_is_said_to_all_of_our_crawlers():
    lines = ["User-agent: *", "Content-Usage: train-ai=y", "User-agent: ours", "Disallow: /b"]
    assert said(robots(*lines)) == {("url_prefix", "example.com/", "train", "allow")}
    assert said(robots(*lines, agents=("*", "ours"))) == {no("/b")}


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["User-agent: GPTBot", "User-agent: CCBot/2.0", "Disallow: /", "", "User-agent: *", "Allow: /"], {(1, "gptbot"), (2, "ccbot")}),
        (["User-agent: GPTBot", "Disallow: /a/", "", "User-agent: *", "Disallow: /b/"], {(1, "gptbot")}),
        (["User-agent: GPTBot", "Content-Usage: train-ai=n"], {(1, "gptbot")}),
        (["User-agent: GPTBot", "Content-Usage: /a/ train-ai=n"], {(1, "gptbot")}),
        (["User-agent: GPTBot", "Content-Signal: ai-train=no"], {(1, "gptbot")}),
        (["User-agent: GPTBot", "Content-Usage: ((", "Content-Usage: train-ai=y"], set()),
        (["User-agent: GPTBot", "Disallow: /", "User-agent: *", "Disallow: /"], set()),
        (["User-agent: GPTBot", "Disallow:"], set()),
        (["User-agent: GPTBot", "Allow: /"], set()),
        (["User-agent: ChatGPT-User", "Disallow: /"], set()),
        (["User-agent: OtherBot", "Disallow: /"], set()),
    ],
)  # fmt: skip
def test_crawlers_of_ai_that_are_refused_by_name_are_told(lines, names):
    found = robots(*lines)
    assert {(r.line, r.name) for r in found if isinstance(r, Remark) and r.reason == "named_agents"} == names
    assert not any(r.reason == "named_agents" for r in robots(*lines, agents=("ours",)) if isinstance(r, Remark))


def test_the_known_crawlers_are_written_as_robots_txt_compares_them():
    for name in ai_agents.TRAINING | ai_agents.ANSWERING:
        assert re.fullmatch(r"[a-z0-9-]+", name)
    assert not ai_agents.TRAINING & ai_agents.ANSWERING


def test_crawlers_with_the_same_group_are_read_once(monkeypatch):
    taken = []
    monkeypatch.setattr(robots_module, "path_rule", lambda *given: taken.append(given) or path_rule(*given))
    robots(
        "User-agent: *",
        "Disallow: /a/",
        "User-agent: gptbot",
        "Disallow: /b/",
        agents=("*", *sorted(ai_agents.TRAINING)),
    )
    assert [path for path, *_ in taken] == ["/a/", "/b/"]


def test_a_no_before_any_group_counts_for_all_and_a_yes_does_not():
    found = robots("Content-Signal: ai-train=no, search=yes", "User-agent: *", "Allow: /")
    assert said(found) == {no("/")}
    assert told(found) == {(1, "outside_group")}


@pytest.mark.parametrize(
    ("text", "remarks"),
    [
        (b"User-agent: *\nDisallow: /a/*/b\nDisallow: /a$b", {(2, "pattern"), (3, "pattern")}),
        (b"User-agent: *\nDisallow: /" + b"a" * 2000, {(2, "too_deep")}),
        (b"User-agent: *\nDisallow: /" + b"a/" * 65, {(2, "too_deep")}),
        (b"User-agent: *\nDisallow: /\xff", {(2, "not_utf8")}),
        (b"User-agent: *\nDisallow: /a\0b", {(2, "control_characters")}),
        (b"User-agent: *\nContent-Usage: ???", {(2, "syntax")}),
        (b"User-agent: *\nContent-Usage: train-ai=?1", {(2, "value_unknown")}),
        (b"User-agent: *\nContent-Signal: ai-train: no", {(2, "syntax")}),
        (b"User-agent: *\nContent-Signal: ai-train: no, search=yes", {(2, "value_unknown")}),
        (b"User-agent: *\nContent-Signal:", set()),
        ("\ufeffUser-agent: *\nDisallow: /".encode("utf-16-le"), {(0, "not_utf8")}),
        ("\ufeffUser-agent: *\nDisallow: /".encode("utf-16-be"), {(0, "not_utf8")}),
        (b"User-agent: *\nDisallow: /a", {(2, "narrowed")}),
        (b"User-agent: *\nDisallow /a/", {(2, "syntax")}),
        (b"User-agent *\nDisallow: /a/", {(1, "syntax"), (2, "outside_group")}),
        (b"User-agent: *\nDISALLOW\nAllow\t/a/\nContent-Usage train-ai=n\nContent-Signal ai-train=no", {(2, "syntax"), (3, "syntax"), (4, "syntax"), (5, "syntax")}),
        (b"User-agent: *\nDisallow /a: b", {(2, "syntax")}),
        (b"User-agent: *\n# Disallow /a\ndisallowed\nlicense x\nSitemap x", set()),
        (b"User-agent: *, x\nDisallow: /a/", {(1, "syntax")}),
        (b"User-agent: a ;*\nDisallow: /a/", {(1, "syntax")}),
        (b"User-agent: a/1.0, b\nDisallow: /a/", {(1, "syntax")}),
        (b"User-agent: a*\nUser-agent: *b\nDisallow: /a/", {(1, "syntax"), (2, "syntax")}),
        (b"User-agent: Mozilla/5.0 (KHTML, like a; b)\nUser-agent: A b-c/1\nDisallow: /a/", set()),
        (b"User-agent: *\nDisallow: https://example.com/a/", {(2, "not_a_path")}),
        (b"License: https://example.com/license.xml", {(1, "license")}),
        (b"<html>not a robots.txt</html>", set()),
        (b"", set()),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_told_by_line(text, remarks):
    assert told(read("robots", text)) == remarks


@pytest.mark.parametrize("line", ["Disallow /b/", "User-agent: a, b", "Disallow: https://example.com/b/"])
def test_beside_a_line_that_cannot_be_read_no_yes_is_taken(line):
    found = said(robots("User-agent: *", "Content-Usage: train-ai=y", "Content-Usage: /a/ train-ai=n", line))
    assert found == {no("/a/")}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_make_no_difference(end):
    text = "\ufeff" + end.join(["User-agent: *", "Disallow: /a/", "Content-Usage: train-ai=n"])
    assert said(read("robots", text)) == {no("/a/"), no("/")}


def test_without_a_site_nothing_is_taken():
    found = read("robots", "User-agent: *\nDisallow: /", Reading(AT_MS))
    assert (said(found), told(found)) == (set(), {(0, "no_address")})


def test_a_file_of_more_than_500_kib_is_read_up_to_there_and_gives_no_yes():
    head = "User-agent: *\nDisallow: /a/\nContent-Usage: /b/ train-ai=y\nContent-Usage: /c/ train-ai=n\n"
    filler = "# filler\n" * ((MAX_BYTES - len(head)) // 9)
    cut = read("robots", head + filler + "Disallow: /d/\n" * 3)
    assert said(cut) == {no("/a/"), no("/c/")}
    assert (0, "too_large") in told(cut)
    whole = read("robots", (head + filler)[:MAX_BYTES])
    assert ("url_prefix", "example.com/b/", "train", "allow") in said(whole)
    assert not told(whole)


def test_a_line_that_the_limit_cuts_through_is_not_taken():
    filler = "# filler\n" * ((MAX_BYTES - 20) // 9)
    found = read("robots", "User-agent: *\n" + filler + "Disallow: /" + "secret" * 20)
    assert said(found) == set()


def test_evidence_names_the_text_and_the_line():
    (record,) = [r for r in robots("User-agent: *", "Disallow: /a/") if isinstance(r, OptOut)]
    assert record.evidence.startswith("sha256:")
    assert record.evidence.endswith(" line 2")
    assert (record.source, record.observed_at_ms) == ("robots", AT_MS)


SEGMENTS = st.sampled_from(["a", "b", "ab"])
DIRECTORIES = st.lists(SEGMENTS, max_size=3).map(lambda parts: "/" + "".join(f"{part}/" for part in parts))
RULES = st.lists(st.tuples(st.sampled_from(["Allow", "Disallow"]), DIRECTORIES), min_size=1, max_size=6)
GROUPS = st.lists(st.tuples(st.sampled_from(["*", "ours", "other"]), RULES), min_size=1, max_size=3)


@settings(deadline=None)
@given(GROUPS, DIRECTORIES, st.sampled_from(["", "page", "page?q=1"]))
def test_the_answer_for_a_page_is_that_of_protego(groups, directory, page):
    text = "\n\n".join(
        f"User-agent: {agent}\n" + "\n".join(f"{f}: {path}" for f, path in rules) for agent, rules in groups
    )
    url = f"https://example.com{directory}{page}"
    records = [r for r in read("robots", text, Reading(AT_MS, SITE, ("ours",))) if isinstance(r, OptOut)]
    facts = Facts(Snapshot(BASE_POLICY, loaded(records)), AT_MS, "default", None)
    refused = facts.preference_for_url(url).value == "deny"
    assert refused is not Protego.parse(text).can_fetch(url, "ours")


NAMES = st.sampled_from(["/", "/a", "/a/", "/ab", "/a/b", "/a/b/", "/a*b", "/*/b", "/a$", "/a/b$", "/a?q"])
USAGE = st.lists(st.tuples(NAMES, st.sampled_from(["train-ai=y", "train-ai=n", "search=y"])), min_size=1, max_size=5)
URLS = st.sampled_from(
    ["/", "/a", "/a/", "/ab", "/abc", "/a/b", "/a/bc", "/a/b/c", "/axb", "/c/b", "/a?q", "/a?qq", "/c"]
)


def stated(rules: list[tuple[str, str]], path: str) -> set[tuple[str, str]]:
    """The longest rules that match (RFC 9309, written anew for the test)."""
    matching: dict[int, set[tuple[str, str]]] = {}
    for pattern, usage in rules:
        expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\$", "$")
        if re.match(expression, path):
            matching.setdefault(len(pattern), set()).add((pattern, usage))
    return matching[max(matching)] if matching else set()


@settings(deadline=None, max_examples=500)
@given(USAGE, URLS)
def test_a_yes_is_one_that_the_longest_rule_states_and_no_whole_no_is_lost(rules, path):
    text = "User-agent: *\n" + "\n".join(f"Content-Usage: {name} {usage}" for name, usage in rules)
    records = [r for r in read("robots", text) if isinstance(r, OptOut)]
    facts = Facts(Snapshot(BASE_POLICY, loaded(records)), AT_MS, "default", None)
    value = facts.preference_for_url("https://example.com" + path).value
    longest = stated(rules, path)
    if value == "allow":
        assert "train-ai=y" in {usage for _, usage in longest}
        assert "train-ai=n" not in {usage for _, usage in longest}
    for pattern, usage in longest:
        whole = pattern.endswith(("/", "$")) or path == pattern or path.startswith((pattern + "/", pattern + "?"))
        if usage == "train-ai=n" and "*" not in pattern and whole:
            assert value == "deny"


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        # A no that is told for whole names only, in a part that is excepted from a broader no: the broader one stays.
        (["Disallow: /", "Allow: /a/", "Disallow: /a/sec"], ["/a/secret", "/a/sec"]),
        (["Disallow: /", "Allow: /a/", "Disallow: /a/*.pdf"], ["/a/x.pdf"]),
        (
            ["Content-Usage: train-ai=n", "Content-Usage: /a/ train-ai=y", "Content-Usage: /a/sec train-ai=n"],
            ["/a/secret"],
        ),
        (["Content-Usage: train-ai=n", "Content-Usage: /a/ train-ai=y", "Content-Usage: /a/\0 train-ai=n"], ["/a/x"]),
        (["Disallow: /", "Allow: /a/", "Disallow: /a/\0"], ["/a/x"]),
    ],
)
def test_no_refusal_is_lost_to_an_exception_that_has_exceptions(lines, refused):
    records = [r for r in robots("User-agent: *", *lines) if isinstance(r, OptOut)]
    facts = Facts(Snapshot(BASE_POLICY, loaded(records)), AT_MS, "default", None)
    for path in refused:
        assert facts.preference_for_url("https://example.com" + path).value == "deny"


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Usage: train-ai=y", "Content-Usage: /a train-ai=n"],
        ["Content-Usage: train-ai=y", "Content-Usage: /*.pdf train-ai=n"],
        ["Content-Usage: /a/ train-ai=y", "Content-Usage: /*/b train-ai=n"],
        ["Content-Usage: train-ai=y", "Content-Usage: /a search=y"],
        ["Content-Usage: train-ai=y", "Content-Usage: /\0 train-ai=n"],
        ["Content-Usage: train-ai=y", "Content-Usage: ???"],
    ],
)
def test_a_yes_with_exceptions_that_cannot_be_told_whole_is_not_taken(lines):
    assert not any(
        value == "allow" and category == "train" for _, _, category, value in said(robots("User-agent: *", *lines))
    )
