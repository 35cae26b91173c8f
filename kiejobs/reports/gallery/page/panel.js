// Details of one job: the clip, the prompt with what differs from its neighbours marked, the request, the record.

function openPanel() {
  view.open = true;
  drawPanel();
  tileOf(view.current)?.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" }); // the panel takes room
}

function closePanel() {
  view.open = false;
  $("panel").hidden = true;
  $("panel").replaceChildren();
  document.body.classList.remove("has-panel");
}

function drawPanel() {
  const cell = currentCell();
  if (!cell) return closePanel();
  const job = takeOf(cell);
  const panel = $("panel");
  const had = panel.contains(document.activeElement) ? document.activeElement.id : null;
  document.body.classList.add("has-panel");
  panel.hidden = false;
  const parts = [panelHead(job), clip(job), decision(job), ...(view.blind ? [] : [beside(job), prompt(job), request(job), checks(job), record(job)])];
  panel.replaceChildren(...parts.filter(Boolean));
  panel.scrollTop = 0;
  if (had) $(had)?.focus();
  return undefined;
}

function panelHead(job) {
  return h("div", { class: "panel-head" },
    h("h2", {}, view.blind ? nameOf(job) : job.address),
    h("button", { type: "button", id: "close-panel", class: "quiet", "aria-label": "Close details", title: "Close (Esc)", onclick: () => { closePanel(); goTo(currentCell()); } }, "✕"));
}

function clip(job) {
  const file = fileOf(job);
  if (!file && view.blind) return h("p", { class: "panel-sign" }, "There is no clip.");
  if (!file) {
    const words = job.error ? `${job.error.code ?? job.error.kind}: ${job.error.message}` : job.detail ?? signWords(job);
    return h("p", { class: "panel-sign" }, h("b", {}, `${job.sign} `), words);
  }
  return h("div", { class: "panel-clips" }, job.files.filter((one) => one.src).map((one) => shown(one, job)));
}

function shown(file, job) {
  if (isPicture(file)) return h("img", { class: "screen", src: file.src, alt: `Result of ${view.blind ? nameOf(job) : job.address}` });
  if (isSound(file)) return h("audio", { class: "screen", controls: true, src: file.src, preload: "metadata" });
  if (!file.media_type.startsWith("video/")) return h("p", { class: "dim" }, view.blind ? "A file that a page can't show" : file.path);
  return h("video", { class: "screen", controls: true, loop: true, playsinline: true, preload: "metadata", src: file.src, poster: file.poster });
}

function decision(job) {
  if (!fileOf(job)) return null;
  const pick = pickOf(job);
  const press = (id, verdict, text, key) => button(text, key, () => judge(verdict), { id, class: `verdict ${verdict}`, "aria-pressed": String(pick?.verdict === verdict) });
  const who = [pick?.who, pick?.when && moment(pick.when)].filter(Boolean).join(", ");
  return h("div", { class: "decision" },
    h("div", { class: "buttons" }, press("press-pick", "pick", "Pick", "p"), press("press-reject", "reject", "Reject", "x"), button("Note", "n", note, { id: "press-note" }), button(isVideo(fileOf(job)) || isSound(fileOf(job)) ? "Play" : "Open", "Enter", () => play([job.address]), { id: "press-play" })),
    pick?.note && h("p", { class: "note-text" }, pick.note),
    who && h("p", { class: "dim" }, who),
    pick?.stale && h("p", { class: "warn" }, "This verdict is stale: the clip was replaced since."));
}

/** The input picture, and the first frame next to it. */
function beside(job) {
  const file = fileOf(job);
  if (!job.pictures.length) return null;
  const figure = (name, element) => h("figure", {}, element, h("figcaption", {}, name));
  return h("div", { class: "beside" },
    job.pictures.map(([name, src]) => figure(name, h("img", { src, alt: `Input ${name}`, loading: "lazy" }))),
    file?.media_type.startsWith("video/") && figure("first frame", file.poster ? h("img", { src: file.poster, alt: "First frame" }) : h("video", { preload: "metadata", muted: true, tabindex: "-1", src: `${file.src}#t=0.001` })));
}

// --- what differs ---

/** The cells before and after it in its row and in its column. */
function neighbours(job) {
  const spot = layout.spot.get(job.base);
  if (!spot) return [];
  const { r, c, k } = spot;
  const row = layout.rows[r].flat();
  const at = row.findIndex((cell) => cell.base === job.base);
  const place = (row2, col) => layout.rows[row2]?.[col]?.[k];
  const found = [row[at - 1], row[at + 1], place(r, c - 1), place(r, c + 1), place(r - 1, c), place(r + 1, c)];
  const same = new Set(found.filter((cell) => cell && cell.first.job === job.job));
  return [...same].map(takeOf);
}

const WORDS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}'’_-]+|\s+|[^\s]/gu;
const MOST_WORDS = 700;

