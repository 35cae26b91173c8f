#!/usr/bin/env bash
# What the workflows do, in words that every CI understands; the workflow files only wire it up.
#
#   install            kiejobs, as ci/kiejobs-requirements.txt says
#   validate           every problem of the job files; as annotations on GitHub
#   plan               each job file's plan: $OUT/NNN.md and NNN.json, all of them in $OUT/plans.md,
#                      and their digests in $OUT/digests. No key, no secret
#   comment NUMBER     $OUT/plans.md as the one comment on a pull request that updates itself (gh)
#   bring              the branch's newest journals, beside this commit's own job files
#   buy                what the job files want and the journals don't have; nothing but what was approved
#   collect            wait for it, bring it home
#   keep               push the journals, whatever happened before
#   report             what the runs came to: $OUT/RUN.md and RUN.xml (JUnit)
#   end                exit as `buy` and `collect` did; 4 (in doubt) wins over the others
#   run                bring, keep, buy, keep, collect, keep, report, end: for a CI with one script a job
#
# Set by the workflow, all optional: JOBFILES (a git pathspec), SINCE (a commit: `plan` only what was touched
# since), RUNS, OUT (a folder for what comes out), BRANCH (where journals are kept), APPROVED (lines
# `DIGEST FILE`, as in $OUT/digests), EXPECT (one digest, for a single job file), DETACH (empty: `buy` waits
# for the videos, as `--canary` must), PAUSE (seconds between tries to push). KIE_API_KEY is needed by `buy` and
# `collect` alone.
#
# Journals are never merged by hand: each run writes a file of its own, so they are carried over onto the
# newest commit of the branch and pushed, and again where somebody else pushed in between. Manifests are
# projections of journals: where two runs changed one, it is rebuilt.
set -euo pipefail

export KIEJOBS_FILES_ELSEWHERE=1 # each job begins with an empty output folder; videos are artifacts of theirs
JOBFILES="${JOBFILES:-:(glob)jobfiles/*.yaml}"
RUNS="${RUNS:-runs}"
OUT="${OUT:-kiejobs-out}"
MARKER='<!-- kiejobs plans -->'
LONGEST=65000 # characters; GitHub takes 65,536 in a comment

main() {
  case "${1:-}" in
    install) install ;;
    validate) validate ;;
    plan) plan ;;
    comment) comment "$2" ;;
    bring) bring ;;
    buy) buy ;;
    collect) collect ;;
    keep) keep ;;
    report) report ;;
    end) end ;;
    run) run ;;
    help) usage ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
}

usage() {
  sed -n 's/^#   //p' "${BASH_SOURCE[0]}"
}

install() {
  if ! grep -q '^[^#]' ci/kiejobs-requirements.txt; then
    echo "say in ci/kiejobs-requirements.txt where kiejobs comes from" >&2
    return 2
  fi
  pip install --quiet --disable-pip-version-check -r ci/kiejobs-requirements.txt
}

