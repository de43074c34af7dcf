#!/bin/sh
# Installs the servers the tests start, as far as they are missing; may be run again at any time.
# Usage: tests/servers/install.sh [PYTHON]   (the Python of the project, default python3)
set -eu

python=${1:-python3}
case $python in
    */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;;
esac
cd "$(dirname "$0")/../.."

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        fail "installing packages needs root or sudo: install them by hand, or run this as root."
    fi
}

# Debian starts the services of the packages it installs, unless this program forbids it with 101.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no

remove_policy() {
    if [ "$policy_is_ours" = yes ]; then
        as_root rm -f "$policy"
        policy_is_ours=no
    fi
}

install_packages() {
    as_root true
    trap remove_policy EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if [ ! -e "$policy" ]; then
        policy_is_ours=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root apt-get update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
    remove_policy
    # The packages also make their services start with the system; the tests start their own.
    if have systemctl && [ -d /run/systemd/system ]; then
        as_root systemctl disable --now "$@"
    fi
}

missing=
if ! have prometheus || ! have promtool; then
    missing=prometheus
fi
if ! have amtool || { ! have prometheus-alertmanager && ! have alertmanager; }; then
    missing="$missing prometheus-alertmanager"
fi
if [ -n "$missing" ]; then
    have apt-get || fail "there is no apt-get: put prometheus, promtool, alertmanager and amtool (from https://prometheus.io/download/) on PATH."
    # shellcheck disable=SC2086  # one word for each package
    install_packages $missing
fi

have mvn || fail "there is no mvn on PATH: install Maven (Debian: apt-get install maven)."
have "$python" || fail "there is no $python: give the project's Python as the first argument."
# Also says so when Java is missing or below 17.
jars=$("$python" -m tests.servers.kafka_jars) || fail "Kafka is not ready to be started (see above)."
echo "Kafka's jars: $jars"
