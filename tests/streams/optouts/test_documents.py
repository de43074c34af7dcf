"""tdmrep.json, RSL, C2PA manifests and ISCC declarations."""

import json

import pytest

from hegui.streams.optouts.normal_form import Reading
from hegui.streams.optouts.remarks import Remark
from tests.streams.optouts.texts import AT_MS, DIGEST, READING, read, said, told


def mine(path: str, value: str, scheme: str = "url_prefix") -> tuple[str, ...]:
    return (scheme, "example.com" + path, "mine", value)


@pytest.mark.parametrize(
    ("entries", "found", "remarks"),
    [
        ([{"location": "/", "tdm-reservation": 1}], {mine("/", "deny")}, set()),
        ([{"location": "/", "tdm-reservation": 0}], {mine("/", "allow")}, set()),
        ([{"location": "/", "tdm-reservation": 1, "tdm-policy": "https://example.com/p"}], {mine("/", "deny")}, set()),
        ([{"location": "/", "tdm-reservation": "1"}], {mine("/", "deny")}, set()),
        ([{"location": "/", "tdm-reservation": True}], set(), {(1, "value_unknown")}),
        ([{"location": "/", "tdm-reservation": False}], set(), {(1, "value_unknown")}),
        ([{"location": "/", "tdm-reservation": 0.0}], set(), {(1, "value_unknown")}),
        ([{"location": "/", "tdm-reservation": 2}], set(), {(1, "value_unknown")}),
        ([{"location": "/"}], set(), {(1, "value_unknown")}),
        ([{"location": "/a/*", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}], {mine("/a/", "allow"), mine("/", "deny")}, set()),
        # The first match counts: what lies below it is never reached.
        ([{"location": "/", "tdm-reservation": 1}, {"location": "/a/", "tdm-reservation": 0}], {mine("/", "deny")}, {(2, "never_reached")}),
        ([{"location": "/a/", "tdm-reservation": 3}, {"location": "/", "tdm-reservation": 1}], {mine("/", "deny"), mine("/a/", "unknown")}, {(1, "value_unknown")}),
        ([{"location": "/a.pdf$", "tdm-reservation": 1}], {mine("/a.pdf", "deny", "url")}, set()),
        ([{"location": "*.pdf", "tdm-reservation": 1}], set(), {(1, "pattern")}),
        ([{"location": "https://example.com/a/", "tdm-reservation": 1}, {"location": "/", "tdm-reservation": 0}], set(), {(1, "not_a_path")}),
        ([{"location": "*.pdf", "tdm-reservation": 1}, {"location": "/", "tdm-reservation": 0}], set(), {(1, "pattern")}),
        ([7, {"location": "/", "tdm-reservation": 0}], set(), {(1, "syntax")}),
        ([{"location": " ", "tdm-reservation": 1}], set(), {(1, "no_subject")}),
        ([{"tdm-reservation": 1}, 7], set(), {(1, "no_subject"), (2, "syntax")}),
        ({"location": "/"}, set(), {(0, "syntax")}),
    ],
)  # fmt: skip
def test_tdmrep(entries, found, remarks):
    read_ = read("tdmrep", json.dumps(entries))
    assert (said(read_), told(read_)) == (found, remarks)


@pytest.mark.parametrize("text", [b"", b"[", b"\xff", b"[" * 100_000, b"\0"])
def test_a_tdmrep_that_is_no_json_says_nothing(text):
    assert told(read("tdmrep", text)) == {(0, "syntax")}


def test_a_tdmrep_needs_its_site_and_has_a_limit():
    text = '[{"location": "/", "tdm-reservation": 1}]'
    assert told(read("tdmrep", text, Reading(AT_MS))) == {(0, "no_address")}
    assert read("tdmrep", text + " " * 2_000_000) == [Remark(0, "too_large")]


def test_a_byte_order_mark_before_json_is_passed_over():
    assert said(read("tdmrep", '\ufeff[{"location": "/", "tdm-reservation": 1}]')) == {mine("/", "deny")}


def rsl(*contents: str) -> str:
    return f'<rsl xmlns="https://rslstandard.org/rsl">{"".join(contents)}</rsl>'


def content(license_: str, url: str = "/", more: str = "") -> str:
    return f'<content url="{url}" {more}><license>{license_}</license></content>'


PERMIT = '<permits type="usage">{}</permits>'
PROHIBIT = '<prohibits type="usage">{}</prohibits>'


