// Up to nine clips with one playhead: play, pause, single frames, loop, speed, whose sound is heard; side by side,
// or two with a wipe between them. Pictures are compared in it too; a single one, and sounds, in the details.

const MOST = 9;
const SPEEDS = [0.25, 0.5, 1, 1.5, 2];
const player = { screens: [], videos: [], jobs: [], playing: false, speed: 1, loop: true, sound: -1, wipe: false, split: 50, fps: 24, time: 0, timer: 0 };

function choose(address) {
  if (view.chosen.has(address)) view.chosen.delete(address);
  else if (view.chosen.size >= MOST) toast(`At most ${MOST} clips at once`);
  else if (fileOf(model.byAddress.get(address))) view.chosen.add(address);
  refresh(address);
  drawActions();
}

/** The chosen clips, else the current one and its neighbours. */
function compare() {
  const chosen = [...view.chosen].filter((address) => model.byAddress.has(address));
  const cell = currentCell();
  const row = cell ? layout.rows[layout.spot.get(cell.base).r].flat() : [];
  const near = row.slice(Math.max(0, Math.min(row.indexOf(cell), row.length - 4))).slice(0, 4).map((one) => takeOf(one).address);
  play(chosen.length > 1 ? chosen : near);
}

function play(addresses) {
  const there = addresses.map((address) => model.byAddress.get(address)).filter(fileOf);
  const playable = there.filter((job) => isVideo(fileOf(job)) || (addresses.length > 1 && isPicture(fileOf(job))));
  if (!playable.length && there.length) return openHere(there[0]);
  if (!playable.length) return toast("There is no clip to play");
  closeVideos();
  Object.assign(player, { jobs: playable.slice(0, MOST), wipe: false, time: 0, playing: false });
  player.screens = player.jobs.map(screen);
  player.videos = player.screens.filter((one) => one.localName === "video");
  drawPlayer();
  if (!$("player").open) $("player").showModal();
  $("player").focus();
  Promise.all(player.videos.map(ready)).then(() => { seek(0); setPlaying(!calm.matches); });
  return undefined;
}

/** What doesn't play among others: in the details; a sound is heard. */
function openHere(job) {
  openAt(job);
  $("panel").querySelector("audio")?.play().catch(() => {});
}

function screen(job) {
  const file = fileOf(job);
  if (isPicture(file)) return h("img", { src: file.src, draggable: "false", alt: view.blind ? nameOf(job) : job.address });
  const video = h("video", { preload: "auto", playsinline: true, src: file.src, "aria-label": view.blind ? nameOf(job) : job.address });
  video.muted = true;
  return video;
}

const ready = (video) => new Promise((done) => {
  if (video.readyState >= 2 || video.error) done();
  for (const event of ["loadeddata", "error"]) video.addEventListener(event, done, { once: true });
});

const lengthOf = (video) => (video && Number.isFinite(video.duration) ? video.duration : 0);
const longest = () => player.videos.reduce((best, video) => (lengthOf(video) > lengthOf(best) ? video : best), player.videos[0]);
const frame = () => 1 / player.fps;
const end = () => Math.max(0, lengthOf(longest()));

/** The middle of the frame that is shown at a time, and never beyond a clip's last one. */
const inside = (video, time) => Math.max(0, Math.min(Math.floor(time * player.fps + 0.001) / player.fps + frame() / 2, lengthOf(video) - frame() / 2));

function seek(time) {
  if (!player.videos.length) return;
  player.time = Math.max(0, Math.min(time, end()));
  for (const video of player.videos) video.currentTime = inside(video, player.time);
  tick();
}

function setPlaying(on) {
  if (!player.videos.length) return;
  player.playing = on;
  cancelAnimationFrame(player.timer);
  for (const video of player.videos) {
    video.playbackRate = player.speed;
    if (on) video.play().catch(() => {});
    else video.pause();
  }
  if (on) {
    if (player.time >= end() - frame()) seek(0);
    follow();
  } else seek(longest()?.currentTime ?? 0);
  tick();
}

/** While they play: the longest one leads; who is off by more than half a frame runs faster or slower, or jumps. */
function follow() {
  if (!player.playing) return;
  const lead = longest();
  player.time = lead.currentTime;
  if (lead.ended || player.time >= end() - frame() / 2) {
    if (!player.loop) return setPlaying(false);
    for (const video of player.videos) video.currentTime = 0;
    player.time = 0;
    for (const video of player.videos) video.play().catch(() => {});
  }
  for (const video of player.videos) {
    if (video === lead || player.time >= lengthOf(video) - frame()) continue;
    const off = video.currentTime - player.time;
    if (Math.abs(off) > 4 * frame()) video.currentTime = player.time;
    video.playbackRate = Math.abs(off) > frame() / 2 ? player.speed * Math.max(0.5, Math.min(1.5, 1 - off * 4)) : player.speed;
    if (video.paused && !video.ended) video.play().catch(() => {});
  }
  tick();
  player.timer = requestAnimationFrame(follow);
  return undefined;
}

