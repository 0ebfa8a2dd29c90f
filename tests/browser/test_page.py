"""The live page, as somebody uses it in a browser."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import TYPE_CHECKING, cast

import pytest
from botocore.credentials import Credentials
from playwright.sync_api import expect

from nimble_stop import NimbleClient, RetryPolicy, ServiceError, ThrottlingException
from nimble_stop.local import AccessKey, LocalNimble, ServiceFailure
from tests.browser.support import ask_admin, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.support import Scheme, Watched

SCREENS: list[tuple[int, Scheme]] = [(390, "light"), (390, "dark"), (1400, "light"), (1400, "dark")]
REFUSED = "Failed to load resource: net::ERR_CONNECTION_REFUSED"


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_a_session_stops_before_the_eyes_of_the_user(
    local: LocalNimble,
    client: NimbleClient,
    open_page: Callable[..., Watched],
    width: int,
    scheme: Scheme,
) -> None:
    """A session is seeded, stopped and completed elsewhere, and the page follows without a load."""
    watched = open_page(local, width=width, scheme=scheme)
    watched.expect_connection("Live")
    watched.page.evaluate("window.isTheSamePage = true")
    row = watched.row("sessions", "session-1")

    ask_admin(local, "POST", "sessions", {"studioId": "studio-1", "sessionId": "session-1"})
    expect(row.locator(".badge")).to_have_text("READY")
    client.stop_session("studio-1", "session-1")
    expect(row.locator(".badge")).to_have_text("STOP_IN_PROGRESS")
    expect(watched.row("journal", "StopStreamingSession")).to_contain_text("applied")
    ask_admin(local, "POST", "sessions/studio-1/session-1/complete")
    expect(row.locator(".badge")).to_have_text("STOPPED")

    assert watched.page.evaluate("window.isTheSamePage")
    assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_a_fault_is_added_by_the_form_and_strikes(
    local: LocalNimble,
    client: NimbleClient,
    open_page: Callable[..., Watched],
    width: int,
    scheme: Scheme,
) -> None:
    """The form adds a fault; the journal shows where it happened, and the list how often."""
    local.add_session(studio_id="studio-1", session_id="session-1")
    impatient = client.with_options(retry=RetryPolicy(max_attempts=1))
    watched = open_page(local, width=width, scheme=scheme)
    page = watched.page

    page.get_by_role("button", name="Add fault").click()
    form = page.get_by_role("form", name="Add a fault")
    form.get_by_label("What happens").select_option("ServiceFailure")
    form.get_by_label("code", exact=True).fill("ThrottlingException")
    form.get_by_label("operation", exact=True).fill("StopStreamingSession")
    form.get_by_label("times", exact=True).fill("2")
    form.get_by_role("button", name="Add fault").click()
    fault = watched.row("faults", "ServiceFailure")
    expect(fault).to_contain_text("0, 2 left")
    with pytest.raises(ThrottlingException):
        impatient.stop_session("studio-1", "session-1")

    expect(fault).to_contain_text("1, 1 left")
    expect(watched.row("journal", "StopStreamingSession")).to_contain_text("ThrottlingException")
    fault.get_by_role("button", name="Remove").click()
    expect(fault).to_have_count(0)
    assert impatient.stop_session("studio-1", "session-1").state == "STOP_IN_PROGRESS"


def test_the_form_offers_what_the_endpoint_knows(
    local: LocalNimble, open_page: Callable[..., Watched]
) -> None:
    """Every kind of fault and each of its members comes from the OpenAPI document."""
    schemas = ask_admin(local, "GET", "openapi.json")["components"]["schemas"]
    kinds = [reference["$ref"].rpartition("/")[2] for reference in schemas["Fault"]["oneOf"]]
    page = open_page(local).page
    page.get_by_role("button", name="Add fault").click()
    form = page.locator("#fault-form")

    assert form.locator("#fault-kind option").all_inner_texts() == kinds
    for kind in kinds:
        form.locator("#fault-kind").select_option(kind)
        names = form.locator("[name]").evaluate_all("(fields) => fields.map(({name}) => name)")
        assert {"fault", *names} == {*schemas[kind]["properties"]}


def test_a_mistake_in_a_form_says_what_is_allowed(
    local: LocalNimble, open_page: Callable[..., Watched]
) -> None:
    """What the endpoint refuses is shown with its own words, and the form stays as it was."""
    watched = open_page(local)
    watched.expected_trouble = ["the server responded with a status of 400"]
    page = watched.page
    page.get_by_role("button", name="Add fault").click()
    form = page.get_by_role("form", name="Add a fault")
    form.get_by_label("What happens").select_option("ResetBeforeChange")
    form.get_by_label("operation", exact=True).fill("StopSession")
    form.get_by_role("button", name="Add fault").click()

    watched.expect_message("StopStreamingSession")
    expect(form.get_by_label("operation", exact=True)).to_have_value("StopSession")


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_why_a_signature_was_refused(
    open_page: Callable[..., Watched],
    width: int,
    scheme: Scheme,
) -> None:
    """The row of a refused request opens what was sent and what the endpoint computed of it."""
    key = AccessKey("LOCALNIMBLE", "the-secret-of-the-endpoint", "the-session-token")
    wrong = Credentials("LOCALNIMBLE", "the-secret-of-somebody-else", "the-session-token")
    with LocalNimble(credentials=key) as local:
        watched = open_page(local, width=width, scheme=scheme)
        with (
            connect(local, wrong) as client,
            pytest.raises(ServiceError, match="InvalidSignatureException"),
        ):
            client.stop_session("studio-1", "session-1")
        row = watched.open_row("journal", "InvalidSignatureException")
        expect(row).to_contain_text("does not match")
        sent, canonical, to_sign = row.locator("pre").all_inner_texts()[:3]
        shown = watched.page.content()

    path = "/2020-08-01/studios/studio-1/streaming-sessions/session-1/stop"
    assert sent.startswith(f"POST {path}\n")
    assert canonical.startswith(f"POST\n{path}\n")
    assert "\nauthorization: AWS4-HMAC-SHA256 Credential=LOCALNIMBLE/" in sent
    assert sent.endswith("\n\n{}")
    assert "\nx-amz-security-token:***\n" in canonical
    assert to_sign.startswith("AWS4-HMAC-SHA256\n")
    for secret in (key.secret_access_key, wrong.secret_key, key.session_token):
        assert secret is not None
        assert secret not in shown


def test_which_scope_was_wrong(local: LocalNimble, open_page: Callable[..., Watched]) -> None:
    """A request that was signed for another region shows it beside the endpoint's own."""
    watched = open_page(local)
    with (
        NimbleClient(
            endpoint_url=local.endpoint_url,
            region_name="eu-west-1",
            credentials=local.credentials,
        ) as client,
        pytest.raises(ServiceError, match="valid region"),
    ):
        client.stop_session("studio-1", "session-1")
    row = watched.open_row("journal", "InvalidSignatureException")
    scopes = row.locator("pre").filter(has_text="/eu-west-1/nimble/aws4_request")
    expect(scopes.last).to_contain_text("/us-west-2/nimble/aws4_request")


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_reset(
    local: LocalNimble,
    client: NimbleClient,
    open_page: Callable[..., Watched],
    width: int,
    scheme: Scheme,
) -> None:
    """Reset asks first, and then everything is gone."""
    local.add_session(studio_id="studio-1", session_id="session-1")
    local.inject(ServiceFailure("ConflictException"), session_id="another")
    client.get_session("studio-1", "session-1")
    watched = open_page(local, width=width, scheme=scheme)
    page = watched.page
    expect(watched.row("sessions", "session-1")).to_be_visible()

    page.get_by_role("button", name="Reset…").click()
    page.get_by_role("button", name="Cancel").click()
    assert len(local.sessions) == 1
    page.get_by_role("button", name="Reset…").click()
    page.get_by_role("dialog").get_by_role("button", name="Reset").click()

    for table in ("sessions", "faults", "journal"):
        expect(watched.row(table, "")).to_have_count(0)
    assert (len(local.sessions), len(local.faults), len(local.requests)) == (0, 0, 0)


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_a_lost_connection_is_said_and_found_again(
    tmp_path: Path,
    open_page: Callable[..., Watched],
    width: int,
    scheme: Scheme,
) -> None:
    """While the endpoint is away the page says so, and shows what it missed when it is back."""
    local = LocalNimble(db=str(tmp_path / "store"), transition_seconds=None).start()
    local.add_session(studio_id="studio-1", session_id="session-1")
    watched = open_page(local, width=width, scheme=scheme)
    watched.expected_trouble = [REFUSED, "net::ERR_INCOMPLETE_CHUNKED_ENCODING"]
    watched.expect_connection("Live")
    watched.page.evaluate("window.isTheSamePage = true")

    local.close()
    watched.expect_connection("Connection lost, trying again")
    local.start()
    local.add_session(studio_id="studio-1", session_id="session-2")

    watched.expect_connection("Live")
    expect(watched.row("sessions", "session-2")).to_be_visible()
    local.complete_all()
    local.add_session(studio_id="studio-1", session_id="session-3")
    expect(watched.row("sessions", "session-3")).to_be_visible()
    assert watched.page.evaluate("window.isTheSamePage")
    local.close()


