#!/bin/sh
# Installs the Debian packages named as arguments that are missing; asks for root only if it must.
set -eu
missing=""
for package in "$@"; do
  if [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" != "install ok installed" ]; then
    missing="$missing $package"
  fi
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
  echo "Not a Debian system: please install the equivalents of:$missing" >&2
  exit 1
fi
run=""
if [ "$(id -u)" != 0 ]; then run="sudo"; fi
echo "Installing:$missing"
$run apt-get update -qq
# shellcheck disable=SC2086  # the list is meant to be split into words
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