function tick() {
  const bar = $("seek");
  if (!bar) return;
  bar.value = String(Math.round((player.time / (end() || 1)) * 1000));
  const words = `${player.time.toFixed(2)} s`;
  bar.setAttribute("aria-valuetext", words);
  $("clock").textContent = `${words} / ${end().toFixed(2)} s · frame ${Math.floor(player.time * player.fps + 0.001)}`;
  $("play").textContent = player.playing ? "Pause" : "Play";
}

function stepFrame(by) {
  if (player.playing) setPlaying(false);
  seek((Math.floor(player.time * player.fps + 0.001) + by) / player.fps);
}

function setSpeed(speed) {
  player.speed = speed;
  for (const video of player.videos) video.playbackRate = speed;
  $("speed").value = String(speed);
}

function setSound(at) {
  player.sound = at;
  player.screens.forEach((one, number) => { one.muted = number !== at; });
  for (const [one, figure] of [...$("screens").children].entries()) figure.classList.toggle("heard", one === at);
  $("sound").value = String(at);
}

function setWipe(on) {
  player.wipe = on && player.screens.length === 2;
  $("screens").classList.toggle("wipe", player.wipe);
  $("wipe-range").hidden = !player.wipe;
  $("wipe").setAttribute("aria-pressed", String(player.wipe));
  setSplit(player.split);
}

function setSplit(percent) {
  player.split = Math.max(0, Math.min(100, percent));
  $("screens").style.setProperty("--split", `${player.split}%`);
  $("wipe-range").value = String(player.split);
}

function closeVideos() {
  cancelAnimationFrame(player.timer);
  player.playing = false;
  for (const video of player.videos) {
    video.pause();
    video.removeAttribute("src");
    video.load();
  }
  player.videos = [];
  player.screens = [];
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("player").requestFullscreen?.().catch(() => {});
}

function drawPlayer() {
  const caption = (job) => (view.blind ? nameOf(job) : [model.axes.some((axis) => axis.key === "job") && job.job, labelOf(job, ["job"]), job.take > 1 && `take ${job.take}`].filter(Boolean).join(" · ") || job.address);
  const many = player.screens.length;
  const still = !player.videos.length;
  const figures = player.screens.map((one, at) => h("figure", {}, one, h("figcaption", {}, h("span", { class: "number" }, at + 1), caption(player.jobs[at]))));
  const across = many <= 1 ? 1 : many <= 4 ? 2 : 3;
  const screens = h("div", { class: "screens", id: "screens", onpointerdown: drag, onpointermove: drag }, figures);
  screens.style.setProperty("--across", String(across));
  screens.style.setProperty("--lines", String(Math.ceil(many / across)));
  const range = (id, label, max, act) => h("input", { type: "range", id, hidden: still && id === "seek", min: "0", max: String(max), value: "0", "aria-label": label, oninput: (event) => act(Number(event.target.value)) });
  const pickSpeed = h("select", { id: "speed", hidden: still, "aria-label": "Speed", onchange: (event) => setSpeed(Number(event.target.value)) }, SPEEDS.map((speed) => option(String(speed), `${speed}×`, speed === player.speed)));
  const pickSound = h("select", { id: "sound", hidden: still, "aria-label": "Sound", onchange: (event) => setSound(Number(event.target.value)) }, option("-1", "no sound", true), player.screens.map((one, at) => one.localName === "video" && option(String(at), `sound of ${at + 1}`, false)));
  const loop = button("Loop", "l", () => setLoop(!player.loop), { id: "loop", hidden: still, "aria-pressed": String(player.loop) });
  $("player").replaceChildren(
    screens,
    h("div", { class: "wipe-range" }, range("wipe-range", "Position of the wipe", 100, setSplit)),
    h("div", { class: "transport" },
      range("seek", "Playhead", 1000, (value) => { setPlaying(false); seek((value / 1000) * end()); }),
      h("div", { class: "keys" },
        button("Play", "Space", () => setPlaying(!player.playing), { id: "play", hidden: still, class: "primary" }),
        button("‹", ",", () => stepFrame(-1), { "aria-label": "One frame back", title: "One frame back", hidden: still }),
        button("›", ".", () => stepFrame(1), { "aria-label": "One frame on", title: "One frame on", hidden: still }),
        h("output", { id: "clock", hidden: still }, ""),
        h("span", { class: "gap" }),
        loop, pickSpeed, pickSound,
        button("Wipe", "w", () => setWipe(!player.wipe), { id: "wipe", "aria-pressed": "false", hidden: many !== 2 }),
        button("Full screen", "f", fullScreen),
        button("Close", "Esc", () => $("player").close()))));
  $("wipe-range").hidden = true;
  setSound(-1);
}

function setLoop(on) {
  player.loop = on;
  $("loop").setAttribute("aria-pressed", String(on));
}

/** The wipe follows a pointer that is down. */
function drag(event) {
  if (!player.wipe || !(event.buttons & 1)) return;
  const box = $("screens").getBoundingClientRect();
  setSplit(((event.clientX - box.left) / box.width) * 100);
}