def test_the_time_of_the_sessions(open_page: Callable[..., Watched]) -> None:
    """A transition shows how long it takes; when the clock is advanced, it is complete."""
    with LocalNimble(transition_seconds=100) as local:
        local.add_session(studio_id="studio-1", session_id="session-1", state="STOP_IN_PROGRESS")
        watched = open_page(local)
        row = watched.row("sessions", "session-1")
        expect(row).to_contain_text("min left")

        watched.page.get_by_label("Seconds to advance").fill("100")
        watched.page.get_by_role("button", name="Advance").click()

        expect(row.locator(".badge")).to_have_text("STOPPED")
        expect(watched.page.locator("#clock-skipped")).to_have_text("(1:40 min ahead)")


def test_a_session_is_added_completed_and_deleted(
    local: LocalNimble, open_page: Callable[..., Watched]
) -> None:
    """What can be done to a session is done by a form and buttons, with the keyboard alone."""
    watched = open_page(local)
    page = watched.page
    page.get_by_role("button", name="Add session").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("studio-1")
    page.keyboard.press("Tab")
    page.keyboard.type("session-1")
    page.keyboard.press("Tab")
    page.keyboard.type("STOP_IN")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    row = watched.row("sessions", "session-1")
    expect(row.locator(".badge")).to_have_text("STOP_IN_PROGRESS")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Add session").first).to_be_focused()

    page.get_by_role("button", name="Complete the transition of session-1").press("Enter")
    expect(row.locator(".badge")).to_have_text("STOPPED")
    expect(row.locator(".toggle")).to_be_focused()
    page.get_by_role("button", name="Delete session-1").press("Enter")
    expect(row).to_have_count(0)
    assert not local.sessions


