#!/usr/bin/env bash
# Build the image and run it as a cluster would, on a machine without Docker and without a registry: as root on Debian, with
# buildah, bubblewrap, mmdebstrap and curl. A Debian with its own Python stands in for the base image.
# What is shown: it builds, both commands run as uid 65532 on a read-only root without capabilities, and how large it is.
set -euo pipefail
cd "$(dirname "$0")/.."
work=${1:-$(mktemp -d)}
base=localhost/python:stand-in
store=(--root "$work/storage" --runroot "$work/run" --storage-driver overlay)
authorities=/etc/ssl/certs/ca-certificates.crt

if ! buildah "${store[@]}" inspect "$base" >/dev/null 2>&1; then
  echo "Making a stand-in for $base ..."
  mmdebstrap --quiet --variant=minbase --mode=root --include=python3,python3-venv,ca-certificates trixie "$work/base.tar"
  empty=$(buildah "${store[@]}" from scratch)
  buildah "${store[@]}" add --quiet "$empty" "$work/base.tar" / >/dev/null
  buildah "${store[@]}" commit --quiet --rm "$empty" "$base" >/dev/null
fi
buildah "${store[@]}" bud --quiet --isolation chroot --network host --pull-never --layers --format docker \
  --build-arg PYTHON="$base" -v "$authorities:$authorities:ro" -f deploy/Dockerfile -t localhost/sluice:try . >/dev/null
size() { buildah "${store[@]}" images --noheading --format '{{.Size}}' "$1"; }
echo "size: $(size localhost/sluice:try), of which $(size "$base") are the base"

container=$(buildah "${store[@]}" from --pull-never localhost/sluice:try)
root=$(buildah "${store[@]}" mount "$container")
started=()
finish() {
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  wait
  buildah "${store[@]}" rm "$container" >/dev/null
}
trap finish EXIT

# NAME=VALUE... -- COMMAND: run a command of the image the way a restricted pod runs it.
run() {
  local settings=()
  while [ "$1" != -- ]; do settings+=(--setenv "${1%%=*}" "${1#*=}"); shift; done
  shift
  # Bound by file descriptor: as another user one may not walk through the folders that buildah keeps its layers in.
  exec bwrap --ro-bind "/proc/self/fd/9" / --proc /proc --dev /dev --tmpfs /tmp --ro-bind "/proc/self/fd/8" /tmp/rules --chdir /tmp \
    --unshare-all --share-net --uid 65532 --gid 65532 --cap-drop ALL --die-with-parent --clearenv \
    --setenv PATH /opt/sluice/bin:/usr/local/bin:/usr/bin --setenv PYTHONDONTWRITEBYTECODE 1 --setenv SLUICE_RULES /tmp/rules \
    "${settings[@]}" "$@" 8<rules 9<"$root"
}

(run -- sluice --version)
(run -- python3 -c 'import os
print("uid", os.getuid(), "on a root that is", "read-only" if os.statvfs("/").f_flag & os.ST_RDONLY else "writable")')

# Without Redis both must stay alive, and the ingress ready: it has answers for that case.
away=SLUICE_REDIS_URL=redis://127.0.0.1:1/0
ingress=${PORT:-18080}
worker=$((ingress + 1))
(run $away SLUICE_PUBLIC_URL=http://127.0.0.1 SLUICE_PORT=$ingress SLUICE_HUBSPOT_CLIENT_SECRET=try -- sluice serve) \
  2>"$work/serve.log" & started+=($!)
(run $away SLUICE_METRICS_PORT=$worker SLUICE_SAKARI_{ACCOUNT_ID,CLIENT_ID,CLIENT_SECRET}=try -- sluice work) \
  2>"$work/work.log" & started+=($!)
for path in $ingress/livez $ingress/readyz $worker/livez; do
  curl --silent --fail --retry 60 --retry-delay 1 --retry-connrefused --write-out " (127.0.0.1:$path)\n" \
    "http://127.0.0.1:$path"
done
