"""Training and data mining assertions of C2PA manifests, as JSON: labels `c2pa.training-mining` and `cawg.training-mining` (CAWG TDM 1.1).

A manifest does not say of which file or page it is, so the object holds beside it what the extractor knows: `url`, `content_sha256` or `work`. The
manifest stands at `manifests` (what a reader of C2PA prints), `manifest`, or the `assertions` themselves do. Signatures are not checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hegui.rules.fact_tables import OptOut
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import Reading, statement
from hegui.streams.optouts.paths import evidence
from hegui.streams.optouts.remarks import Remark
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


def read_object(found: dict[str, Any], reading: Reading, line: int) -> Iterator[OptOut | Remark]:
    """Yield the statements of the manifest in one object."""
    subjects = [(scheme, found[name]) for name, scheme in _SUBJECTS.items() if isinstance(found.get(name), str)]
    if not subjects and reading.url is not None:
        subjects = [("url", reading.url)]
    if not subjects:
        yield Remark(line, "no_address")
        return
    said: dict[tuple[str, str], list[str]] = {}
    for label, entries in _assertions(found):
        for name, entry in entries.items():
            kind = name.rpartition(".")[2] if isinstance(name, str) else ""
            if kind not in _ENTRIES:
                continue
            category, yes_counts = _ENTRIES[kind]
            value = _USES.get(str(entry.get("use")), "unknown") if isinstance(entry, dict) else "unknown"
            if value == "unknown":
                yield Remark(line, "value_unknown")
            elif value == "deny" or yes_counts:
                said.setdefault((label.partition(".")[0] + "-training-mining", category), []).append(value)
    if said:
        yield Remark(line, "signature")
    for (source, category), values in said.items():
        for scheme, subject in subjects:
            try:
                yield statement(
                    scheme,
                    subject,
                    strictest(values),
                    reading.at_ms,
                    source=source,
                    category=category,
                    evidence=evidence(reading, line),
                )
            except OptOutError as error:
                yield Remark(line, error.reason)


def _assertions(found: dict[str, Any]) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Yield label and entries of every assertion about training, of the active manifest where several are stored."""
    manifest: Any = found.get("manifest", found)
    manifests = found.get("manifests")
    if isinstance(manifests, dict):
        active = found.get("active_manifest")
        manifest = manifests.get(active) if isinstance(active, str) else next(iter(manifests.values()), None)
    assertions = manifest.get("assertions") if isinstance(manifest, dict) else None
    for assertion in assertions if isinstance(assertions, list) else ():
        if not isinstance(assertion, dict):
            continue
        label = str(assertion.get("label")).partition("__")[0]  # a second one of a kind is numbered
        data = assertion.get("data")
        entries = data.get("entries") if isinstance(data, dict) else None
        if label in LABELS and isinstance(entries, dict):
            yield label, entries