def test_the_focus_stays(local: LocalNimble, open_page: Callable[..., Watched]) -> None:
    """What changes elsewhere leaves the focus where it is, and what goes passes it on."""
    for number in range(3):
        local.add_session(studio_id="studio-1", session_id=f"session-{number}")
    watched = open_page(local)
    first, second = (watched.row("sessions", f"session-{n}").locator(".toggle") for n in (0, 1))
    first.focus()
    first.press("Enter")
    ask_admin(local, "POST", "sessions", {"studioId": "studio-1", "sessionId": "session-9"})
    expect(watched.row("sessions", "session-9")).to_be_visible()
    expect(first).to_be_focused()
    expect(watched.row("sessions", "session-0")).to_contain_text("Stop it, in Python")

    ask_admin(local, "DELETE", "sessions/studio-1/session-0")
    expect(second).to_be_focused()


def test_the_journal_is_filtered_paused_and_cleared(
    local: LocalNimble, client: NimbleClient, open_page: Callable[..., Watched]
) -> None:
    """A filter shows some requests, a pause holds the list, and clearing empties it everywhere."""
    for number in range(3):
        local.add_session(studio_id="studio-1", session_id=f"session-{number}")
        client.stop_session("studio-1", f"session-{number}")
    watched = open_page(local)
    page = watched.page
    rows = watched.row("journal", "")
    expect(rows).to_have_count(3)

    page.get_by_label("Filter requests by text").fill("session-1")
    expect(rows).to_have_count(1)
    page.get_by_label("Filter requests by text").fill("")
    page.get_by_label("Filter requests by outcome").select_option("Refused or failed")
    expect(page.locator("#journal-empty")).to_have_text("None matches the filter.")
    page.get_by_label("Filter requests by outcome").select_option("All requests")

    page.get_by_role("button", name="Pause").click()
    client.get_session("studio-1", "session-1")
    resume = page.get_by_role("button", name="Resume (1 new)")
    expect(resume).to_be_visible()
    expect(rows).to_have_count(3)
    resume.click()
    expect(rows).to_have_count(4)

    ask_admin(local, "DELETE", "requests")
    expect(rows).to_have_count(0)


def test_a_filter_of_states(local: LocalNimble, open_page: Callable[..., Watched]) -> None:
    """The states are listed with their numbers, and each shows its sessions alone."""
    for number in range(3):
        local.add_session(studio_id="studio-1", session_id=f"ready-{number}")
    local.add_session(studio_id="studio-1", session_id="stopped", state="STOPPED")
    watched = open_page(local)
    chip = watched.page.get_by_role("button", name="READY 3")
    chip.click()
    expect(watched.row("sessions", "")).to_have_count(3)
    assert chip.get_attribute("aria-pressed") == "true"
    expect(watched.page.locator("#sessions-count")).to_have_text("3 of 4")
    chip.click()
    expect(watched.row("sessions", "")).to_have_count(4)


