// What was decided: from picks.yaml, with what was decided on this page on top; undone, kept, exported.

const decided = new Map(); // by address: what this page changed; null takes a pick back
const undone = []; // [address, what it was before], the last one last

const NOTHING_YET = "There is no result to decide on yet";
const pickOf = (job) => (decided.has(job.address) ? decided.get(job.address) : job.pick);

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
  undone.push([job.address, decided.has(job.address) ? decided.get(job.address) : undefined]);
  const nothing = verdict === "none" && !note;
  decided.set(job.address, nothing ? null : { verdict, note, who: null, when: new Date().toISOString().replace(/\.\d+Z/, "Z"), stale: false });
  changed(job.address);
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
  const [address, before] = last;
  if (before === undefined && !model.data.live) decided.delete(address);
  else decided.set(address, before === undefined ? null : before);
  if (view.filters.pick) draw();
  const job = model.byAddress.get(address);
  if (job) goTo(model.byBase.get(job.base));
  changed(address);
  return undefined;
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

const storeName = () => `kiejobs-picks ${model.data.campaigns.join(",")} ${model.data.rehearsal}`;

function keep() {
  try {
    localStorage.setItem(storeName(), JSON.stringify([...decided]));
  } catch {
    // A browser that keeps nothing for pages from disk: the export is what counts.
  }
}

function restore() {
  if (model.data.live) return;
  try {
    for (const [address, pick] of JSON.parse(localStorage.getItem(storeName()) ?? "[]")) {
      if (model.byAddress.has(address)) decided.set(address, pick);
    }
  } catch {
    // As above.
  }
}

// --- the export: `kiejobs pick --from FILE` takes it in ---

function exported() {
  const made = [...decided].filter(([address]) => model.byAddress.has(address)).map(([address, pick]) => {
    const job = model.byAddress.get(address);
    return { address, take: job.take, fingerprint: job.fingerprint, verdict: pick?.verdict ?? "none", note: pick?.note ?? null, when: pick?.when ?? new Date().toISOString().replace(/\.\d+Z/, "Z") };
  });
  return { kiejobs_picks: 1, campaign: model.data.campaigns.join(","), picks: made.sort((a, b) => (a.address < b.address ? -1 : 1)) };
}

function exportPicks() {
  const text = JSON.stringify(exported(), null, 1);
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const name = `${model.data.campaigns[0] ?? "campaign"}-picks.json`;
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  toast(`${name}: take it in with  kiejobs pick --from ${name}${model.data.rehearsal ? " --sandbox" : ""}`);
}
