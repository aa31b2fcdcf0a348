"""The properties that every portal of HubSpot's and every account of Pipedrive's has, to catch a slip of the pen.

A path outside these tables is allowed: portals have properties of their own. One that is almost in them is a warning.

HubSpot: names with `hubspotDefined: true` in `GET /crm/v3/properties/{object}`, as the lists of n8n's HubSpot node have
them (`packages/nodes-base/nodes/Hubspot/V2/GenericFunctions.ts`), less what is made up for one account or long
discontinued. Pipedrive: the keys of the webhooks v2 and v1 in `tests/fixtures/pipedrive/`. Some names of HubSpot's tickets and
deals, and of Pipedrive's other objects, stand here without a page that was read for them: a name that is wrong may cost a
superfluous warning (R314), never an error.
"""

from functools import lru_cache
from typing import Final

_PERSONAL = (
    "firstname lastname salutation email work_email phone mobilephone fax jobtitle job_function seniority company"
)
_PLACE = "address city state zip country website industry annualrevenue"
_OWNER = "hubspot_owner_id hubspot_owner_assigneddate hubspot_team_id hs_all_owner_ids hs_all_team_ids"
_RECORD = (
    "hs_object_id hs_createdate hs_lastmodifieddate hs_merged_object_ids hs_created_by_user_id hs_updated_by_user_id"
)
_NOTES = "notes_last_contacted notes_last_updated notes_next_activity_date num_notes num_contacted_notes"
_SALES = "hs_sales_email_last_clicked hs_sales_email_last_opened hs_sales_email_last_replied hs_latest_meeting_activity"
_CONVERSION = "first_conversion_date first_conversion_event_name recent_conversion_date recent_conversion_event_name"
_MONEY = "recent_deal_amount recent_deal_close_date total_revenue num_associated_deals first_deal_created_date"
_SOURCE = "hs_analytics_source hs_analytics_source_data_1 hs_analytics_source_data_2"
_VISITS = "hs_analytics_num_page_views hs_analytics_num_visits hs_analytics_first_timestamp hs_analytics_last_timestamp"
_STAGE_DATES = " ".join(
    f"hs_lifecyclestage_{stage}_date"
    for stage in ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer",
                  "evangelist", "other")
)  # fmt: skip

_HUBSPOT: Final = {
    "contact": f"""{_PERSONAL} {_PLACE} {_OWNER} {_RECORD} {_NOTES} {_SALES} {_CONVERSION} {_MONEY} {_SOURCE} {_VISITS}
        {_STAGE_DATES} lifecyclestage hs_lead_status createdate lastmodifieddate closedate days_to_close date_of_birth
        gender marital_status relationship_status degree school field_of_study graduation_date start_date message photo
        numemployees company_size associatedcompanyid associatedcompanylastupdated hubspotscore hs_language hs_persona
        hs_legal_basis hs_buying_role hs_additional_emails hs_email_domain hs_email_optout hs_email_bounce hs_email_open
        hs_email_click hs_email_delivered hs_email_quarantined hs_email_last_send_date hs_email_last_open_date
        hs_email_last_click_date hs_email_last_email_name hs_marketable_status hs_marketable_reason_type
        hs_calculated_phone_number hs_calculated_mobile_number hs_calculated_phone_number_country_code
        hs_sequences_is_enrolled hs_feedback_last_nps_rating hs_feedback_last_survey_date hs_ip_timezone ip_city
        ip_country ip_country_code ip_state ip_zipcode num_conversion_events num_unique_conversion_events
        hs_predictivescoringtier hs_predictivecontactscore_v2 twitterhandle hs_is_unworked""",
    "company": f"""{_PLACE} {_OWNER} {_RECORD} {_NOTES} {_CONVERSION} {_MONEY} {_SOURCE} {_VISITS} name domain phone address2
        description type about_us founded_year is_public timezone createdate closedate days_to_close lifecyclestage
        hs_lead_status numberofemployees num_associated_contacts num_conversion_events total_money_raised
        hs_additional_domains hs_parent_company_id hs_num_child_companies hs_num_open_deals hs_num_decision_makers
        hs_total_deal_value hs_target_account hs_is_target_account hs_ideal_customer_profile web_technologies hubspotscore
        first_contact_createdate hs_last_booked_meeting_date hs_last_logged_call_date hs_last_open_task_date
        linkedin_company_page facebook_company_page twitterhandle hs_latest_meeting_activity""",
    "deal": f"""{_OWNER} {_RECORD} {_NOTES} {_SOURCE} dealname dealstage dealtype amount amount_in_home_currency
        deal_currency_code pipeline closedate createdate days_to_close description closed_lost_reason closed_won_reason
        hs_acv hs_arr hs_mrr hs_tcv hs_campaign hs_closed_amount hs_closed_amount_in_home_currency
        hs_deal_stage_probability hs_forecast_amount hs_forecast_probability hs_is_closed hs_is_closed_won
        hs_likelihood_to_close hs_manual_forecast_category hs_next_step hs_priority hs_projected_amount
        hs_projected_amount_in_home_currency num_associated_contacts hs_sales_email_last_replied hs_latest_meeting_activity""",
    "ticket": f"""{_OWNER} {_RECORD} {_NOTES} subject content createdate closed_date source_type hs_pipeline hs_pipeline_stage
        hs_ticket_category hs_ticket_priority hs_resolution time_to_close time_to_first_agent_reply first_agent_reply_date
        last_reply_date""",
    "conversation": "assignedTo status isArchived message_id message_type",
}  # fmt: skip