@pytest.mark.parametrize(
    ("license_", "train"),
    [
        (PROHIBIT.format("ai-train"), "deny"),
        (PROHIBIT.format("train-ai"), "deny"),
        (PROHIBIT.format("ai-all"), "deny"),
        (PROHIBIT.format("ALL"), "deny"),
        (PROHIBIT.format("ai-input"), None),
        (PERMIT.format("all"), "allow"),
        (PERMIT.format("search, ai-train"), "allow"),
        (PERMIT.format("search\n ai-train"), "allow"),
        (PERMIT.format("search"), "deny"),
        (PERMIT.format("all") + PROHIBIT.format("ai-train"), "deny"),
        (PERMIT.format("ai-train") + '<payment type="free"/>', "allow"),
        (PERMIT.format("ai-train") + '<payment type="purchase"/>', "deny"),
        (PERMIT.format("ai-train") + '<payment type="attribution"/>', "deny"),
        (PERMIT.format("ai-train") + '<permits type="user">education</permits>', "deny"),
        (PERMIT.format("ai-train") + '<prohibits type="geo">CN</prohibits>', "deny"),
        (PERMIT.format("ai-train") + '<permits type="geo"> </permits>', "allow"),
        ('<payment type="crawl"><amount currency="USD">1</amount></payment>', "deny"),
        ('<payment type="free"/>', None),
        ('<permits type="geo">US</permits>', "deny"),
        ('<permits type="user">non-commercial</permits>', "deny"),
        ('<prohibits type="geo">CN</prohibits>', "deny"),
        (PROHIBIT.format("train-genai"), "deny"),
        (PERMIT.format("train-genai"), "allow"),
        ("<permits>ai-train</permits>", None),
        (PERMIT.format("all") + "<prohibits>ai-train</prohibits>", "deny"),
        (PERMIT.format(""), None),
        ("", None),
        (PERMIT.format("cooking"), "deny"),
        ('<x:permits xmlns:x="https://other.example/" type="usage">all</x:permits>', None),
        ("<legal type='x'>" + PERMIT.format("all") + "</legal>", None),
    ],
)
def test_what_an_rsl_licence_says_of_training(license_, train):
    found = said(read("rsl", rsl(content(license_))))
    expected = set() if train is None else {train}
    assert {value for _, _, category, value in found if category == "train"} == expected


def test_rsl_speaks_of_search_and_input_too():
    found = said(read("rsl", rsl(content(PERMIT.format("search, ai-input"), "/a"))))
    assert {(subject, category, value) for _, subject, category, value in found} == {
        ("example.com/a", "search", "allow"),
        ("example.com/a", "input", "allow"),
        ("example.com/a", "train", "deny"),
    }


@pytest.mark.parametrize(
    ("licenses", "train"),
    [
        ((PERMIT.format("search"), PERMIT.format("ai-train")), "allow"),
        ((PERMIT.format("ai-train"), PROHIBIT.format("ai-train")), "deny"),
        ((PERMIT.format("ai-train") + '<payment type="use"/>', PERMIT.format("search")), "deny"),
    ],
)
def test_licences_are_offers_and_a_prohibition_wins(licenses, train):
    text = rsl(f'<content url="/">{"".join(f"<license>{each}</license>" for each in licenses)}</content>')
    assert ("url_prefix", "example.com/", "train", train) in said(read("rsl", text))


@pytest.mark.parametrize("license_", [PERMIT.format("all"), PROHIBIT.format("search"), ""])
def test_a_licence_server_is_a_condition(license_):
    text = rsl(content(license_, more='server="https://licences.example.com/"'))
    assert {(category, value) for *_, category, value in said(read("rsl", text))} >= {("train", "deny")}
    assert {value for *_, value in said(read("rsl", text))} == {"deny"}


@pytest.mark.parametrize(
    ("url", "found", "remarks"),
    [
        ("https://example.com/a/", {"example.com/a/"}, set()),
        ("//www.example.com/a?b=1", {"www.example.com/a?b=1"}, set()),
        ("www.example.com", {"www.example.com/"}, set()),
        ("/a/*", {"example.com/a/"}, set()),
        ("/a$", {"example.com/a"}, set()),
        ("/*/a", set(), {(1, "pattern")}),
        ("https://example.org/", set(), {(1, "other_site")}),
        ("https://exa mple.com/", set(), {(1, "subject_invalid")}),
        ("", set(), {(1, "no_subject")}),
    ],
)
def test_where_an_rsl_licence_holds(url, found, remarks):
    read_ = read("rsl", rsl(content(PROHIBIT.format("all"), url)))
    assert ({subject for _, subject, *_ in said(read_)}, told(read_) - {(1, "narrowed")}) == (found, remarks)


