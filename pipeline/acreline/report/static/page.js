// Start: language, what is chosen, and who redraws what.
function choose(farm, parcel) {
  const before = state.farm;
  state.farm = farm;
  state.parcel = parcel;
  drawPanel();
  paintMap();
  for (const row of document.querySelectorAll("#farms tr[data-farm]")) {
    const mine = Number(row.dataset.farm) === farm;
    row.classList.toggle("chosen", mine);
    row.setAttribute("aria-selected", String(mine));
    if (mine && farm !== before) row.scrollIntoView({ block: "nearest" });
  }
  if (farm !== before) {
    showFarm();
    document.getElementById("panel").scrollTop = 0;
    const name = farm >= 0 ? "#farm=" + encodeURIComponent(data.farms[farm].id) : "#";
    history.replaceState(null, "", location.pathname + location.search + name);
  }
}

function chooseFarm(farm) {
  const parcels = data.farms[farm].parcels;
  const seen = parcels.find((index) => data.parcels[index].curve.length);
  choose(farm, seen === undefined ? (parcels.length ? parcels[0] : -1) : seen);
}

function chooseParcel(index) {
  choose(farmOf(data.parcels[index]), index);
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
  document.getElementById("search").placeholder = lang === "zh" ? "搜索农户、作物、理由" : "Search farm, crop or reason";
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
    button.addEventListener("click", () => { setLanguage(button.dataset.setLang); drawTable(); drawPanel(); drawLegend(); });
  }
  document.getElementById("search").addEventListener("input", (event) => { state.query = event.target.value; drawTable(); });
  document.getElementById("fader").addEventListener("input", (event) => { state.fade = Number(event.target.value) / 100; paintMap(); });
}

function start() {
  setLanguage(firstLanguage());
  drawMap(chooseParcel);
  setMode("crop");
  listen();
  drawTable();
  drawPanel();
  const asked = new URLSearchParams(location.hash.slice(1)).get("farm");
  const farm = asked === null ? -1 : data.farms.findIndex((each) => each.id === asked);
  if (farm >= 0) chooseFarm(farm);
  document.title = "acreline " + data.region + " ok " + data.parcels.length;
  document.body.dataset.ready = "true";
}

start();
