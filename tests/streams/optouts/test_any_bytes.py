"""Whatever bytes come in: no importer raises, and none says yes where the text does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hegui.rules.facts import OptOut
from hegui.streams.optouts import formats
from hegui.streams.optouts.remarks import NOTES, REASONS, Remark
from tests.streams.optouts.texts import DIGEST, read

REFUSING: dict[str, list[bytes]] = {
    "robots": [
        b"User-agent: *\nDisallow: /a/\nAllow: /a/b\nContent-Usage: /c train-ai=n, search=n\nContent-Signal: ai-train=no, ai-input=no, search=no\n",
    ],
    "tdmrep": [b'[{"location": "/a/*", "tdm-reservation": 1}, {"location": "/", "tdm-reservation": 1}]'],
    "rsl": [
        b'<rsl xmlns="https://rslstandard.org/rsl"><content url="/a/"><license><prohibits type="usage">ai-train, search</prohibits></license></content></rsl>',
    ],
    "http": [
        b"HTTP/1.1 299 OK\r\nContent-Usage: train-ai=n\r\ntdm-reservation: 1\r\nX-Robots-Tag: noai\r\nContent-Type: text/html\r\n\r\n<meta name=tdm-reservation content=1>",
        b"GET /a HTTP/1.1\nHost: example.com\n\nHTTP/1.1 399 Found\nLocation: https://www.example.com/\nX-Robots-Tag: noai\n\nHTTP/1.1 299 OK\nContent-Usage: train-ai=n\nLocation: /\n\n",
    ],
    "html": [b'<html><head><meta name="tdm-reservation" content="1"><meta name="robots" content="noai">'],
    "json": [
        b'{"content_sha256": "%s", "manifest": {"assertions": [{"label": "c2pa.training-mining", "data": {"entries": {"c2pa.ai_training": {"use": "notAllowed"}}}}]}}'
        % DIGEST.encode(),
        b'{"iscc": "KACYPXW445FTYNJ3", "tdm-reservation": 1, "content-usage": "train-ai=n"}',
    ],
    "csv": [b"scheme,subject,value\nurl_prefix,https://example.com/a,deny\nuser,k1:%s,deny\n" % DIGEST.encode()],
    "jsonl": [
        b'{"scheme": "domain", "subject": "example.com", "value": "deny"}\n{"iscc": "KACYPXW445FTYNJ3", "tdm-reservation": 1}\n'
    ],
}
"""Texts that only refuse."""

# Bytes with which no yes can be written: no 0, no y; "permits" and "allow" need more letters than one edit brings.
HARMLESS = st.sampled_from(
    [bytes([each]) for each in b"\0\t\n\r #$%&'*,-./:;<=>?@[\\]_{|}~\"n1ax\xc3\xa9\xff"]
    + [b"\xef\xbb\xbf", b"\r\n", b"../", b"%2e", b"<!--"]
)
EDIT = st.tuples(st.integers(0, 400), st.integers(0, 5), HARMLESS | st.just(b""))


def check(form: str, content: bytes) -> list[OptOut | Remark]:
    found = read(form, content)
    for each in found:
        if isinstance(each, Remark):
            assert each.reason in REASONS or each.reason in NOTES
            assert each.sentence
        else:
            assert each.subject
            assert each.key() == (each.scheme, each.subject)
    return found


@pytest.mark.parametrize("form", formats.FORMATS)
@given(content=st.binary(max_size=300))
@settings(deadline=None)
def test_no_importer_raises_for_arbitrary_bytes(form, content):
    assert not any(isinstance(each, OptOut) and each.value == "allow" for each in check(form, content))


@pytest.mark.parametrize("form", formats.FORMATS)
@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_a_text_that_only_refuses_never_says_yes_however_it_is_broken(form, data):
    content = data.draw(st.sampled_from(REFUSING[form]))
    for at, gone, put in data.draw(st.lists(EDIT, min_size=1, max_size=4)):
        place = at % (len(content) + 1)
        content = content[:place] + put + content[place + gone :]
    assert not any(isinstance(each, OptOut) and each.value == "allow" for each in check(form, content))


@pytest.mark.parametrize("form", formats.FORMATS)
def test_the_texts_refuse_something_while_they_are_whole(form):
    for text in REFUSING[form]:
        assert any(isinstance(each, OptOut) and each.value == "deny" for each in check(form, text))


@pytest.mark.parametrize("form", formats.FORMATS)
@given(text=st.text(max_size=200))
@settings(deadline=None)
def test_no_importer_raises_for_arbitrary_text_around_a_real_one(form, text):
    for real in REFUSING[form]:
        check(form, text.encode("utf-8", "replace") + real)
        check(form, real + text.encode("utf-8", "replace"))


PLACES = {
    "http": "GET /{} HTTP/1.1\nHost: example.com{}\n\nHTTP/1.1 301 Moved\nLocation: {}\nX-Robots-Tag: noai\n\nHTTP/1.1 200 OK\nX-Robots-Tag: noai\n",
    "rsl": '<rsl xmlns="https://rslstandard.org/rsl"><content url="{0}"><license><prohibits type="usage">all</prohibits></license></content></rsl>',
    "robots": "User-agent: *\nDisallow: {}\nLicense: {}\n",
    "tdmrep": '[{{"location": "{}", "tdm-reservation": 1}}]',
    "csv": "scheme,subject,value\nurl,{},deny\n",
}
"""Texts with places for addresses."""
ADDRESS = st.text(st.sampled_from("htp:/[]@%.?#\\ab1é \t"), max_size=12) | st.sampled_from(
    ["http://[bad/", "//[x", "https://example.com:99999/", "http://www.example.com/b", "http://\u2100/", "ftp://x"]
)


@pytest.mark.parametrize("form", PLACES)
@given(addresses=st.lists(ADDRESS, min_size=3, max_size=3))
@settings(deadline=None, max_examples=200)
def test_no_importer_raises_for_arbitrary_addresses(form, addresses):
    assert not any(
        isinstance(each, OptOut) and each.value == "allow"
        for each in check(form, PLACES[form].format(*addresses).encode())
    )
