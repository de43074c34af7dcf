"""Lists as CSV and JSON lines: a row is a line, and a bad one spoils no other."""

import json

import pytest

from hegui.rules.cases import BASE_POLICY
from hegui.rules.facts import Facts, OptOut, Snapshot, loaded
from hegui.streams.optouts.normal_form import Reading
from tests.streams.example import OPTOUTS
from tests.streams.optouts.texts import AT_MS, PERSON, READING, read, said, told

HEADER = "scheme,subject,value\n"
ROW = {"scheme": "domain", "subject": "example.com", "value": "deny"}


def test_a_row_of_a_csv_list():
    text = "Value; Subject;scheme;observed_at;valid_to;source;evidence;category;remarks\r\ndeny;example.com;domain;2026-11-01T08:00:00Z;2027-11-01T08:00:00Z;press;no. 1;mine;x\r\n"
    (record,) = read("csv", text)
    assert record == OptOut(
        "domain",
        "example.com",
        "deny",
        1_793_520_000_000,
        1_825_056_000_000,
        category="mine",
        source="press",
        evidence="no. 1",
    )


def test_what_a_row_does_not_say_is_filled_in():
    for found in (read("csv", HEADER + "domain,example.com,deny"), read("jsonl", json.dumps(ROW))):
        (record,) = found
        assert (record.observed_at_ms, record.category, record.source) == (AT_MS, "train", "registry")
        assert record.evidence.startswith("line ")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("domain,,deny", "no_subject"),
        ("domain,   ,deny", "no_subject"),
        (",example.org,deny", "scheme_unknown"),
        ("domain,example.org,", "value_unknown"),
        ("domain,example.org,Allow", "value_unknown"),
        ("domain,example.org,yes", "value_unknown"),
        ("domain,co.uk,deny", "public_suffix"),
        ("user,somebody@example.com,deny", "user_not_hashed"),
        ("domain,example.org", "syntax"),
        ("domain,example.org,deny,more", "syntax"),
        ('domain,"example.org,deny', "syntax"),
        ('domain,exa"mple".org,deny', "subject_invalid"),
        ("domain,exam\0ple.org,deny", "control_characters"),
        ("domain,example.org,deny\rdomain,example.net,deny", "control_characters"),
        (b"domain,ex\xffmple.org,deny", "not_utf8"),
        ("domain," + "a" * 200_000 + ",deny", "too_deep"),
        ("holder," + "a" * 5000 + ",deny", "too_deep"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_bad_row_is_told_and_the_others_are_taken(row, reason, end):
    row = row if isinstance(row, bytes) else row.encode()
    text = b"\xef\xbb\xbf" + end.join(
        [b"scheme,subject,value", b"domain,example.com,deny", row, b"", b"domain,example.net,deny"]
    )
    found = read("csv", text)
    assert {subject for _, subject, *_ in said(found)} == {"example.com", "example.net"}
    assert told(found) == {(3, reason)}


@pytest.mark.parametrize(
    "text",
    [
        "domain,example.com,deny\n",
        "scheme,subject\n",
        "scheme,subject,value,value\n",
        '"scheme,subject,value\n',
        "\0\n",
        b"\xff\n",
    ],
)
def test_a_list_without_its_header_gives_nothing(text):
    found = read("csv", text + ("domain,example.com,deny\n" if isinstance(text, str) else b"domain,example.com,deny\n"))
    assert not said(found)
    assert {line for line, _ in told(found)} == {1}


def test_an_empty_list_is_empty():
    assert read("csv", "") == read("csv", "\n\n") == read("jsonl", "\n") == read("json", "[]") == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subject": None}, "no_subject"),
        ({"subject": 7}, "syntax"),
        ({"scheme": None}, "scheme_unknown"),
        ({"value": True}, "syntax"),
        ({"category": "sleep"}, "category_unknown"),
        ({"observed_at": "2026-11-01T08:00:00"}, "time_without_offset"),
        ({"observed_at": "yesterday"}, "time_invalid"),
        ({"observed_at_ms": -1}, "time_invalid"),
        ({"observed_at_ms": 2**53}, "time_invalid"),
        ({"observed_at_ms": 1.5}, "time_invalid"),
        ({"observed_at_ms": True}, "time_invalid"),
        ({"observed_at_ms": "x"}, "time_invalid"),
        ({"observed_at_ms": "9" * 30}, "time_invalid"),
        ({"valid_to": "2026-11-01"}, "time_without_offset"),
        ({"observed_at_ms": 9, "valid_to_ms": 9}, "never_valid"),
        ({"valid_to_ms": AT_MS - 1}, "never_valid"),
        ({"subject": "*.example.com", "value": "allow"}, "subdomains_only"),
        ({"subject": " *.example.com", "value": "allow"}, "subdomains_only"),
        ({"source": "press\ncouncil"}, "control_characters"),
        ({"evidence": "no. \x1b[31m18"}, "control_characters"),
        ({"scheme": "url_prefix", "subject": "https://example.com/*.pdf"}, "pattern"),
        ({"scheme": "url_prefix", "subject": "https://example.com/a/*/b/*"}, "pattern"),
        ({"scheme": "url_prefix", "subject": "https://example.com/a$"}, "pattern"),
        ({"scheme": "url_prefix", "subject": "https://example.com/a?q=*"}, "pattern"),
        ({"scheme": "url_prefix", "subject": "https://example.com/a#*"}, "pattern"),
        ({"scheme": "url_prefix", "subject": "https://example.com*"}, "subject_invalid"),
        ({"scheme": "url_prefix", "subject": "*"}, "subject_invalid"),
        ({"scheme": "url", "subject": "https://example.net/*.pdf"}, "pattern"),
        ({"scheme": "url", "subject": "https://example.net/a/*"}, "pattern"),
    ],
)
def test_a_bad_object_is_told(changes, reason):
    text = "\n".join(json.dumps(each) for each in ({**ROW, **changes}, ROW))
    found = read("jsonl", text)
    assert len(said(found)) == 1
    assert told(found) == {(1, reason)}


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"7",
        b"null",
        b"[]",
        b'{"other": 1}',
        b"\xff",
        b"[" * 50_000,
        b'"\\ud800"',
        b'{"scheme"' + b" " * 2_000_000,
    ],
)
def test_a_line_that_is_no_object_of_ours_is_told(line):
    found = read(
        "jsonl",
        b"\xef\xbb\xbf"
        + json.dumps(ROW).encode()
        + b"\r\n"
        + line
        + b"\n"
        + json.dumps({**ROW, "subject": "example.org"}).encode(),
    )
    assert len(said(found)) == 2
    assert told(found) <= {(2, "syntax"), (2, "too_deep")}
    assert told(found)


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        ("https://example.com/a/", "example.com/a"),
        ("example.com/a/#b/", "example.com/a"),
        ("example.com/a?next=/", "example.com/a?next=/"),
        ("example.com/a/?b", "example.com/a/?b"),
        ("https://example.com/a/*", "example.com/a"),
        ("https://example.com/*", "example.com/"),
        ("https://example.com/a**", "example.com/a"),
        ("https://example.com/A%2A", "example.com/A%2A"),
    ],
)
def test_a_no_about_a_path_is_one_about_its_page_and_keeps_its_query(given, subject):
    for value in ("allow", "unknown", "deny"):  # what is taken back has the subject of what was said
        record, *_ = [
            each
            for each in read("jsonl", json.dumps({"scheme": "url_prefix", "subject": given, "value": value}))
            if isinstance(each, OptOut)
        ]
        assert record.subject == subject
    facts = Facts(Snapshot(BASE_POLICY, loaded([record])), AT_MS, "default", None)
    assert facts.preference_for_url("https://" + subject).value == "deny"