@pytest.mark.parametrize("url", ["images/", "www.example.com", "images/*.jpg", "localhost:80/a"])
@pytest.mark.parametrize("license_", [PERMIT, PROHIBIT])
def test_without_a_site_an_rsl_address_names_its_host_with_two_slashes(url, license_):
    found = read("rsl", rsl(content(license_.format("all"), url)), Reading(AT_MS))
    assert (said(found), told(found)) == (set(), {(1, "no_address")})
    assert not said(read("rsl", rsl(content(license_.format("all"), "images/"))))


def test_the_longest_path_of_an_rsl_document_counts():
    text = rsl(content(PROHIBIT.format("all")), content("", "/open/"), content(PERMIT.format("all"), "/free/"))
    train = {
        (subject, value)
        for scheme, subject, category, value in said(read("rsl", text))
        if category == "train" and scheme == "url_prefix"
    }
    assert train == {("example.com/", "deny"), ("example.com/open/", "unknown"), ("example.com/free/", "allow")}


BOMB = (
    '<!DOCTYPE rsl [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]>"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "syntax"),
        ("<rsl", "syntax"),
        (rsl(content(PERMIT.format("all")))[:-3], "syntax"),
        ("<rsl>" + content(PERMIT.format("all")) + "</rsl>", "syntax"),
        ('<licence xmlns="https://rslstandard.org/rsl"/>', "syntax"),
        (rsl(content(PERMIT.format("&unknown;"))), "syntax"),
        ('<?xml version="1.0" encoding="no-such"?>' + rsl(), "syntax"),
        (BOMB + rsl(content(PERMIT.format("&j;"))), "xml_entities"),
        ('<!DOCTYPE rsl SYSTEM "file:///etc/passwd">' + rsl(content(PERMIT.format("all"))), "xml_entities"),
        (
            '<!DOCTYPE rsl [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + rsl(content(PERMIT.format("&a;"))),
            "xml_entities",
        ),
        (rsl(content(PERMIT.format("all"))) + " " * 3_000_000, "too_large"),
        (rsl(content(PERMIT.format("all\0"))), "syntax"),
    ],
)
def test_broken_xml_and_entities_say_nothing_at_all(text, reason):
    found = read("rsl", text)
    assert (said(found), told(found)) == (set(), {(0, reason)})


def test_without_a_site_only_full_addresses_are_taken_from_rsl():
    text = rsl(content(PROHIBIT.format("all")), content(PROHIBIT.format("all"), "https://example.net/"))
    found = read("rsl", text, Reading(AT_MS))
    assert {subject for _, subject, *_ in said(found)} == {"example.net/"}
    assert told(found) == {(1, "no_address")}


def manifest(label: str, **uses: str) -> dict:
    prefix = label.partition(".")[0]
    entries = {f"{prefix}.{name}": {"use": use} for name, use in uses.items()}
    return {"assertions": [{"label": "c2pa.actions", "data": {}}, {"label": label, "data": {"entries": entries}}]}


C2PA, CAWG = "c2pa.training-mining", "cawg.training-mining"


@pytest.mark.parametrize("label", [C2PA, CAWG, CAWG + "__2"])
@pytest.mark.parametrize(
    ("uses", "found"),
    [
        ({"ai_generative_training": "notAllowed"}, {("train", "deny")}),
        ({"ai_training": "notAllowed"}, {("train", "deny")}),
        ({"ai_generative_training": "allowed"}, {("train", "allow")}),
        ({"ai_training": "allowed"}, set()),
        ({"ai_generative_training": "allowed", "ai_training": "notAllowed"}, {("train", "deny")}),
        ({"ai_generative_training": "constrained"}, {("train", "deny")}),
        ({"ai_inference": "allowed", "data_mining": "notAllowed"}, {("input", "allow"), ("mine", "deny")}),
        ({"ai_generative_training": "Allowed"}, set()),
        ({"cooking": "allowed"}, set()),
    ],
)
def test_c2pa_assertions(label, uses, found):
    text = json.dumps({"content_sha256": DIGEST.upper(), "manifest": manifest(label, **uses)})
    assert said(read("json", text)) == {("content", DIGEST, category, value) for category, value in found}


