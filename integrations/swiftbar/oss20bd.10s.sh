#!/bin/sh
# <xbar.title>oss20bd</xbar.title>
# <xbar.desc>State, memory and speed of the local gpt-oss-20b in the menu bar</xbar.desc>
# <xbar.dependencies>oss20bd</xbar.dependencies>
# <swiftbar.hideRunInTerminal>true</swiftbar.hideRunInTerminal>
#
# Put it into the plugin folder of SwiftBar or xbar. OSS20BD names the program when it is not on the PATH.

# An app of the menu bar is given the PATH of launchd, without the folders of Homebrew.
PATH="$PATH:/opt/homebrew/bin:/usr/local/bin:$HOME/.local/bin"
OSS20BD=${OSS20BD:-oss20bd}

if ! program=$(command -v "$OSS20BD"); then
  printf 'oss20bd ?\n---\n'
  printf 'oss20bd is not found: set OSS20BD to its path in this plugin\n'
  exit 0
fi

# It ends with a status other than 0 while the model does not answer; its text tells all the same.
status=$("$program" status --json 2>/dev/null) || true

# The JSON is indented by two spaces a level, one value a line: a part is what stands between
# `  "NAME": {` and `  }`. Words lose what the menu would take for its own: the bar and escapes.
printf '%s\n' "$status" | LC_ALL=C awk -v program="$program" '
  /^  "[a-z]+": \{/ { part = $1; gsub(/[":]/, "", part); next }
  /^  }/ { part = "" }
  part != "" && /^    "[A-Za-z]+": / {
    name = $1
    gsub(/[":]/, "", name)
    value = $0
    sub(/^    "[A-Za-z]+": /, "", value)
    sub(/,$/, "", value)
    if (value ~ /^"/) value = words(value)
    facts[part "." name] = value
  }
  END {
    state = facts["engine.state"]
    if (state == "") {
      print "oss20bd off"
      print "---"
      print "The daemon is not running"
      action("Start", "start")
      exit
    }
    print mark(state) " " state
    print "---"
    print facts["engine.detail"]
    if (known("engine.hint")) print facts["engine.hint"]
    print facts["model.name"]
    print "Memory: " size("memory.footprintBytes") " of " size("memory.budgetBytes")
    if (known("memory.reason")) print facts["memory.reason"]
    print "Speed: " (known("throughput.generatedTokensPerSecond") ? \
      sprintf("%.1f tokens/s", facts["throughput.generatedTokensPerSecond"]) : "unknown")
    print "Requests: " facts["proxy.inFlight"] " in flight, " facts["proxy.queued"] " queued"
    print "---"
    action("Open the dashboard", "open")
    action("Restart", "restart")
    action("Unload", "unload")
  }
  function known(name) { return facts[name] != "" && facts[name] != "null" }
  function size(name) {
    return known(name) ? sprintf("%.1f GiB", facts[name] / 1073741824) : "unknown"
  }
  function words(text) {
    sub(/^"/, "", text)
    sub(/"$/, "", text)
    gsub(/\\"/, "\047", text)
    gsub(/\\(u[0-9a-f][0-9a-f][0-9a-f][0-9a-f]|[nrtbf])/, " ", text)
    gsub(/\|/, "/", text)
    gsub(/^-+/, "", text)
    return text
  }
  function mark(state) {
    if (state == "ready") return "●"
    return state == "failed" || state == "refused" || state == "backoff" ? "✕" : "○"
  }
  function action(title, verb) {
    printf "%s | bash=\"%s\" param1=%s terminal=false refresh=true\n", title, program, verb
  }
'
