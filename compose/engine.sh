#!/usr/bin/env bash
# A Docker engine on this machine: the one that answers; else, as root on Debian or Ubuntu, one from the distribution's
# packages, started here and left running (`compose/engine.sh stop` ends it). Where that cannot be: a named error, exit 3.
set -euo pipefail

cd "$(dirname "$0")/.."
LOG=${PEEKLOCK_ENGINE_LOG:-/var/log/peeklock-dockerd.log}
PID=/var/run/docker.pid
WITHIN=60 # seconds for a daemon to answer; one that ends is noticed at once
ASK='import sys; sys.path.insert(0, "harness"); from peeklock.stack.containers.discovery import main; main()'

answers() { # the engine that Peeklock would use; on stderr, why there is none
  "${PYTHON:-python3}" -I -S -c "$ASK"
}

fail() { # what, how to fix
  printf 'error: %s\n  how to fix: %s\n' "$1" "$2" >&2
  exit 3
}

install() {
  command -v apt-get >/dev/null || fail "no Docker engine is installed, and there is no apt-get to install one with" \
    "install Docker Engine or Podman by your distribution's means, start it, and run this again"
  echo "installing a Docker engine (docker.io and iptables, from this machine's package sources)"
  local log
  log=$(mktemp)
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    fail "the packages docker.io and iptables could not be installed" "apt's lines above say why; is a package source reachable?"
  fi
  rm -f "$log"
}

start() {
  if [ -d /run/systemd/system ]; then
    systemctl start docker || fail "systemd could not start docker" "journalctl -u docker says why"
  else
    # A pid file whose process is gone would stop a daemon that starts after a crash of the machine.
    if [ -f "$PID" ] && ! kill -0 "$(cat "$PID")" 2>/dev/null; then rm -f "$PID"; fi
    setsid dockerd >"$LOG" 2>&1 </dev/null &
  fi
  local daemon=${!:-} end=$((SECONDS + WITHIN))
  until answers >/dev/null 2>&1; do
    if [ -n "$daemon" ] && ! kill -0 "$daemon" 2>/dev/null; then
      tail -n 8 "$LOG" >&2
      fail "dockerd ended before it answered" "its last lines above say why; $LOG has all of them. In a container, start it privileged or mount the socket of the host's engine"
    fi
    if [ "$SECONDS" -ge "$end" ]; then
      answers >/dev/null || fail "dockerd did not answer within $WITHIN s" "$LOG tells what it does; above is where an answer was looked for"
    fi
    sleep 0.2
  done
}

stop() {
  [ -f "$PID" ] && [ -f "$LOG" ] || fail "there is no engine that was started here" "stop yours by the means that started it"
  local daemon
  daemon=$(cat "$PID")
  kill "$daemon"
  while kill -0 "$daemon" 2>/dev/null; do sleep 0.1; done
  rm -f "$LOG"
  echo "the Docker engine has stopped"
}

case "${1:-start}" in
  start)
    why=$(mktemp)
    trap 'rm -f "$why"' EXIT
    if version=$(answers 2>"$why"); then
      echo "a container engine answers already: $version"
      exit 0
    fi
    if [ -n "${DOCKER_HOST:-}" ] || [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; then
      cat "$why" >&2
      [ -z "${DOCKER_HOST:-}" ] || fail "the engine that DOCKER_HOST names does not answer" "start it, or unset DOCKER_HOST"
      [ "$(uname -s)" = Linux ] || fail "an engine can be installed here on Linux only" "start Docker Desktop, Colima or a Podman machine"
      fail "only root can install and start an engine" \
        "sudo make docker; where one runs and its socket is closed to you: sudo usermod -aG docker \$USER, and log in anew; or start a rootless one"
    fi
    { command -v dockerd && command -v iptables; } >/dev/null || install
    start
    echo "a container engine answers now: $(answers)"
    ;;
  stop) stop ;;
  *)
    echo "usage: compose/engine.sh [start|stop]" >&2
    exit 2
    ;;
esac
