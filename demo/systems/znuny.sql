-- The part of a Znuny 6.5 database that the warehouse reads, with Znuny's own table and column names. Columns that
-- Znuny requires and nobody here reads are left out or nullable. All times are naive and in UTC, to the second.
--
-- How to read it
--   opened by        ticket.create_by = 1 (the system user: mail, web form, phone robot) = the client; else an employee
--   opened at        ticket.create_time
--   client           ticket.customer_id = help-desk customer number ('HD-00123'); the CRM knows it as UF_CRM_HELPDESK_NO
--   topic            dynamic_field 'Topic' -> dynamic_field_value.value_text, object_id = ticket.id
--   SLA class        sla.name: 'Own work, 1 working day' = ours, 'Operator, 3 working days' = third_party
--   solved           ticket_history of type StateUpdate whose state_id has the type 'pending auto' ('pending auto close+')
--   closed           ... whose state_id has the type 'closed'
--   reopened         ... whose state_id has the type 'open' and whose name starts with the old state '%%closed' or
--                    '%%pending auto' (name = '%%<old state>%%<new state>%%')
--   owner changed    type OwnerUpdate, name = '%%<login>%%<user id>', owner_id = users.id
--   promise changed  type TicketDynamicFieldUpdate, name = '%%FieldName%%PromisedDate%%Value%%2024-05-06%%OldValue%%...';
--                    the first promise is such a row too, with an empty OldValue
--   messages         article with is_visible_for_customer = 1; sender type customer -> client, agent -> employee
--                    (create_by = users.id), system -> auto. Internal notes are there with is_visible_for_customer = 0.
--   what was written article_data_mime (subject, body, addresses): never to be extracted
-- ticket.change_time moves whenever the ticket changes; history and article rows that arrive late carry an old
-- create_time and a young change_time; their ids ascend in the order in which they were written.

create table if not exists users (
    id serial primary key,
    login varchar(200) not null unique,
    pw varchar(128) not null default '',
    first_name varchar(100) not null,
    last_name varchar(100) not null,
    valid_id smallint not null default 1,
    create_time timestamp(0) not null,
    create_by integer not null default 1,
    change_time timestamp(0) not null,
    change_by integer not null default 1
);

create table if not exists queue (
    id serial primary key,
    name varchar(200) not null unique,
    group_id integer not null default 1,
    valid_id smallint not null default 1,
    create_time timestamp(0) not null,
    create_by integer not null default 1,
    change_time timestamp(0) not null,
    change_by integer not null default 1
);

create table if not exists sla (
    id serial primary key,
    name varchar(200) not null unique,
    calendar_name varchar(100),
    first_response_time integer not null,
    update_time integer not null default 0,
    solution_time integer not null,
    valid_id smallint not null default 1,
    comments varchar(250),
    create_time timestamp(0) not null,
    create_by integer not null default 1,
    change_time timestamp(0) not null,
    change_by integer not null default 1
);

create table if not exists service (
    id serial primary key,
    name varchar(200) not null unique,
    valid_id smallint not null default 1,
    comments varchar(250),
    create_time timestamp(0) not null,
    create_by integer not null default 1,
    change_time timestamp(0) not null,
    change_by integer not null default 1
);

create table if not exists ticket_state_type (
    id serial primary key,
    name varchar(200) not null unique,
    comments varchar(250),
    create_time timestamp(0) not null,
    create_by integer not null default 1,
    change_time timestamp(0) not null,
    change_by integer not null default 1
);

create table if not exists ticket_state (
    id serial primary key,
    name varchar(200) not null unique,
    comments varchar(250),
    type_id smallint not null,
    valid_id smallint not null default 1,
    create_time timestamp(0) not null,
    create_by integer not null default 1,
    change_time timestamp(0) not null,
    change_by integer not null default 1
);

