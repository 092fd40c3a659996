#!/usr/bin/env bash
# Compiles llama.cpp's llama-server from pinned sources and installs it as one engine folder.
#
# An engine folder appears under its final name only when complete, and `current` moves to it in one
# step, so an interrupted build changes nothing. Written for bash 3.2, which macOS still ships.
set -euo pipefail

readonly PINNED_VERSION=0.5.0
readonly PINNED_COMMIT=de3ff815ea7d559ee917f063901b8986f038abc6
readonly BUNDLE_PACKAGE=node-llama-cpp@3.22.1
readonly BUNDLE_SHA256=5f5d1105d5df040738d87b8290e5d17e7362131cdcfdb0831618e0ea528b4a51
readonly UPSTREAM=https://github.com/ggml-org/llama.cpp
readonly BINARIES="llama-server llama-quantize llama-bench llama-fit-params ggml-rpc-server"
SELF=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
readonly SELF
readonly TEMPLATE=openai-gpt-oss-120b.jinja

usage() {
  cat <<'HELP'
Usage: scripts/build-llama.sh [options]

Compiles llama-server, llama-quantize, llama-bench, llama-fit-params and ggml-rpc-server (Metal on
macOS, CPU elsewhere) and installs them as an engine of oss20bd. What is already built is not built
again; an interrupted build goes on where it stopped.

Source (one of):
  (none)         llama.cpp 0.5.0 from a bundle with a pinned checksum, fetched with npm
  --git [REF]    tag, branch or commit of https://github.com/ggml-org/llama.cpp (v0.5.0 unless given)
  --source DIR   a llama.cpp source tree on this machine

Options:
  --jobs N       compile N files at once (all cores unless given)
  --cpu-only     leave Metal out on macOS
  --prefix DIR   the folder of engines to install into (the one oss20bd uses unless given)
  --no-current   install it beside the current engine, which stays the current one
  --progress     print "progress PERCENT TEXT" lines for another program
  --print-key    print the name the engine would get, build nothing
  --help         print this

The last line on standard output is "engine FOLDER". Exit status: 0 done, 1 failed, 2 wrong usage.
HELP
}

# ---------------------------------------------------------------------------------------- messages

readonly BUILD_STARTED=$SECONDS
show=plain
last_shown=-10
last_percent=0

end_line() {
  if [ "$show" = tty ] && [ "$last_shown" -ge 0 ]; then printf '\n'; last_shown=-10; fi
}

die() {
  end_line
  printf '%s\n' "$@" >&2
  exit 1
}

usage_error() {
  printf '%s\nRun scripts/build-llama.sh --help for the options\n' "$1" >&2
  exit 2
}

# progress PERCENT TEXT
progress() {
  last_percent=$1
  case $show in
    machine) printf 'progress %d %s\n' "$1" "$2" ;;
    tty)
      local columns line
      columns=$(tput cols 2>/dev/null || echo 80)
      line=$(printf '%3d %%  %d:%02d  %s' "$1" $(((SECONDS - BUILD_STARTED) / 60)) $(((SECONDS - BUILD_STARTED) % 60)) "$2")
      printf '\r%s\033[K' "${line:0:$((columns - 1))}"
      last_shown=$1
      ;;
    plain)
      if [ "$1" -ge $((last_shown + 10)) ] || { [ "$1" -eq 100 ] && [ "$last_shown" -ne 100 ]; }; then
        printf '%3d %%  %s\n' "$1" "$2"
        last_shown=$(($1 / 10 * 10))
      fi
      ;;
  esac
}

# ----------------------------------------------------------------------------------------- options

source_kind=bundle
source_ref=
source_dir=
jobs=
cpu_only=no
prefix=
no_current=no
print_key=no