def test_the_active_manifest_of_a_store_counts():
    stored = {
        "old": manifest(C2PA, ai_generative_training="allowed"),
        "new": manifest(CAWG, ai_generative_training="notAllowed"),
    }
    known = {"url": "https://example.com/a.jpg", "work": "iscc:KACYPXW445FTYNEV"}
    found = read("json", json.dumps({**known, "active_manifest": "new", "manifests": stored}))
    assert said(found) == {("url", "example.com/a.jpg", "train", "deny"), ("work", known["work"], "train", "deny")}
    assert said(read("json", json.dumps({**known, "manifests": {"old": stored["old"]}}))) == {
        ("url", "example.com/a.jpg", "train", "allow"),
        ("work", known["work"], "train", "allow"),
    }


@pytest.mark.parametrize("active", [{}, {"active_manifest": "none"}, {"active_manifest": 7}])
def test_of_manifests_without_an_active_one_only_a_no_is_taken(active):
    stored = {
        "old": manifest(C2PA, ai_generative_training="allowed"),
        "new": manifest(CAWG, ai_generative_training="notAllowed"),
    }
    found = read("json", json.dumps({"content_sha256": DIGEST, **active, "manifests": stored}))
    assert said(found) == {("content", DIGEST, "train", "deny")}
    assert told(found) == {(1, "no_active_manifest"), (1, "signature")}


@pytest.mark.parametrize(
    ("found", "remarks"),
    [
        ({"manifest": manifest(C2PA, ai_training="notAllowed")}, {(1, "no_address")}),
        ({"content_sha256": "x", "manifest": manifest(C2PA, ai_training="notAllowed")}, {(1, "signature"), (1, "subject_invalid")}),
        ({"content_sha256": DIGEST, "manifest": manifest(C2PA, ai_training="perhaps")}, {(1, "value_unknown")}),
        ({"content_sha256": DIGEST, "assertions": [7, {"label": C2PA}, {"label": C2PA, "data": {"entries": {"c2pa.ai_training": 7}}}]}, {(1, "syntax"), (1, "value_unknown")}),
        ({"content_sha256": DIGEST, "assertions": [7]}, {(1, "syntax")}),
        ({"content_sha256": DIGEST, "assertions": [{"label": C2PA, "data": "{}"}]}, {(1, "syntax")}),
        ({"content_sha256": DIGEST, "assertions": [{"label": CAWG + ".v2", "data": {"entries": {}}}]}, {(1, "syntax")}),
        ({"content_sha256": DIGEST, "manifests": 7}, {(1, "syntax")}),
        ({"content_sha256": DIGEST, "manifest": 7}, {(1, "syntax")}),
        ({"content_sha256": DIGEST, "manifests": {"a": {"assertion_store": {}}}}, {(1, "syntax")}),
    ],
)  # fmt: skip
def test_c2pa_that_says_nothing(found, remarks):
    read_ = read("json", json.dumps(found), Reading(AT_MS))
    assert (said(read_), told(read_)) == (set(), remarks)


def test_a_manifest_without_a_name_is_of_the_page_it_was_read_from():
    text = json.dumps(manifest(C2PA, ai_training="notAllowed"))
    assert said(read("json", text)) == {("url", "example.com/", "train", "deny")}


CODE = "KACYPXW445FTYNJ3"


