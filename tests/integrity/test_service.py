"""Harm prevented: a headline number of service or satisfaction that two hands got wrong in the same way.

A third route: pandas over the delivered files, working days counted by numpy.
"""

import numpy as np
import pandas as pd
import pytest

from tests.integrity.conftest import Published
from tests.reference.reading import PROJECT_SEEDS

pytestmark = pytest.mark.slow
ZONE = "Europe/Moscow"
OPENS, CLOSES = 9 * 60, 18 * 60


def local(instants: pd.Series, zone: str = ZONE) -> pd.Series:
    """Wall time of the company."""
    return pd.to_datetime(instants, utc=True, format="ISO8601").dt.tz_convert(zone).dt.tz_localize(None)


def worked_minutes(moments: pd.Series) -> pd.Series:
    """Minutes worked since 1 January 2015 by wall times: whole working days by numpy, and the part of the last one."""
    calendar = pd.read_csv(PROJECT_SEEDS / "calendar_exceptions.csv", dtype=str)
    closed = calendar.loc[calendar.opens_at.isna(), "day"].to_numpy("datetime64[D]")
    worked = np.sort(calendar.loc[calendar.opens_at.notna(), "day"].to_numpy("datetime64[D]"))
    worked = worked[~np.is_busday(worked)]  # weekend days that are worked instead of another
    days = moments.to_numpy("datetime64[D]")
    before = np.busday_count("2015-01-01", days, holidays=closed) + np.searchsorted(worked, days)
    minutes = (moments - moments.dt.normalize()) / pd.Timedelta(minutes=1)
    is_worked = np.is_busday(days, holidays=closed) | np.isin(days, worked)
    return before * (CLOSES - OPENS) + (minutes.clip(OPENS, CLOSES) - OPENS).where(is_worked, 0)


def first_responses(company: Published, zone: str = ZONE) -> pd.DataFrame:
    """Tickets that clients opened: month, and whether the first response met or missed 540 business minutes."""

    def happened(frame: pd.DataFrame, column: str) -> pd.DataFrame:
        frame = frame.assign(at=local(frame[column], zone))
        return frame[frame["at"] < company.as_of]

    tickets = happened(company.csv("tickets"), "opened_at")
    tickets = tickets[tickets.opened_by == "client"].rename(columns={"at": "opened"})
    messages = happened(company.csv("messages"), "sent_at")
    events = happened(company.csv("ticket_events"), "occurred_at")
    responses = pd.concat(
        [messages.loc[messages.author == "employee"], events.loc[events.kind.isin(["solved", "closed"])]]
    )[["ticket_key", "at"]].merge(tickets[["ticket_key", "opened"]], on="ticket_key")
    responses = responses[responses["at"] >= responses.opened]
    tickets = tickets.join(responses.groupby("ticket_key")["at"].min().rename("answered"), on="ticket_key")
    spent = worked_minutes(tickets.answered.fillna(company.as_of)) - worked_minutes(tickets.opened)
    return pd.DataFrame(
        {
            "month": tickets.opened.dt.to_period("M").dt.to_timestamp(),
            "met": tickets.answered.notna() & (spent <= 540),
            "breached": spent > 540,
            "minutes": spent.where(tickets.answered.notna()),
        }
    )


def test_first_responses_by_month_are_those_of_pandas_over_the_files(company):
    mart = company.mart("service_monthly").groupby("month")[["first_response_met", "first_response_breached"]].sum()
    by_hand = first_responses(company).groupby("month")[["met", "breached"]].sum()
    by_hand = by_hand[by_hand.index >= company.first_month]
    assert mart.index.sort_values().equals(by_hand.index), "a month is there on one side only"
    assert mart.sum().min() > 100, "too few to say anything"
    assert mart.to_numpy().tolist() == by_hand.loc[mart.index].to_numpy().tolist()
    elsewhere = first_responses(company, "Asia/Vladivostok").groupby("month")[["met", "breached"]].sum()
    assert elsewhere.sum().tolist() != by_hand.sum().tolist(), "the comparison would not notice a wrong zone"


def test_the_median_first_response_of_a_queue_is_that_of_pandas(company):
    """The mart's median over one class and queue; pandas over all of them would be another number."""
    mart = company.mart("service_monthly")
    row = mart.sort_values(["first_response_answered", "month"]).iloc[-1]
    tickets = company.csv("tickets").set_index("ticket_key")
    asked = tickets[(tickets.opened_by == "client")]
    responses = first_responses(company)
    responses.index = asked.index[(local(asked.opened_at) < company.as_of).to_numpy()]
    here = responses[
        (responses.month == row.month)
        & (asked.sla_class.reindex(responses.index) == row.sla_class)
        & (asked.queue.reindex(responses.index) == row.queue)
    ]
    assert here.minutes.count() == row.first_response_answered
    assert here.minutes.median() == pytest.approx(row.median_first_response_minutes, abs=1e-6)


def test_the_satisfaction_index_by_month_is_that_of_pandas_over_the_files(company):
    feedback = company.csv("feedback")
    feedback = feedback.assign(submitted=local(feedback.submitted_at), score=pd.to_numeric(feedback.score))
    feedback = feedback[feedback.kind.isin(["operator_rating", "review", "survey"]) & feedback.score.notna()]
    feedback = feedback[feedback.submitted < company.as_of]
    parts = feedback.groupby([feedback.submitted.dt.to_period("M").dt.to_timestamp(), "kind"]).score.mean().unstack()
    by_hand = parts.mean(axis=1).round(6)  # of the parts that exist: empty ones are left out
    mart = company.mart("satisfaction_monthly").query("segment == 'all'").set_index("month").satisfaction_index.dropna()
    by_hand = by_hand[by_hand.index >= company.first_month]  # a client may speak before the first contract starts
    assert len(mart) > 12
    assert mart.sort_index().to_numpy() == pytest.approx(by_hand.loc[mart.index].sort_index().to_numpy(), abs=1e-6)
    assert mart.index.sort_values().equals(by_hand.index), "a month with scores has no index, or one without has"