/** For each word: is it missing in `other`, by the longest common sequence? */
function onlyIn(words, other) {
  const width = other.length + 1;
  const best = new Uint16Array((words.length + 1) * width);
  for (let i = words.length - 1; i >= 0; i--) {
    for (let j = other.length - 1; j >= 0; j--) {
      best[i * width + j] = words[i] === other[j] ? best[(i + 1) * width + j + 1] + 1 : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    }
  }
  const missing = [];
  for (let i = 0, j = 0; i < words.length; i++) {
    while (j < other.length && words[i] !== other[j] && best[i * width + j + 1] > best[(i + 1) * width + j]) j++;
    if (words[i] === other[j]) j++;
    else missing.push(i);
  }
  return missing;
}

/** A text, with what at least one of the others does not have marked. */
function marked(text, others) {
  const words = text.match(WORDS) ?? [];
  const different = new Set();
  if (words.length <= MOST_WORDS) {
    for (const other of new Set(others)) for (const at of other === text ? [] : onlyIn(words, (other.match(WORDS) ?? []).slice(0, MOST_WORDS))) different.add(at);
  }
  const parts = [];
  words.forEach((word, at) => {
    const mark = different.has(at) && word.trim() !== "";
    const last = parts.at(-1);
    const joins = !mark && word.trim() === "" && different.has(at - 1) && different.has(at + 1);
    if (last && last.mark === (mark || joins)) last.text += word;
    else parts.push({ text: word, mark: mark || joins });
  });
  return parts.map(({ text: part, mark }) => (mark ? h("mark", {}, part) : part));
}

function prompt(job) {
  const text = job.input.prompt;
  if (typeof text !== "string") return null;
  const others = neighbours(job).map((one) => one.input.prompt).filter((one) => typeof one === "string");
  return h("section", {}, h("h3", {}, "Prompt", h("button", { type: "button", class: "quiet copy", onclick: () => copy(text) }, "Copy")), h("p", { class: "prompt", dir: "auto" }, marked(text, others)));
}

function copy(text) {
  navigator.clipboard?.writeText(text).then(() => toast("Copied"), () => toast("The browser does not let this page copy"));
}

function request(job) {
  const others = neighbours(job);
  const rows = Object.entries(job.input).filter(([name]) => name !== "prompt").map(([name, value]) => {
    const text = typeof value === "string" ? job.paths[value] ?? value : JSON.stringify(value);
    const differs = others.some((one) => JSON.stringify(one.input[name]) !== JSON.stringify(value));
    return pair(name, linked(value, differs ? h("mark", {}, text) : text));
  });
  return h("section", {}, h("h3", {}, "Request"), h("dl", {}, pair("model", job.model), rows));
}

const pair = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, ...value));

function linked(value, text) {
  const address = webAddress(value);
  return address ? h("a", { href: address, rel: "noreferrer noopener", target: "_blank" }, text) : text;
}

function checks(job) {
  if (!job.checks.length) return null;
  const line = (check) => h("li", { class: `check-line check-${check.verdict}` },
    h("b", {}, check.name), " ", h("span", {}, check.verdict), " ",
    h("span", { class: "dim" }, [check.measured !== null && check.measured !== undefined && `measured ${check.measured}`, check.expected !== null && check.expected !== undefined && `expected ${check.expected}`, check.why].filter(Boolean).join("; ")));
  return h("section", {}, h("h3", {}, "Checks"), h("ul", { class: "checks" }, job.checks.map(line)));
}

function record(job) {
  const perCredit = model.data.usd_per_credit;
  const facts = [
    ["state", `${STATES[stateOf(job)]}${job.state ? "" : ""}`],
    ["plan", `${job.sign} ${job.reason}`],
    job.detail && ["detail", job.detail],
    job.error && ["error", `${job.error.code ?? job.error.kind}: ${job.error.message}`],
    ["planned", money(job.planned ?? job.price, perCredit)],
    job.charged !== null && ["charged", money(job.charged, perCredit)],
    job.tags.length && ["tags", job.tags.join(", ")],
    job.task_id && ["task", h("code", {}, job.task_id)],
    job.run_id && ["run", h("code", {}, job.run_id)],
    ...Object.entries(job.times).map(([name, at]) => [name, moment(at)]),
    ["fingerprint", h("code", {}, job.fingerprint)],
    ...job.files.flatMap((file) => [
      ["file", file.src && !file.src.startsWith("data:") ? h("a", { href: file.src, target: "_blank", rel: "noopener" }, file.path) : file.path],
      ["size", `${bytes(file.bytes)}, ${file.media_type}`],
      ["sha256", h("code", {}, file.sha256)],
    ]),
  ];
  return h("section", {}, h("h3", {}, "Record"), h("dl", {}, facts.filter(Boolean).map(([name, value]) => pair(name, value))));
}
