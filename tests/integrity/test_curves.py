"""Harm prevented: curves, intervals and headline numbers that two hands got wrong in the same way.

A third route: lifelines for the curve of returns, scipy for the intervals, pandas over the delivered files (or over
another mart than the one that is looked at) for one headline number of each family.
"""

import math
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from scipy.stats import binomtest
from scipy.stats.contingency import relative_risk

from tests.integrity.conftest import Published
from tests.integrity.test_service import local
from tests.reference.reading import PROJECT_SEEDS

pytestmark = pytest.mark.slow
DAY = pd.Timedelta(days=1)
GRACE_DAYS = 7


def links(company: Published, domain: str) -> dict[str, str]:
    """Key of a domain → client."""
    table = company.csv("client_links")
    return table[table.source == domain].set_index("source_key").client_key.to_dict()


def with_client(company: Published, entity: str, domain: str) -> pd.DataFrame:
    table = company.csv(entity)
    return table.assign(client_id=table.client_key.map(links(company, domain)).fillna(table.client_key))


def day_of(instants: pd.Series) -> pd.Series:
    return local(instants).dt.normalize()


def spells(company: Published) -> pd.DataFrame:
    """Every spell, with the end of an open one far away, and the start of the next."""
    table = company.mart("fct_spells").sort_values(["client_id", "spell_number"])
    table["until"] = table.ended_on.fillna(pd.Timestamp("2200-01-01"))
    table["next_started_on"] = table.groupby("client_id").started_on.shift(-1)
    return table


