#!/usr/bin/env bash
# A Docker engine on this machine: the one that answers; else, as root on Debian or Ubuntu, one from the distribution's
# packages, started here and left running (`compose/engine.sh stop` ends it). Where that cannot be: a named error, exit 3.
set -euo pipefail

LOG=/var/log/peeklock-dockerd.log
PID=/var/run/docker.pid
WITHIN=60 # seconds for a daemon to answer; one that ends is noticed at once

answers() { # the version of the engine that the docker command reaches
  command -v docker >/dev/null && timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null
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
  until answers >/dev/null; do
    if [ -n "$daemon" ] && ! kill -0 "$daemon" 2>/dev/null; then
      tail -n 8 "$LOG" >&2
      fail "dockerd ended before it answered" "its last lines above say why; $LOG has all of them. In a container, start it privileged or mount the socket of the host's engine"
    fi
    [ "$SECONDS" -lt "$end" ] || fail "dockerd did not answer within $WITHIN s" "see $LOG"
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
    if version=$(answers); then
      echo "a Docker engine $version answers already"
      exit 0
    fi
    [ -z "${DOCKER_HOST:-}" ] || fail "DOCKER_HOST is $DOCKER_HOST, and no engine answers there" "start that engine, or unset DOCKER_HOST"
    [ "$(uname -s)" = Linux ] || fail "no Docker engine answers, and one can be installed here on Linux only" \
      "start Docker Desktop, Colima or a Podman machine"
    [ "$(id -u)" = 0 ] || fail "no Docker engine answers, and only root can start one" \
      "sudo make docker; or start a rootless engine (dockerd-rootless-setuptool.sh install, or podman system service)"
    { command -v dockerd >/dev/null && command -v docker >/dev/null && command -v iptables >/dev/null; } || install
    start
    echo "a Docker engine $(answers) answers now"
    ;;
  stop) stop ;;
  *)
    echo "usage: compose/engine.sh [start|stop]" >&2
    exit 2
    ;;
esac
