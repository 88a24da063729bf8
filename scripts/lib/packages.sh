# shellcheck shell=bash
# Installs Debian packages that are missing. Nothing of the system is started, stopped or
# reconfigured: services stay off during the installation and no database cluster is made.

BUILD_PACKAGES=(libuv1-dev libllhttp-dev libpq-dev libhiredis-dev libcurl4-openssl-dev
    libyyjson-dev libssl-dev pkgconf g++ libc6-dev)
# redis-tools holds the server's program; the package redis-server would add a system service.
STORE_PACKAGES=(postgresql-17 postgresql-17-pgvector redis-tools curl openssl
    ca-certificates)

is_installed() {
    [[ $(dpkg-query --show --showformat '${db:Status-Abbrev}' "$1" 2>/dev/null) == ii* ]]
}

# install_packages NAME...: returns at once if all are there.
install_packages() {
    local name
    local -a missing=()
    for name in "$@"; do
        if ! is_installed "$name"; then missing+=("$name"); fi
    done
    if ((${#missing[@]} == 0)); then return; fi
    have apt-get || die "these packages are missing: ${missing[*]}" \
        "this script installs them on Debian 12 and 13; elsewhere install their like by hand"
    step "installing from Debian: ${missing[*]}"
    as_root apt-get update --quiet=2 || die "apt-get update failed"
    local -a from=()
    if ! knows_trixie && [[ $(debian_codename) == bookworm ]]; then add_trixie_suite; fi
    if knows_trixie; then from=(--target-release trixie); fi
    mkdir -p "$RUN_DIR/log"
    keep_services_off
    local status=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 \
        --no-install-recommends -o Dpkg::Use-Pty=0 "${from[@]}" "${missing[@]}" \
        >>"$(log_file apt)" 2>&1 || status=$?
    let_services_start
    if ((status != 0)); then
        tail -n 20 "$(log_file apt)" >&2
        die "apt-get could not install: ${missing[*]}" "its log: $(log_file apt)"
    fi
}

as_root() {
    if [[ $EUID == 0 ]]; then
        "$@"
    else
        have sudo || die "packages must be installed and there is no sudo" "run it once as root"
        sudo -- "$@"
    fi
}

debian_codename() { sed -nE 's/^VERSION_CODENAME=//p' /etc/os-release; }
knows_trixie() { apt-cache policy | grep -q 'n=trixie\(,\|$\)'; }

# Debian 12: adds the trixie suite of the mirror that this machine already uses, with its keyring,
# at a priority at which nothing of it is installed or upgraded unless asked for.
add_trixie_suite() {
    local sources extension
    sources=$(trixie_sources) || die "no Debian mirror found in /etc/apt/sources.list(.d)" \
        "add the suite trixie of your mirror, pinned at 100, and run again"
    extension=list
    if [[ $sources == *URIs:* ]]; then extension=sources; fi
    step "adding the trixie suite of this machine's mirror, pinned at priority 100"
    printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n' \
        | as_root tee /etc/apt/preferences.d/fourfold-trixie >/dev/null
    printf '%s\n' "$sources" \
        | as_root tee "/etc/apt/sources.list.d/fourfold-trixie.$extension" >/dev/null
    as_root apt-get update --quiet=2 || die "apt-get update failed"
}

# Prints the bookworm entry of this machine's sources, rewritten for trixie; in the form it has.
trixie_sources() {
    local file entry
    local apt_dir=${APT_DIR:-/etc/apt}
    for file in "$apt_dir"/sources.list.d/*.sources; do
        if [[ -f $file ]] && entry=$(trixie_stanza "$file") && [[ -n $entry ]]; then
            printf '%s\n' "$entry"
            return
        fi
    done
    for file in "$apt_dir"/sources.list "$apt_dir"/sources.list.d/*.list; do
        if [[ -f $file ]] && entry=$(trixie_line "$file") && [[ -n $entry ]]; then
            printf '%s\n' "$entry"
            return
        fi
    done
    return 1
}

# The deb822 form: a stanza whose suites name bookworm itself (not -updates or -security).
trixie_stanza() {
    awk 'BEGIN { RS = ""; FS = "\n" }
        {
            keep = 0; text = ""
            for (i = 1; i <= NF; i++) {
                line = $i
                if (line ~ /^#/) continue
                if (line ~ /^Enabled:[ \t]*no/) { keep = 0; break }
                if (line ~ /^Types:/) { if (line !~ /[ \t]deb([ \t]|$)/) { keep = 0; break }
                    line = "Types: deb" }
                if (line ~ /^Suites:/) {
                    if (line ~ /[ \t](bookworm|oldstable)([ \t]|$)/) keep = 1
                    line = "Suites: trixie"
                }
                if (line ~ /^Components:/) line = "Components: main"
                text = text line "\n"
            }
            if (keep) { printf "%s", text; exit }
        }' "$1"
}

# The one-line form: deb [options] URI bookworm components…
trixie_line() {
    local mirror='^(deb[[:space:]]+(\[[^]]*\][[:space:]]+)?[^[:space:]]+)'
    sed -nE "/${mirror}[[:space:]]+(bookworm|oldstable)[[:space:]]/{
        s/${mirror}[[:space:]].*/\1 trixie main/p
        q
    }" "$1"
}

POLICY_FILE=/usr/sbin/policy-rc.d
CLUSTER_FILE=/etc/postgresql-common/createcluster.d/fourfold.conf

# Until let_services_start, or the end of this script if that comes first, no maintainer script may
# start a service, and postgresql-17 makes no cluster. A policy of the machine's own stays.
keep_services_off() {
    as_root mkdir -p "$(dirname "$CLUSTER_FILE")"
    printf 'create_main_cluster = false\n' | as_root tee "$CLUSTER_FILE" >/dev/null
    if [[ -e $POLICY_FILE ]]; then return; fi
    printf '%s\n' '#!/bin/sh' '# Placed by fourfold while it installs packages.' \
        "if [ -d /proc/$$ ]; then exit 101; fi" 'exit 0' | as_root tee "$POLICY_FILE" >/dev/null
    as_root chmod 755 "$POLICY_FILE"
}

let_services_start() {
    as_root rm -f "$CLUSTER_FILE"
    if grep -qs 'Placed by fourfold' "$POLICY_FILE"; then as_root rm -f "$POLICY_FILE"; fi
}
