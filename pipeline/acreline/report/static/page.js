// Start: language, what is chosen, and who redraws what.
function choose(farm, parcel) {
  const before = state.farm;
  state.farm = farm;
  state.parcel = parcel;
  drawPanel();
  paintMap();
  markChosen(farm);
  if (farm !== before) {
    showFarm();
    document.getElementById("panel").scrollTop = 0;
    document.body.classList.toggle("farm-open", farm >= 0);
    drawRows(false);
    keepAddress();
  }
}

// A farm is shown with the first of its parcels that was looked at, which is known once its details are there.
function chooseFarm(farm) {
  const parcels = data.farms[farm].parcels;
  choose(farm, parcels.length ? parcels[0] : -1);
  const show = () => {
    const seen = parcels.find((index) => data.parcels[index].curve.length);
    if (state.farm === farm && seen !== undefined && seen !== state.parcel) choose(farm, seen);
  };
  if (isOpen(farm)) show();
  else openFarm(farm).then(show, () => {});
  if (matchMedia("(max-width: 1080px)").matches) document.getElementById("panel").scrollIntoView({ block: "start" });
}

function chooseParcel(index) {
  choose(farmOf(data.parcels[index]), index);
}

// The farm that is open and the filters stand in the address, so that a view can be handed on.
function keepAddress() {
  const asked = new URLSearchParams();
  if (state.farm >= 0) asked.set("farm", data.farms[state.farm].id);
  for (const [key, value] of Object.entries(state.filters)) if (value) asked.set(key, value);
  if (state.queue !== "all") asked.set("queue", state.queue);
  history.replaceState(null, "", location.pathname + location.search + "#" + asked);
}

function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(state.filters)) state.filters[key] = asked.get(key) || "";
  if (QUEUES.includes(asked.get("queue"))) state.queue = asked.get("queue");
  return asked.get("farm");
}

// All that hangs on which farms are chosen.
function drawChoice() {
  findFarms();
  drawQueues();
  drawFilters();
  drawCounts();
  drawTable();
  drawPanel();
  paintSoon();
  keepAddress();
}

function setUnit(unit) {
  state.unit = unit;
  for (const button of document.querySelectorAll("[data-set-unit]")) button.setAttribute("aria-pressed", String(button.dataset.setUnit === unit));
}

function setMode(mode) {
  state.mode = mode;
  for (const button of document.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  drawLegend();
  paintMap();
}

function setLanguage(lang) {
  state.lang = lang;
  const root = document.documentElement;
  root.lang = lang === "zh" ? "zh-CN" : "en";
  root.dataset.lang = lang;
  for (const button of document.querySelectorAll("[data-set-lang]")) button.setAttribute("aria-pressed", String(button.dataset.setLang === lang));
  document.getElementById("search").placeholder = say("search");
  for (const node of document.querySelectorAll("[data-say]")) node.textContent = say(node.dataset.say);
}

function firstLanguage() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked === "zh" || asked === "en") return asked;
  return (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
}

function onRow(selector, name, act) {
  const find = (event) => event.target.closest(selector);
  const root = document.querySelector(name);
  root.addEventListener("click", (event) => { const row = find(event); if (row) act(row); });
  root.addEventListener("keydown", (event) => {
    const row = find(event);
    if (row && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); act(row); }
  });
}

function listen() {
  onRow("tr[data-farm]", "#farms tbody", (row) => chooseFarm(Number(row.dataset.farm)));
  onRow("tr[data-parcel]", "#panel", (row) => choose(state.farm, Number(row.dataset.parcel)));
  for (const button of document.querySelectorAll("[data-mode]")) button.addEventListener("click", () => setMode(button.dataset.mode));
  for (const button of document.querySelectorAll("[data-set-lang]")) {
    button.addEventListener("click", () => { setLanguage(button.dataset.setLang); drawChoice(); drawLegend(); });
  }
  for (const button of document.querySelectorAll("[data-set-unit]")) button.addEventListener("click", () => { setUnit(button.dataset.setUnit); drawChoice(); });
  document.getElementById("search").addEventListener("input", (event) => { state.query = event.target.value; drawChoice(); });
  document.getElementById("clear").addEventListener("click", clearFilters);
  tableBox().addEventListener("scroll", () => drawRows(false), { passive: true });
  tableBox().addEventListener("keydown", onTableKey);
  addEventListener("resize", () => drawRows(true));
  document.getElementById("panel").addEventListener("keydown", (event) => { if (event.key === "Escape" && state.farm >= 0) leaveFarm(); });
  document.getElementById("fader").addEventListener("input", (event) => { state.fade = Number(event.target.value) / 100; paintMap(); });
}

// Back to the overview; the keyboard goes back to the farm's row.
function leaveFarm() {
  const farm = state.farm;
  choose(-1, -1);
  const place = view.place.get(farm);
  if (place !== undefined) moveTo(place);
}

async function start() {
  document.body.classList.toggle("acts", anyActs);
  buildFilters();
  setLanguage(firstLanguage());
  setUnit(new URLSearchParams(location.search).get("unit") === "ha" ? "ha" : "mu");
  document.getElementById("filter-box").open = !matchMedia("(max-width: 1080px)").matches;
  const asked = readAddress();
  if (packed.length === 1) await openFarm(0).catch(() => {});
  findFarms();
  drawMap(chooseParcel);
  setMode("crop");
  listen();
  drawChoice();
  const farm = asked === null ? -1 : data.farms.findIndex((each) => each.id === asked);
  if (farm >= 0) chooseFarm(farm);
  document.title = "acreline " + data.region + " ok " + data.parcels.length;
  document.body.dataset.ready = "true";
}

start();