validate() {
  local format=text
  if [ "${GITHUB_ACTIONS:-}" = true ]; then format=github; fi
  find_files
  if ((${#files[@]})); then kiejobs validate --format "$format" -- "${files[@]}"; fi
}

plan() {
  local number=0 code=0 one file name
  mkdir -p "$OUT"
  find_files
  : > "$OUT/digests"
  for file in "${files[@]}"; do
    one=0 number=$((number + 1))
    printf -v name '%s/%03d' "$OUT" "$number"
    kiejobs plan ${SINCE:+--changed-since "$SINCE"} -o "$name.md" -o "$name.json" -- "$file" || one=$?
    code="$(worse "$code" "$one")"
    if [ -s "$name.json" ]; then printf '%s %s\n' "$(digest "$name.json")" "$file" >> "$OUT/digests"; fi
  done
  tell_plans
  return "$code"
}

comment() {
  local comments="repos/$GITHUB_REPOSITORY/issues/$1/comments" body="$OUT/plans.md" mine
  if [ "$(wc -m < "$body")" -gt "$LONGEST" ]; then
    body="$OUT/headlines.md"
    tell_headlines > "$body"
  fi
  # What others wrote is left alone, even where it begins like ours.
  mine="$(MARKER="$MARKER" gh api --paginate "$comments" --jq '.[] | select(.user.login ==
    "github-actions[bot]") | select(.body | startswith(env.MARKER)) | .id')"
  if [ -n "$mine" ]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/${mine%%$'\n'*}" -F body=@"$body" --silent
  else
    gh api --method POST "$comments" -F body=@"$body" --silent
  fi
}

bring() {
  # This commit's job files are what was approved; but what was bought is for the branch's tip to say, also
  # where this commit was pushed before the last run ended, or is run again.
  mkdir -p "$OUT"
  git checkout --quiet --detach
  git update-ref -d refs/kiejobs/ours
  fetch
  if git cat-file -e "FETCH_HEAD:./$RUNS" 2> /dev/null; then
    git checkout --quiet FETCH_HEAD -- "$RUNS"
    remember "What is on record"
    git update-ref refs/kiejobs/kept refs/kiejobs/ours
  else
    # The first run of all. Pushing this shows that the record can be kept, before anything is bought.
    git update-ref refs/kiejobs/ours HEAD
    git update-ref refs/kiejobs/kept HEAD
    mkdir -p "$RUNS"
    echo "The record of what was bought. kiejobs writes it: commit it, and change nothing." > "$RUNS/README"
  fi
  list_runs > "$OUT/runs-before"
}

buy() {
  local code=0 one file how=(--yes)
  mkdir -p "$OUT"
  if [ -n "${DETACH-yes}" ]; then how+=(--detach); fi
  find_files
  for file in "${files[@]}"; do
    one=0
    echo "--- $file"
    if approved "$file"; then
      obedient kiejobs run "${how[@]}" "${expect[@]}" -- "$file" || one=$?
    else
      complain "$file is not among the plans that were approved."
      one=6
    fi
    code="$(worse "$code" "$one")"
    if ((one > 128)); then break; fi # killed: whoever did that wants an end
  done
  echo "$code" > "$OUT/buy.code"
  return "$code"
}

collect() {
  local code=0
  mkdir -p "$OUT"
  obedient kiejobs collect || code=$?
  echo "$code" > "$OUT/collect.code"
  return "$code"
}

keep() {
  local try
  remember "Record what was bought" || return 1
  git rev-parse --quiet --verify refs/kiejobs/kept > /dev/null || git update-ref refs/kiejobs/kept HEAD
  if [ "$(git rev-parse refs/kiejobs/kept)" = "$(git rev-parse refs/kiejobs/ours)" ]; then return 0; fi
  for try in 1 2 3 4 5; do
    if push_journals; then
      git update-ref refs/kiejobs/kept refs/kiejobs/ours
      return 0
    fi
    sleep "$((try * ${PAUSE:-1}))"
  done
  complain "The journals in $RUNS could not be pushed to $BRANCH. Don't run again before they are there:" \
    "without them kiejobs does not know what was paid for. They are among this job's artifacts."
  return 1
}

report() {
  local run
  mkdir -p "$OUT"
  runs_since run > "$OUT/runs-new"
  if [ ! -s "$OUT/runs-new" ]; then runs_since collect > "$OUT/runs-new"; fi
  while IFS= read -r run; do
    kiejobs report "$run" -o "$OUT/$run.md" -o "$OUT/$run.xml"
    summarize "$OUT/$run.md"
  done < "$OUT/runs-new"
}

end() {
  local buy=0 collect=0
  if [ -e "$OUT/buy.code" ]; then buy="$(cat "$OUT/buy.code")"; fi
  if [ -e "$OUT/collect.code" ]; then collect="$(cat "$OUT/collect.code")"; fi
  return "$(worse "$buy" "$collect")"
}

run() {
  local code=0 lost=0
  bring
  keep
  buy || true
  keep || lost=1
  collect || true
  keep || lost=1
  report
  end || code=$?
  return "$(worse "$code" "$lost")"
}

find_files() { # into `files`; what git does not have is nobody's approved job file
  mapfile -d '' -t files < <(git ls-files -z -- "$JOBFILES")
  if ((${#files[@]} == 0)); then echo "no job files: $JOBFILES" >&2; fi
}

approved() { # whether FILE may be bought; into `expect`: the digest that it must have
  local digest name
  expect=()
  if [ -n "${EXPECT:-}" ]; then
    expect=(--expect "$EXPECT")
  elif [ -n "${APPROVED:-}" ]; then
    while read -r digest name; do
      if [ "$name" = "$1" ]; then expect=(--expect "$digest"); fi
    done <<< "$APPROVED"
    ((${#expect[@]}))
  fi
}

digest() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1], encoding="utf-8"))["digest"])' "$1"
}

tell_plans() {
  {
    echo "$MARKER"
    for_each_plan cat
    echo "<sub>Planned at ${COMMIT:-$(git rev-parse HEAD)}.</sub>"
  } > "$OUT/plans.md"
  summarize "$OUT/plans.md"
}

tell_headlines() {
  echo "$MARKER"
  for_each_plan head -n 4
  echo "The tables are too long for a comment; they are in the job's summary and among its artifacts."
}

for_each_plan() {
  local plan
  for plan in "$OUT"/[0-9][0-9][0-9].md; do
    if [ -e "$plan" ]; then
      "$@" "$plan"
      echo
    fi
  done
}

list_runs() {
  find "$RUNS" -mindepth 2 -maxdepth 2 -name journal.jsonl 2> /dev/null | sort
}

runs_since() { # the new runs of one command
  local all="$OUT/runs-all" run
  if [ ! -e "$OUT/runs-before" ]; then : > "$OUT/runs-before"; fi
  list_runs > "$all"
  while IFS= read -r run; do
    if head -n 1 "$run" | grep -q "\"command\": *\"$1\""; then basename "$(dirname "$run")"; fi
  done < <(comm -13 "$OUT/runs-before" "$all")
}

push_journals() { # ours, onto the branch's newest commit; in a work tree of its own: here nothing changes
  local there prefix pushed=0
  prefix="$(git rev-parse --show-prefix)"
  fetch || return 1
  there="$(mktemp -d)/branch"
  git worktree add --quiet --detach "$there" FETCH_HEAD || return 1
  (cd "$there/$prefix" && carry_over) || pushed=1
  git worktree remove --force "$there"
  return "$pushed"
}

carry_over() { # `&&` throughout, for the same reason
  as_kiejobs cherry-pick --keep-redundant-commits --strategy-option=theirs \
    refs/kiejobs/kept..refs/kiejobs/ours > /dev/null &&
    kiejobs manifest rebuild --runs "$RUNS" > /dev/null &&
    git add -- "$RUNS" &&
    { git diff --cached --quiet || as_kiejobs commit --quiet --no-verify -m "Rebuild manifests [skip ci]"; } &&
    git push --quiet origin "HEAD:refs/heads/$BRANCH"
}

fetch() {
  git fetch --quiet --no-tags origin "refs/heads/${BRANCH:?the branch that journals are kept on}"
}

remember() { # the journals as a commit aside: HEAD stays the commit that they say they bought for
  local tree last
  # Each step says so where it fails: after `||`, bash's -e looks away.
  git add -- "$RUNS" || return 1
  tree="$(git write-tree)" || return 1
  last="$(git rev-parse --quiet --verify refs/kiejobs/ours || git rev-parse HEAD)"
  if [ "$tree" != "$(git rev-parse "$last^{tree}")" ]; then
    last="$(as_kiejobs commit-tree "$tree" -p "$last" -m "$1 [skip ci]")" || return 1
  fi
  git update-ref refs/kiejobs/ours "$last"
}

as_kiejobs() {
  git -c user.name="${GIT_NAME:-kiejobs}" -c user.email="${GIT_EMAIL:-kiejobs@invalid}" "$@"
}

obedient() { # a cancelled CI job signals this shell alone: hand it on, and wait for a proper end
  local child code
  "$@" &
  child=$!
  trap 'kill -TERM "$child" 2> /dev/null || true' INT TERM
  while :; do
    code=0
    wait "$child" || code=$?
    if ! kill -0 "$child" 2> /dev/null; then break; fi
  done
  trap - INT TERM
  return "$code"
}

worse() { # of two exit codes: 4 is first of all, then the one that came first
  if [ "$1" = 4 ] || [ "$2" = 4 ]; then echo 4; elif [ "$1" != 0 ]; then echo "$1"; else echo "$2"; fi
}

summarize() {
  if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat "$1" >> "$GITHUB_STEP_SUMMARY"; fi
}

complain() {
  if [ "${GITHUB_ACTIONS:-}" = true ]; then echo "::error title=kiejobs::$*"; else echo "error: $*" >&2; fi
}

main "$@"
exit
