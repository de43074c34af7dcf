"""What an importer says of a row that it did not take, or not whole. Never the subject: it may be a person."""

from __future__ import annotations

from typing import NamedTuple

REASONS: dict[str, str] = {
    "category_unknown": "the category is none of train, search, input, mine",
    "control_characters": "there are control characters in it; remove them",
    "file_time": "the file was last changed before 1970, which no event can be; say with --observed-at when it was read",
    "link_invalid": "a link to an RSL licence leads to no web address; nothing was read from there",
    "never_valid": "it ends before it begins",
    "no_active_manifest": "it does not tell which of its manifests is the active one; noes were taken of all of them, no yes",
    "no_address": "it does not say of which site or page it speaks; name it with --url",
    "no_header": "the first line does not name the columns scheme, subject and value",
    "no_response": "there is a request in it and no response, no line like HTTP/1.1 200 OK",
    "no_subject": "it has no subject",
    "not_a_path": "it names a whole address where a path belongs; nothing was taken from the line",
    "not_utf8": "it is not UTF-8",
    "other_page": "its request is for another page than --url names",
    "other_site": "it speaks of another site than the one it was read from",
    "outside_group": "it stands before any User-agent line; a no was taken for every agent, a yes not",
    "pattern": "a wildcard inside a path is no prefix; nothing was taken from the line (as part of a name it is written %2A or %24)",
    "public_suffix": "a public suffix belongs to many; name the domain below it",
    "scheme_unknown": "the scheme is none of user, domain, url_prefix, url, content, work, holder",
    "subdomains_only": "what is below a domain cannot be named without the domain, and a yes is not widened to it; name each, or take a no back by `unknown`",
    "subject_invalid": "the subject has not the form of its scheme, or a check digit is wrong",
    "syntax": "it cannot be read as its format",
    "time_invalid": "its time cannot be read; write it as 2026-11-20T10:00:00+08:00",
    "time_without_offset": "its time has no offset from UTC; write it as 2026-11-20T10:00:00+08:00",
    "too_deep": "the path has too many levels, or is too long",
    "too_large": "it is larger than its format allows; no yes was taken, and a no only from what is read of a robots.txt, a page or a message",
    "unclosed": "a tag, comment or script begins there and never ends; what lies behind was not read, and no yes was taken",
    "user_not_hashed": "a user is named by a keyed hash, k<keyid>: and 64 hex digits",
    "value_unknown": "the value says neither yes nor no",
    "xml_entities": "it declares a document type or entities, which are not expanded",
}
"""Reason to the sentence for the operator. With these a row was refused."""

NOTES: dict[str, str] = {
    "license": "links to an RSL licence, which `hegui optouts fetch` reads",
    "narrowed": "a path that ends inside a name covers whole names only",
    "named_agents": "refuses crawlers of AI by their names, which is no statement for everyone; --ai-agents takes it as one",
    "never_reached": "an earlier location covers it, so it says nothing",
    "no_site": "it does not say which site it was read from; its noes were taken, no yes; name it with --url",
    "overtaken": "a later word of its source is known already; it counts for the time before that only (was a newer file taken in first?)",
    "responses": "it holds several responses; what each of them says was taken for the page",
    "signature": "is signed; the signature was not checked",
    "taken_back": "the text no longer says yes, or up to an earlier end only, or cannot be read; the yes was taken back",
    "time_ahead": "its time lies ahead; it counts from then on",
}
"""The same for rows that were taken, or had nothing to take."""


class Remark(NamedTuple):
    """Something to be told of one row."""

    line: int
    """Number of the line or entry, from 1; 0: the whole file."""
    reason: str
    """Key of `REASONS` or `NOTES`."""
    name: str = ""
    """Of which crawler, where that matters; never anything else."""

    @property
    def refused(self) -> bool:
        """Whether the row was refused."""
        return self.reason in REASONS

    @property
    def sentence(self) -> str:
        """Return what an operator should know or do."""
        return REASONS.get(self.reason) or NOTES[self.reason]
