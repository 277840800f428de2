#!/bin/sh
# start.sh postgres [options]: starts PostgreSQL. The first time it makes the database of $POSTGRES_USER and runs the
# *.sql files of /docker-entrypoint-initdb.d, as the image `postgres` does.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    # shellcheck disable=SC2086
    initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 \
        ${POSTGRES_INITDB_ARGS:-}
    rm /tmp/password
    pg_ctl start --wait --options="-c listen_addresses=''"    # nobody else can connect yet
    createdb --username="$POSTGRES_USER" "$POSTGRES_USER"
    for file in /docker-entrypoint-initdb.d/*.sql; do
        psql --username="$POSTGRES_USER" --set=ON_ERROR_STOP=1 --file="$file"
    done
    pg_ctl stop --wait --mode=fast
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
fi
exec "$@"
