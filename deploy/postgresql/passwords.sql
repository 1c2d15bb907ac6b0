-- Gives each service's role its password, from variables so that no file of this folder holds one:
--
--   psql --set ON_ERROR_STOP=1 --set intake="$(cat ...)" --set triage=... --set dispatch=... --set notification=... \
--     --file deploy/postgresql/passwords.sql
--
-- Run it again with new ones to change them.

SET password_encryption = 'scram-sha-256';
-- The statements hold passwords; the server's log must not.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';

ALTER ROLE intake PASSWORD :'intake';
ALTER ROLE triage PASSWORD :'triage';
ALTER ROLE dispatch PASSWORD :'dispatch';
ALTER ROLE notification PASSWORD :'notification';
