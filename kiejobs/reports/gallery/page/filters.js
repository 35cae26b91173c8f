// Which jobs are shown, along which axes, in what size.

const FILTERS = {
  job: { name: "Job", of: (job) => [job.job] },
  tag: { name: "Tag", of: (job) => job.tags },
  model: { name: "Model", of: (job) => [job.model] },
  state: { name: "State", of: (job) => [stateOf(job)], word: (value) => STATES[value] },
  check: { name: "Checks", of: (job) => (job.checks.length ? [checkOf(job), ...job.checks.filter((c) => c.verdict === "failed").map((c) => c.name)] : []) },
  pick: { name: "Pick", of: decisionsOf, values: ["undecided", "picked", "rejected", "stale"] },
};

/** What was decided on a clip that was replaced since has to be decided again. */
function decisionsOf(job) {
  const pick = pickOf(job);
  if (pick?.stale && pick.verdict !== "none") return ["stale", "undecided"];
  return [{ pick: "picked", reject: "rejected" }[pick?.verdict] ?? "undecided"];
}

function passes(job) {
  for (const [key, { of }] of Object.entries(FILTERS)) {
    const wanted = view.filters[key];
    if (wanted && !(view.blind && key !== "pick") && !of(job).includes(wanted)) return false;
  }
  const text = view.blind ? "" : view.filters.text.trim().toLocaleLowerCase();
  return !text || searched(job).includes(text);
}

const texts = new WeakMap();
function searched(job) {
  if (!texts.has(job)) texts.set(job, `${job.address}\n${Object.values(job.input).filter((v) => typeof v === "string").join("\n")}`.toLocaleLowerCase());
  return texts.get(job);
}

function clearFilters() {
  for (const key of Object.keys(view.filters)) view.filters[key] = "";
  view.at = {};
  drawControls();
  draw();
}

function setFilter(key, value) {
  view.filters[key] = value;
  remember();
  draw();
  markFilters();
}

function markFilters() {
  const count = Object.values(view.filters).filter(Boolean).length;
  $("filters").querySelector("summary").textContent = count ? `Filters (${count})` : "Filters";
}

// --- the controls ---

/** What there is to filter by and to lay out along. */
const controls = () => JSON.stringify([model.axes, model.jobs.some(fileOf), Object.values(FILTERS).map((filter) => optionsOf(filter))]);
const optionsOf = (filter) => filter.values ?? [...new Set(model.jobs.flatMap(filter.of))];

function drawControls() {
  const had = document.activeElement?.closest("#view, #filter-fields") ? document.activeElement : null;
  $("view").replaceChildren(...(view.blind ? blindBar() : viewBar()));
  const fields = Object.entries(FILTERS).map(([key, filter]) => select(key, filter)).filter(Boolean);
  const search = h("input", { type: "search", id: "search", placeholder: "Search prompts and addresses", "aria-label": "Search prompts and addresses", value: view.filters.text,
    oninput: (event) => setFilter("text", event.target.value) });
  const undecided = model.jobs.some(fileOf) ? [undecidedOnly()] : [];
  const hidden = view.blind ? undecided : [search, ...fields, ...undecided];
  $("filter-fields").replaceChildren(...hidden);
  markFilters();
  const again = had?.id && $(had.id);
  again?.focus();
  if (again && had.id === "search") again.setSelectionRange(had.selectionStart, had.selectionEnd);
}

function select(key, filter) {
  const values = optionsOf(filter);
  const matters = key === "pick" ? model.jobs.some(fileOf) : values.length > (key === "tag" || key === "check" ? 0 : 1);
  if (!matters) return null;
  const options = values.map((value) => option(value, (filter.word ?? String)(value) ?? value, view.filters[key] === value));
  return h("label", { class: "field" }, h("span", {}, filter.name),
    h("select", { id: `filter-${key}`, onchange: (event) => setFilter(key, event.target.value) }, option("", "all", !view.filters[key]), options));
}

const option = (value, text, selected) => h("option", { value, selected }, text);

function undecidedOnly() {
  const box = h("input", { type: "checkbox", id: "undecided", onchange: (event) => { setFilter("pick", event.target.checked ? "undecided" : ""); drawControls(); } });
  box.checked = view.filters.pick === "undecided";
  return h("label", { class: "field check" }, box, h("span", {}, "Undecided only"), h("kbd", { "aria-hidden": "true" }, "i"));
}

