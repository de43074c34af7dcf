"""Elements of a page are those that a browser finds, whatever the page, and in one pass."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from hegui.streams.optouts.html_elements import Element, Unclosed, elements

NOAI = ("meta", {"name": "robots", "content": "noai"})
META = '<meta name="robots" content="noai">'


def found(text: str) -> list[tuple[str, dict[str, str]]]:
    return [(each.name, each.given) for each in elements(text) if isinstance(each, Element)]


def unclosed(text: str) -> list[int]:
    return [each.line for each in elements(text) if isinstance(each, Unclosed)]


@pytest.mark.parametrize(
    "before",
    [
        "<meta name='description' content='A 5\" screen'>",
        '<meta name="description" content="x"">',
        '<meta name=description content=5">',
        "<meta name='a' content='b > c'>",
        "<!-- a --!>",
        "<!-->",
        "<!--->",
        "<!-- -- > --->",
        "<![endif]>",
        "<?php a ?>",
        "</ a b>",
        "<!doctype html>",
        '<a title="<!-- ">',
        "<a title='<meta '>",
        "<a title=\"<meta name='tdm-reservation' content='0'>\">",
        "<title></titlex></title >",
        "<style>a > b { content: '<!--' }</style>",
        "<textarea><!--</textarea>",
        "<script>'<!--'</script>",
        "<script><!-- <script> </script> --></script>",
        "<script><!-- </script>",
        "<script><!--><script></script>",
        "<script><scripted></script>",
        "<template><meta name=x></template>",
        "<template><template></template></template>",
        "</template>",
        "<svg><title/></svg>",
        "<svg><script/></svg>",
        "</script>",
        "<a href=x/>",
        "< meta",
        "</plaintext>",
        "<br\fdata-x=1\n/>",
    ],
)  # fmt: skip
def test_what_stands_before_an_element_does_not_hide_it(before):
    assert found(before + META)[-1] == NOAI
    assert not unclosed(before + META)


@pytest.mark.parametrize(
    "text",
    [
        "<META NAME='robots' CONTENT='noai' NAME=other>",
        "<meta name='robots' content='noai' data-x='5\"'>",
        "<meta/name='robots'/content='noai'>",
        "<meta name\n=\trobots content = 'noai'/>",
        '<meta name="robots"content="noai">',
        "<svg><meta name='robots' content='noai'/>",
        "<meta name=robots content=&#110;oai>",
        "<meta =b=b name=robots content=noai>",
    ],
)
def test_attributes_are_read_as_a_browser_reads_them(text):
    (element,) = elements(text)
    assert {name: element.given[name] for name in ("name", "content")} == NOAI[1]


def test_an_element_may_have_any_length():
    text = f'<meta name="description" content="{"a" * 100_000}" data-x="{"b" * 100_000}">{META}'
    assert found(text)[-1] == NOAI


@pytest.mark.parametrize(
    "text",
    [
        '<meta name="robots" content="noai',
        "<meta name='robots' content='noai",
        "<meta name=robots content=noai",
        "<meta name=robots content",
        "<meta ",
        "<meta",
        "<!-- " + META,
        "<!--!>" + META,
        "<!" + META[:-1],
        "</ " + META[:-1],
        "<title>" + META,
        "<style>" + META + "</styles>",
        "<textarea>" + META,
        "<script>" + META,
        "<script><!-- <script> </script>" + META,
        "<iframe>" + META + "</iframe",
        "<template>" + META,
        "<plaintext>" + META,
        '<p title="' + META[:5],
    ],
)
def test_what_never_ends_is_told_with_its_line(text):
    assert found("\n<p>\n" + text) == []
    assert unclosed("\n<p>\n" + text) == [3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a < b",
        "<metal name=robots content=noai>",
        f"<!-- {META} -->",
        f"<![bad[{META}",
        f"<style>{META}</style>",
        f"<noframes>{META}</noframes>",
        f"<template><template></template>{META}</template>",
        f'<p title="{META.replace(chr(34), chr(39))}">',
        "</meta name=robots>",
    ],
)
def test_what_is_no_element_is_none(text):
    assert list(elements(text)) == []


def test_lines_and_what_stands_inside_a_script_are_told():
    text = '\n<script type="a">\n<b>\n</SCRIPT>\n<link rel=license>'
    assert list(elements(text)) == [
        Element(2, "script", {"type": "a"}, "\n<b>\n"),
        Element(5, "link", {"rel": "license"}),
    ]


# No pictures among them: within those a browser builds its tree by other rules. Nor tables and the like, which move elements.
PARTS = st.sampled_from(
    [
        "<meta name=robots content=noai>", '<meta name="a" content="', "<meta ", "<link rel=l ", "name=", '"', "'", ">", "/", " ", "=", "x", "<", "\n", "&quot;", "!", "-",
        "<!--", "-->", "--!>", "<script>", "</script>", "</script ", "<script", "<title>", "</title>", "<title/>", "<style>", "</style>", "<textarea>", "</textarea",
        "<template>", "</template>", "<p>", "<a href=", "<?php ", "<!doctype html>", "<![x[", "</>", "</ x", "<xmp>", "</xmp>",
    ]
)  # fmt: skip


def in_a_browser(text: str) -> list[tuple[str, dict[str, str]]]:
    def inert(node) -> bool:
        return node is not None and (node.tag == "template" or inert(node.parent))

    nodes = LexborHTMLParser(text).css("meta, link")
    return [
        (node.tag, {name: value or "" for name, value in node.attributes.items()})
        for node in nodes
        if not inert(node.parent)
    ]


@settings(deadline=None, max_examples=500)
@given(st.lists(PARTS, max_size=14).map("".join))
def test_the_elements_are_those_that_a_browser_finds(text):
    assert [each for each in found(text) if each[0] != "script"] == in_a_browser(text)


@pytest.mark.parametrize("first", ["", "<meta x", "<script>"])
@pytest.mark.parametrize(
    "again",
    ["<a ", "<a>", "<meta ", "<meta a='", '<meta a="', "<meta a=", " ", "=", "<!--", "<!-->", "</", "</title", "<script><!--", "<!--<script", "<template>", "<!x"],
)  # fmt: skip
def test_a_page_made_to_take_long_is_read_in_one_pass(first, again):
    # A second at most; what looks at each place anew needs minutes and meets the limit of the run.
    assert sum(1 for _ in elements((first + again * 1_000_000)[:1_000_000])) <= 1_000_000
