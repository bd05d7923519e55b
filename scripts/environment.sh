# Sourced by the other scripts: makes the environment `.venv` of this checkout (or `.venv-X.Y` for another
# Python) and keeps it at the lock's state. Sets `root` and `venv`; prints only when there is something to do.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() { printf '%s\n' "$@" >&2; exit 1; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
            && { echo "$candidate"; return; }
    done
    fail "Secure Chat needs Python 3.11 or newer, and none was found." \
        "On Debian or Ubuntu: sudo apt install python3 python3-venv"
}

find_version() { # find_version X.Y: a Python of just that version
    local candidate
    for candidate in "python$1" "$HOME/.pyenv/versions/$1".*/bin/python; do
        "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null \
            && { echo "$candidate"; return; }
    done
    return 1
}

state_of() { # state_of run|dev: what an environment of that kind is made from
    local project
    project=$(sed -n '/^\[project\]/,/^\[tool/p' "$root/pyproject.toml")
    echo "$1 $({ echo "$project"; cat "$root/locks/$1.txt"; } | sha256sum | cut -d' ' -f1) $root"
}

install() { # install LOCK: its packages and the checkout itself, into $venv; by uv, which is faster, if it is in LOCK
    local lock=$1 pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check --no-input install)
    local uv=("$root/.venv/bin/uv" pip install --quiet --python "$venv/bin/python")
    if grep -q '^uv==' "$lock"; then
        [ -x "${uv[0]}" ] || "${pip[@]}" --no-deps --require-hashes -r <(stanza uv "$lock")
        "${uv[@]}" --require-hashes -r "$lock" && "${uv[@]}" --no-deps --no-build-isolation --editable "$root" && return
    fi
    "${pip[@]}" --require-hashes -r "$lock" && "${pip[@]}" --no-deps --no-build-isolation --editable "$root"
}

stanza() { # stanza PACKAGE LOCK: the lines of one package, with its hashes
    awk -v start="^$1==" '$0 ~ start { inside = 1 } inside { print } inside && !/\\$/ { exit }' "$2"
}

prepare() { # prepare run|dev [PYTHON VERSION]; one at a time for each environment
    local kind=$1 python=${2:-} status=0
    venv=$root/.venv${3:+-$3}
    is_ready "$kind" && return
    exec 9>"$venv.lock"
    command -v flock >/dev/null && flock 9
    is_ready "$kind" || make_ready "$kind" "$python" || status=$?
    exec 9>&-
    return $status
}

is_ready() { # an environment for development also runs the server
    local made_at
    made_at=$(cat "$venv/made-from" 2>/dev/null) || return
    [ "$made_at" = "$(state_of "$1")" ] || { [ "$1" = run ] && [ "$made_at" = "$(state_of dev)" ]; }
}

make_ready() { # make_ready run|dev [PYTHON]
    local kind=$1 python=$2 lock=$root/locks/$1.txt log
    rm -f "$venv/made-from"
    python=${python:-$(find_python)} || exit 1
    echo "Setting up ${venv#"$root"/} with $("$python" -V) (once; about half a minute) ..." >&2
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -c '' 2>/dev/null || {
        rm -rf "$venv"
        log=$("$python" -m venv "$venv" 2>&1) || { rm -rf "$venv"
            fail "$log" "Python's venv module does not work. On Debian or Ubuntu: sudo apt install python3-venv"; }
    }
    log=$venv/install.log
    install "$lock" >"$log" 2>&1 || { tail -n 5 "$log" >&2
        fail "The packages of ${lock#"$root"/} could not be installed; the whole output is in $log." \
            "Is the network there? Run the same command again when it is."; }
    state_of "$kind" >"$venv/made-from"
}
