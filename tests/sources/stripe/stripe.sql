-- A few customers of a Stripe account as a sync tool would leave them in PostgreSQL.
create schema stripe;
create table stripe.customer (
    id text primary key, name text, email text, phone text, metadata jsonb, created timestamptz,
    is_deleted boolean, _fivetran_synced timestamptz
);
create table stripe.plan (
    id text primary key, nickname text, amount bigint, currency text, "interval" text, interval_count int,
    _fivetran_synced timestamptz
);
create table stripe.subscription (
    id text primary key, customer_id text, plan_id text, status text, quantity int, start_date timestamptz,
    trial_end timestamptz, ended_at timestamptz, cancellation_reason text, _fivetran_synced timestamptz
);
create table stripe.invoice (
    id text primary key, customer_id text, charge_id text, created timestamptz, due_date timestamptz, total bigint,
    currency text, is_deleted boolean, _fivetran_synced timestamptz
);
create table stripe.invoice_line_item (
    unique_id text primary key, invoice_id text, type text, description text, amount bigint, currency text,
    _fivetran_synced timestamptz
);
create table stripe.charge (
    id text primary key, customer_id text, invoice_id text, amount bigint, currency text, status text,
    created timestamptz, _fivetran_synced timestamptz
);
create table stripe.refund (
    id text primary key, charge_id text, amount bigint, currency text, status text, created timestamptz,
    _fivetran_synced timestamptz
);
create table stripe.dispute (id text primary key, charge_id text, created timestamptz, _fivetran_synced timestamptz);

insert into stripe.customer values
    ('cus_A', 'Alpha', 'alpha@example.org', '+1 555 0100', '{"segment": "retail"}', '2024-01-05 10:00+00', false, '2024-06-01+00'),
    ('cus_B', null, 'beta@example.org', null, '{}', '2024-02-01 10:00+00', null, '2024-06-01+00'),
    ('cus_gone', 'Gone', 'gone@example.org', null, '{}', '2024-02-01 10:00+00', true, '2024-06-01+00');
insert into stripe.plan values
    ('plan_month', 'Basic', 1990, 'usd', 'month', 1, '2024-01-01+00'),
    ('plan_quarter', 'Quarterly', 5000, 'usd', 'month', 3, '2024-01-01+00'),
    ('plan_year', 'Yearly', 19900, 'eur', 'year', 1, '2024-01-01+00'),
    ('plan_half', 'Half-yearly', 6000, 'usd', 'month', 6, '2024-01-01+00'),
    ('plan_yen', 'Yen', 1980, 'jpy', 'month', 1, '2024-01-01+00'),
    ('plan_dinar', 'Dinar', 7500, 'kwd', 'month', 1, '2024-01-01+00'),
    ('plan_day', 'Daily', 100, 'usd', 'day', 1, '2024-01-01+00');
insert into stripe.subscription values
    ('sub_1', 'cus_A', 'plan_month', 'active', 3, '2024-01-10 09:00+00', null, null, null, '2024-06-01+00'),
    ('sub_2', 'cus_A', 'plan_quarter', 'canceled', 1, '2024-01-10 09:00+00', '2024-01-24 09:00+00', '2024-04-24 09:00+00', 'cancellation_requested', '2024-06-01+00'),
    ('sub_3', 'cus_B', 'plan_year', 'canceled', 1, '2024-02-01 09:00+00', null, '2024-03-01 23:30+00', 'payment_failed', '2024-06-01+00'),
    ('sub_4', 'cus_B', 'plan_month', 'trialing', 1, '2024-05-01 09:00+00', null, null, null, '2024-06-01+00'),
    ('sub_5', 'cus_B', 'plan_half', 'active', 2, '2024-05-01 09:00+00', null, null, null, '2024-06-01+00'),
    ('sub_6', 'cus_B', 'plan_yen', 'active', 2, '2024-05-01 09:00+00', null, null, null, '2024-06-01+00'),
    ('sub_7', 'cus_B', 'plan_dinar', 'active', 1, '2024-05-01 09:00+00', null, null, null, '2024-06-01+00'),
    ('sub_unpaid', 'cus_B', 'plan_month', 'incomplete_expired', 1, '2024-05-01 09:00+00', null, '2024-05-02 09:00+00', null, '2024-06-01+00'),
    ('sub_first_day', 'cus_B', 'plan_month', 'canceled', 1, '2024-05-01 09:00+00', null, '2024-05-01 19:00+00', 'cancellation_requested', '2024-06-01+00'),
    ('sub_daily', 'cus_B', 'plan_day', 'active', 1, '2024-05-01 09:00+00', null, null, null, '2024-06-01+00');
