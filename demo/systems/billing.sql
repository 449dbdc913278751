-- The demo company's in-house billing, as a bookkeeper's programmer would have built it. Its personal cabinet
-- lives in the same database. Times are timestamptz; *_from / *_to are calendar days in Moscow, valid_to being the
-- first day without service. modified_at is when the system itself last wrote the row: late rows carry an old
-- performed_at (paid_at, ...) and a young modified_at. Rows are also deleted, and leave no trace when they are.

create table if not exists contract (
    contract_no text primary key,
    customer_no text not null,                 -- 'C000123'; the CRM company knows it as UF_CRM_BILLING_NO
    tariff text not null,
    price numeric(18, 2) not null,             -- per period, net of standing discounts; 0 = free of charge
    currency char(3) not null default 'RUB',
    period text not null check (period in ('weekly', 'monthly', 'quarterly', 'yearly')),
    valid_from date not null,
    valid_to date,
    close_reason text check (close_reason in ('client_request', 'debt', 'company_decision', 'term_over')),
    is_test boolean not null default false,    -- a trial
    modified_at timestamptz not null
);

create table if not exists account_operation (
    operation_id bigint primary key,
    customer_no text not null,
    operation text not null check (operation in ('top_up', 'charge')),  -- charge = use of the prepaid balance
    amount numeric(18, 2) not null,
    currency char(3) not null default 'RUB',
    performed_at timestamptz not null,
    modified_at timestamptz not null
);

create table if not exists invoice (
    invoice_no text primary key,
    customer_no text not null,
    issued_at timestamptz not null,
    due_at timestamptz not null,
    total numeric(18, 2) not null,
    currency char(3) not null default 'RUB',
    disputed_at timestamptz,
    modified_at timestamptz not null
);

create table if not exists invoice_line (
    invoice_no text not null,
    line_no integer not null,
    line_type text not null check (line_type in ('subscription', 'usage', 'fee', 'discount')),
    amount numeric(18, 2) not null,
    modified_at timestamptz not null,
    primary key (invoice_no, line_no)
);

create table if not exists payment (
    payment_no text primary key,
    customer_no text not null,
    invoice_no text,
    amount numeric(18, 2) not null,
    currency char(3) not null default 'RUB',
    state text not null check (state in ('ok', 'declined')),
    paid_at timestamptz not null,
    modified_at timestamptz not null
);

create table if not exists refund (
    refund_no text primary key,
    customer_no text not null,
    requested_at timestamptz not null,
    amount numeric(18, 2) not null,
    currency char(3) not null default 'RUB',
    decision text check (decision in ('paid', 'refused')),
    decided_at timestamptz,
    modified_at timestamptz not null
);

create table if not exists cabinet_feedback (
    feedback_no bigint primary key,
    customer_no text not null,
    kind text not null check (kind in ('operator_rating', 'review', 'survey', 'complaint', 'idea', 'praise')),
    score numeric(3, 2),                       -- 1-5; complaints, ideas and praise have none
    is_public boolean not null,
    ticket_id text,                            -- znuny ticket.id as text
    employee_login text,                       -- directory login = users.login in znuny = XML_ID in Bitrix24
    body text,                                 -- what the client wrote: never to be extracted
    submitted_at timestamptz not null,
    answered_at timestamptz,
    acted_on_at timestamptz,
    modified_at timestamptz not null
);

create index if not exists contract_modified on contract (modified_at);
create index if not exists account_operation_modified on account_operation (modified_at);
create index if not exists invoice_modified on invoice (modified_at);
create index if not exists invoice_line_modified on invoice_line (modified_at);
create index if not exists payment_modified on payment (modified_at);
create index if not exists refund_modified on refund (modified_at);
create index if not exists cabinet_feedback_modified on cabinet_feedback (modified_at);
