// The map: parcels over the pixel map, no ground map beneath because the page never asks the net for anything.
const DASHES = { ok: null, degraded: "10 4", insufficient: "3 5", failed: "9 4 2 4", rejected: "2 4" };
const farmPlace = new Map(data.farms.map((farm, index) => [farm.id, index]));
const MANY_SHAPES = 3000;
const drawn = { waiting: 0, map: null, shapes: [], looks: [], pictures: [], line: 1.2 };

function parcelColour(parcel) {
  if (state.mode === "crop") return classColour("crop", parcel.crop);
  if (state.mode === "health") return classColour("health", parcel.health);
  const farm = data.farms[farmOf(parcel)];
  return OUTCOME_COLOURS[farm ? farm.outcome : "none"];
}

function farmOf(parcel) {
  const at = farmPlace.get(parcel.farm);
  return at === undefined ? -1 : at;
}

// Outlines are as fine as the parcels are small on the screen; where a parcel is a few pixels, colour alone is shown.
function lineWidth() {
  const areas = data.parcels.map((parcel) => parcel.mu).filter((mu) => mu !== null).sort((a, b) => a - b);
  const side = Math.sqrt(((areas[areas.length >> 1] || 10) * 10000) / MU_PER_HA);
  const middle = drawn.map.getCenter();
  const metres = drawn.map.distance(middle, drawn.map.containerPointToLatLng(drawn.map.latLngToContainerPoint(middle).add([1, 0])));
  const pixels = side / Math.max(metres, 1e-6);
  return pixels < 5 ? 0 : pixels < 14 ? 0.5 : 1.2;
}

function parcelStyle(index) {
  const parcel = data.parcels[index];
  const chosen = index === state.parcel;
  const mine = state.farm >= 0 && data.farms[state.farm].parcels.includes(index);
  const fits = isChosen(parcel);
  const solid = !fits ? 0.04 : state.mode === "outcome" ? 0.78 : 0.82 * (1 - state.fade);
  return {
    color: mine ? "#0b1f2a" : "#33444f",
    weight: chosen ? 3.5 : mine ? 2.5 : drawn.line,
    stroke: mine || chosen || drawn.line > 0,
    dashArray: DASHES[parcel.status],
    fillColor: parcelColour(parcel),
    fillOpacity: parcel.status === "rejected" ? 0 : solid,
    opacity: fits || mine ? 1 : 0.25,
  };
}

function parcelTip(parcel) {
  return el("div", { class: "tip" }, el("b", {}, parcel.id), parcel.farm ? el("span", {}, ui("farm") + " " + parcel.farm) : null,
    (parcel.grown.length ? parcel.grown : [["", parcel.crop_set, parcel.crop, parcel.confidence]]).map(([slot, set, crop, confidence]) =>
      el("span", {}, (slot ? word("slot", slot) + ": " : "") + cropNames(set, crop) + (confidence ? " · " + percent(confidence) : ""))),
    el("span", {}, land(parcel.mu, parcel.mu === null ? null : parcel.mu / MU_PER_HA) + " · " + word("status", parcel.status)));
}

// Outlines come as ways from point to point in millionths of a degree, a quarter of the text.
function thickRing(ways) {
  const ring = [];
  for (let k = 0, lat = 0, lon = 0; k < ways.length; k += 2) ring.push([(lat += ways[k]) / 1e6, (lon += ways[k + 1]) / 1e6]);
  return ring;
}

function fitAll() {
  const corners = data.parcels.flatMap((parcel) => parcel.rings.flat(2));
  if (corners.length) drawn.map.fitBounds(L.latLngBounds(corners), { padding: [18, 18], animate: false });
  else drawn.map.setView([0, 0], 3);
}

