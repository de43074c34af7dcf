"""Finding rules, in the package and in rule packs, and choosing among them. The packs are real files on the path."""

import itertools
from pathlib import Path

import pytest

from hegui.rules import labelling
from hegui.rules.catalog import FAMILIES, choose, find_rules
from hegui.rules.core import Rule, RuleError
from hegui.rules.policy import RuleOverride, RuleSelection
from tests.rules.builders import a_rule, rule_ids

NAMES = (f"hegui_test_pack_{number}" for number in itertools.count())
MODULE = "from tests.rules.builders import a_rule\n\n{name} = a_rule({rule_id!r})\n"


def install_pack(folder: Path, files: dict[str, str], entry: str) -> str:
    """Lay out an installed rule pack; return its name. `{pack}` stands for the name."""
    name = next(NAMES)
    for path, text in files.items():
        target = folder / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace("{pack}", name), "utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[hegui.rules]\nmine = {entry.replace('{pack}', name)}\n", "utf-8")
    return name


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_every_rule_of_the_package_is_found_in_the_order_of_ids() -> None:
    ids = rule_ids(find_rules())
    assert ids == sorted(ids)
    folder = Path(labelling.__file__).parent.parent
    files = [path for family in FAMILIES for path in (folder / family).glob("[a-z][a-z][a-z][0-9][0-9][0-9]_*.py")]
    assert ids == sorted(path.name[:6].upper() for path in files)


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        ({"__init__.py": "", "xyz001_a.py": MODULE.format(name="a", rule_id="XYZ001")}, "{pack}"),
        ({"__init__.py": MODULE.format(name="a", rule_id="XYZ001")}, "{pack}"),
        (
            {
                "__init__.py": "from {pack}.xyz001_a import a\n",
                "xyz001_a.py": MODULE.format(name="a", rule_id="XYZ001"),
            },
            "{pack}",
        ),
        (
            {"__init__.py": MODULE.format(name="a", rule_id="XYZ001") + "\ndef rules():\n    return [a]\n"},
            "{pack}:rules",
        ),
        ({"__init__.py": "", "one.py": MODULE.format(name="a", rule_id="XYZ001")}, "{pack}.one"),
    ],
    ids=["modules of a package", "package itself", "re-exported by the package", "function", "one module"],
)
def test_a_rule_of_an_installed_pack_is_found_once(packs: Path, files: dict[str, str], entry: str) -> None:
    before = rule_ids(find_rules())
    install_pack(packs, files, entry)
    assert rule_ids(find_rules()) == [*before, "XYZ001"]


def test_two_rules_of_one_id_are_refused(packs: Path) -> None:
    install_pack(packs, {"__init__.py": MODULE.format(name="a", rule_id="LBL001")}, "{pack}")
    sentence = (
        "rule id LBL001 is used by hegui.rules.labelling.lbl001_explicit_label_missing and tests.rules.builders; "
        "ids are never reused"
    )
    with pytest.raises(RuleError, match=sentence):
        find_rules()


def test_a_rule_in_the_folder_of_another_family_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def stray(event: object, facts: object) -> None: ...

    stray.__module__ = "hegui.rules.labelling.opt901_stray"
    monkeypatch.setattr(labelling, "stray", a_rule("OPT901", stray), raising=False)
    with pytest.raises(RuleError, match="rule OPT901 lies in the family labelling; its id must begin with LBL"):
        find_rules()


RULES = (a_rule("LBL901"), a_rule("LBL902"), a_rule("OPT901"), a_rule("OPT902", stage="deprecated"))


@pytest.mark.parametrize(
    ("selection", "ids"),
    [
        (RuleSelection(), ["LBL901", "LBL902", "OPT901"]),
        (RuleSelection(select=()), []),
        (RuleSelection(select=("LBL",)), ["LBL901", "LBL902"]),
        (RuleSelection(select=("LBL902", "OPT")), ["LBL902", "OPT901"]),
        (RuleSelection(ignore=("LBL",)), ["OPT901"]),
        (RuleSelection(ignore=("LBL901",)), ["LBL902", "OPT901"]),
        (RuleSelection(select=("LBL",), ignore=("ALL",)), []),
        (RuleSelection(select=("OPT",)), ["OPT901"]),
        (RuleSelection(select=("OPT902",)), ["OPT902"]),
    ],
)
def test_selectors_are_ids_prefixes_or_all_and_deprecated_rules_are_named(
    selection: RuleSelection, ids: list[str]
) -> None:
    assert rule_ids(choose(RULES, selection)) == ids


def test_overrides_change_the_chosen_rule_only() -> None:
    override = {"LBL901": RuleOverride(severity="low"), "LBL902": RuleOverride(stage="sandbox")}
    chosen: dict[str, Rule] = {rule.id: rule for rule in choose(RULES, RuleSelection(override=override))}
    assert (chosen["LBL901"].severity, chosen["LBL901"].stage) == ("low", "stable")
    assert (chosen["LBL902"].severity, chosen["LBL902"].stage) == ("high", "sandbox")
    assert chosen["OPT901"] is RULES[2]
