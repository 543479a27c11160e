// One farm: decision, facts, parcels, curve, and every step from land to limit.
function fact(label, value, below) {
  return el("div", { class: "fact" }, el("dt", {}, label), el("dd", {}, value, below ? el("small", {}, below) : null));
}

// Low, mid and high as a bar from zero to a little beyond the high end.
function interval(ends) {
  const [low, mid, high] = ends;
  const at = (value) => Math.min(100, (100 * value) / Math.max(high * 1.08, 1e-9)) + "%";
  return el("span", { class: "interval" }, el("i", { class: "range", style: { left: at(low), width: "calc(" + at(high) + " - " + at(low) + ")" } }), el("i", { class: "mid", style: { left: at(mid) } }));
}

// What would settle some doubts, cheapest first: the action, about until when, its doubts with their parcels.
function settleList(lines, named) {
  const doubt = ([code, parcels]) => word("flag", code) + (named && parcels.length ? " (" + parcels.join(ui("and")) + ")" : "");
  return el("ul", { class: "settle" }, lines.map((line) => el("li", {},
    el("b", {}, word("action", line.action) + (line.until ? ui("until_about") + line.until : "")), " ", el("small", {}, line.codes.map(doubt).join("; ")))));
}

// What people did, above the machine's decision, which stays.
function actsBox(farm) {
  if (!farm.now) return null;
  return el("section", { class: "acted" }, el("h3", {}, el("i", { class: "mark-now", "aria-hidden": "true" }, "✎"), say("stands_now") + ": ", el("b", {}, nowText(farm)), " ", el("small", {}, unbroken(nowBy(farm)))),
    el("ul", {}, farm.now.said.map((pair) => el("li", {}, unbroken(pick(pair))))));
}

function decisionBox(farm) {
  return el("div", { class: "decision outcome-" + farm.outcome },
    el("div", { class: "verdict" }, badge("outcome", farm.outcome), el("strong", {}, farm.limit === null ? "" : money(farm.limit, farm.limit_currency)), el("small", {}, say("by_machine"))),
    farm.outcome === "refer" ? el("p", {}, ui("refer_note")) : null,
    farm.reasons.length ? el("ol", { class: "reasons" }, farm.reasons.map((reason) => el("li", { title: reason[0] }, reasonText(reason)))) : null,
    farm.binding ? el("p", { class: "quiet" }, ui("binding") + ": ", el("b", { title: farm.binding }, word("rule", farm.binding)), " · " + ui("policy") + ": ", el("code", {}, farm.policy)) : null);
}

function landRange(low, high) {
  return landNumber(low, low / MU_PER_HA) + " – " + land(high, high / MU_PER_HA);
}

function farmFacts(farm) {
  const [low, mid, high] = farm.planted;
  const share = farm.mu && mid !== null ? percent(mid / farm.mu) : null;
  return el("dl", { class: "facts-grid" },
    fact(ui("land"), farm.mu === null ? "–" : land(farm.mu, farm.ha), farm.mu === null ? null : otherLand(farm.mu, farm.ha) + " · " + number(farm.acres, 1) + " " + ui("acres")),
    fact(ui("planted"), mid === null ? "–" : land(mid, farm.planted_ha), mid === null ? null : landRange(low, high) + " · " + otherLand(mid, farm.planted_ha) + " · " + number(farm.planted_acres, 1) + " " + ui("acres") + (share ? " · " + share + " " + ui("of_land") : "")),
    fact(ui("main_crop"), [swatch(classColour("crop", farm.crop)), className("crop", farm.crop)], farm.confidence ? ui("confidence") + " " + percent(farm.confidence) : null),
    fact(ui("health"), [swatch(classColour("health", farm.health)), className("health", farm.health)], farm.grade === null ? null : ui("vigour_short") + " " + word("grade", farm.grade) + " (" + signed(farm.vigour) + " " + ui("sd") + ")"),
    fact(ui("value"), farm.value ? [rounded(farm.value[1], farm.currency), interval(farm.value)] : "–", farm.value ? rounded(farm.value[0]) + " – " + rounded(farm.value[2]) + " (" + ui("range90") + ")" : null),
    fact(ui("sown"), farm.sown === null ? "–" : land(farm.sown, farm.sown / MU_PER_HA)),
    fact(ui("looks"), number(farm.looks, 0), ui("fewest")),
    fact(ui("last_clear"), farm.last || "–", farm.last ? day(data.as_of) - day(farm.last) + " " + ui("days_before") : null),
    farm.areas ? el("div", { class: "fact wide" }, el("dt", {}, ui("areas")), el("dd", {}, el("small", {}, pick(farm.areas)))) : null,
    farm.flags.length ? el("div", { class: "fact wide" }, el("dt", {}, ui("asks_person")), el("dd", {}, farm.flags.map((flag) => el("span", { class: "chip" }, word("flag", flag))))) : null,
    farm.settle.length ? el("div", { class: "fact wide" }, el("dt", {}, farm.outcome === "refer" ? ui("would_settle") : ui("would_sharpen")), el("dd", {}, settleList(farm.settle, farm.parcels.length > 1))) : null);
}