parse_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --git)
        source_kind=git
        source_ref=v$PINNED_VERSION
        if [ $# -gt 1 ] && [ "${2#-}" = "$2" ]; then source_ref=$2; shift; fi
        ;;
      --source)
        [ $# -gt 1 ] || usage_error 'Cannot read --source: it needs a folder'
        source_kind=tree
        source_dir=$2
        shift
        ;;
      --jobs)
        [ $# -gt 1 ] || usage_error 'Cannot read --jobs: it needs a number'
        jobs=$2
        shift
        ;;
      --prefix)
        [ $# -gt 1 ] || usage_error 'Cannot read --prefix: it needs a folder'
        prefix=$2
        shift
        ;;
      --cpu-only) cpu_only=yes ;;
      --no-current) no_current=yes ;;
      --progress) show=machine ;;
      --print-key) print_key=yes ;;
      --help | -h) usage; exit 0 ;;
      *) usage_error "Cannot read $1: no such option" ;;
    esac
    shift
  done
  check_options
}

check_options() {
  case $jobs in
    '') jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2) ;;
    *[!0-9]* | 0*) usage_error "Cannot read --jobs: '$jobs' is not a whole number above 0" ;;
  esac
  case $source_ref in
    *[!A-Za-z0-9._/-]*) usage_error "Cannot read --git: '$source_ref' is not a tag, branch or commit" ;;
  esac
  if [ "$source_kind" = tree ]; then
    [ -f "$source_dir/CMakeLists.txt" ] ||
      usage_error "Cannot build from $source_dir: it holds no CMakeLists.txt, a llama.cpp source tree must be given"
    source_dir=$(cd "$source_dir" && pwd)
  fi
  if [ "$show" = plain ] && [ -t 1 ]; then show='tty'; fi
}

# The same places as src/config/paths.ts.
choose_folders() {
  local home=${HOME:-}
  [ -n "$home" ] || home=$(cd ~ && pwd)
  if [ "$(uname -s)" = Darwin ]; then
    cache=${OSS20BD_CACHE:-$home/Library/Caches/oss20bd}
    engines="$home/Library/Application Support/oss20bd/engines"
  else
    cache=${OSS20BD_CACHE:-${XDG_CACHE_HOME:-$home/.cache}/oss20bd}
    engines=${XDG_DATA_HOME:-$home/.local/share}/oss20bd/engines
  fi
  [ -z "${OSS20BD_HOME:-}" ] || engines=$OSS20BD_HOME/engines
  [ -n "$prefix" ] || prefix=$engines
}

make_folders() {
  local folder
  for folder in "$cache/build" "$cache/engines" "$cache/sources" "$prefix"; do
    mkdir -p "$folder" 2>/dev/null || true
    [ -w "$folder" ] ||
      die "Cannot build llama-server: $folder cannot be written, it must be a folder of yours"
  done
  cache=$(cd "$cache" && pwd)
  prefix=$(cd "$prefix" && pwd)
}

# ------------------------------------------------------------------------------------------- tools

have() { command -v "$1" >/dev/null 2>&1; }

cmake_is_new_enough() {
  local version major minor
  version=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9]*\.[0-9]*\).*/\1/p')
  major=${version%%.*}
  minor=${version#*.}
  [ -n "$version" ] && { [ "$major" -gt 3 ] || { [ "$major" -eq 3 ] && [ "$minor" -ge 18 ]; }; }
}

# On a Mac without the Command Line Tools /usr/bin/cc and /usr/bin/git exist, but only open a dialog.
is_apple_stub() {
  [ "$(uname -s)" = Darwin ] && [ "$(command -v "$1")" = "/usr/bin/$1" ] && ! xcode-select -p >/dev/null 2>&1
}

usable() { have "$1" && ! is_apple_stub "$1"; }

# CC and CXX may hold arguments or a wrapper: "ccache gcc".
program() { printf '%s' "${1%% *}"; }

compiler_version() {
  local words
  read -r -a words <<<"$1"
  "${words[@]}" --version 2>/dev/null | sed -n 1p
}