insert into stripe.invoice values
    ('in_1', 'cus_A', 'ch_1', '2024-02-10 09:00+00', '2024-02-20 09:00+00', 5970, 'usd', false, '2024-06-01+00'),
    ('in_2', 'cus_B', 'ch_2', '2024-03-01 09:00+00', null, 19900, 'eur', null, '2024-06-01+00'),
    ('in_3', 'cus_B', 'ch_4', '2024-05-01 09:00+00', null, 3960, 'jpy', false, '2024-06-01+00'),
    ('in_4', 'cus_B', 'ch_5', '2024-05-01 09:00+00', null, 7500, 'kwd', false, '2024-06-01+00'),
    ('in_deleted', 'cus_B', null, '2024-03-01 09:00+00', null, 100, 'eur', true, '2024-06-01+00');
insert into stripe.invoice_line_item values
    ('il_1', 'in_1', 'subscription', '3 × Basic', 5970, 'usd', '2024-06-01+00'),
    ('il_2', 'in_1', 'invoiceitem', 'Late fee', 500, 'usd', '2024-06-01+00'),
    ('il_3', 'in_1', 'invoiceitem', 'Loyalty', -500, 'usd', '2024-06-01+00'),
    ('il_4', 'in_2', 'invoiceitem', 'Messages sent', 19900, 'eur', '2024-06-01+00'),
    ('il_5', 'in_3', 'subscription', '2 × Yen', 3960, 'jpy', '2024-06-01+00'),
    ('il_6', 'in_4', 'subscription', 'Dinar', 7500, 'kwd', '2024-06-01+00');
insert into stripe.charge values
    ('ch_1', 'cus_A', 'in_1', 5970, 'usd', 'succeeded', '2024-02-10 09:05+00', '2024-06-01+00'),
    ('ch_2', 'cus_B', 'in_2', 19900, 'eur', 'failed', '2024-03-01 09:05+00', '2024-06-01+00'),
    ('ch_3', 'cus_B', 'in_2', 19900, 'eur', 'pending', '2024-03-02 09:05+00', '2024-06-01+00'),
    ('ch_4', 'cus_B', 'in_3', 3960, 'jpy', 'succeeded', '2024-05-01 09:05+00', '2024-06-01+00'),
    ('ch_5', 'cus_B', 'in_4', 7500, 'kwd', 'succeeded', '2024-05-01 09:05+00', '2024-06-01+00');
insert into stripe.refund values
    ('re_1', 'ch_1', 1990, 'usd', 'succeeded', '2024-03-01 10:00+00', '2024-06-01+00'),
    ('re_2', 'ch_1', 1000, 'usd', 'pending', '2024-03-02 10:00+00', '2024-06-01+00'),
    ('re_3', 'ch_1', 1000, 'usd', 'failed', '2024-03-03 10:00+00', '2024-06-01+00'),
    ('re_4', 'ch_4', 1980, 'jpy', 'succeeded', '2024-05-02 10:00+00', '2024-06-01+00'),
    ('re_5', 'ch_5', 2500, 'kwd', 'succeeded', '2024-05-02 10:00+00', '2024-06-01+00');
insert into stripe.dispute values ('dp_1', 'ch_1', '2024-03-05 10:00+00', '2024-06-02+00');
