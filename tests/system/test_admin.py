"""The admin API: nobody without a token, and the same dead letters as on the command line."""

import pytest

from tests.system.conftest import Installation, a_new_id, hubspot, until

TOKEN = {"authorization": "Bearer admin-new"}


async def _get(installation: Installation, path: str, proof: str = TOKEN["authorization"]) -> tuple[int, object]:
    headers = {b"authorization": proof.encode("latin-1")}
    answer = await installation.http.get(installation.environ["SLUICE_PUBLIC_URL"] + path, headers=headers)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("path", ["/api/events", "/api/events/1-1", "/api/dead", "/api/dead/x", "/api/accounts"])
@pytest.mark.parametrize("proof", ["", "Bearer wrong", "Basic admin-new", "Bearer", "bearer adminä"])
async def test_without_a_token_there_is_nothing_to_see(installation: Installation, path: str, proof: str) -> None:
    assert (await _get(installation, path, proof))[0] == 401
    url = installation.environ["SLUICE_PUBLIC_URL"]
    assert (await installation.http.post(url + "/api/dead/drop", json={"which": {}})).status_code == 401


async def test_an_event_is_shown_masked_unless_asked_otherwise(installation: Installation) -> None:
    who = a_new_id()
    await installation.hubspot(hubspot(who, "email", "ada@example.com"))
    story = await installation.story(who)
    status, masked = await _get(installation, f"/api/events/{story.id}")
    assert status == 200
    assert "ada@example.com" not in str(masked)
    _, whole = await _get(installation, f"/api/events/{story.id}?unmasked=true")
    assert "ada@example.com" in str(whole)
    _, listed = await _get(installation, "/api/events?most=5")
    assert isinstance(listed, list)
    assert listed[0]["entry"]["event"]["object_id"] == str(who)


async def test_what_is_not_there_or_no_id_says_so(installation: Installation) -> None:
    assert (await _get(installation, "/api/events/1-1"))[0] == 404
    assert (await _get(installation, "/api/events/nonsense"))[0] == 400
    assert (await _get(installation, "/api/dead/nonsense"))[0] == 404
    assert (await _get(installation, "/api/dead?most=0"))[0] == 400


async def test_a_dead_letter_is_found_retried_and_done(installation: Installation) -> None:
    who = a_new_id()
    url = installation.environ["SLUICE_PUBLIC_URL"] + "/api/dead/"
    await installation.misbehave({"method": "POST", "path": "/attributes/", "status": 400, "times": 1})
    await installation.hubspot(hubspot(who, "counter", "1"))
    await installation.story(who)
    _, letters = await _get(installation, f"/api/dead?object_id=contact/{who}&reason=http_400&rule=counter")
    assert isinstance(letters, list)
    (letter,) = letters
    assert (await _get(installation, f"/api/dead/{letter['id']}"))[1] == letter

    assert (await installation.http.post(url + "retry", json={}, headers=TOKEN)).status_code == 400
    assert (await installation.http.post(url + "burn", json={"ids": []}, headers=TOKEN)).status_code == 400
    answer = await installation.http.post(url + "retry", json={"which": {"object": f"contact/{who}"}}, headers=TOKEN)
    assert answer.json() == {"done": 1, "gone": 0, "refused": 0, "ids": [letter["id"]]}

    async def done() -> bool | None:
        return (await installation.story(who)).runs["counter"].state == "done" or None

    await until(done)
    answer = await installation.http.post(url + "drop", json={"ids": [letter["id"]]}, headers=TOKEN)
    assert answer.json() == {"done": 0, "gone": 1, "refused": 0, "ids": []}


async def test_the_accounts_are_shown_with_their_pace_and_circuit(installation: Installation) -> None:
    who = a_new_id()
    await installation.hubspot(hubspot(who))
    await installation.story(who)
    status, accounts = await _get(installation, "/api/accounts")
    assert status == 200
    assert isinstance(accounts, list)
    assert [(a["name"], a["rate"], a["circuit"]) for a in accounts] == [("default", 100_000, "closed")]
