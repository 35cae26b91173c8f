// What is shown: jobs, the cells that they share with their other takes, axes; and how it is looked at just now.

const model = { data: null, jobs: [], byAddress: new Map(), cells: [], byBase: new Map(), axes: [] };

/** How it is looked at. `at`: the position of each slider, -1 for all values. `take`: the one that a cell shows. */
const view = {
  rows: "",
  cols: "",
  at: {},
  filters: { text: "", job: "", tag: "", model: "", state: "", check: "", pick: "" },
  take: new Map(),
  current: null,
  open: false,
  blind: false,
  chosen: new Set(),
  size: 0,
};

const STATES = {
  succeeded: "done",
  running: "running",
  submitted: "submitted",
  reserved: "sending",
  failed: "failed",
  rejected: "rejected",
  in_doubt: "in doubt",
  none: "not bought",
};
const SIGNS = {
  "+": "to buy",
  "±": "to buy again: the request changed",
  "~": "in flight",
  "?": "in doubt",
  v: "to download",
  "=": "done",
  "!": "failed, on hold",
  ">": "adopted: moved from another address",
  "-": "no longer wanted",
};

function load(data) {
  model.data = data;
  model.jobs = data.jobs;
  model.byAddress = new Map(data.jobs.map((job) => [job.address, job]));
  model.byBase = new Map();
  for (const job of data.jobs) {
    if (!model.byBase.has(job.base)) model.byBase.set(job.base, { base: job.base, takes: [], first: job });
    model.byBase.get(job.base).takes.push(job);
  }
  model.cells = [...model.byBase.values()];
  model.axes = axesOf(data.jobs);
}

/** Axes with more than one value, and what else jobs differ by. Values in the order in which they appear. */
function axesOf(jobs) {
  const values = new Map();
  const add = (name, value) => {
    if (!values.has(name)) values.set(name, new Set());
    values.get(name).add(value);
  };
  for (const job of jobs) {
    add("campaign", job.campaign);
    add("job", job.job);
    add("model", job.model);
    for (const [name, value] of Object.entries(job.axes)) add(`=${name}`, value);
  }
  const axes = [...values].map(([key, found]) => ({ key, name: key.replace(/^=/, ""), values: [...found] }));
  const several = axes.filter((axis) => axis.values.length > 1);
  const doubled = (axis) => axis.key === "model" && several.some((other) => other.key === "=model");
  return several.filter((axis) => !doubled(axis));
}

const axisOf = (key) => model.axes.find((axis) => axis.key === key);
const valueOf = (job, key) => (key.startsWith("=") ? job.axes[key.slice(1)] ?? "" : job[key]);

/** Rows are jobs, or what differs most; columns the axis with the most values of what is left, if it isn't long. */
function chooseAxes() {
  const keys = model.axes.map((axis) => axis.key);
  const rows = ["job", "campaign"].find((key) => keys.includes(key)) ?? keys.find((key) => key.startsWith("=")) ?? "";
  const left = model.axes.filter((axis) => axis.key !== rows && axis.key.startsWith("="));
  const cols = left.sort((a, b) => b.values.length - a.values.length)[0]?.key ?? keys.find((key) => key !== rows) ?? "";
  view.rows = rows;
  view.cols = cols;
  view.at = {};
}

const takeOf = (cell) => cell.takes[Math.min(view.take.get(cell.base) ?? 0, cell.takes.length - 1)];
const stateOf = (job) => job.state ?? "none";
const fileOf = (job) => job.files.find((file) => file.src) ?? null;
const isVideo = (file) => file.media_type.startsWith("video/");
const isPicture = (file) => file.media_type.startsWith("image/");
const isSound = (file) => file.media_type.startsWith("audio/");
const isBought = () => model.jobs.some((job) => job.files.length);

/** A value as it is read: a bare number says of what. */
function word(key, value) {
  if (!/^[\d.]+$/.test(value) || !axisOf(key)) return value;
  return key === "=duration" ? `${value} s` : `${axisOf(key).name} ${value}`;
}

/** The worst verdict of a job's checks: failed, warning, ok, or none. */
function checkOf(job) {
  const found = job.checks.map((check) => check.verdict);
  return ["failed", "warning", "ok"].find((verdict) => found.includes(verdict)) ?? "none";
}

/** The values of the axes that no heading says, a job's own ones first: they differ from tile to tile. */
function labelOf(job, without = [view.rows, view.cols]) {
  const left = model.axes.map((axis) => axis.key).filter((key) => !without.includes(key));
  const keys = [...left.filter((key) => key.startsWith("=")), ...left.filter((key) => !key.startsWith("="))];
  const words = keys.map((key) => word(key, valueOf(job, key))).filter(Boolean);
  return words.join(" · ");
}
