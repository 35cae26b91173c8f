// Served by `kiejobs gallery --serve`: it hears when the ledger or the picks change, and writes picks.

function listen() {
  if (!model.data.live) return;
  const events = new EventSource("events");
  events.addEventListener("change", update);
  events.addEventListener("error", () => document.body.classList.add("is-cut-off"));
  events.addEventListener("open", () => document.body.classList.remove("is-cut-off"));
}

async function update() {
  const answer = await fetch("data.json", { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return;
  const data = await answer.json();
  const same = data.jobs.length === model.jobs.length && data.jobs.every((job, at) => job.address === model.jobs[at].address);
  const before = new Map(model.jobs.map((job) => [job.address, JSON.stringify(job)]));
  const controlsBefore = controls();
  load({ ...data, live: true });
  for (const address of [...decided.keys()]) if (!sending.has(address)) decided.delete(address);
  drawTitle();
  if (controls() !== controlsBefore) drawControls();
  if (!same || Object.values(view.filters).some(Boolean)) {
    draw();
  } else {
    layout.rows = layout.rows.map((row) => row.map((cells) => cells.map((cell) => model.byBase.get(cell.base))));
    index();
    for (const job of model.jobs) if (before.get(job.address) !== JSON.stringify(job)) refresh(job.address);
    drawFigures();
    if (view.open && !$("panel").querySelector("video:not([paused])")?.currentTime) drawPanel();
  }
  drawActions();
}

const sending = new Set();

async function send(address) {
  const campaign = model.data.campaigns.join(",");
  const body = JSON.stringify({ kiejobs_picks: 1, campaign, picks: [stated([address, decided.get(address)])] });
  sending.add(address);
  const answer = await fetch("picks", { method: "POST", headers: { "content-type": "application/json" }, body }).catch(() => null);
  sending.delete(address);
  if (answer?.ok) return;
  toast(`Not written: ${answer ? await answer.text() : "kiejobs gallery --serve has ended"}`);
}