check_tools() {
  local missing=
  add_missing() { missing="${missing:+$missing, }$1"; }
  if ! have cmake; then
    add_missing cmake
  elif ! cmake_is_new_enough; then
    add_missing "cmake 3.18 or newer ($(cmake --version | sed -n 1p) is there)"
  fi
  usable "$(program "${CC:-cc}")" || add_missing 'a C compiler'
  usable "$(program "${CXX:-c++}")" || add_missing 'a C++ compiler'
  have ninja || have make || add_missing make
  if [ "$source_kind" != tree ]; then usable git || add_missing git; fi
  if [ "$source_kind" = bundle ]; then have npm || add_missing 'npm (it comes with Node.js)'; fi
  have node || add_missing 'Node.js 20.19 or newer'
  [ -z "$missing" ] || die \
    "Cannot build llama-server: missing $missing" \
    '  macOS:   xcode-select --install && brew install cmake' \
    '  Debian:  apt-get install cmake g++ git make' \
    '  Node.js: https://nodejs.org'
}

sha256() {
  if have sha256sum; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

sha256_of() { sha256 "$1" | cut -d ' ' -f 1; }

# mv would move a folder into a folder of the same name; rename(2) replaces a symlink in one step.
rename() {
  node -e 'require("node:fs").renameSync(process.argv[1], process.argv[2])' "$1" "$2"
}

# --------------------------------------------------------------------------------------------- key

version_label() {
  case $1 in
    v[0-9]*) printf '%s' "${1#v}" ;;
    *) printf '%s' "$1" | tr '/' '-' | cut -c 1-40 ;;
  esac
}

identify_source() {
  case $source_kind in
    bundle)
      version=$PINNED_VERSION
      commit=$PINNED_COMMIT
      origin="npm:$BUNDLE_PACKAGE"
      ;;
    git)
      version=$(version_label "$source_ref")
      commit=$(remote_commit)
      origin="$UPSTREAM#$source_ref"
      ;;
    tree)
      version=$(tree_version)
      commit=tree-$(tree_hash)
      origin=$source_dir
      ;;
  esac
}