def inside(table: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """The spells that a day lies in."""
    return table[(table.started_on <= day) & (day < table.until)]


# ------------------------------------------------------------------------------------------------ curves, intervals


def durations(company: Published) -> pd.DataFrame:
    """Per release: days until the return or until nobody looks any more, and whether it was a return."""
    table = company.mart("fct_releases").merge(company.mart("dim_clients")[["client_id", "segment"]], on="client_id")
    clients = company.csv("clients").set_index("client_key")
    closed = day_of(clients.closed_at).reindex(table.client_id).to_numpy()
    table["is_event"] = table.returned_on.notna()
    end = table.returned_on.fillna(company.as_of - DAY)
    is_closed = (closed > table.released_on) & (closed < table.returned_on.fillna(company.as_of))
    table["is_event"] &= ~is_closed
    table["days"] = (end.where(~is_closed, closed) - table.released_on).dt.days
    return table[table.days >= 0]


@pytest.mark.parametrize("dimension", ["all", "handling", "segment"])
def test_the_curve_of_returns_and_its_band_are_those_of_lifelines(company, dimension):
    curve = company.mart("return_curve").query("dimension == @dimension")
    assert len(curve) > 100
    releases = durations(company).assign(all="all")
    for level, rows in curve.groupby("level"):
        here = releases[releases[dimension] == level]
        rows = rows.sort_values("day")
        fitted = KaplanMeierFitter().fit(here.days, here.is_event)
        survival = fitted.survival_function_at_times(rows.day).to_numpy()
        assert rows.cumulative_return.to_numpy() == pytest.approx(1 - survival, abs=1e-9)
        band = fitted.confidence_interval_.iloc[:, [1, 0]].reindex(range(rows.day.max() + 1), method="ffill")
        drawn = rows[rows.ci_low.notna()]
        assert np.array_equal(rows.ci_low.notna(), (survival > 0) & (survival < 1))
        expected = 1 - band.loc[drawn.day].to_numpy()
        assert drawn[["ci_low", "ci_high"]].to_numpy() == pytest.approx(expected, abs=1e-9)
        counted = [(here.days >= day).sum() for day in rows.day]
        assert rows.at_risk.tolist() == counted


def test_the_comparison_of_curves_would_notice_one_return_a_day_later(company):
    curve = company.mart("return_curve").query("dimension == 'all'").sort_values("day")
    releases = durations(company)
    survival = KaplanMeierFitter().fit(releases.days, releases.is_event).survival_function_at_times(curve.day)
    first = releases[releases.is_event].days.idxmin()
    releases.loc[first, "days"] += 1
    moved = KaplanMeierFitter().fit(releases.days, releases.is_event).survival_function_at_times(curve.day)
    assert abs(moved - survival).max() > 1e-4


def test_bounds_of_return_rates_are_the_wilson_bounds_of_scipy(company):
    summary = company.mart("return_summary")
    assert len(summary) > 20
    for row in summary.itertuples():
        bounds = binomtest(row.returned, row.mature_releases).proportion_ci(0.95, method="wilson")
        assert (row.ci_low, row.ci_high) == pytest.approx((bounds.low, bounds.high), abs=1e-9)


def test_bounds_of_relative_risks_are_the_katz_bounds_of_scipy(company):
    drivers = company.mart("churn_drivers")
    references = drivers[drivers.level == drivers.reference_level].set_index("signal")
    compared = 0
    for row in drivers[drivers.ci_low.notna()].itertuples():
        other = references.loc[row.signal]
        result = relative_risk(row.churned, row.exposures, int(other.churned), int(other.exposures))
        assert row.relative_risk == pytest.approx(result.relative_risk, rel=1e-9)
        bounds = result.confidence_interval(0.95)
        assert (row.ci_low, row.ci_high) == pytest.approx((bounds.low, bounds.high), rel=1e-9)
        compared += 1
    assert compared > 15
    bare = drivers[drivers.ci_low.isna() & (drivers.level != drivers.reference_level)]
    cells = bare.join(references[["churned", "exposures"]], on="signal", rsuffix="_reference")
    full = (cells.churned > 0) & (cells.churned < cells.exposures) & (cells.churned_reference > 0)
    assert not (full & (cells.churned_reference < cells.exposures_reference)).any(), "an interval is missing"


def test_bounds_of_a_programme_are_newcombes_from_the_wilson_bounds_of_scipy(company):
    effects = company.mart("programme_effect").dropna(subset="change")
    assert len(effects) >= 3
    for row in effects.itertuples():
        before, after = int(row.before_denominator), int(row.after_denominator)
        earlier = binomtest(int(row.before_numerator), before).proportion_ci(0.95, method="wilson")
        later = binomtest(int(row.after_numerator), after).proportion_ci(0.95, method="wilson")
        share_before, share_after = row.before_numerator / before, row.after_numerator / after
        low = share_after - share_before - math.hypot(share_after - later.low, earlier.high - share_before)
        high = share_after - share_before + math.hypot(later.high - share_after, share_before - earlier.low)
        assert (row.ci_low, row.ci_high) == pytest.approx((low, high), abs=1e-9)


# ------------------------------------------------------------------------------------------------- headline numbers


def test_churned_clients_of_each_month_are_those_of_pandas_over_the_spells(company):
    table = spells(company)
    everyone = company.mart("churn_monthly").query("segment == 'all'").sort_values("month")
    assert everyone.churned_clients.sum() > 100
    for row in everyone.itertuples():
        closing = row.month + pd.offsets.MonthEnd(0)
        before = set(inside(table, row.month - DAY).client_id)
        after = set(inside(table, closing).client_id)
        assert (row.opening_clients, row.churned_clients) == (len(before), len(before - after)), row.month
        year_ago = set(inside(table, closing - pd.offsets.MonthEnd(12)).client_id)
        if pd.notna(row.opening_12m):
            assert (row.opening_12m, row.churned_12m) == (len(year_ago), len(year_ago - after)), row.month


def converted(table: pd.DataFrame, day: pd.Series) -> pd.Series:
    """Amounts in the company's currency, by the latest rate of the day, rounded half away from zero to kopecks."""
    rates = pd.read_csv(PROJECT_SEEDS / "exchange_rates.csv", dtype={"rate": str}, parse_dates=["valid_from"])

    def rate(currency: object, on: pd.Timestamp) -> Decimal:
        if pd.isna(currency) or currency == "RUB":
            return Decimal(1)
        valid = rates[(rates.currency == currency) & (rates.valid_from <= on)].sort_values("valid_from")
        return Decimal(valid.rate.iloc[-1])

    rows = zip(table.amount, table.currency, day, strict=True)
    return pd.Series(
        [(Decimal(a) * rate(c, d)).quantize(Decimal("0.01"), ROUND_HALF_UP) for a, c, d in rows], table.index, object
    )


def test_revenue_of_all_clients_is_that_of_the_files(company):
    payments = company.csv("payments")
    payments = payments.assign(day=day_of(payments.paid_at))
    payments = payments[(payments.status == "succeeded") & (payments.day < company.as_of)]
    refunds = company.csv("refunds")
    refunds = refunds.assign(day=day_of(refunds.decided_at.fillna(refunds.requested_at)))
    refunds = refunds[(refunds.decision == "paid") & (refunds.day < company.as_of)]
    revenue = converted(payments, payments.day).sum() - converted(refunds, refunds.day).sum()
    assert revenue > 0
    whole = company.mart("client_360")
    assert Decimal(str(round(whole.lifetime_revenue.sum(), 2))) == revenue
    inside_spells = company.mart("tenure_value").query("segment == 'all'").revenue.sum()
    assert 0.9 < float(inside_spells) / float(revenue) <= 1, "nearly all is paid by clients who are in"


def test_answers_to_interviews_are_those_of_pandas_over_the_file(company):
    interviews = company.csv("exit_interviews")
    invited, answered = day_of(interviews.invited_at), day_of(interviews.answered_at)
    ripe = invited + 14 * DAY < company.as_of
    month = invited.dt.to_period("M").dt.to_timestamp()
    by_hand = pd.DataFrame({"invited": 1, "answered": (answered - invited).dt.days <= 14})[ripe].groupby(month).sum()
    mart = company.mart("interview_response").groupby("month")[["invited", "answered"]].sum()
    assert by_hand.invited.sum() > 100
    assert mart.to_numpy().tolist() == by_hand.loc[by_hand.index >= company.first_month].to_numpy().tolist()


def test_the_lapsed_who_were_called_are_those_of_pandas(company):
    table = spells(company)
    lapsed = table[(table.exit_type == "lapsed") & (table.ended_on + 30 * DAY < company.as_of)]
    lapsed = lapsed[~(lapsed.next_started_on <= lapsed.ended_on + 30 * DAY)]
    months = lapsed.ended_on.dt.to_period("M").dt.to_timestamp()
    lapsed = lapsed[months + pd.offsets.MonthEnd(0) < company.as_of]
    contacts = company.csv("contacts")
    contacts = contacts[(contacts.direction == "outbound") & (contacts.purpose == "win_back")]
    contacts = contacts.assign(day=day_of(contacts.occurred_at)).rename(columns={"client_key": "client_id"})
    pairs = lapsed.merge(contacts[["client_id", "day"]], on="client_id")
    pairs = pairs[(pairs.day >= pairs.ended_on) & (pairs.day <= pairs.ended_on + 30 * DAY)]
    called = pairs.drop_duplicates(["client_id", "spell_number"])
    returned = (called.next_started_on - called.ended_on).dt.days <= 30 + 365
    mart = company.mart("win_back_results").query("kind == 'win_back'")
    assert (mart.contacted.sum(), mart.uncontacted.sum()) == (len(called), len(lapsed) - len(called))
    ripe = called.ended_on.dt.to_period("M").dt.to_timestamp() + pd.offsets.MonthEnd(0) + 395 * DAY < company.as_of
    assert mart.returned.sum() == (returned & ripe).sum() > 0


def exposures(company: Published) -> pd.DataFrame:
    """Client × first day of a quarter, with tenure and outcome, from the spells alone."""
    table, found = spells(company), []
    first = table.started_on.min()
    for day in pd.date_range("2022-01-01", company.as_of, freq="QS"):
        if day < first + 90 * DAY or day + 90 * DAY > company.as_of:
            continue
        here = inside(table, day - DAY).assign(day=day)
        ends = (here.until >= day) & (here.until < day + 90 * DAY)
        here = here[~(ends & here.exit_type.isin(["dismissed", "dissolved"]))]
        here["is_churned"] = ends & here.exit_type.isin(["released", "lapsed", "payment_failure"])
        found.append(here)
    return pd.concat(found)


def assert_levels(company: Published, signal: str, level: pd.Series, churned: pd.Series) -> None:
    by_hand = churned.groupby(level).agg(["size", "sum"])
    mart = company.mart("churn_drivers").query("signal == @signal").set_index("level")
    for name, row in by_hand.iterrows():
        assert (mart.exposures[name], mart.churned[name]) == (row["size"], row["sum"]), f"{signal} {name}"
    assert mart.exposures.sum() == len(churned) > 1000


def test_drivers_by_tenure_and_by_fees_are_those_of_pandas(company):
    table = exposures(company)
    tenure = (table.day - table.started_on).dt.days
    bands = pd.cut(tenure, [-1, 99, 364, 729, 10**6], labels=["under_100_days", "to_1_year", "to_2_years", "longer"])
    assert_levels(company, "tenure_band", bands.astype(str), table.is_churned)

    lines = company.csv("invoice_lines")
    invoices = with_client(company, "invoices", "billing")
    fees = lines[lines.kind == "fee"].merge(invoices[["invoice_key", "client_id", "issued_at"]], on="invoice_key")
    fees["issued_on"] = day_of(fees.issued_at)
    table = table.reset_index(drop=True).reset_index(names="exposure")
    pairs = table[["exposure", "client_id", "day"]].merge(fees[["client_id", "issued_on"]], on="client_id")
    pairs = pairs[(pairs.issued_on >= pairs.day - 90 * DAY) & (pairs.issued_on < pairs.day)]
    counts = pairs.exposure.value_counts().reindex(table.exposure, fill_value=0).clip(upper=2)
    levels = counts.map({0: "0", 1: "1", 2: "2+"}).to_numpy()
    assert_levels(company, "fee_lines", pd.Series(levels, table.index), table.is_churned)


def test_deciles_of_the_back_test_close_to_the_quarters_of_pandas(company):
    table = exposures(company).groupby("day").is_churned.agg(["size", "sum"])
    mart = company.mart("risk_backtest")
    by_quarter = mart.groupby("quarter")[["clients", "churned"]].sum()
    assert len(by_quarter) >= 6
    assert by_quarter.to_numpy().tolist() == table.loc[by_quarter.index].to_numpy().tolist()
    present = inside(spells(company), company.as_of - DAY)
    assert sorted(company.mart("at_risk_clients").client_id) == sorted(present.client_id)