create table if not exists ticket_history_type (
    id serial primary key,
    name varchar(200) not null unique,
    comments varchar(250),
    valid_id smallint not null default 1,
    create_time timestamp(0) not null,
    create_by integer not null default 1,
    change_time timestamp(0) not null,
    change_by integer not null default 1
);

create table if not exists article_sender_type (
    id serial primary key,
    name varchar(200) not null unique,
    comments varchar(250),
    valid_id smallint not null default 1,
    create_time timestamp(0) not null,
    create_by integer not null default 1,
    change_time timestamp(0) not null,
    change_by integer not null default 1
);

create table if not exists dynamic_field (
    id serial primary key,
    internal_field smallint not null default 0,
    name varchar(200) not null unique,
    label varchar(200) not null,
    field_order integer not null default 1,
    field_type varchar(200) not null,
    object_type varchar(100) not null,
    config text,
    valid_id smallint not null default 1,
    create_time timestamp(0) not null,
    create_by integer not null default 1,
    change_time timestamp(0) not null,
    change_by integer not null default 1
);

create table if not exists ticket (
    id bigserial primary key,
    tn varchar(50) not null unique,
    title varchar(255),
    queue_id integer not null,
    ticket_lock_id smallint not null default 1,
    type_id smallint,
    service_id integer,
    sla_id integer,
    user_id integer not null,
    responsible_user_id integer not null,
    ticket_priority_id smallint not null default 3,
    ticket_state_id smallint not null,
    customer_id varchar(150),
    customer_user_id varchar(250),
    timeout integer not null default 0,
    until_time integer not null default 0,
    escalation_time integer not null default 0,
    escalation_update_time integer not null default 0,
    escalation_response_time integer not null default 0,
    escalation_solution_time integer not null default 0,
    archive_flag smallint not null default 0,
    create_time timestamp(0) not null,
    create_by integer not null,
    change_time timestamp(0) not null,
    change_by integer not null default 1
);

create table if not exists ticket_history (
    id bigserial primary key,
    name varchar(200) not null,
    history_type_id smallint not null,
    ticket_id bigint not null,
    article_id bigint,
    type_id smallint not null default 1,
    queue_id integer not null,
    owner_id integer not null,
    priority_id smallint not null default 3,
    state_id smallint not null,
    create_time timestamp(0) not null,
    create_by integer not null,
    change_time timestamp(0) not null,
    change_by integer not null
);

create table if not exists article (
    id bigserial primary key,
    ticket_id bigint not null,
    article_sender_type_id smallint not null,
    communication_channel_id bigint not null default 1,
    is_visible_for_customer smallint not null,
    search_index_needs_rebuild smallint not null default 0,
    create_time timestamp(0) not null,
    create_by integer not null,
    change_time timestamp(0) not null,
    change_by integer not null
);

create table if not exists article_data_mime (
    id bigserial primary key,
    article_id bigint not null,
    a_from varchar,
    a_to varchar,
    a_subject varchar(3800),
    a_body varchar,
    incoming_time integer not null default 0,
    create_time timestamp(0) not null,
    create_by integer not null,
    change_time timestamp(0) not null,
    change_by integer not null
);

create table if not exists dynamic_field_value (
    id bigserial primary key,
    field_id integer not null,
    object_id bigint not null,
    value_text varchar(3800),
    value_date timestamp(0),
    value_int bigint
);

-- Those of Znuny's indexes that a query of the warehouse could go by. It has none on change_time.
create index if not exists ticket_create_time on ticket (create_time);
create index if not exists ticket_history_create_time on ticket_history (create_time);
create index if not exists ticket_history_history_type_id on ticket_history (history_type_id);
create index if not exists ticket_history_ticket_id on ticket_history (ticket_id);
create index if not exists article_article_sender_type_id on article (article_sender_type_id);
create index if not exists article_ticket_id on article (ticket_id);
create index if not exists dynamic_field_value_field_values on dynamic_field_value (object_id, field_id);
create index if not exists dynamic_field_value_search_int on dynamic_field_value (field_id, value_int);