function parcelTable(farm) {
  const heads = [["parcel"], ["crop"], ["health"], ["vigour_short"], [state.unit, true], ["planted", true], ["looks_short", true], ["last_clear"], ["status"]];
  const rows = farm.parcels.map((index) => {
    const parcel = data.parcels[index];
    const grown = parcel.stands.length > 1 ? parcel.stands : [parcel]; // two crops a year: the one below the other
    const differs = parcel.declared_crop && parcel.crop && ![parcel, ...grown].some((stand) => stand.crop === parcel.declared_crop);
    const crops = grown.map((stand) => el("div", {}, swatch(classColour("crop", stand.crop)), cropNames(stand.crop_set, stand.crop), stand.confidence ? el("small", {}, percent(stand.confidence)) : null));
    const cells = [parcel.id, [crops, differs ? el("small", {}, ui("declared") + " " + className("crop", parcel.declared_crop)) : null],
      [className("health", parcel.health), parcel.sure === null ? null : el("small", {}, parcel.sure ? word("struck", "confirmed") : word("flag", "health_disagrees"))], parcel.grades[0] ? el("span", { title: signed(parcel.vigour) + " " + ui("sd") }, word("grade", parcel.grades[0])) : "–", landNumber(parcel.mu, parcel.ha), percent(parcel.planted), number(parcel.looks, 0), parcel.last || "–",
      el("span", { title: [parcel.reason && word("flag", parcel.reason), parcel.figures && pick(parcel.figures)].filter(Boolean).join(": ") }, badge("status", parcel.status))];
    return el("tr", { "data-parcel": index, tabindex: 0, class: index === state.parcel ? "chosen" : null },
      cells.map((cell, i) => el("td", { class: heads[i][1] ? "number" : null }, cell)));
  });
  return el("div", { class: "scroll" }, el("table", { class: "plain parcels" },
    el("thead", {}, el("tr", {}, heads.map(([key, right]) => el("th", { class: right ? "number" : null }, ui(key))))), el("tbody", {}, rows)));
}

function standLine(stand) {
  const parts = [word("slot", stand.slot) + ": " + cropNames(stand.crop_set, stand.crop), land(stand.mu[1], stand.mu[1] / MU_PER_HA) + " (" + landRange(stand.mu[0], stand.mu[2]) + ")"];
  if (stand.yield) parts.push(ui("yield") + " " + stand.yield.map((end) => number(end, 0)).join(" / ") + " " + ui("kg_per_ha"));
  if (stand.value) parts.push(ui("value") + " " + rounded(stand.value[0], stand.currency) + " – " + rounded(stand.value[2]));
  if (stand.cash_cost) parts.push(ui("cash_cost") + " " + rounded(stand.cash_cost[1], stand.currency));
  if (stand.code) parts.push(word("flag", stand.code));
  return el("li", {}, parts.join(" · "));
}

function vigourLine(parcel) {
  const parts = ["beside_neighbours", "beside_normal"].map((beside, i) => parcel.grades[i] ? word("grade", parcel.grades[i]) + " " + ui(beside) : null);
  return parts.some(Boolean) ? ui("vigour_short") + ": " + parts.filter(Boolean).join("; ") : null;
}

function seasonLines(parcel) {
  const lines = parcel.stages.filter((season) => season.said).map((season) => ui("stage") + ": " + pick(season.said));
  if (parcel.seasons) lines.push(ui("crops_a_year") + ": " + number(parcel.seasons, 0));
  return lines;
}

