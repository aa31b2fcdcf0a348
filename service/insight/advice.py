"""What a person does about a dead letter."""

from service.store.records import DeadLetter

_DATA = {"missing_value", "bad_phone", "no_mobile", "bad_value", "bad_date", "no_identity", "bad_identifier"}
_DATA |= {"unsendable_value", "bad_arguments", "campaign_too_large", "too_many_pages"}
_AWAY = {"rate_limited", "unavailable", "unreachable", "unreadable_answer", "unreadable_token", "token_busy"}
_AWAY |= {"campaign_being_read", "server_error"}
_SAID = {
    "expired": "A retry gives it another day; drop it if doing it this late would be a surprise.",
    "opted_out": "The contact does not want to be written to: drop it.",
    "internal_error": "The worker's log tells the fault; retry once it is mended.",
    "unreadable_run": "Retry once all workers run the version that accepted it.",
    "account_unknown": "Add the account to SLUICE_SAKARI_ACCOUNTS of the workers; then retry.",
    **dict.fromkeys(
        ("unauthorized", "bad_credentials", "token_refused"),
        "Mend the account's credentials, see `sluice accounts`; then retry.",
    ),
    **dict.fromkeys(_AWAY, "Retry once `sluice accounts` says that Sakari answers again."),
}


def advice(letter: DeadLetter) -> str:
    """Say what to do about a letter, in a sentence or two, with code between backticks."""
    replay = f"`sluice events replay {letter.event_id or 'EVENT'}`"
    if letter.kind == "delivery":
        return (
            "It holds no run, so it cannot be retried, and the CRM takes it for delivered. If it was meant, change the"
            " record in the CRM once more, or let the CRM send it again; then drop this letter."
        )
    if letter.kind == "rule":
        return f"Mend the rule; then {replay} runs the event through it."
    if letter.reason.startswith("uncertain_"):
        return "Look in Sakari whether it was done: if it was, drop it; if not, retry."
    if letter.reason in ("rule_unknown", "ruleset_unknown"):
        return f"Its rules are not kept any more: {replay} decides anew, under today's."
    if letter.reason in _DATA:
        return (
            "A retry would send the same again. Mend the record in the CRM, whose change is a new event, and drop this;"
            f" or mend the rule, and {replay}."
        )
    refused = "Sakari refused it. Mend what its answer names and retry; drop it if it is not wanted any more."
    return _SAID.get(letter.reason, refused)