function drawMap(onParcel) {
  for (const parcel of data.parcels) parcel.rings = parcel.rings.map((polygon) => polygon.map(thickRing));
  const map = L.map("map", {
    attributionControl: false, zoomSnap: 0.25, zoomDelta: 0.5, wheelPxPerZoomLevel: 90, maxZoom: 21, minZoom: 3,
    preferCanvas: data.parcels.length > MANY_SHAPES, zoomControl: false, fadeAnimation: false, boxZoom: false,
  });
  drawn.map = map;
  L.control.zoom({ position: "topright", zoomInTitle: "Zoom in 放大", zoomOutTitle: "Zoom out 缩小" }).addTo(map);
  L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
  fitAll();
  drawn.line = lineWidth();
  map.on("zoomend", () => {
    const line = lineWidth();
    if (line !== drawn.line) { drawn.line = line; paintMap(); }
  });
  matchMedia("print").addEventListener("change", () => { map.invalidateSize({ animate: false }); fitAll(); });
  map.createPane("pictures").style.zIndex = 250;
  drawn.pictures = data.rasters.map((raster) => {
    const [west, south, east, north] = raster.bounds;
    const picture = L.imageOverlay("data:image/png;base64," + raster.png, [[south, west], [north, east]], { pane: "pictures", className: "pixels" });
    return { layer: raster.layer, picture: picture.addTo(map) };
  });
  drawn.shapes = data.parcels.map((parcel, index) => {
    if (!parcel.rings.length) return null;
    const shape = L.polygon(parcel.rings, { ...parcelStyle(index), className: "parcel" }).addTo(map);
    shape.bindTooltip(() => parcelTip(parcel), { sticky: true, direction: "top", opacity: 1 });
    shape.on("click", () => onParcel(index));
    const path = shape.getElement && shape.getElement();
    if (path) path.setAttribute("data-parcel", index);
    return shape;
  });
  const north = L.control({ position: "topleft" });
  north.onAdd = () => el("div", { class: "north" }, svg("svg", { viewBox: "0 0 20 30" }, svg("path", { d: "M10 1 17 20 10 16 3 20z" }), svg("text", { x: 10, y: 29.5, "text-anchor": "middle" }, "N")));
  north.addTo(map);
}

// Whether a parcel's farm is among those chosen; one of no farm fits where nothing is chosen.
function isChosen(parcel) {
  const farm = farmOf(parcel);
  return farm < 0 ? found.rows.length === data.farms.length : found.masks[farm] === 0;
}

// On a large map the table answers first and the map follows, once for all that was asked meanwhile.
function paintSoon() {
  if (drawn.shapes.length <= MANY_SHAPES) return paintMap();
  clearTimeout(drawn.waiting);
  drawn.waiting = setTimeout(() => { paintMap(); document.body.dataset.painted = String(found.rows.length); }, 30);
}

// Shapes whose look stays as it is are left alone: with ten thousand of them each one counts.
function paintMap() {
  drawn.shapes.forEach((shape, index) => {
    if (!shape) return;
    const style = parcelStyle(index);
    const look = Object.values(style).join();
    if (drawn.looks[index] === look) return;
    drawn.looks[index] = look;
    shape.setStyle(style);
  });
  for (const index of [...(state.farm >= 0 ? data.farms[state.farm].parcels : []), state.parcel]) {
    if (index >= 0 && drawn.shapes[index]) drawn.shapes[index].bringToFront();
  }
  for (const { layer, picture } of drawn.pictures) picture.setOpacity(layer === state.mode ? state.fade : 0);
  document.getElementById("fader").disabled = !drawn.pictures.some(({ layer }) => layer === state.mode);
}

function showFarm() {
  const shapes = (state.farm >= 0 ? data.farms[state.farm].parcels : []).map((index) => drawn.shapes[index]).filter(Boolean);
  if (!shapes.length) return;
  const bounds = L.featureGroup(shapes).getBounds();
  if (!drawn.map.getBounds().contains(bounds)) drawn.map.fitBounds(bounds, { padding: [60, 60], maxZoom: drawn.map.getZoom(), animate: false });
}

function legendRows() {
  if (state.mode === "outcome") {
    return counted(OUTCOMES, data.totals.outcomes, true).map(([code]) => [OUTCOME_COLOURS[code], word("outcome", code)]);
  }
  const shown = new Set(data.parcels.filter((parcel) => parcel.status !== "rejected").map((parcel) => parcel[state.mode]));
  const painted = new Set(data.rasters.filter((raster) => raster.layer === state.mode).flatMap((raster) => raster.codes));
  const names = new Map(); // one key for each colour: classes that the region does not grow share theirs
  for (const row of data.classes[state.mode]) {
    if (row.code > 0 && (shown.has(row.slug) || painted.has(row.code))) names.set(row.colour, [...(names.get(row.colour) || []), row[state.lang]]);
  }
  const rows = [...names].map(([colour, some]) => [colour, some.join(ui("and"))]);
  if ([...shown].some((slug) => !slug || !classOf(state.mode, slug) || slug === "unknown")) rows.push([GREY, ui("unknown")]);
  return rows;
}

function drawLegend() {
  const colours = legendRows().map(([colour, text]) => el("span", { class: "key" }, swatch(colour), text));
  const lines = counted(STATUSES, data.totals.statuses).map(([status]) =>
    el("span", { class: "key" }, svg("svg", { class: "dash", viewBox: "0 0 26 8" }, svg("line", { x1: 1, x2: 25, y1: 4, y2: 4, "stroke-dasharray": DASHES[status] || "none" })), word("status", status)));
  document.getElementById("legend").replaceChildren(el("div", {}, colours), el("div", { class: "lines" }, lines));
}
