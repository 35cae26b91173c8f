// The top of the page, and how it begins.

function drawFigures(cells = shownCells()) {
  const shown = cells.flatMap((cell) => cell.takes);
  const all = model.jobs.length;
  const perCredit = model.data.usd_per_credit;
  const sum = (jobs, key) => jobs.reduce((total, job) => total + Number(job[key] ?? 0), 0);
  const picks = model.jobs.map(pickOf).filter((pick) => pick && pick.verdict !== "none");
  const count = (verdict) => picks.filter((pick) => pick.verdict === verdict && !pick.stale).length;
  const stale = picks.filter((pick) => pick.stale).length;
  const toBuy = shown.filter((job) => job.cost !== null || job.sign === "+" || job.sign === "±");
  const noPrice = toBuy.filter((job) => job.cost === null).length;
  const charged = sum(shown, "charged");
  const words = view.blind
    ? [plural(shown.length, "clip")]
    : [
        shown.length === all ? plural(all, "job") : `${shown.length.toLocaleString("en")} of ${plural(all, "job")}`,
        charged > 0 && `${money(charged, perCredit)} charged`,
        toBuy.length > 0 && `${toBuy.length.toLocaleString("en")} to buy for ${money(sum(toBuy, "cost"), perCredit)}${noPrice ? ` and ${noPrice} without a price` : ""}`,
      ];
  const verdicts = [count("pick") && `${count("pick")} picked`, count("reject") && `${count("reject")} rejected`, stale && `${stale} stale`];
  $("figures").textContent = [...words, ...verdicts].filter(Boolean).join("  ·  ");
}

function drawActions() {
  const chosen = view.chosen.size;
  const bought = model.jobs.some(fileOf);
  $("actions").replaceChildren(
    ...[
      bought && button(chosen > 1 ? `Compare ${chosen}` : "Compare", "v", compare, { class: chosen > 1 ? "primary" : "" }),
      bought && button("Blind", "b", () => setBlind(!view.blind), { "aria-pressed": String(view.blind) }),
      !view.blind && button("Costs", "$", showCosts),
      !model.data.live && decided.size > 0 && button(`Export ${plural(decided.size, "pick")}`, "e", exportPicks, { id: "export", class: "primary" }),
      button("Shortcuts", "?", showShortcuts, { class: "quiet" }),
    ].filter(Boolean),
  );
}

function drawTitle() {
  const kind = [model.data.rehearsal && "rehearsal", !isBought() && "storyboard", model.data.live && "live"].filter(Boolean);
  $("title").replaceChildren(...pieces(model.data.campaigns.join(", ") || "Gallery"), ...kind.map((word) => h("span", { class: "kind" }, word)));
}

function start() {
  load(JSON.parse($("data").textContent));
  chooseAxes();
  recall();
  restore();
  drawTitle();
  document.documentElement.style.setProperty("--ratio", ratio());
  $("filters").open = innerWidth > 800;
  if (view.blind) setBlind(true, { again: true });
  else {
    drawActions();
    drawControls();
    draw();
  }
  listen();
  document.addEventListener("keydown", onKey);
  $("grid").addEventListener("focusin", (event) => {
    const tile = event.target.closest(".tile");
    if (!tile || tile.dataset.address === view.current) return;
    view.current = tile.dataset.address;
    markCurrent();
    if (view.open) drawPanel();
  });
  $("player").addEventListener("close", () => { closeVideos(); goTo(currentCell()); });
  let resizing = 0;
  addEventListener("resize", () => { cancelAnimationFrame(resizing); resizing = requestAnimationFrame(fitSize); });
  document.body.dataset.ready = "yes";
}

/** The shape that most requests ask for. */
function ratio() {
  const counts = new Map();
  for (const job of model.jobs) {
    const found = /^(\d{1,2}):(\d{1,2})$/.exec(String(job.input.aspect_ratio ?? ""));
    const shape = found ? `${found[1]} / ${found[2]}` : "16 / 9";
    counts.set(shape, (counts.get(shape) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "16 / 9";
}

start();