@pytest.mark.parametrize(
    ("found", "statements", "remarks"),
    [
        ({"iscc": "ISCC:" + CODE, "tdm-reservation": 1}, {("mine", "deny")}, set()),
        ({"iscc": CODE.lower(), "tdm-reservation": 0, "tdm-policy": "x"}, {("mine", "allow")}, set()),
        ({"iscc": CODE, "content-usage": "train-ai=n, search=y"}, {("train", "deny"), ("search", "allow")}, set()),
        ({"credentialSubject": {"iscc": CODE, "tdm-reservation": 1}, "proof": {}}, {("mine", "deny")}, {(1, "signature")}),
        ({"iscc": CODE, "tdm-reservation": 2}, set(), {(1, "value_unknown")}),
        ({"iscc": CODE}, set(), {(1, "value_unknown")}),
        ({"iscc": CODE, "content-usage": "?"}, set(), {(1, "syntax")}),
        ({"iscc": CODE, "content-usage": "?", "tdm-reservation": 1}, {("mine", "deny")}, {(1, "syntax")}),
        ({"iscc": CODE, "content-usage": ["train-ai=n"], "tdm-reservation": 1}, {("mine", "deny")}, {(1, "syntax")}),
        ({"iscc": "", "tdm-reservation": 1}, set(), {(1, "no_subject")}),
        ({"iscc": 7, "tdm-reservation": 1}, set(), {(1, "no_subject")}),
        ({"iscc": "not a code", "tdm-reservation": 1}, set(), {(1, "subject_invalid")}),
        ({"iscc": CODE, "tdm-reservation": 1, "timestamp": "2026-11-01T08:00:00"}, {("mine", "deny")}, {(1, "time_without_offset")}),
        ({"iscc": CODE, "tdm-reservation": 0, "timestamp": "2026-11-01T08:00:00"}, set(), {(1, "time_without_offset")}),
        ({"iscc": CODE, "tdm-reservation": 0, "validUntil": None}, {("mine", "allow")}, set()),
    ],
)  # fmt: skip
def test_iscc_declarations(found, statements, remarks):
    read_ = read("json", json.dumps(found), READING)
    assert said(read_) == {("work", "iscc:" + CODE, category, value) for category, value in statements}
    assert told(read_) == remarks


def test_a_declaration_counts_from_its_own_time():
    (record,) = read("jsonl", json.dumps({"iscc": CODE, "tdm-reservation": 1, "timestamp": "2026-11-01T08:00:00Z"}))
    assert (record.observed_at_ms, record.source) == (1_793_520_000_000, "iscc-tdm::registry")


@pytest.mark.parametrize("end", ["validUntil", "expirationDate"])
def test_a_credential_holds_up_to_its_end(end):
    credential = {"validFrom": "2026-11-01T08:00:00Z", end: "2026-11-02T08:00:00Z", "credentialSubject": {"iscc": CODE, "content-usage": "train-ai=y"}}  # fmt: skip
    (record,) = read("json", json.dumps(credential))
    assert record.interval() == (1_793_520_000_000, 1_793_606_400_000)
    del credential["validFrom"]  # it has ended when it is read
    assert told(read("json", json.dumps(credential))) == {(1, "never_valid")}


@pytest.mark.parametrize("name", ["validUntil", "expirationDate", "validFrom", "issuanceDate", "issued", "timestamp"])
@pytest.mark.parametrize(
    "time", [1_700_000_000, ["2020-01-01T00:00:00Z"], {"@value": "2020-01-01T00:00:00Z"}, False, 0, "", "soon"]
)
@pytest.mark.parametrize("place", ["credential", "subject"])
def test_a_yes_whose_time_cannot_be_known_is_not_taken_and_a_no_is(name, time, place):
    subject = {"iscc": CODE, "content-usage": "train-ai=y, search=n", "tdm-reservation": 0}
    credential = {
        "validFrom": "2026-11-01T08:00:00Z",
        "validUntil": "2030-11-01T08:00:00Z",
        "credentialSubject": subject,
    }
    (credential if place == "credential" else subject)[name] = time
    found = read("json", json.dumps(credential))
    assert said(found) == {("work", "iscc:" + CODE, "search", "deny")}
    assert told(found) == {(1, "time_invalid")}


def test_an_end_that_only_the_yes_does_not_reach_leaves_the_no():
    times = {"validFrom": "2024-01-01T00:00:00Z", "validUntil": "2020-01-01T00:00:00Z", "expirationDate": "2030-01-01T00:00:00Z"}  # fmt: skip
    found = read("json", json.dumps({"iscc": CODE, "tdm-reservation": 0, "content-usage": "train-ai=n", **times}))
    assert said(found) == {("work", "iscc:" + CODE, "train", "deny")}
    assert told(found) == {(1, "never_valid")}


def test_of_two_ends_a_yes_holds_to_the_first_and_a_no_to_the_last():
    subject = {"iscc": CODE, "content-usage": "train-ai=y, search=n", "validUntil": "2030-01-01T00:00:00Z"}
    found = read("json", json.dumps({"expirationDate": "2028-01-01T00:00:00Z", "credentialSubject": subject}))
    ends = {record.value: record.valid_to_ms for record in found}
    assert ends == {"allow": 1_830_297_600_000, "deny": 1_893_456_000_000}
