#!/bin/sh
# Installs the Debian packages of packages.txt (or of the list that is named) that are missing. Needs
# root (or sudo) only if any are. Services that a package would start are not started: tests start
# their own.
set -eu
cd "$(dirname "$0")"

missing=""
for package in $(grep -v '^#' "${1:-packages.txt}"); do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod +x "$policy"
  made_policy=yes
fi
status=0
{ $as_root apt-get update -qq &&
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null; } || status=$?
[ "$made_policy" = no ] || $as_root rm -f "$policy"
exit $status
