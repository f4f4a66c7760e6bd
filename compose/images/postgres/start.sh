#!/bin/sh
# PID 1 until Postgres takes its place; arguments go to postgres. The first time it makes the superuser $POSTGRES_USER with
# the password $POSTGRES_PASSWORD (or the first line of $POSTGRES_PASSWORD_FILE), and the database $POSTGRES_DB.
set -eu

done_once=$PGDATA/peeklock.prepared

prepare() { # a cluster in $PGDATA, where there is none: in the image, and in an empty folder that is mounted there
  version=$(postgres --version) version=${version#*) } version=${version%%.*}
  builtin=
  [ "$version" -lt 17 ] || builtin='--locale-provider=builtin --builtin-locale=C.UTF-8'
  # shellcheck disable=SC2086  two words
  initdb -D "$PGDATA" -U postgres -A reject -E UTF8 $builtin --locale=C \
    --wal-segsize=1 --no-sync --no-instructions >/dev/null
  echo "include '/etc/postgresql/postgresql.conf'" >>"$PGDATA/postgresql.conf"
}

quoted() { # text, quotation mark: for SQL, whatever the text is
  rest=$1 out=
  while :; do
    case $rest in *"$2"*) out=$out${rest%%"$2"*}$2$2 rest=${rest#*"$2"} ;; *) break ;; esac
  done
  printf %s "$2$out$rest$2"
}

refuse() { # what, how to fix
  printf 'error: %s\n  how to fix: %s\n' "$1" "$2" >&2
  exit 1
}

[ -s "$PGDATA/PG_VERSION" ] || prepare
[ "${1:-}" != --prepare ] || exit 0

if ! [ -e "$done_once" ]; then
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then IFS= read -r POSTGRES_PASSWORD <"$POSTGRES_PASSWORD_FILE" || [ -n "$POSTGRES_PASSWORD" ]; fi
  [ -n "${POSTGRES_PASSWORD:-}" ] || refuse "the superuser $POSTGRES_USER has no password" \
    "set POSTGRES_PASSWORD, or POSTGRES_PASSWORD_FILE; nobody comes in without"
  verb=CREATE
  [ "$POSTGRES_USER" != postgres ] || verb=ALTER
  {
    printf '%s ROLE %s SUPERUSER LOGIN PASSWORD %s;\n\n' "$verb" "$(quoted "$POSTGRES_USER" '"')" "$(quoted "$POSTGRES_PASSWORD" "'")"
    case ${POSTGRES_DB:=$POSTGRES_USER} in
      postgres) ;;
      *) printf 'CREATE DATABASE %s OWNER %s STRATEGY file_copy;\n\n' "$(quoted "$POSTGRES_DB" '"')" "$(quoted "$POSTGRES_USER" '"')" ;;
    esac
    # log_min_error_statement: a statement that fails is not written to the log, it has the password.
  } | postgres --single -j -D "$PGDATA" -c log_min_error_statement=panic -c exit_on_error=on postgres >/dev/null
  : >"$done_once"
fi
unset POSTGRES_PASSWORD
exec postgres -D "$PGDATA" "$@"