function parcelBox() {
  const parcel = data.parcels[state.parcel];
  if (!parcel) return null;
  const readout = el("output", { class: "readout" }, ui("hover"));
  const vigour = vigourLine(parcel);
  const events = parcel.events.map((event) => el("li", {}, pick(event.said)));
  return el("section", { class: "parcel-box" },
    el("h3", {}, ui("curve") + " · " + ui("parcel") + " ", el("b", {}, parcel.id), readout),
    parcel.reason ? el("p", { class: "why" }, badge("status", parcel.status), " " + word("flag", parcel.reason) + (parcel.figures ? ": " + pick(parcel.figures) : "")) : null,
    parcel.areas && !(state.farm >= 0 && data.farms[state.farm].parcels.length === 1) ? el("p", { class: "quiet" }, ui("areas") + ": " + pick(parcel.areas)) : null,
    parcel.settle.length ? [el("h3", {}, ui("open_points")), settleList(parcel.settle, false)] : null,
    parcel.notes.length ? el("p", { class: "quiet" }, ui("noted") + ": " + parcel.notes.map((code) => word("flag", code)).join("; ")) : null,
    drawCurve(parcel, readout), parcel.curve.length ? el("p", { class: "quiet" }, ui("curve_help")) : null,
    vigour ? el("p", { class: "quiet" }, vigour) : null,
    seasonLines(parcel).map((line) => el("p", { class: "quiet" }, line)),
    events.length ? [el("h3", {}, ui("events")), el("ul", { class: "stands" }, events)] : null,
    parcel.stands.length ? [el("h3", {}, ui("stands")), el("ul", { class: "stands" }, parcel.stands.map(standLine))] : null);
}

function stepItem(step, currency) {
  const amount = (text) => (text === null ? "–" : money(text, currency));
  const evidence = step.evidence.map(([name, ...value]) => el("span", { class: "chip" }, word("fact", name) + ": " + pick(value)));
  return el("li", { class: "step" + (step.changed ? " changed" : "") + (step.outcome ? " outcome-" + step.outcome : "") },
    el("div", { class: "step-head" }, el("b", { title: step.rule }, word("rule", step.rule)), el("span", { class: "money" }, step.before === null && step.after === null ? null : [amount(step.before), el("i", {}, " → "), el("b", {}, amount(step.after))], step.outcome ? [" ", badge("outcome", step.outcome)] : null)),
    el("p", {}, pick(step.text) || step.code.replace(/_/g, " ")), evidence.length ? el("p", { class: "evidence" }, evidence) : null);
}

function trailBox(farm) {
  if (!farm.trail.length) return el("section", {}, el("h3", {}, ui("trail")), el("p", { class: "quiet" }, ui("no_trail")));
  return el("section", { class: "trail-box" }, el("h3", {}, ui("trail")), el("p", { class: "quiet" }, ui("trail_help")),
    el("ol", { class: "trail" }, farm.trail.map((step) => stepItem(step, farm.limit_currency))));
}

function drawFarm() {
  const farm = data.farms[state.farm];
  return [
    el("div", { class: "panel-head" }, el("h2", {}, farm.id), badge("status", farm.status), farm.reason ? el("span", { class: "quiet" }, word("flag", farm.reason)) : null,
      farm.page ? el("a", { class: "page-link", href: data.base + farm.page + "?lang=" + state.lang }, ui("farm_page")) : null, el("button", { type: "button", class: "back", title: say("escape"), on: { click: leaveFarm } }, ui("back"))),
    actsBox(farm), decisionBox(farm), farmFacts(farm), parcelTable(farm), parcelBox(), trailBox(farm),
  ];
}

function drawStray() {
  const parcel = data.parcels[state.parcel];
  return [el("div", { class: "panel-head" }, el("h2", {}, parcel.id), badge("status", parcel.status), el("button", { type: "button", class: "back", on: { click: () => choose(-1, -1) } }, ui("back"))), parcelBox()];
}

function drawOpening(text) {
  const name = state.farm >= 0 ? data.farms[state.farm].id : data.parcels[state.parcel].id;
  return [el("div", { class: "panel-head" }, el("h2", {}, name)), el("p", { class: "quiet" }, text)];
}

function drawPanel() {
  const panel = document.getElementById("panel");
  const { farm, parcel } = state;
  const busy = (farm >= 0 || parcel >= 0) && !isOpen(farm);
  panel.setAttribute("aria-busy", String(busy));
  if (busy) {
    const same = () => state.farm === farm && state.parcel === parcel;
    openFarm(farm).then(() => { if (same()) drawPanel(); }, () => { if (same()) panel.replaceChildren(...drawOpening(say("cannot_open"))); });
  }
  const inside = busy ? drawOpening(say("opening")) : farm >= 0 ? drawFarm() : parcel >= 0 ? drawStray() : drawOverview();
  panel.replaceChildren(...inside.filter(Boolean));
}