_DATED = "id add_time update_time visible_to owner_id"

_PIPEDRIVE: Final = {
    "deal": f"""{_DATED} title value currency status stage_id pipeline_id person_id org_id user_id creator_user_id
        person_name org_name owner_name stage_change_time expected_close_date close_time won_time lost_time first_won_time
        local_won_date local_lost_date local_close_date lost_reason probability label label_ids channel channel_id origin
        origin_id cc_email active deleted is_deleted is_archived archive_time formatted_value weighted_value acv arr mrr
        next_activity_date next_activity_time next_activity_id last_activity_id last_activity_date activities_count
        done_activities_count undone_activities_count products_count followers_count participants_count notes_count
        files_count email_messages_count""",
    "person": f"""{_DATED} name first_name last_name email emails phone phones org_id org_name owner_name company_id
        label label_ids picture_id active_flag is_deleted job_title birthday im notes postal_address cc_email
        marketing_status open_deals_count won_deals_count lost_deals_count closed_deals_count activities_count
        next_activity_date next_activity_time last_activity_date merged_to_id merged_ids""",
    "organization": f"""{_DATED} name address country_code label label_ids picture_id active_flag is_deleted owner_name
        cc_email people_count open_deals_count won_deals_count lost_deals_count closed_deals_count activities_count
        website linkedin industry annual_revenue employee_count next_activity_date last_activity_date merged_to_id
        merged_ids""",
    "lead": f"""{_DATED} title value person_id organization_id label_ids expected_close_date is_archived was_seen
        source_name origin origin_id channel channel_id next_activity_id creator_id cc_email""",
    "activity": f"""{_DATED} subject type done due_date due_time duration deal_id lead_id person_id org_id project_id
        location note public_description priority busy busy_flag active_flag is_deleted creator_user_id update_user_id
        participants attendees marked_as_done_time conference_meeting_client conference_meeting_url
        conference_meeting_id user_id""",
    "user": """id name email phone is_admin active_flag role_id lang locale timezone_name timezone_offset created modified
        default_currency icon_url last_login has_created_company""",
}  # fmt: skip

STANDARD: Final[dict[str, dict[str, frozenset[str]]]] = {
    source: {word: frozenset(names.split()) | {"id"} for word, names in objects.items()}
    for source, objects in (("hubspot", _HUBSPOT), ("pipedrive", _PIPEDRIVE))
}
"""Source -> object -> the first word of its paths behind the object."""

_SHORTEST = 4
_LONG = 7
"""Letters from which on one wrong letter is a slip: `contact.stage` may well be a property, and is not `state`."""
_WORDS_OF_THEIR_OWN: Final = frozenset(
    ("context", "county", "create", "delete", "local", "note", "stat", "stats", "tile")
)
"""One letter away from a standard property, and names that somebody may well have given."""


def meant(source: str, word: str, name: str) -> str | None:
    """The standard property that this name almost is; None if it is one, or like none.

    Almost: the same but for capitals, `_` and `-`; or two letters are swapped; or one is missing or doubled; or, in a long
    name, wrong or too many. A digit that makes the difference is one that somebody put there (`phone2`).
    """
    names = STANDARD.get(source, {}).get(word, frozenset())
    if not names or name in names:
        return None
    by_fold, by_slip = _neighbours(source, word)
    if (found := by_fold.get(_fold(name))) is not None:
        return found
    if name in _WORDS_OF_THEIR_OWN:
        return None
    candidates = sorted({by_slip[slip] for slip in _slips(name) if slip in by_slip})
    return next((other for other in candidates if _is_one_slip(name, other) and _digits(other) == _digits(name)), None)


@lru_cache
def _neighbours(source: str, word: str) -> tuple[dict[str, str], dict[str, str]]:
    """Folded name -> name, and every slip of a name -> name."""
    names = sorted(STANDARD[source][word])
    return {_fold(name): name for name in names}, {slip: name for name in names for slip in _slips(name)}


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _slips(name: str) -> set[str]:
    """The name, and the name without one of its letters: two names that are one slip apart share one of these."""
    if len(name) < _SHORTEST:
        return set()
    return {name} | {name[:at] + name[at + 1 :] for at in range(len(name))}


def _is_one_slip(name: str, other: str) -> bool:
    """Whether one letter is wrong, missing, too many, or swapped with the next: `counter` is not `country`."""
    long = min(len(name), len(other)) >= _LONG
    if len(name) < len(other):
        singular = f"{name}s" == other and not other.endswith(("ss", "us"))
        return name in _slips(other) and (long or (name[0] == other[0] and not singular))
    if len(name) > len(other):
        return other in _slips(name) and (long or _with_one_doubled(other, name))
    wrong = [at for at in range(len(name)) if name[at] != other[at]]
    first, last = wrong[0], wrong[-1]
    swapped = last == first + 1 and name[first : last + 1] == other[last] + other[first]
    return (long and len(wrong) == 1) or swapped


def _with_one_doubled(name: str, longer: str) -> bool:
    return any(name[:at] + name[at - 1] + name[at:] == longer for at in range(1, len(name) + 1))


def _digits(name: str) -> str:
    return "".join(letter for letter in name if letter.isdigit())
