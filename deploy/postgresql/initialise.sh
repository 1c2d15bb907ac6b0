#!/usr/bin/env bash
# What the official image of PostgreSQL runs at its first start (/docker-entrypoint-initdb.d): the roles and the
# database, then the passwords from secret files.
set -euo pipefail

here=/etc/tocsin
secret() { cat "/run/secrets/postgresql-$1"; }

psql() { command psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres "$@"; }

psql --file "$here/tocsin.sql"
# Variables go in by standard input: arguments of a process can be read by others.
for service in intake triage dispatch notification; do
  printf "\\\\set %s '%s'\n" "$service" "$(secret "$service")"
done | cat - "$here/passwords.sql" | psql --file -
