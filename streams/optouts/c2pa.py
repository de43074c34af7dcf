"""Training and data mining assertions of C2PA manifests, as JSON: labels `c2pa.training-mining` and `cawg.training-mining` (CAWG TDM 1.1).

A manifest does not say of which file or page it is, so the object holds beside it what the extractor knows: `url`, `content_sha256` or `work`. The
manifest stands at `manifests` (what a reader of C2PA prints), `manifest`, or the `assertions` themselves do. Signatures are not checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import Reading, hash_of, normal, statement
from hegui.streams.optouts.paths import evidence
from hegui.streams.optouts.remarks import Remark
from hegui.streams.optouts.scopes import Said, Scope
from hegui.streams.optouts.structured_fields import strictest

LABELS = frozenset({"c2pa.training-mining", "cawg.training-mining"})

_SUBJECTS = {"url": "url", "content_sha256": "content", "work": "work"}
_USES = {"allowed": "allow", "notAllowed": "deny", "constrained": "deny"}
_ENTRIES = {
    "ai_generative_training": ("train", True),
    "ai_training": ("train", False),  # of models that generate nothing: its no counts, its yes is none for us
    "ai_inference": ("input", True),
    "data_mining": ("mine", True),
}


def is_c2pa(found: dict[str, Any]) -> bool:
    """Tell whether an object holds a manifest."""
    return bool({"manifests", "manifest", "assertions"} & found.keys())


def read_object(found: dict[str, Any], reading: Reading, line: int) -> Iterator[Said]:
    """Yield the statements of the manifest in one object."""
    subjects = [(scheme, found[name]) for name, scheme in _SUBJECTS.items() if isinstance(found.get(name), str)]
    if not subjects and reading.url is not None:
        subjects = [("url", reading.url)]
    if not subjects:
        yield Remark(line, "no_address")
        return
    for scheme, subject in subjects:
        try:
            within = (scheme, normal(scheme, subject))
        except OptOutError:  # told below
            continue
        yield Scope(reading.at_ms, tuple(_source(label, scheme, found) for label in sorted(LABELS)), within)
    said: dict[tuple[str, str], list[str]] = {}
    manifests, certain = _manifests(found)
    if not certain:
        yield Remark(line, "no_active_manifest")
    for label, entries in (each for manifest in manifests for each in _assertions(manifest)):
        if entries is None:
            yield Remark(line, "syntax")
            continue
        for name, entry in entries.items():
            kind = name.rpartition(".")[2] if isinstance(name, str) else ""
            if kind not in _ENTRIES:
                continue
            category, yes_counts = _ENTRIES[kind]
            value = _USES.get(str(entry.get("use")), "unknown") if isinstance(entry, dict) else "unknown"
            if value == "unknown":
                yield Remark(line, "value_unknown")
            elif value == "deny" or (yes_counts and certain):
                said.setdefault((label, category), []).append(value)
    if said:
        yield Remark(line, "signature")
    for (label, category), values in said.items():
        for scheme, subject in subjects:
            try:
                yield statement(
                    scheme,
                    subject,
                    strictest(values),
                    reading.at_ms,
                    source=_source(label, scheme, found),
                    category=category,
                    evidence=evidence(reading, line),
                )
            except OptOutError as error:
                yield Remark(line, error.reason)


def _source(label: str, scheme: str, found: dict[str, Any]) -> str:
    """Return who speaks: of an address or a content what stands there; of a work, of which there may be many files, this file."""
    source = label.replace(".", "-")
    if scheme != "work":
        return source
    file = next((found[name] for name in ("content_sha256", "url") if isinstance(found.get(name), str)), None)
    if file is None:
        file = msgspec.json.encode({name: each for name, each in found.items() if name != "work"}).decode()
    return f"{source}:{hash_of(file.strip().lower())}"


def _manifests(found: dict[str, Any]) -> tuple[list[Any], bool]:
    """Return the active manifest, or all of them and False where none can be told to be it."""
    manifests = found.get("manifests")
    if not isinstance(manifests, dict):
        return [found.get("manifest", found) if manifests is None else manifests], True
    active = found.get("active_manifest")
    if isinstance(active, str) and active in manifests:
        return [manifests[active]], True
    return list(manifests.values()), active is None and len(manifests) == 1


def _assertions(manifest: Any) -> Iterator[tuple[str, dict[Any, Any] | None]]:
    """Yield label and entries of every assertion about training; None for what has not the form."""
    assertions = manifest.get("assertions") if isinstance(manifest, dict) else None
    if not isinstance(assertions, list):
        yield "", None
        return
    for assertion in assertions:
        if not isinstance(assertion, dict):
            yield "", None
            continue
        label = str(assertion.get("label")).partition("__")[0]  # a second one of a kind is numbered
        if label in LABELS:
            data = assertion.get("data")
            entries = data.get("entries") if isinstance(data, dict) else None
            yield label, entries if isinstance(entries, dict) else None
        elif "training-mining" in label:  # of another version
            yield label, None