def test_export_and_import(
    local: LocalNimble, open_page: Callable[..., Watched], tmp_path: Path
) -> None:
    """What was exported comes back by an import."""
    local.add_session(studio_id="studio-1", session_id="session-1")
    watched = open_page(local)
    page = watched.page
    expect(watched.row("sessions", "session-1")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert json.loads(file.read_text()) == local.export()
    local.reset()
    expect(watched.row("sessions", "")).to_have_count(0)

    page.locator("#import-file").set_input_files(file)
    page.get_by_role("dialog").get_by_role("button", name="Import").click()
    expect(watched.row("sessions", "session-1")).to_be_visible()


def test_command_lines_do_what_they_say(
    local: LocalNimble, client: NimbleClient, open_page: Callable[..., Watched]
) -> None:
    """Each line that is copied runs in a shell, and the Python lines with the client."""
    local.add_session(studio_id="studio 1's", session_id="session/1", state="STOP_IN_PROGRESS")
    local.inject(ServiceFailure("ThrottlingException", context={"it's": "text"}), times=1)
    watched = open_page(local)
    row = watched.open_row("sessions", "session/1")

    def run(line: str) -> str:
        ended = subprocess.run(
            ["bash", "-c", f"{line} --silent --show-error --fail"],  # noqa: S607  # a user's shell
            capture_output=True,
            text=True,
            check=True,
            env={**local.environment, "PATH": "/usr/bin:/bin"},
        )
        return ended.stdout

    assert json.loads(run(watched.command(row, "Read it")))["state"] == "STOP_IN_PROGRESS"
    assert json.loads(run(watched.command(row, "Complete its transition")))["state"] == "STOPPED"
    assert shlex.split(watched.command(row, "Stop it, in a shell"))[2:] == [
        "studio 1's",
        "session/1",
    ]
    fault = watched.open_row("faults", "ServiceFailure")
    run(watched.command(fault, "Add it with curl"))
    assert [rule.fault for rule in local.faults] == [local.faults[0].fault] * 2
    run(watched.command(fault, "Remove it with curl"))
    assert len(local.faults) == 1
    local.clear_faults()

    local.add_session(studio_id="studio-1", session_id="session-1")
    client.stop_session("studio-1", "session-1", retention="DELETE", client_token="token-1")
    stop = watched.open_row("journal", "StopStreamingSession")
    repeated = eval(watched.command(stop, "The same in Python"), {"client": client})  # noqa: S307  # the page's own line
    assert repeated.state == "STOP_IN_PROGRESS"
    answer = json.loads(run(watched.command(stop, "The same with curl")))
    assert answer["session"]["sessionId"] == "session-1"
    assert {record.client_token for record in local.requests} == {"token-1"}
    assert [record.applied for record in local.requests] == [True, False, False]


def test_many(local: LocalNimble, client: NimbleClient, open_page: Callable[..., Watched]) -> None:
    """With 10,000 sessions and a long journal the page stays small, and finds each session."""
    sessions = [{"studioId": "studio-1", "sessionId": f"session-{n:05}"} for n in range(10_000)]
    ask_admin(local, "PUT", "state", {"sessions": sessions})
    watched = open_page(local)
    page = watched.page
    expect(page.locator("#sessions-count")).to_have_text("10,000", timeout=15_000)
    rows = watched.row("sessions", "")
    expect(rows).to_have_count(200)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(400)
    page.get_by_label("Filter sessions by text").fill("session-09999")
    expect(rows).to_have_count(1)
    client.stop_session("studio-1", "session-09999")
    expect(rows.locator(".badge")).to_have_text("STOP_IN_PROGRESS")

    for _ in range(600):
        client.get_session("studio-1", "session-00001")
    expect(page.locator("#journal-count")).to_have_text("500")
    expect(watched.row("journal", "")).to_have_count(500)


def test_data_is_text(
    local: LocalNimble, client: NimbleClient, open_page: Callable[..., Watched]
) -> None:
    """What comes from outside is never markup, wherever it is shown."""
    markup = "<img src=x onerror=alert(1)>"
    local.add_session(studio_id=markup, session_id=markup, owned_by=markup, tags={markup: markup})
    local.inject(ServiceFailure("ConflictException", message=markup))
    with pytest.raises(ServiceError):
        client.stop_session(markup, markup)
    watched = open_page(local)
    for table in ("sessions", "faults", "journal"):
        expect(watched.row(table, markup)).to_be_visible()
        watched.open_row(table, "")
    assert watched.page.locator("img, [onerror]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(local: LocalNimble, open_page: Callable[..., Watched], scheme: Scheme) -> None:
    """All text stands out from its background by 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    for state in ("READY", "STOPPED", "STOP_IN_PROGRESS", "STOP_FAILED", "DELETED"):
        local.add_session(studio_id="studio-1", session_id=state.lower(), state=state)
    local.inject(ServiceFailure("ConflictException"))
    watched = open_page(local, scheme=scheme)
    expect(watched.row("faults", "ServiceFailure")).to_be_visible()
    watched.open_row("sessions", "stop_failed")
    watched.page.get_by_role("button", name="Add fault").click()
    found = cast("list[list[object]]", watched.page.evaluate(CONTRASTS))
    assert len(found) > 50
    assert not [entry for entry in found if cast("float", entry[1]) < 4.5]


CONTRASTS = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = channels(color).map((channel) => {
      const share = channel / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const background = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return channels(color)[3] === 0 ? background(element.parentElement) : color;
  };
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.checkVisibility())
    .filter(({childNodes}) => [...childNodes].some(({data}) => data?.trim()))
    .map((element) => {
      const [text, behind] = [getComputedStyle(element).color, background(element)].map(luminance);
      const [light, dark] = [Math.max(text, behind), Math.min(text, behind)];
      return [element.textContent, (light + 0.05) / (dark + 0.05)];
    });
}"""


@pytest.mark.parametrize("width", [390, 800, 1400, 1600])
def test_everything_has_a_name(
    local: LocalNimble, open_page: Callable[..., Watched], width: int
) -> None:
    """Landmarks, regions and controls are found by role and name, at every width."""
    local.add_session(studio_id="studio-1", session_id="session-1")
    watched = open_page(local, width=width)
    page = watched.page
    expect(watched.row("sessions", "session-1")).to_be_visible()
    page.get_by_role("button", name="Add fault").click()

    for role in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    for name in ("Sessions 1", "Faults 0", "Journal 0"):
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
    for control in page.locator("button, input, select, textarea").locator("visible=true").all():
        expect(control).not_to_have_accessible_name("")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_screenshot_of_the_documentation(
    request: pytest.FixtureRequest, open_page: Callable[..., Watched]
) -> None:
    """The screenshot that the documentation shows can be taken, and is small."""
    with LocalNimble(transition_seconds=120, sample=True) as local:
        client, wrong = connect(local), connect(local, Credentials("LOCALNIMBLE", "wrong"))
        local.inject(
            ServiceFailure("ThrottlingException"), operation="StopStreamingSession", times=1
        )
        with client, wrong:
            client.stop_session("demo-studio", "artist-1")
            for each, session_id in ((client, "review-room"), (wrong, "artist-2")):
                with pytest.raises(ServiceError):
                    each.stop_session("demo-studio", session_id)
            list(client.list_sessions("demo-studio"))
        watched = open_page(local)
        watched.page.set_viewport_size({"width": 1400, "height": 620})
        watched.open_row("journal", "InvalidSignatureException")
        expect(watched.row("sessions", "artist-1")).to_contain_text("STOP_IN_PROGRESS")
        screenshot = watched.page.screenshot()
    assert len(screenshot) < 200_000
    target: Path | None = request.config.getoption("--write-screenshot")
    if target is not None:
        target.write_bytes(screenshot)


def test_the_admin_token(open_page: Callable[..., Watched]) -> None:
    """An endpoint with a token asks for it, and says when it is wrong."""
    with LocalNimble(admin_token="the-admin-token") as local:
        local.add_session(studio_id="studio-1", session_id="session-1")
        watched = open_page(local)
        watched.expected_trouble = ["the server responded with a status of 401"]
        page = watched.page
        dialog = page.get_by_role("dialog", name="Admin token")
        dialog.get_by_label("Token").fill("another")
        dialog.get_by_label("Token").press("Enter")
        expect(dialog).to_contain_text("The admin token is wrong")
        dialog.get_by_label("Token").fill("the-admin-token")
        dialog.get_by_role("button", name="Log in").click()

        watched.expect_connection("Live")
        row = watched.open_row("sessions", "session-1")
        assert "the-admin-token" not in page.content()
        assert "Bearer $ADMIN_TOKEN" in watched.command(row, "Read it")
        page.reload()
        watched.expect_connection("Live")
