// One tile: a still of the clip or its storyboard, then a line of facts.

function fill(tile) {
  const job = model.byAddress.get(tile.dataset.address);
  const cell = model.byBase.get(job.base);
  const pick = pickOf(job);
  tile.className = `tile ${pick?.verdict ?? ""}${tile.dataset.address === view.current ? " current" : ""}`;
  tile.setAttribute("aria-label", spoken(job, pick));
  const parts = [
    h("div", { class: "mat", onclick: () => openAt(job), onpointerenter: (event) => hover(event, job) }, mat(job)),
    corner(job, pick),
    cell.takes.length > 1 && takes(cell),
    facts(job),
  ];
  tile.replaceChildren(...parts.filter(Boolean));
}

function spoken(job, pick) {
  const name = view.blind ? nameOf(job) : job.address;
  const words = view.blind ? [] : [STATES[stateOf(job)], credits(job.charged ?? job.price)];
  return [name, ...words, pick?.verdict === "pick" && "picked", pick?.verdict === "reject" && "rejected"].filter(Boolean).join(", ");
}

function openAt(job) {
  view.current = job.address;
  goTo(model.byBase.get(job.base));
  openPanel();
}

function mat(job) {
  const file = fileOf(job);
  if (file) return [still(file), job.files.length > 1 && h("span", { class: "more" }, `+${job.files.length - 1}`)];
  if (view.blind) return h("p", { class: "board" }, "no clip");
  const picture = job.pictures[0];
  return [
    picture && h("img", { class: "ghost", src: picture[1], alt: "", loading: "lazy", decoding: "async" }),
    h(
      "div",
      { class: `board ${model.byBase.get(job.base).takes.length > 1 ? "has-takes" : ""}` },
      h("p", { class: `sign sign-${signName(job)}` }, h("b", {}, job.sign), " ", job.error ? job.error.message : signWords(job)),
      typeof job.input.prompt === "string" && h("p", { class: "words", dir: "auto" }, job.input.prompt),
    ),
  ];
}

const signName = (job) => ({ "+": "buy", "±": "buy", "!": "bad", "?": "doubt", "~": "wait", v: "wait" })[job.sign] ?? "calm";

function signWords(job) {
  if (job.gone) return "the vendor no longer has it";
  const why = job.files.find((file) => file.why)?.why;
  if (why) return why;
  if (job.sign === "=") return job.files.length ? "its file is elsewhere" : "done";
  return SIGNS[job.sign] ?? job.reason;
}

/** A still picture of a file: its poster, else a frame near the beginning. */
function still(file) {
  if (file.poster || isPicture(file)) {
    return h("img", { src: file.poster ?? file.src, alt: "", loading: "lazy", decoding: "async" });
  }
  if (isSound(file)) return h("span", { class: "sound" }, "♪");
  if (!file.media_type.startsWith("video/")) return h("span", { class: "sound" }, view.blind ? "file" : file.path.split(".").pop());
  const video = h("video", { preload: "metadata", muted: true, playsinline: true, tabindex: "-1", src: `${file.src}#t=0.1` });
  video.muted = true;
  return video;
}

/** The clip moves while a mouse rests on it. */
function hover(event, job) {
  const file = fileOf(job);
  const place = event.currentTarget;
  if (event.pointerType !== "mouse" || calm.matches || !file?.media_type.startsWith("video/")) return;
  const video = h("video", { class: "moving", playsinline: true, loop: true, tabindex: "-1", src: file.src });
  video.muted = true;
  place.append(video);
  video.play().catch(() => {});
  place.addEventListener("pointerleave", () => video.remove(), { once: true });
}

function corner(job, pick) {
  const mark = { pick: ["★", "picked"], reject: ["✕", "rejected"] }[pick?.verdict];
  const box = h("input", { type: "checkbox", tabindex: "-1", "aria-label": "Compare this clip", onchange: () => choose(job.address) });
  box.checked = view.chosen.has(job.address);
  return h(
    "div",
    { class: "corner-marks" },
    mark && h("span", { class: `mark ${pick.verdict}`, title: mark[1] }, mark[0]),
    pick?.note && h("span", { class: "mark note", title: pick.note }, "✎"),
    pick?.stale && h("span", { class: "mark stale", title: "Picked before the clip was replaced" }, "stale"),
    !view.blind && job.sign === "-" && h("span", { class: "mark orphan", title: "The job file no longer asks for it" }, "no longer wanted"),
    !view.blind && badges(job),
    fileOf(job) && h("label", { class: "compare", title: "Compare (c)" }, box),
  );
}

/** The checks that did not pass. */
function badges(job) {
  const bad = job.checks.filter((check) => check.verdict === "failed" || check.verdict === "warning");
  return bad.slice(0, 2).map((check) => h("span", { class: `mark check-${check.verdict}`, title: check.why ?? check.verdict }, check.name));
}

function takes(cell) {
  const at = Math.min(view.take.get(cell.base) ?? 0, cell.takes.length - 1);
  const turn = (by) => (event) => {
    event.stopPropagation();
    view.current = takeOf(cell).address;
    flip(by);
  };
  return h(
    "div",
    { class: "takes" },
    h("button", { type: "button", tabindex: "-1", "aria-label": "Previous take", title: "Previous take ([)", onclick: turn(-1) }, "‹"),
    h("span", {}, `take ${at + 1}/${cell.takes.length}`),
    h("button", { type: "button", tabindex: "-1", "aria-label": "Next take", title: "Next take (])", onclick: turn(1) }, "›"),
  );
}

function facts(job) {
  if (view.blind) return h("footer", { class: "facts" }, h("span", { class: "label" }, nameOf(job)));
  return h(
    "footer",
    { class: "facts" },
    h("span", { class: "label label-short", title: labelOf(job) }, labelOf(job)),
    h("span", { class: "label label-long", title: labelOf(job, [view.rows]) }, labelOf(job, [view.rows]) || job.job),
    checkOf(job) === "ok" && h("span", { class: "passed", title: "Every check passed" }, "checked"),
    stateOf(job) !== "none" && h("span", { class: `state state-${stateOf(job)}`, title: STATES[stateOf(job)] }, h("span", {}, STATES[stateOf(job)])),
    h("span", { class: "price" }, credits(job.charged ?? job.price)),
  );
}
