// What was decided: from picks.yaml, with what was decided on this page on top; undone, kept, exported.

const decided = new Map(); // by address: what this page changed, and of which purchase it was decided
const blindly = new Map(); // the same for this blind round: nothing of what was decided before may be seen in it
const undone = []; // what was so before each change, the last one last

const NOTHING_YET = "There is no result to decide on yet";
const isOf = (pick, job) => pick.fingerprint === job.fingerprint && pick.take === job.take;
const moments = (pick) => Date.parse(pick?.when ?? "") || 0;
const now = () => new Date().toISOString().replace(/\.\d+Z/, "Z");

/** The decision at a job's address, stale where it was made on another purchase; null without one. */
function pickOf(job) {
  const own = (view.blind ? blindly : decided).get(job.address);
  const pick = own ? { ...own, stale: !isOf(own, job) } : view.blind ? null : job.pick;
  return !pick || (pick.verdict === "none" && !pick.note) ? null : pick;
}

/** A verdict twice takes it back. Goes on to the next one that is undecided. */
function judge(verdict) {
  const cell = currentCell();
  if (!cell) return undefined;
  const job = takeOf(cell);
  if (stateOf(job) !== "succeeded") return toast(NOTHING_YET);
  const before = pickOf(job);
  const same = before?.verdict === verdict && !before?.stale;
  const next = layout.order[layout.order.indexOf(cell) + 1];
  set(job, same ? "none" : verdict, before?.note ?? null);
  if (!same) forward(cell, next);
  return undefined;
}

function forward(cell, next) {
  if (view.filters.pick) draw();
  goTo(next && layout.spot.has(next.base) ? next : layout.spot.has(cell.base) ? cell : layout.order[0]);
}

function set(job, verdict, note) {
  const { address, take, fingerprint } = job;
  const before = decided.get(address) ?? job.pick;
  undone.push({ job, before, own: decided.get(address), blind: blindly.get(address) });
  const pick = { verdict, note, who: null, when: now(), fingerprint, take };
  if (view.blind) blindly.set(address, pick);
  decided.set(address, { ...pick, note: note ?? (view.blind ? before?.note ?? null : null) });
  changed(address);
}

function changed(address) {
  keep();
  refresh(address);
  drawFigures();
  drawActions();
  if (view.open) drawPanel();
  if (model.data.live) send(address);
}

function undo() {
  const last = undone.pop();
  if (!last) return toast("There is nothing to undo");
  const { job, before, own, blind } = last;
  const { address, take, fingerprint } = job;
  const nothing = { verdict: "none", note: null, who: null, take, fingerprint };
  put(blindly, address, blind);
  put(decided, address, model.data.live ? { ...(before ?? nothing), when: now() } : own);
  if (view.filters.pick) draw();
  if (model.byAddress.has(address)) goTo(model.byBase.get(job.base));
  changed(address);
  return undefined;
}

function put(map, key, value) {
  if (value) map.set(key, value);
  else map.delete(key);
}

/** A question for the note of the current clip. */
function note() {
  const cell = currentCell();
  if (!cell) return undefined;
  const job = takeOf(cell);
  if (stateOf(job) !== "succeeded") return toast(NOTHING_YET);
  const field = h("textarea", { id: "note", rows: "3", maxlength: "2000", "aria-label": "Note" });
  field.value = pickOf(job)?.note ?? "";
  const save = () => {
    set(job, pickOf(job)?.verdict ?? "none", field.value.trim() || null);
    $("sheet").close();
    goTo(cell);
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
  });
  sheet("Note", [h("p", { class: "dim" }, view.blind ? nameOf(job) : job.address), field],
    [button("Save", "Ctrl+Enter", save, { class: "primary" }), button("Cancel", "Esc", () => $("sheet").close())]);
  field.focus();
  return undefined;
}

// --- kept by the browser until it is exported, where it can be ---

/** Pages from disk share one store: the page's path is part of the name. */
const storeName = () => `kiejobs-picks-2 ${location.pathname} ${model.data.campaigns.join(",")} ${model.data.rehearsal}`;

function keep() {
  try {
    if (!model.data.live) localStorage.setItem(storeName(), JSON.stringify([...decided]));
    sessionStorage.setItem(storeName(), JSON.stringify([...blindly]));
  } catch {
    // A browser that keeps nothing for pages from disk: the export is what counts.
  }
}

/** What `picks.yaml` has from the same time or later counts instead. */
function restore() {
  const kept = (store) => JSON.parse(store.getItem(storeName()) ?? "[]");
  try {
    for (const [address, pick] of kept(sessionStorage)) blindly.set(address, pick);
    for (const [address, pick] of model.data.live ? [] : kept(localStorage)) {
      if (moments(pick) > moments(model.byAddress.get(address)?.pick)) decided.set(address, pick);
    }
  } catch {
    // As above.
  }
}

// --- the export: `kiejobs pick --from FILE` takes it in ---

/** With the purchase that was decided on, which may have been replaced since. */
const stated = ([address, { take, fingerprint, verdict, note, who, when }]) => ({ address, take, fingerprint, verdict, note, who, when });

function exported() {
  const picks = [...decided].map(stated).sort((a, b) => (a.address < b.address ? -1 : 1));
  return { kiejobs_picks: 1, campaign: model.data.campaigns.join(","), picks };
}

function exportPicks() {
  const text = JSON.stringify(exported(), null, 1);
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const name = `${model.data.campaigns[0] ?? "campaign"}-picks.json`;
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  toast(`${name}: take it in with  kiejobs pick --from ${name}${model.data.rehearsal ? " --sandbox" : ""}`);
}
