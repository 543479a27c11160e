// The greenness of one parcel through the season, drawn by hand as SVG.
const CURVE = { width: 680, height: 218, left: 34, right: 10, top: 34, bottom: 30, low: -0.1, high: 1 };
const DAY_MS = 86400000;
const LOOK = { cloudy: 0, clear: 1, aside: 2 };

function day(text) {
  return Date.parse(text + "T00:00:00Z") / DAY_MS;
}

function curveLooks(parcel) {
  const looks = [];
  for (let i = 0; i < parcel.curve.length; i += 4) {
    const [at, ndvi, clear, kind] = parcel.curve.slice(i, i + 4);
    looks.push({ date: data.passes[at], ndvi: ndvi === null ? null : ndvi / 10000, clear, kind });
  }
  return looks;
}

function curveScale(looks) {
  const days = looks.map((look) => day(look.date));
  const first = data.season[0] ? day(data.season[0]) : Math.min(...days);
  const last = data.season[1] ? day(data.season[1]) : Math.max(...days);
  const inner = CURVE.width - CURVE.left - CURVE.right;
  const depth = CURVE.height - CURVE.top - CURVE.bottom;
  return {
    first,
    last,
    x: (at) => CURVE.left + (inner * (at - first)) / Math.max(1, last - first),
    y: (value) => CURVE.top + (depth * (CURVE.high - Math.max(CURVE.low, value))) / (CURVE.high - CURVE.low),
  };
}

function monthMarks(scale) {
  const marks = [];
  const start = new Date(scale.first * DAY_MS);
  for (let i = 0; i < 40; i += 1) {
    const at = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + i, 1));
    const place = at.getTime() / DAY_MS;
    if (place > scale.last) break;
    if (place >= scale.first) marks.push({ place, month: at.getUTCMonth() + 1, year: at.getUTCFullYear() });
  }
  return marks;
}

function curveGrid(scale) {
  const floor = scale.y(CURVE.low);
  const lines = [0, 0.2, 0.4, 0.6, 0.8, 1].map((value) => [
    svg("line", { class: "grid", x1: CURVE.left, x2: CURVE.width - CURVE.right, y1: scale.y(value), y2: scale.y(value) }),
    svg("text", { class: "axis", x: CURVE.left - 6, y: scale.y(value) + 4, "text-anchor": "end" }, value.toFixed(1)),
  ]);
  const names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const months = monthMarks(scale).map((mark) => [
    svg("line", { class: mark.month === 1 ? "grid year" : "grid", x1: scale.x(mark.place), x2: scale.x(mark.place), y1: CURVE.top, y2: floor }),
    svg("text", { class: "axis", x: scale.x(mark.place) + 3, y: CURVE.height - 6 }, mark.month === 1 ? String(mark.year) : state.lang === "zh" ? mark.month + "月" : names[mark.month - 1]),
  ]);
  return [lines, months];
}

function curveStages(parcel, scale) {
  const ends = [-1, -1]; // words on a second line where they would run into those before
  const line = (x, text) => {
    const half = text.length * (state.lang === "zh" ? 5.5 : 3);
    const at = x - half >= ends[0] ? 0 : 1;
    ends[at] = x + half;
    return CURVE.top - 8 - 12 * at;
  };
  return parcel.stages.flatMap((season) =>
    ["emergence", "peak", "harvest"].filter((name) => season[name]).map((name) => {
      const [date, doubt] = season[name];
      const x = scale.x(day(date));
      const width = Math.max(1.5, scale.x(day(date) + (doubt || 0)) - scale.x(day(date) - (doubt || 0)));
      return svg("g", { class: "stage" },
        svg("rect", { x: x - width / 2, width, y: CURVE.top, height: scale.y(CURVE.low) - CURVE.top }),
        svg("text", { x, y: line(x, ui(name)), "text-anchor": "middle" }, ui(name)));
    }));
}

function curveEvents(parcel, scale) {
  return parcel.events.filter((event) => event.start).map((event) => {
    const from = scale.x(Math.max(scale.first, day(event.start)));
    const to = scale.x(Math.min(scale.last, day(event.end || event.start)));
    return svg("rect", { class: "event", x: from, width: Math.max(2, to - from), y: CURVE.top, height: scale.y(CURVE.low) - CURVE.top },
      svg("title", {}, word("event", event.event) + " " + event.start));
  });
}

function lookText(look) {
  if (look.kind === LOOK.cloudy) return look.date + " · " + ui("cloudy") + " (" + look.clear + " % " + ui("clear") + ")";
  const value = look.date + " · " + ui("ndvi") + " " + look.ndvi.toFixed(2) + " · " + look.clear + " % " + ui("clear");
  return look.kind === LOOK.aside ? value + " · " + ui("haze") : value;
}

function drawCurve(parcel, readout) {
  const looks = curveLooks(parcel);
  if (!looks.length) return el("p", { class: "quiet" }, ui("curve_none"));
  const scale = curveScale(looks);
  const floor = scale.y(CURVE.low);
  const clear = looks.filter((look) => look.kind === LOOK.clear);
  const x = (look) => scale.x(day(look.date)).toFixed(1);
  const path = clear.map((look, i) => (i ? "L" : "M") + x(look) + " " + scale.y(look.ndvi).toFixed(1)).join("");
  const ticks = looks.filter((look) => look.kind === LOOK.cloudy).map((look) =>
    svg("line", { class: "cloudy", x1: x(look), x2: x(look), y1: floor - 5, y2: floor + 5 }));
  const dots = looks.filter((look) => look.kind !== LOOK.cloudy).map((look) =>
    svg("circle", { class: look.kind === LOOK.clear ? "clear" : "aside", cx: x(look), cy: scale.y(look.ndvi), r: look.kind === LOOK.clear ? 3.6 : 2.8 }, svg("title", {}, lookText(look))));
  const cursor = svg("line", { class: "cursor", y1: CURVE.top, y2: floor, visibility: "hidden" });
  const picture = svg("svg", { class: "curve", viewBox: "0 0 " + CURVE.width + " " + CURVE.height, role: "img", "aria-label": ui("curve") },
    curveGrid(scale), curveEvents(parcel, scale), curveStages(parcel, scale),
    svg("line", { class: "floor", x1: CURVE.left, x2: CURVE.width - CURVE.right, y1: floor, y2: floor }),
    cursor, svg("path", { class: "line", d: path || "M0 0" }), ticks, dots);
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const at = ((event.clientX - box.left) * CURVE.width) / box.width;
    const far = (look) => Math.abs(scale.x(day(look.date)) - at);
    const near = looks.reduce((best, look) => (far(look) < far(best) ? look : best));
    cursor.setAttribute("visibility", "visible");
    cursor.setAttribute("x1", x(near));
    cursor.setAttribute("x2", x(near));
    readout.textContent = lookText(near);
  });
  picture.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    readout.textContent = ui("hover");
  });
  return picture;
}