@pytest.mark.parametrize("value", ["deny", "unknown"])
def test_a_no_to_what_is_below_a_domain_is_one_to_the_domain_and_taken_back_under_its_name(value):
    (record,) = read("jsonl", json.dumps({"scheme": "domain", "subject": "*.example.com", "value": value}))
    assert (record.subject, record.value) == ("example.com", value)


def test_a_star_after_part_of_a_name_is_told_where_a_no_becomes_narrower():
    rows = [{"scheme": "url_prefix", "subject": "example.com/a*", "value": value} for value in ("deny", "allow")]
    found = read("jsonl", "\n".join(json.dumps(row) for row in rows))
    assert told(found) == {(1, "narrowed")}
    assert {subject for _, subject, *_ in said(found)} == {"example.com/a"}


@pytest.mark.parametrize("value", ["deny", "allow", "unknown"])
def test_a_record_that_was_given_out_keeps_its_slash(value):
    row = {
        "scheme": "url_prefix",
        "subject": "example.com/a/",
        "value": value,
        "observed_at_ms": AT_MS,
        "source": "robots",
    }
    (record,) = read("jsonl", json.dumps(row))
    assert record.subject == "example.com/a/"
    (written,) = read("jsonl", json.dumps({**row, "subject": "https://example.com/a/"}))
    assert written.subject == "example.com/a"


def test_times_in_milliseconds_may_be_text_as_in_csv():
    (record,) = read(
        "jsonl", json.dumps({**ROW, "observed_at_ms": " 1793520000000 ", "valid_to_ms": 1_793_520_000_001})
    )
    assert (record.observed_at_ms, record.valid_to_ms) == (1_793_520_000_000, 1_793_520_000_001)


def test_records_of_the_topic_are_rows():
    import msgspec

    text = b"\n".join(msgspec.json.encode(record) for record in OPTOUTS)
    found = read("jsonl", text, Reading(AT_MS))
    assert [(r.scheme, r.subject, r.value, r.observed_at_ms, r.source) for r in found] == [
        (r.scheme, r.subject, r.value, r.observed_at_ms, r.source) for r in OPTOUTS
    ]


def test_a_json_document_may_hold_one_object_or_a_list():
    assert said(read("json", json.dumps(ROW))) == said(read("json", json.dumps([ROW])))
    assert told(read("json", json.dumps([ROW, 7]))) == {(2, "syntax")}
    assert told(read("json", "{")) == {(0, "syntax")}
    assert told(read("json", " " * 17_000_000)) == {(0, "too_large")}


def test_no_remark_holds_a_subject():
    found = read("csv", HEADER + f"user,somebody@example.com,deny\nplanet,{PERSON},deny\n", READING)
    assert all("example.com" not in str(each) + each.sentence and PERSON not in str(each) for each in found)
