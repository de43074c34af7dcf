"""The policy: what the schema refuses, and each refusal of `check_policy` with its sentence."""

import re
from typing import Any

import msgspec
import pytest

from hegui.rules.policy import Policy, PolicyError, RuleOverride, check_policy, contradictions

RULES = (("LBL001", True), ("LBL002", True), ("LOC001", False))
SERVICE = {"name": "svc", "team": "t"}
WAIVER = {
    "id": "w-1",
    "scope": "LBL001@default/svc",
    "reason": "a reason that is long enough",
    "ticket": "T-1",
    "owner": "Zhang San",
    "approver": "Li Si",
    "valid_from": "2026-01-01T00:00:00+08:00",
    "valid_to": "2026-06-01T00:00:00+08:00",
}


def a_policy(**parts: Any) -> Policy:
    return msgspec.convert({"version": "v1", "services": [SERVICE], **parts}, Policy)


def waived(**changes: str) -> dict[str, Any]:
    return {"waivers": [{**WAIVER, **changes}]}


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"services": []},
        {"services": [SERVICE, {**SERVICE, "tenant": "a"}]},
        {"services": [{**SERVICE, "entity": "e"}], "entities": [{"name": "e"}]},
        {"rules": {"select": ["LBL", "LOC001"], "ignore": ["LBL002"], "override": {"LBL001": {"severity": "low"}}}},
        waived(),
        waived(valid_to="2027-01-02T00:00:00+08:00"),
        {**waived(valid_to="2026-01-31T00:00:00+08:00"), "max_waiver_days": 30},
    ],
)
def test_a_policy_that_is_right_is_taken(parts: dict[str, Any]) -> None:
    check_policy(a_policy(**parts), RULES)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"services": [SERVICE, SERVICE]}, "services: 'default/svc' stands twice; keep one"),
        ({"entities": [{"name": "e"}, {"name": "e"}]}, "entities: 'e' stands twice; keep one"),
        ({"waivers": [WAIVER, WAIVER]}, "waivers: 'w-1' stands twice; keep one"),
        (
            {"services": [{**SERVICE, "entity": "e"}]},
            "services: svc names the entity 'e'; add it under `entities`",
        ),
        ({"rules": {"select": ["XYZ"]}}, "rules.select: no rule begins with 'XYZ'; see `hegui rules list`"),
        ({"rules": {"ignore": ["LBL999"]}}, "rules.ignore: no rule begins with 'LBL999'; see `hegui rules list`"),
        ({"rules": {"ignore": [""]}}, "rules.ignore: "),
        ({"rules": {"override": {"LBL999": {}}}}, "rules.override: "),
        ({"rules": {"override": {"LBL": {"severity": "low"}}}}, "rules.override: "),
        ({"rules": {"override": {"ALL": {"severity": "low"}}}}, "rules.override: "),
        (
            waived(scope="LBL999@default/svc"),
            "waivers: w-1 names the rule 'LBL999', which does not exist; see `hegui rules list`",
        ),
        (
            waived(scope="LOC001@default/svc"),
            "waivers: w-1 waives LOC001, which may not be waived; remove the waiver and mend the cause",
        ),
        (
            waived(scope="LBL001"),
            "waivers: w-1: the scope 'LBL001' is not of the form RULE@TENANT/SERVICE; write it as MOD001@default/chat-assistant",
        ),
        (
            waived(scope="LBL001@default/nobody"),
            "waivers: w-1 names the service 'nobody', which is not under `services` of tenant 'default'",
        ),
        (
            waived(scope="LBL001@a/svc"),
            "waivers: w-1 names the service 'svc', which is not under `services` of tenant 'a'",
        ),
        (
            waived(approver=" zhang SAN "),
            "waivers: w-1 has one person as owner and approver; have somebody else approve it",
        ),
        (
            waived(valid_to=WAIVER["valid_from"]),
            "waivers: w-1 ends before it begins; set valid_to after valid_from",
        ),
        (
            waived(valid_to="2027-01-02T00:00:01+08:00"),
            "waivers: w-1 runs longer than 366 days; shorten it and renew it when it is reviewed",
        ),
        (
            {**waived(valid_to="2026-01-31T00:00:01+08:00"), "max_waiver_days": 30},
            "waivers: w-1 runs longer than 30 days; shorten it and renew it when it is reviewed",
        ),
        ({"services": [{**SERVICE, "name": "other"}]}, "services: "),
        ({"services": [{**SERVICE, "tenant": "other"}]}, "services: "),
        ({"entities": [{"name": "other"}]}, "entities: 'other'"),
        (
            {
                "entities": [
                    {
                        "name": "e",
                        "export_mechanisms": [
                            {
                                "kind": "certification",
                                "reference": "r",
                                "valid_from": "2026-01-02T00:00:00+08:00",
                                "valid_to": "2026-01-01T00:00:00+08:00",
                            }
                        ],
                    }
                ]
            },
            "entities: ",
        ),
        (
            {
                "filings": [
                    {
                        "model": "m",
                        "number": "n",
                        "valid_from": "2026-01-02T00:00:00+08:00",
                        "valid_to": "2026-01-01T00:00:00+08:00",
                    }
                ]
            },
            "filings: ",
        ),
        ({"rules": {"ignore": ["ALL"]}}, "rules: no rule is on"),
        ({"rules": {"select": []}}, "rules: no rule is on"),
        (
            {"services": [{**SERVICE, "provider_code": "001191440300708461137T1XGW3"}]},
            "services: svc: provider_code '001191440300708461137T1XGW3' is not valid (checksum)",
        ),
        (
            {"services": [{**SERVICE, "provider_code": "001191440300708461136T2XGW3"}]},
            "services: svc: provider_code '001191440300708461136T2XGW3' is not valid (form)",
        ),
        (
            {
                "services": [
                    {
                        **SERVICE,
                        "models": ["m"],
                        "safety_assessments": [
                            {
                                "reference": "a-1",
                                "model": "n",
                                "model_version": "1",
                                "valid_from": "2026-01-02T00:00:00+08:00",
                            }
                        ],
                    }
                ]
            },
            "services: svc: the assessment a-1 is of the model 'n'",
        ),
        ({"speech_rate_from": 150, "speech_rate_to": 140}, "speech_rate_from: 150 is above speech_rate_to 140"),
        (
            {
                "entities": [
                    {
                        "name": "e",
                        "export_mechanisms": [
                            {
                                "kind": "certification",
                                "reference": "c-1",
                                "valid_from": "2026-01-02T00:00:00+08:00",
                                "valid_to": "2036-01-01T00:00:00+08:00",
                            }
                        ],
                    }
                ]
            },
            "entities: e: certification runs from 2026-01-02 to 2036-01-01",
        ),
        ({"person_keys": [{"controller": "e", "year": 2026, "key_id": "1"}]}, "person_keys: 'e' is no controller"),
        (
            {
                "entities": [{"name": "e"}],
                "person_keys": [{"controller": "e", "year": 2026, "key_id": "1"}] * 2,
            },
            "person_keys: 'e 2026' stands twice",
        ),
        (waived(reason=" " * 12), "waivers: w-1: reason is blank"),
        (waived(ticket=" "), "waivers: w-1: ticket is blank"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused_with_a_sentence(parts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PolicyError, match="^" + re.escape(sentence)):
        check_policy(a_policy(**parts), RULES)


@pytest.mark.parametrize(
    "parts",
    [
        {"version": ""},
        {"version": "a b"},
        {"colour": "red"},
        {"services": [{**SERVICE, "name": "张三"}]},
        {"services": [{**SERVICE, "name": "a|b"}]},
        {"services": [{**SERVICE, "name": "svc\n"}]},
        {"services": [{**SERVICE, "role": "reader"}]},
        {"services": [{**SERVICE, "provider_code": "0011"}]},
        waived(rule="lbl001"),
        waived(reason="short"),
        waived(valid_from="2026-01-01T00:00:00"),
        {"max_waiver_days": 367},
        {"max_waiver_days": 0},
        {"robots_max_age_hours": 0},
        {"opt_out_grace_seconds": -1},
        {"rules": {"override": {"LBL001": {"severity": "urgent"}}}},
    ],
)
def test_the_schema_refuses(parts: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        a_policy(**parts)


def test_an_override_may_change_nothing() -> None:
    assert RuleOverride() == RuleOverride(None, None)


@pytest.mark.parametrize(
    ("regions", "region", "inside"),
    [
        (["cn"], "cn", True),
        (["cn"], "CN", True),
        (["cn"], "cn-north-1", True),
        (["cn"], "CN-BJ", True),
        (["cn"], "cnx", False),
        (["cn"], "c", False),
        (["cn"], "", False),
        (["cn"], "us-east-1", False),
        (["ap-guangzhou", "ap-beijing"], "ap-beijing-3", True),
        (["ap-guangzhou", "ap-beijing"], "ap-singapore", False),
        (["CN"], "cn-north-1", True),
        ([], "cn", False),
        (["cn"], "cn-hongkong", False),
        (["cn"], "CN-HK", False),
        (["cn"], "cn-mo", False),
        (["cn"], "CN-TW", False),
    ],
)
def test_which_regions_lie_in_the_mainland(regions: list[str], region: str, inside: bool) -> None:
    assert a_policy(mainland_regions=regions).in_mainland(region) is inside


def test_every_contradiction_is_told() -> None:
    policy = a_policy(
        services=[{**SERVICE, "entity": "nobody"}],
        rules={"select": ["ALL", "XYZ"]},
        speech_rate_from=150,
        speech_rate_to=140,
    )
    told = list(contradictions(policy, RULES))
    assert [sentence.partition(":")[0] for sentence in told] == ["services", "rules.select", "speech_rate_from"]
