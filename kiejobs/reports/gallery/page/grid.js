// The grid: rows and columns by two axes. Each job is an element from the start; what is in it comes when it is
// near the screen, and goes when it is far away. Rows are watched first and tiles only in rows that are near: the
// browser looks at each watched element again in each frame.

const layout = { rows: [], order: [], spot: new Map() };
let names = new Map(); // of blind mode, by cell
let nearRows = null;
let nearTiles = null;

function draw() {
  const cells = shownCells();
  nearRows?.disconnect();
  nearTiles?.disconnect();
  const grid = $("grid");
  const scrolls = getComputedStyle(grid).overflowY === "auto"; // on narrow screens the page itself does
  const around = { root: scrolls ? grid : null, rootMargin: "800px" };
  nearRows = new IntersectionObserver(onNearRows, around);
  nearTiles = new IntersectionObserver(onNearTiles, around);
  grid.classList.toggle("blind", view.blind);
  const parts = view.blind || !model.axes.length ? flat(cells) : table(cells);
  grid.replaceChildren(...(cells.length ? parts : [nothing()]));
  for (const row of grid.querySelectorAll("section")) nearRows.observe(row);
  drawFigures(cells);
  keepCurrent();
}

function nothing() {
  const filtered = model.jobs.length > 0;
  return h(
    "p",
    { class: "nothing" },
    filtered ? "No job fits these filters. " : "There is no job here.",
    filtered && button("Clear filters", "", clearFilters),
  );
}

/** Cells that the filters and the sliders leave. */
function shownCells() {
  const asked = model.axes.filter((axis) => !view.blind && ![view.rows, view.cols].includes(axis.key) && (view.at[axis.key] ?? -1) >= 0);
  const wanted = (cell) => asked.every((axis) => valueOf(cell.first, axis.key) === axis.values[view.at[axis.key]]);
  return model.cells.filter((cell) => wanted(cell) && cell.takes.some(passes));
}

/** One cell after the other; in blind mode in an order and with names that say nothing. */
function flat(cells) {
  const ordered = view.blind ? cells.slice().sort((a, b) => names.get(a.base) - names.get(b.base)) : cells;
  layout.rows = [[ordered]];
  index();
  return [h("section", { class: "flow" }, ordered.map(stack))];
}

function table(cells) {
  const rowValues = axisOf(view.rows)?.values ?? [""];
  const colValues = axisOf(view.cols)?.values ?? [""];
  const byPlace = new Map();
  for (const cell of cells) {
    const place = `${view.rows ? valueOf(cell.first, view.rows) : ""}\n${view.cols ? valueOf(cell.first, view.cols) : ""}`;
    if (!byPlace.has(place)) byPlace.set(place, []);
    byPlace.get(place).push(cell);
  }
  const has = (row, col) => byPlace.get(`${row}\n${col}`) ?? [];
  const withEmpty = (values, values2, has2) => values.filter((value) => values2.some((other) => has2(value, other).length));
  const rows = withEmpty([...rowValues, ""], [...colValues, ""], has).filter((v, i, all) => all.indexOf(v) === i);
  const cols = withEmpty([...colValues, ""], [...rowValues, ""], (col, row) => has(row, col)).filter((v, i, all) => all.indexOf(v) === i);
  layout.rows = rows.map((row) => cols.map((col) => has(row, col)));
  index();
  const grid = $("grid");
  const widest = Math.max(1, ...layout.rows.flat().map((found) => found.length));
  grid.style.setProperty("--cols", cols.length);
  grid.dataset.widest = widest;
  fitSize();
  const corner = [axisOf(view.rows)?.name, axisOf(view.cols)?.name].filter(Boolean).join(" / ");
  const head = h(
    "div",
    { class: "head" },
    h("div", { class: "corner" }, corner),
    cols.map((col) => h("div", { class: "col" }, word(view.cols, col) || "–")),
  );
  const sections = rows.map((row, at) => {
    const section = h(
      "section",
      { class: "row", "aria-label": row || "others" },
      h("h2", { class: "rowhead" }, h("span", {}, word(view.rows, row) || "–")),
      cols.map((col, to) => h("div", { class: "cell", "data-col": col }, layout.rows[at][to].map(stack))),
    );
    const counts = layout.rows[at].map((cell) => cell.length); // for its height before it is laid out
    section.style.setProperty("--most", Math.max(...counts));
    section.style.setProperty("--tiles", counts.reduce((sum, count) => sum + count, 0));
    return section;
  });
  return [...(view.cols ? [head] : []), ...sections];
}

function index() {
  layout.spot = new Map();
  layout.order = layout.rows.flat(2);
  layout.rows.forEach((row, r) => row.forEach((cell, c) => cell.forEach((one, k) => layout.spot.set(one.base, { r, c, k }))));
}