function viewBar() {
  const choice = (id, name, key) => h("label", { class: "field" }, h("span", {}, name),
    h("select", { id, onchange: (event) => setAxis(key, event.target.value) },
      option("", "none", !view[key]),
      model.axes.map((axis) => option(axis.key, axis.name, view[key] === axis.key))));
  const rest = model.axes.filter((axis) => axis.key !== view.rows && axis.key !== view.cols);
  return [
    model.axes.length > 0 && choice("rows", "Rows", "rows"),
    model.axes.length > 1 && choice("cols", "Columns", "cols"),
    ...rest.map(slider),
    h("label", { class: "field size" }, h("span", {}, "Size"),
      h("input", { type: "range", id: "size", min: "120", max: "520", step: "10", value: view.size || 260, oninput: (event) => resize(Number(event.target.value)) })),
  ].filter(Boolean);
}

function setAxis(which, key) {
  const other = which === "rows" ? "cols" : "rows";
  if (key && view[other] === key) view[other] = view[which];
  view[which] = key;
  remember();
  drawControls();
  draw();
}

function slider(axis) {
  const words = () => ((view.at[axis.key] ?? -1) < 0 ? "all" : axis.values[view.at[axis.key]] || "–");
  const shown = h("output", { for: `axis-${axis.name}` }, words());
  const range = h("input", { type: "range", id: `axis-${axis.name}`, min: "-1", max: String(axis.values.length - 1), step: "1", value: String(view.at[axis.key] ?? -1),
    "aria-valuetext": words(),
    oninput: (event) => {
      view.at[axis.key] = Number(event.target.value);
      shown.textContent = words();
      event.target.setAttribute("aria-valuetext", words());
      remember();
      draw();
    } });
  return h("label", { class: "field slider" }, h("span", {}, axis.name), range, shown);
}

function resize(size) {
  view.size = size;
  fitSize();
}

function blindBar() {
  return [h("p", { class: "blind-note" }, "Blind: the order is shuffled, and nothing says which clip is which."),
    button("End and reveal", "b", () => setBlind(false))];
}

/** Axes hidden, order shuffled: another order each time. */
function setBlind(on, { again = false } = {}) {
  view.blind = on;
  if (on) view.chosen.clear();
  if (on && !again) blindly.clear();
  keep();
  remember();
  const shuffled = model.cells.map((cell) => [crypto.getRandomValues(new Uint32Array(1))[0], cell]).sort((a, b) => a[0] - b[0]);
  names = new Map(shuffled.map(([, cell], at) => [cell.base, at]));
  if (on) closePanel();
  document.body.classList.toggle("is-blind", on);
  drawActions();
  drawControls();
  draw();
  if (on) goTo(layout.order[0]);
}

/** `clip 3`, `clip 3, take 2`. */
function nameOf(job) {
  const take = model.byBase.get(job.base).takes.indexOf(job);
  return `Clip ${names.get(job.base) + 1}${take > 0 ? `, take ${take + 1}` : ""}`;
}

// --- how it was looked at, in the page's address: it can be sent along ---

function remember() {
  const words = new URLSearchParams();
  words.set("rows", view.rows);
  words.set("cols", view.cols);
  for (const [key, at] of Object.entries(view.at)) if (at >= 0) words.set(`at.${key}`, axisOf(key).values[at]);
  for (const [key, value] of Object.entries(view.filters)) if (value) words.set(key, value);
  if (view.blind) words.set("blind", "yes");
  history.replaceState(null, "", `#${words}`);
}

function recall() {
  const words = new URLSearchParams(location.hash.slice(1));
  for (const which of ["rows", "cols"]) if (words.has(which) && (axisOf(words.get(which)) || !words.get(which))) view[which] = words.get(which);
  for (const axis of model.axes) {
    const at = axis.values.indexOf(words.get(`at.${axis.key}`));
    if (at >= 0) view.at[axis.key] = at;
  }
  for (const key of Object.keys(view.filters)) view.filters[key] = words.get(key) ?? "";
  view.blind = words.has("blind");
}
