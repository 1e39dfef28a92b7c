"""The oracle of the soak sees each error that is planted, and nothing in a run that is good."""

import dataclasses

import pytest

from soak.oracle import (
    Arrival,
    Attempt,
    Claim,
    Draft,
    Finding,
    Records,
    Sent,
    Wrong,
    judge,
    passes,
)
from soak.texts import body, draft, drafts_in, messages_in

DELIVERED = Attempt(10, 11, 0)
SENT = Sent(1, "dev", "K1q one q1E", attempts=[DELIVERED])
CLAIM = Claim(1, "m-01", "confirmed", settled=11)
ARRIVAL = Arrival("dev", 1, "K1q one q1E", 10.9, 0)
GOOD = Records([SENT], [CLAIM], [ARRIVAL])


def found(**planted: object) -> list[Wrong]:
    """Return what the oracle finds in a good run with these records changed."""
    return [finding.wrong for finding in judge(dataclasses.replace(GOOD, **planted))]  # type: ignore[arg-type]


def test_a_good_run_has_no_findings() -> None:
    assert judge(GOOD) == []


def test_a_message_that_torch_calls_delivered_and_nobody_got_is_lost() -> None:
    assert found(arrivals=[]) == [Wrong.LOST]


def test_a_message_of_which_torch_knows_nothing_though_it_was_accepted_is_lost() -> None:
    assert found(arrivals=[], claims=[]) == [Wrong.LOST]


def test_what_went_down_with_its_pane_is_not_lost() -> None:
    assert found(arrivals=[], ended=[("dev", 12.0)]) == []
    assert found(arrivals=[], ended=[("dev", 60.0)]) == [Wrong.LOST]


def test_what_went_down_in_the_queue_of_its_program_is_not_lost() -> None:
    queued = dataclasses.replace(CLAIM, reason="queued by the program")
    planted = {"claims": [queued], "arrivals": []}
    assert found(**planted, ended=[("dev", 60.0)]) == []
    assert found(**planted) == [Wrong.LOST]
    assert found(**planted, ended=[("dev", 3.0), ("ops", 60.0)]) == [Wrong.LOST]
    # It took up its queue, and that message was not in it.
    second = Sent(2, "dev", "K2q two q2E", attempts=[Attempt(12, 13, 0)])
    later = Arrival("dev", 2, "K2q two q2E", 12.5, 0)
    claims = [queued, Claim(2, "m-02", "confirmed", settled=13)]
    lost = found(sent=[SENT, second], claims=claims, arrivals=[later], ended=[("dev", 60.0)])
    assert lost == [Wrong.LOST]


def test_a_message_that_arrives_twice_is_doubled() -> None:
    assert found(arrivals=[ARRIVAL, ARRIVAL]) == [Wrong.DOUBLED]


def test_a_message_of_other_words_is_altered() -> None:
    other = dataclasses.replace(ARRIVAL, text="K1q two q1E")
    assert found(arrivals=[other]) == [Wrong.ALTERED]


def test_an_envelope_of_another_sender_is_an_alteration() -> None:
    assert found(arrivals=[dataclasses.replace(ARRIVAL, sender="pm")]) == [Wrong.ALTERED]
    assert found(arrivals=[dataclasses.replace(ARRIVAL, id="m-02")]) == [Wrong.ALTERED]


def test_a_message_at_another_agent_is_misdirected() -> None:
    assert found(arrivals=[dataclasses.replace(ARRIVAL, agent="qa")]) == [Wrong.MISDIRECTED]


def test_a_message_that_nobody_sent_is_seen() -> None:
    assert found(arrivals=[ARRIVAL, dataclasses.replace(ARRIVAL, number=9)]) == [Wrong.ALTERED]


@pytest.mark.parametrize("status", [1, 3, 6, 7])
def test_an_exit_code_that_says_failed_is_a_lie_once_the_message_arrives(status: int) -> None:
    lying = dataclasses.replace(SENT, attempts=[Attempt(10, 11, status, err="the state file …")])
    assert found(sent=[lying]) == [Wrong.LIED]


def test_a_message_that_was_cancelled_by_a_signal_must_not_arrive() -> None:
    words = "torch: cancelled m-01, nothing was typed"
    cancelled = dataclasses.replace(SENT, attempts=[Attempt(10, 11, 130, err=words)])
    assert found(sent=[cancelled]) == [Wrong.LIED]
    known = dataclasses.replace(SENT, attempts=[Attempt(10, 11, 130, err="m-01 is confirmed")])
    assert found(sent=[known]) == []


def test_a_receipt_that_says_failed_is_a_lie_once_the_message_arrives() -> None:
    assert found(claims=[Claim(1, "m-01", "failed", "gone; nothing was typed")]) == [Wrong.LIED]


def test_a_message_that_was_held_and_then_arrived_is_no_lie() -> None:
    held = dataclasses.replace(SENT, attempts=[Attempt(10, 11, 4)])
    assert found(sent=[held]) == []


def test_a_message_that_overtakes_one_that_was_accepted_before_it_is_seen() -> None:
    second = Sent(2, "dev", "K2q two q2E", attempts=[Attempt(12, 13, 0)])
    claims = [CLAIM, Claim(2, "m-02", "confirmed")]
    late = dataclasses.replace(ARRIVAL, order=1)
    early = Arrival("dev", 2, "K2q two q2E", 12.5, 0)
    assert found(sent=[SENT, second], claims=claims, arrivals=[early, late]) == [Wrong.REORDERED]
    beside = dataclasses.replace(second, attempts=[Attempt(10.5, 13, 0)])
    assert found(sent=[SENT, beside], claims=claims, arrivals=[early, late]) == []
    urgent = dataclasses.replace(second, ordered=False)
    assert found(sent=[SENT, urgent], claims=claims, arrivals=[early, late]) == []