/** Tiles as large as the screen has room for, unless somebody chose their size. */
function fitSize() {
  const grid = $("grid");
  const cols = Number(grid.style.getPropertyValue("--cols")) || 1;
  const widest = Number(grid.dataset.widest) || 1;
  const fits = (across) => Math.floor((innerWidth - 176) / (cols * across)) - 12;
  let across = Math.min(widest, 4);
  while (across > 1 && fits(across) < (view.size || SMALLEST)) across--;
  grid.style.setProperty("--across", across);
  const size = view.size || Math.max(SMALLEST, Math.min(360, fits(across)));
  document.documentElement.style.setProperty("--tile", `${size}px`);
}

const SMALLEST = 196; // pixels that a tile is wide where nobody chose

/** A cell: one element for each take, one of which is shown. */
function stack(cell) {
  const shown = takeOf(cell);
  return h(
    "div",
    { class: "stack" },
    cell.takes.map((job) =>
      h("article", {
        class: "tile",
        "data-address": job.address,
        tabindex: "-1",
        hidden: job !== shown,
      }),
    ),
  );
}

function onNearRows(entries) {
  for (const { target, isIntersecting } of entries) {
    for (const tile of target.querySelectorAll(".tile")) {
      if (isIntersecting) nearTiles.observe(tile);
      else {
        nearTiles.unobserve(tile);
        empty(tile);
      }
    }
  }
}

function onNearTiles(entries) {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) empty(target);
    else if (!target.firstChild) fill(target);
  }
}

function empty(tile) {
  if (tile.firstChild && !tile.contains(document.activeElement)) tile.replaceChildren();
}

const tileOf = (address) => $("grid").querySelector(`[data-address="${CSS.escape(address)}"]`);

function refresh(address) {
  const tile = tileOf(address);
  if (tile?.firstChild) fill(tile);
}

// --- which one is current ---

/** The one that keys mean: it stays the same as long as it is shown, else the first is. */
function keepCurrent() {
  const job = view.current && model.byAddress.get(view.current);
  const cell = job && layout.spot.has(job.base) ? model.byBase.get(job.base) : layout.order[0];
  view.current = cell ? takeOf(cell).address : null;
  markCurrent();
}

function markCurrent() {
  for (const old of $("grid").querySelectorAll(".tile.current")) {
    old.classList.remove("current");
    old.tabIndex = -1;
  }
  const tile = view.current && tileOf(view.current);
  if (!tile) return;
  tile.classList.add("current");
  tile.tabIndex = 0;
}

function goTo(cell, { focus = true } = {}) {
  if (!cell) return;
  view.current = takeOf(cell).address;
  markCurrent();
  const tile = tileOf(view.current);
  if (focus) {
    if (!tile.firstChild) fill(tile);
    tile.focus({ preventScroll: true });
    tile.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
  }
  if (!view.open) return;
  drawPanel();
  tile.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
}

const currentCell = () => view.current && model.byBase.get(model.byAddress.get(view.current).base);

function step(by) {
  const at = layout.order.indexOf(currentCell());
  goTo(layout.order[Math.max(0, Math.min(layout.order.length - 1, at + by))]);
}

/** The row above or below, in the same column or the nearest that has something. */
function stepLine(by) {
  if (layout.rows.length === 1 || getComputedStyle($("grid")).getPropertyValue("--flow").trim() === "1") return stepWrapped(by);
  const { r, c, k } = layout.spot.get(currentCell().base);
  const here = layout.rows[r][c];
  const across = Number($("grid").style.getPropertyValue("--across")) || 1;
  if (here[k + by * across]) return goTo(here[k + by * across]);
  const row = layout.rows[r + by];
  if (!row) return undefined;
  const filled = row.map((cell, at) => [Math.abs(at - c), at]).filter(([, at]) => row[at].length);
  const cell = row[filled.sort((a, b) => a[0] - b[0])[0]?.[1]];
  return cell && goTo(cell[Math.min(by > 0 ? k % across : cell.length - 1, cell.length - 1)]);
}

/** Tiles that wrap like words: as many further as one line holds. */
function stepWrapped(by) {
  const tops = layout.order.slice(0, 40).map((cell) => tileOf(takeOf(cell).address).parentElement.offsetTop);
  const across = Math.max(1, tops.filter((top) => top === tops[0]).length);
  step(by * across);
}

/** Another take in the same cell. */
function flip(by) {
  const cell = currentCell();
  if (!cell || cell.takes.length < 2) return;
  flipTo(cell, ((view.take.get(cell.base) ?? 0) + by + cell.takes.length) % cell.takes.length);
}

function flipTo(cell, at) {
  tileOf(takeOf(cell).address).hidden = true;
  view.take.set(cell.base, at);
  const tile = tileOf(takeOf(cell).address);
  tile.hidden = false;
  fill(tile);
  goTo(cell);
}