# An annotated tag is listed twice; the line ending in ^{} names the commit.
remote_commit() {
  case $source_ref in
    *[!0-9a-f]*) ;;
    *) if [ ${#source_ref} -eq 40 ]; then printf '%s' "$source_ref"; return; fi ;;
  esac
  local listed found
  listed=$(git ls-remote "$UPSTREAM" "refs/tags/$source_ref" "refs/tags/$source_ref^{}" "refs/heads/$source_ref" 2>&1) ||
    die "Cannot read $UPSTREAM: $(printf '%s' "$listed" | tail -n 1)"
  found=$(printf '%s\n' "$listed" | grep '\^{}$' || printf '%s\n' "$listed")
  found=$(printf '%s\n' "$found" | grep -E '^[0-9a-f]{40}' | head -n 1 | cut -f 1)
  [ -n "$found" ] || die "Cannot build llama.cpp $source_ref: $UPSTREAM has no such tag or branch (a commit needs all 40 digits)"
  printf '%s' "$found"
}

tree_version() {
  local number
  number=$(sed -n 's/^ *set(LLAMA_VERSION_[MP][A-Z]* *\([0-9]*\)).*/\1/p' "$source_dir/CMakeLists.txt" | tr '\n' '.')
  number=${number%.}
  printf '%s' "${number:-local}"
}

tree_hash() {
  (
    cd "$source_dir"
    find . \( -name .git -o -path './build*' \) -prune -o -type f -print0 | xargs -0 "$SELF" --hash-files
  ) | LC_ALL=C sort | sha256 | cut -c 1-40
}

# Instruction sets too: a virtual machine often reports the same model name for different processors.
cpu_identity() {
  if [ -r /proc/cpuinfo ]; then
    grep -m 1 -E '^model name' /proc/cpuinfo || true
    grep -m 1 -E '^(flags|Features)' /proc/cpuinfo | tr ' ' '\n' |
      grep -E '^(avx|sse|ssse|fma|f16c|bmi|amx|asimd|sve|sme|i8mm|bf16)' | sort -u || true
  else
    sysctl -n machdep.cpu.brand_string 2>/dev/null || true
  fi
}

choose_flags() {
  flags=(
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_IS_DEV=OFF
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_TOOLS=ON
    -DLLAMA_BUILD_SERVER=ON -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
    -DGGML_RPC=ON
  )
  if [ "$(uname -s)" = Darwin ]; then flags+=(-DCMAKE_OSX_DEPLOYMENT_TARGET=13.3); fi
  if [ "$(uname -s)" = Darwin ] && [ "$cpu_only" = no ]; then
    flags+=(-DGGML_METAL=ON -DGGML_METAL_EMBED_LIBRARY=ON)
  else
    flags+=(-DGGML_METAL=OFF)
  fi
}

compute_key() {
  choose_flags
  compiler=$(compiler_version "${CXX:-c++}")
  platform=$(uname -sm)
  identify_source
  local hash
  hash=$(
    printf '%s\n' "$commit" "${flags[@]}" "$(compiler_version "${CC:-cc}")" "$compiler" \
      "$platform" "$(cpu_identity)" "${CFLAGS:-}" "${CXXFLAGS:-}" "${LDFLAGS:-}" | sha256 | cut -c 1-10
  )
  key=$version-$hash
}

# -------------------------------------------------------------------------------- locks and leftovers

# A pid alone may have been given to another process since.
process_identity() {
  printf '%s@%s' "$1" "$(LC_ALL=C ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' '_' || true)"
}

is_alive() {
  local pid=${1%%@*}
  case $pid in '' | *[!0-9]*) return 1 ;; esac
  kill -0 "$pid" 2>/dev/null && [ "$(process_identity "$pid")" = "$1" ]
}

lock=
builder=
scratch=

# The lock is a symlink whose target is its holder: made with its content in one step.
take_lock() {
  local path=$1 holder said=no
  while ! ln -s "$(process_identity $$)" "$path" 2>/dev/null; do
    holder=$(readlink "$path" || true)
    if [ -n "$holder" ] && ! is_alive "$holder"; then
      drop_stale_lock "$path" "$holder"
    else
      if [ "$said" = no ]; then
        progress "$last_percent" "Waiting: process ${holder%%@*} is building the same engine"
        said=yes
      fi
      sleep 1
    fi
  done
  lock=$path
}

# Guarded, so that two waiting builds do not both remove it, the second one the lock of the first.
drop_stale_lock() {
  find "$cache/build" -maxdepth 1 -name '*.reap' -mmin +1 -exec rmdir {} \; 2>/dev/null || true
  if mkdir "$1.reap" 2>/dev/null; then
    if [ "$(readlink "$1" || true)" = "$2" ]; then rm -f "$1"; fi
    rmdir "$1.reap"
  else
    sleep 1
  fi
}