def test_a_message_that_waits_at_the_end_is_stuck() -> None:
    waiting = Claim(1, "m-01", "held", "draft", waits=True)
    assert found(claims=[waiting], arrivals=[]) == [Wrong.STUCK]


def test_check_ins_are_counted_by_themselves() -> None:
    note = dataclasses.replace(SENT, checkin=True)
    assert found(sent=[note], arrivals=[]) == [Wrong.CHECKIN_LOST]
    assert found(sent=[note], arrivals=[ARRIVAL, ARRIVAL]) == [Wrong.CHECKIN_DOUBLED]


def test_a_check_in_that_repeats_may_arrive_once_for_each_moment() -> None:
    note = dataclasses.replace(SENT, checkin=True, repeats=True)
    first, second = (dataclasses.replace(ARRIVAL, due=due) for due in ("10:00", "10:20"))
    assert found(sent=[note], arrivals=[first, second]) == []
    assert found(sent=[note], arrivals=[first, first]) == [Wrong.CHECKIN_DOUBLED]


def test_a_dialog_that_no_person_answered_was_approved_by_torch() -> None:
    assert found(approved=[("dev", 20.0)]) == [Wrong.APPROVED]
    assert found(approved=[("dev", 20.0)], entered=[("dev", 19.5)]) == []
    assert found(approved=[("dev", 20.0)], entered=[("qa", 19.5)]) == [Wrong.APPROVED]


def test_a_draft_that_its_person_did_not_submit_was_submitted_by_torch() -> None:
    word = draft(7)
    erased, entered = Draft(word, "dev"), Draft(word, "dev", 20.0)
    assert found(drafts=[erased], drafts_arrived=[(word, 20.1)]) == [Wrong.DRAFT]
    assert found(drafts=[erased, entered], drafts_arrived=[(word, 20.1)]) == []
    assert found(drafts=[erased, entered], drafts_arrived=[(word, 19.0)]) == [Wrong.DRAFT]


def test_a_traceback_of_torch_is_seen_and_one_before_it_began_is_python_s() -> None:
    head = "Traceback (most recent call last):\n"
    own = Attempt(1, 2, 1, err=f'{head}  File "/x/torch_cli/errors.py", line 3, in f\n')
    before = Attempt(1, 2, 1, err=f'{head}  File "/usr/lib/python3.11/site.py", line 3, in f\n')
    assert found(others=[("tick", own)]) == [Wrong.TRACEBACK]
    assert found(others=[("tick", before)]) == []


def test_processes_that_do_not_end_and_daemons_that_do_are_seen() -> None:
    assert found(others=[("tick", Attempt(1, 2, None))]) == [Wrong.HUNG]
    assert found(schedulers=["status 1"]) == [Wrong.SCHEDULER]


def test_what_is_unknown_is_counted_once_it_is_settled() -> None:
    assert found(claims=[Claim(1, "m-01", "unknown", "a dialog hid it")]) == [Wrong.UNKNOWN]


def test_what_stood_in_the_box_of_a_killed_program_is_counted_by_itself() -> None:
    gone = Claim(1, "m-01", "unknown", "its pane %1 is gone", created=10)
    assert found(claims=[gone], arrivals=[], ended=[("dev", 12.0)]) == [Wrong.WENT_DOWN]
    assert found(claims=[gone], arrivals=[], ended=[("dev", 9.0)]) == [Wrong.UNKNOWN]
    assert passes([Finding(Wrong.WENT_DOWN, "", "")] * 3, 10)


def test_what_a_person_was_asked_for_is_counted_and_passes_where_it_is_rare() -> None:
    assert found(asked=[(1, "press Enter there or clear the box")]) == [Wrong.ASKED]
    assert passes([Finding(Wrong.ASKED, "", "")] * 3, 10)
    assert not passes([Finding(Wrong.ASKED, "", "")] * 4, 399)
    assert passes([Finding(Wrong.ASKED, "", "")] * 4, 400)


def test_a_draft_before_the_envelope_is_not_an_alteration_of_it() -> None:
    named = dataclasses.replace(SENT, sender="pm")
    assert found(sent=[named]) == [Wrong.ALTERED]
    assert found(sent=[named], arrivals=[dataclasses.replace(ARRIVAL, mixed=True)]) == []


def test_one_unknown_passes_and_of_thousands_one_in_a_thousand_and_nothing_else() -> None:
    unknown, lost = Finding(Wrong.UNKNOWN, "", ""), Finding(Wrong.LOST, "", "")
    assert passes([unknown], 100)
    assert passes([unknown] * 3, 700)
    assert not passes([unknown] * 4, 700)
    assert not passes([unknown] * 2, 1999)
    assert passes([unknown] * 2, 2000)
    assert not passes([lost], 100_000)


def test_messages_are_found_in_what_arrived_with_their_envelope() -> None:
    text = "[from pm · message · m-0a]\nK4q one\ntwo q4E\n"
    text += "[check-in x · m-0b]\n  due Mon 10:00\n\nK5q x q5E"
    first, second = messages_in(text)
    assert first[:5] == (4, "K4q one\ntwo q4E", True, "pm", "m-0a")
    assert (second.number, second.id, second.due) == (5, "m-0b", "Mon 10:00")
    (torn,) = messages_in("K6q the end is missing")
    assert not torn.whole


def test_bodies_and_drafts_are_found_by_their_marks() -> None:
    import random

    from soak.texts import BODIES

    for kind in BODIES:
        text = body(3, kind, random.Random(1))
        assert [one.text for one in messages_in(text)] == [text], kind
    assert drafts_in(f"x{draft(120)}y") == [draft(120)]
