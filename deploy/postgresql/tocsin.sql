-- The database of Tocsin: one role for each service, each with a schema of its own that no other may look into.
--
--   psql --set ON_ERROR_STOP=1 --file deploy/postgresql/tocsin.sql             as a superuser
--   psql --set database=other ...                                              for another name than `tocsin`
--
-- It can run again: what exists stays. Roles are made without a password and cannot sign in by one until
-- `passwords.sql` or an operator sets it.

\if :{?database}
\else
  \set database tocsin
\endif

SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS', service)
FROM unnest(ARRAY['intake', 'triage', 'dispatch', 'notification']) AS service
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service)
\gexec

SELECT format('CREATE DATABASE %I', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database')
\gexec

-- Nobody connects, makes temporary tables or creates anything by being somebody.
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO intake, triage, dispatch, notification;
-- A commit that is answered is on the disk, whatever the server's default is; and a holder of locks that fell silent
-- in the middle of a transaction does not hold up the others for ever.
ALTER DATABASE :"database" SET synchronous_commit = 'on';
ALTER DATABASE :"database" SET idle_in_transaction_session_timeout = '60s';
ALTER DATABASE :"database" SET lock_timeout = '20s';

\connect :"database"

REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS intake AUTHORIZATION intake;
CREATE SCHEMA IF NOT EXISTS triage AUTHORIZATION triage;
CREATE SCHEMA IF NOT EXISTS dispatch AUTHORIZATION dispatch;
CREATE SCHEMA IF NOT EXISTS notification AUTHORIZATION notification;

-- The wrapped data keys of cases: triage alone. Back it up apart from the others, and for a shorter time.
CREATE SCHEMA IF NOT EXISTS triage_keys AUTHORIZATION triage;

-- The store of credentials: triage writes, the others read.
CREATE SCHEMA IF NOT EXISTS keys AUTHORIZATION triage;
GRANT USAGE ON SCHEMA keys TO intake, dispatch, notification;
GRANT SELECT ON ALL TABLES IN SCHEMA keys TO intake, dispatch, notification;
ALTER DEFAULT PRIVILEGES FOR ROLE triage IN SCHEMA keys GRANT SELECT ON TABLES TO intake, dispatch, notification;
