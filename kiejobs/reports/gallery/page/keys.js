// The keyboard. Where somebody writes or moves a slider, only that is meant.

const SHORTCUTS = [
  ["Move", [["← → ↑ ↓", "to the next clip"], ["[ ]", "to another take of the same cell"], ["Home End", "to the first, to the last"], ["Enter", "play the clip; open a picture"], ["o", "open or close its details"], ["/", "search"]]],
  ["Choose", [["p", "pick, and go on; again: take it back"], ["x", "reject, and go on; again: take it back"], ["n", "write a note"], ["u", "undo"], ["i", "undecided only"], ["b", "blind: order shuffled, axes hidden"], ["e", "export picks"]]],
  ["Compare", [["c", "mark for comparing"], ["v", "compare the marked ones, else the row"], ["Space", "play or pause"], [", .", "one frame back or on"], ["l", "loop"], ["- +", "slower, faster"], ["s", "whose sound is heard"], ["w", "wipe between two"], ["f", "full screen"]]],
  ["Others", [["$", "costs"], ["?", "this page"], ["Esc", "close"]]],
];

const GRID_KEYS = {
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  ArrowDown: () => stepLine(1),
  ArrowUp: () => stepLine(-1),
  Home: () => goTo(layout.order[0]),
  End: () => goTo(layout.order.at(-1)),
  "[": () => flip(-1),
  "]": () => flip(1),
  Enter: () => view.current && play([view.current]),
  " ": () => view.current && play([view.current]),
  o: () => (view.open ? closePanel() : openPanel()),
  p: () => judge("pick"),
  x: () => judge("reject"),
  n: () => note(),
  u: () => undo(),
  i: () => { view.filters.pick = view.filters.pick === "undecided" ? "" : "undecided"; drawControls(); draw(); goTo(currentCell()); },
  b: () => setBlind(!view.blind),
  e: () => exportPicks(),
  c: () => view.current && choose(view.current),
  v: () => compare(),
  "/": () => { $("filters").open = true; $("search")?.focus(); },
  $: () => view.blind || showCosts(),
  "?": () => showShortcuts(),
  Escape: () => view.open && (closePanel(), goTo(currentCell())),
};

const PLAYER_KEYS = {
  " ": () => setPlaying(!player.playing),
  k: () => setPlaying(!player.playing),
  ",": () => stepFrame(-1),
  ".": () => stepFrame(1),
  ArrowLeft: () => (player.wipe ? setSplit(player.split - 2) : stepFrame(-1)),
  ArrowRight: () => (player.wipe ? setSplit(player.split + 2) : stepFrame(1)),
  Home: () => { setPlaying(false); seek(0); },
  End: () => { setPlaying(false); seek(end()); },
  l: () => setLoop(!player.loop),
  "-": () => setSpeed(SPEEDS[Math.max(0, SPEEDS.indexOf(player.speed) - 1)]),
  "+": () => setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, SPEEDS.indexOf(player.speed) + 1)]),
  s: () => setSound(player.screens.findIndex((one, at) => at > player.sound && one.localName === "video")),
  w: () => setWipe(!player.wipe),
  f: () => fullScreen(),
  p: () => player.jobs.length === 1 && judgeInPlayer("pick"),
  x: () => player.jobs.length === 1 && judgeInPlayer("reject"),
};

/** A clip that plays alone can be judged at once: the next one plays then. */
function judgeInPlayer(verdict) {
  judge(verdict);
  if (view.current && view.current !== player.jobs[0].address) play([view.current]);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || $("sheet").open) return;
  const inPlayer = $("player").open;
  const at = event.target;
  const writes = at.matches?.("input[type=search], textarea, select");
  const takesKey = writes || (at.matches?.("input, button, a, summary, video, audio") && ["Enter", " ", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key));
  if (writes && event.key === "Escape") return void goTo(currentCell());
  if (takesKey) return undefined;
  const act = (inPlayer ? PLAYER_KEYS : GRID_KEYS)[event.key];
  if (!act) return undefined;
  event.preventDefault();
  act();
  return undefined;
}

function showShortcuts() {
  const body = SHORTCUTS.map(([name, keys]) => h("section", {}, h("h3", {}, name), h("dl", { class: "shortcuts" }, keys.map(([key, what]) => h("div", {}, h("dt", {}, key.split(" ").map((one) => h("kbd", {}, one))), h("dd", {}, what))))));
  sheet("Shortcuts", [h("div", { class: "columns" }, body)], [done()]);
}

/** A sheet over the page. */
function sheet(title, body, buttons) {
  const made = $("sheet");
  made.setAttribute("aria-label", title);
  made.replaceChildren(h("h2", {}, title), h("div", { class: "sheet-body" }, body), h("div", { class: "buttons" }, buttons));
  if (!made.open) made.showModal();
}
