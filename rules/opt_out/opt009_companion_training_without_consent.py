"""OPT009."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_COMPANION = {"svc": {"companion": True}}


@rule(
    "OPT009",
    on=GenerationEvent,
    zh="拟人化互动服务未经单独同意将用户敏感个人信息用于训练",
    severity="critical",
    basis=(law.ANTHROPOMORPHIC_ART_16,),
    when={"companion": {True}, "train_use": {True}, "sensitive_personal_information": {True}},
    waivable=False,
    cases=(
        fails(
            "no consent",
            train_use=True,
            sensitive_personal_information=True,
            training_consent_reference="",
            given=_COMPANION,
        ),
        passes(
            "separate consent",
            train_use=True,
            sensitive_personal_information=True,
            training_consent_reference="consent-1",
            given=_COMPANION,
        ),
        skips("no companion", train_use=True, sensitive_personal_information=True, training_consent_reference=""),
        skips(
            "not for training",
            sensitive_personal_information=True,
            training_consent_reference="",
            given=_COMPANION,
        ),
        skips("nothing sensitive", train_use=True, training_consent_reference="", given=_COMPANION),
        skips(
            "before the law",
            at="2026-07-14T23:59:59+08:00",
            train_use=True,
            sensitive_personal_information=True,
            training_consent_reference="",
            given=_COMPANION,
        ),
        unclear("consent not stated", train_use=True, sensitive_personal_information=True, given=_COMPANION),
        unclear(
            "use unknown",
            train_use=None,
            sensitive_personal_information=True,
            training_consent_reference="",
            given=_COMPANION,
        ),
        unclear(
            "sensitive or not is unknown",
            train_use=True,
            sensitive_personal_information=None,
            training_consent_reference="",
            given=_COMPANION,
        ),
        unclear(
            "companion or not is unknown",
            train_use=True,
            sensitive_personal_information=True,
            training_consent_reference="",
            given={"svc": {"companion": None}},
        ),
        unclear(
            "unknown service",
            service="nobody",
            train_use=True,
            sensitive_personal_information=True,
            training_consent_reference="",
        ),
    ),
)
def companion_training_without_consent(event: GenerationEvent, facts: Facts) -> Result:
    """A companion service marks sensitive interaction data for training without separate consent.

    Why: people tell a companion what they tell nobody else. Sensitive personal information of such interaction may
    train a model only with the user's separate consent. What a model has learned cannot be taken back.

    When it fires:
    1. Stop the training queue of that service; find the interactions by the violations' `source` and `id`.
    2. Check how the service asks for the separate consent and when it sets `train_use`.
    3. Take the interactions out of the queue; tell the data protection officer which datasets they had reached.
    """
    reference = event.training_consent_reference
    if reference:
        return PASS
    if reference is None:
        return inconclusive("training_consent_reference")
    return fail("no separate consent to training", lacks=Code("training_consent_reference"))