remove_leftovers() {
  local path pid
  for path in "$cache"/engines/.*.tmp.* "$cache"/sources/.*.tmp.* "$prefix"/.*.tmp.*; do
    if [ ! -e "$path" ] && [ ! -L "$path" ]; then continue; fi
    pid=${path##*.}
    if [ "$pid" = $$ ] || ! kill -0 "$pid" 2>/dev/null; then rm -rf "$path"; fi
  done
}

clean_up() {
  local status=$?
  trap - EXIT INT TERM HUP
  if [ -n "$builder" ]; then
    kill -TERM "$builder" 2>/dev/null || true
    wait "$builder" 2>/dev/null || true
  fi
  [ -z "$scratch" ] || rm -rf "$scratch"
  if [ -n "$lock" ]; then
    rm -f "$work/unclean"
    rm -f "$lock"
  fi
  exit "$status"
}

interrupted() {
  end_line
  printf 'Build interrupted: nothing was installed, the next run goes on from here\n' >&2
  exit "$1"
}

# ------------------------------------------------------------------------------------------ sources

fetch_bundle() {
  bundle=$cache/sources/${BUNDLE_PACKAGE/@/-}.bundle
  if [ -f "$bundle" ] && [ "$(sha256_of "$bundle")" = $BUNDLE_SHA256 ]; then return; fi
  progress 0 "Fetching llama.cpp $PINNED_VERSION"
  scratch=$cache/sources/.bundle.tmp.$$
  mkdir -p "$scratch"
  (cd "$scratch" && npm pack "$BUNDLE_PACKAGE" --prefer-offline --loglevel=error) >>"$log" 2>&1 ||
    fail_with_log "Cannot fetch llama.cpp: npm pack $BUNDLE_PACKAGE did not work, the npm registry must be reachable"
  tar -xzf "$scratch"/*.tgz -C "$scratch" package/llama/gitRelease.bundle >>"$log" 2>&1 ||
    fail_with_log "Cannot unpack llama.cpp: $BUNDLE_PACKAGE holds no llama/gitRelease.bundle"
  local got
  got=$(sha256_of "$scratch/package/llama/gitRelease.bundle")
  [ "$got" = $BUNDLE_SHA256 ] ||
    die "Cannot use the llama.cpp bundle: its sha256 is $got, $BUNDLE_SHA256 is pinned"
  rename "$scratch/package/llama/gitRelease.bundle" "$bundle"
  rm -rf "$scratch"
  scratch=
}

prepare_source() {
  if [ "$source_kind" = tree ]; then tree=$source_dir; return; fi
  tree=$work/src
  if [ -e "$work/src.ready" ]; then return; fi
  rm -rf "$tree"
  if [ "$source_kind" = bundle ]; then
    fetch_bundle
    progress 1 'Unpacking the sources'
    git clone --quiet "$bundle" "$tree" >>"$log" 2>&1 ||
      fail_with_log 'Cannot unpack llama.cpp: git clone of the bundle did not work'
  else
    progress 0 "Fetching llama.cpp $source_ref from $UPSTREAM"
    git init --quiet "$tree" >>"$log" 2>&1
    git -C "$tree" fetch --quiet --depth 1 "$UPSTREAM" "$commit" >>"$log" 2>&1 ||
      fail_with_log "Cannot fetch llama.cpp $source_ref: $UPSTREAM must be reachable"
    git -C "$tree" -c advice.detachedHead=false checkout --quiet FETCH_HEAD >>"$log" 2>&1 ||
      fail_with_log "Cannot check out llama.cpp $source_ref"
  fi
  local got
  got=$(git -C "$tree" rev-parse HEAD)
  [ "$got" = "$commit" ] || die "Cannot use the llama.cpp sources: they are at commit $got, $commit is expected"
  : >"$work/src.ready"
}

# -------------------------------------------------------------------------------------------- build

fail_with_log() {
  end_line
  local line=$1
  if tail -n 200 "$log" | grep -q 'No space left on device'; then
    line="Cannot build llama-server: the disk that holds $cache is full"
  fi
  printf '%s\n' "$line" >&2
  tail -n 20 "$log" | sed 's/^/  | /' >&2
  printf 'Full log: %s\n' "$log" >&2
  exit 1
}

configure() {
  progress 2 'Configuring'
  cmake -S "$tree" -B "$out" -G "$generator" ${flags[@]+"${flags[@]}"} >>"$log" 2>&1 ||
    fail_with_log 'Cannot configure llama.cpp: cmake did not work'
}

# Not `cmake --build`: ninja and make end their compilers on SIGTERM, cmake would leave both running.
run_builder() {
  local targets
  read -r -a targets <<<"$BINARIES"
  if [ "$generator" = Ninja ]; then
    exec ninja -C "$out" -j "$jobs" "${targets[@]}"
  else
    exec make -C "$out" -j "$jobs" "${targets[@]}"
  fi
}

# The compile takes 3..97 % of the whole.
show_build_line() {
  local percent
  if [[ $1 =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
    percent=$((BASH_REMATCH[1] * 100 / BASH_REMATCH[2]))
  elif [[ $1 =~ ^\[\ *([0-9]+)%\] ]]; then
    percent=${BASH_REMATCH[1]}
  else
    return 0
  fi
  percent=$((3 + percent * 94 / 100))
  if [ "$percent" -gt "$last_percent" ] || [ "$show" = tty ]; then
    progress "$percent" "Compiling ${1##*[/ ]}"
  fi
}

compile() {
  local line status=0
  rm -f "$work/pipe"
  mkfifo "$work/pipe"
  (run_builder) >"$work/pipe" 2>&1 </dev/null &
  builder=$!
  process_identity "$builder" >"$work/builder"
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log" || true
    show_build_line "$line"
  done <"$work/pipe"
  wait "$builder" || status=$?
  builder=
  rm -f "$work/pipe" "$work/builder"
  return "$status"
}

# A killed build may leave a cut object file that make takes for finished: then begin again, once.
compile_or_begin_again() {
  local resumed=$1
  if compile; then return; fi
  if [ "$resumed" = no ]; then fail_with_log 'Cannot compile llama.cpp: the compiler reported errors'; fi
  end_line
  progress "$last_percent" 'The interrupted build cannot be continued, beginning again'
  rm -rf "$out"
  last_percent=0
  configure
  compile || fail_with_log 'Cannot compile llama.cpp: the compiler reported errors'
}

wait_for_left_builder() {
  local left
  left=$(cat "$work/builder" 2>/dev/null || true)
  while [ -n "$left" ] && is_alive "$left"; do sleep 1; done
}

build() {
  local resumed=no
  mkdir -p "$work"
  wait_for_left_builder
  if [ -e "$work/unclean" ]; then resumed=yes; fi
  : >"$work/unclean"
  printf 'oss20bd engine %s, %s, %s\n' "$key" "$origin" "$compiler" >"$log" ||
    die "Cannot build llama-server: $log cannot be written"
  prepare_source
  if have ninja; then generator=Ninja; else generator='Unix Makefiles'; fi
  out=$work/out-${generator%% *}
  configure
  compile_or_begin_again "$resumed"
  store
}

# ------------------------------------------------------------------------------------------ install

# Says whether FOLDER holds a complete engine of this key, every binary as its manifest says.
is_engine() {
  # shellcheck disable=SC2016 # the dollars are JavaScript
  [ -f "$1/manifest.json" ] && node -e '
    const { createHash } = require("node:crypto"), fs = require("node:fs")
    const [folder, key, template] = process.argv.slice(1)
    try {
      const manifest = JSON.parse(fs.readFileSync(folder + "/manifest.json", "utf8"))
      const intact = ([name, sum]) => {
        fs.accessSync(`${folder}/bin/${name}`, fs.constants.X_OK)
        return createHash("sha256").update(fs.readFileSync(`${folder}/bin/${name}`)).digest("hex") === sum
      }
      const binaries = Object.entries(manifest.sha256)
      const whole = binaries.length > 0 && fs.existsSync(`${folder}/templates/${template}`)
      process.exit(whole && manifest.key === key && binaries.every(intact) ? 0 : 1)
    } catch { process.exit(1) }
  ' "$1" "$key" "$TEMPLATE"
}

write_manifest() {
  # shellcheck disable=SC2016 # the dollars are JavaScript
  node -e '
    const { createHash } = require("node:crypto"), fs = require("node:fs")
    const [folder, binaries, key, version, commit, source, compiler, platform, ...flags] = process.argv.slice(1)
    const sum = (name) => createHash("sha256").update(fs.readFileSync(`${folder}/bin/${name}`)).digest("hex")
    const sha256 = Object.fromEntries(binaries.split(" ").map((name) => [name, sum(name)]))
    const manifest = { key, version, commit, source, flags, compiler, builtAt: new Date().toISOString(), platform, sha256 }
    fs.writeFileSync(`${folder}/manifest.json`, JSON.stringify(manifest, null, 2) + "\n")
  ' -- "$1" "$BINARIES" "$key" "$version" "$commit" "$origin" "$compiler" "$platform" "${flags[@]}"
}

# Moves a finished folder to its final name, out of the way anything broken that stands there.
publish() {
  if [ -e "$2" ]; then
    local old
    old=$(dirname "$2")/.$key.old.tmp.$$
    rename "$2" "$old"
    rename "$1" "$2"
    rm -rf "$old"
  else
    rename "$1" "$2"
  fi
}

store() {
  progress 98 'Storing the engine'
  local name
  scratch=$cache/engines/.$key.tmp.$$
  mkdir -p "$scratch/bin" "$scratch/templates"
  for name in $BINARIES; do
    cp "$out/bin/$name" "$scratch/bin/" 2>>"$log" || fail_with_log "Cannot store $name: it was not built"
  done
  cp "$tree/models/templates/$TEMPLATE" "$scratch/templates/" 2>>"$log" ||
    fail_with_log "Cannot store the chat template: the sources hold no models/templates/$TEMPLATE"
  write_manifest "$scratch" >>"$log" 2>&1 || fail_with_log 'Cannot write the manifest of the engine'
  publish "$scratch" "$cache/engines/$key"
  scratch=
  rm -rf "$work"
}

install_engine() {
  local target=$prefix/$key
  if ! is_engine "$target"; then
    progress 99 "Installing into $prefix"
    scratch=$prefix/.$key.tmp.$$
    rm -rf "$scratch"
    cp -R "$cache/engines/$key" "$scratch" || die "Cannot install into $prefix: the copy did not work, see above"
    publish "$scratch" "$target"
    scratch=
  fi
  if [ "$no_current" = no ]; then make_current; fi
}

make_current() {
  local link=$prefix/.current.tmp.$$
  if [ "$(readlink "$prefix/current" || true)" = "$key" ]; then return; fi
  ln -s "$key" "$link"
  rename "$link" "$prefix/current" 2>/dev/null || {
    rm -f "$link"
    die "Cannot make the engine current: $prefix/current is not a symlink, it must be moved away"
  }
}

is_in_place() {
  [ "$no_current" = yes ] || [ "$(readlink "$prefix/current" || true)" = "$key" ] || return 1
  is_engine "$prefix/$key"
}

finish() {
  end_line
  printf 'engine %s\n' "$prefix/$key"
}

main() {
  parse_options "$@"
  unset HF_TOKEN HF_UI_VERSION SOURCE_DATE_EPOCH GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
  choose_folders
  check_tools
  compute_key
  if [ "$print_key" = yes ]; then printf '%s\n' "$key"; exit 0; fi
  make_folders
  if is_in_place; then
    progress 100 "llama-server $version is already installed"
    finish
    exit 0
  fi
  work=$cache/build/$key
  log=$cache/build/$key.log
  trap clean_up EXIT
  trap 'interrupted 130' INT
  trap 'interrupted 143' TERM HUP
  take_lock "$cache/build/$key.lock"
  remove_leftovers
  if ! is_engine "$cache/engines/$key"; then build; fi
  install_engine
  progress 100 "llama-server $version installed"
  finish
}

# Hashes files for tree_hash, which needs a command that xargs can start.
if [ "${1:-}" = --hash-files ]; then
  shift
  sha256 "$@"
  exit
fi

main "$@"
