// The queues: what waits for a person and how it is settled cheapest, what has become worse, open appeals, and what is asked for.
const QUEUES = ["all", "refer", "acts", "watch", "appeal", "ask"];

function queueCount(queue) {
  if (queue === "all") return number(data.farms.length, 0);
  if (queue === "refer") return number(data.farms.filter((farm) => stands(farm).outcome === "refer").length, 0);
  if (queue === "acts") return acts ? number(acts.farms, 0) : "–";
  const rows = { watch: data.queues.watch, appeal: data.queues.cases, ask: data.queues.asks }[queue];
  return rows === null ? "–" : number(rows.length, 0);
}

function drawQueues() {
  document.getElementById("queues").replaceChildren(...QUEUES.map((queue) =>
    el("button", { type: "button", "data-queue": queue, "aria-pressed": String(state.queue === queue), on: { click: () => setQueue(queue) } }, say(queue), " ", el("b", {}, queueCount(queue)))));
}

function setQueue(queue) {
  state.queue = queue;
  state.farm = -1;
  state.parcel = -1;
  drawChoice();
}

// Referred farms of the choice by their first reason, the most frequent first; under each its cheapest actions.
function referGroups() {
  const groups = new Map();
  for (const at of found.rows) {
    const farm = data.farms[at];
    if (stands(farm).outcome !== "refer") continue;
    const code = waitReason(farm) || (farm.reasons.length ? farm.reasons[0][0] : farm.reason || "");
    const group = groups.get(code) || groups.set(code, { code, count: 0, mu: 0, ha: 0, asked: new Map(), ways: new Map() }).get(code);
    group.count += 1;
    group.mu += farm.mu || 0;
    group.ha += farm.ha || 0;
    addMoney(group.asked, farm.requested, farm.limit_currency || farm.currency);
    const way = waitReason(farm) ? null : farm.settle.find((line) => line.codes.some(([one]) => one === code)) || farm.settle[0];
    if (way) {
      const known = group.ways.get(way.action) || { count: 0, until: "" };
      group.ways.set(way.action, { count: known.count + 1, until: way.until && (!known.until || way.until < known.until) ? way.until : known.until });
    }
  }
  return [...groups.values()].sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1));
}

function wayText([action, way], groupCount) {
  const when = way.until ? ui("until_about") + way.until : "";
  return word("action", action) + when + (way.count < groupCount ? " (" + number(way.count, 0) + ")" : "");
}

function drawRefer() {
  const groups = referGroups();
  if (!groups.length) return [el("h2", {}, say("refer_title")), el("p", { class: "quiet" }, say("refer_none"))];
  const rows = groups.map((group) => el("li", { class: "group" },
    el("button", { type: "button", class: "group-head", on: { click: () => setFilter("reason", state.filters.reason === group.code ? "" : group.code) }, "aria-pressed": String(state.filters.reason === group.code) },
      el("b", { class: "number" }, number(group.count, 0)), el("span", {}, reasonName(group.code)), el("small", { class: "number" }, [land(group.mu, group.ha), sumText(group.asked)].filter(Boolean).join(" · "))),
    el("p", { class: "way" }, group.ways.size ? [...group.ways].sort((a, b) => b[1].count - a[1].count).map((way) => el("span", {}, "→ " + wayText(way, group.count))) : "→ " + say("no_action"))));
  return [el("h2", {}, say("refer_title")), el("p", { class: "quiet" }, say("refer_help")), el("ul", { class: "groups" }, rows)];
}

function queueRow(place, name, aside, words) {
  const inside = [el("b", {}, name), el("small", { class: "number" }, aside), el("span", { class: "said" }, unbroken(words))];
  if (place < 0) return el("li", { class: "queued" }, inside, el("small", {}, say("farm_gone")));
  return el("li", { class: "queued" }, el("button", { type: "button", "data-place": place, on: { click: () => chooseFarm(place) } }, inside));
}

function drawWatch() {
  const rows = data.queues.watch;
  const head = el("h2", {}, say("watch_title"));
  if (rows === null) return [head, el("p", { class: "quiet" }, say("watch_absent")), el("pre", {}, "acreline watch RUN --since EARLIER --out watch.csv\nacreline report RUN --watch watch.csv --out portfolio.html")];
  if (!rows.length) return [head, el("p", { class: "quiet" }, say("watch_none"))];
  return [head, el("ul", { class: "groups" }, rows.map((row) => queueRow(row.place, row.farm_id, say("exposed") + " " + money(row.exposed, row.currency), state.lang === "zh" ? row.words_zh : row.words_en)))];
}

function caseDays(row) {
  const late = row.due && data.as_of && row.due < data.as_of;
  return [say("opened") + " " + row.opened, row.due ? say("due") + " " + row.due + (late ? " (" + say("overdue") + ")" : "") : ""].filter(Boolean).join(" · ");
}

function drawAppeals() {
  return drawCases(data.queues.cases, say("appeal_title"), say("appeal_none"));
}

function drawAsks() {
  return drawCases(data.queues.asks, say("ask_title"), say("ask_none"));
}

// Farms on which people acted since, the last day first: what stands, by whose role, beside the machine's decision.
function drawActs() {
  const head = el("h2", {}, say("acts_title"));
  if (!acts) return [head, ...unknownActs()];
  if (!anyActs) return [head, el("p", { class: "quiet" }, say("acts_nobody"))];
  const rows = found.rows.filter((at) => data.farms[at].now).sort((a, b) => (data.farms[a].now.day < data.farms[b].now.day) - (data.farms[a].now.day > data.farms[b].now.day) || a - b);
  return [head, el("p", { class: "quiet" }, say("acts_help")), el("ul", { class: "groups" }, rows.map((at) => {
    const farm = data.farms[at];
    return queueRow(at, farm.id, nowText(farm) + " · " + nowBy(farm), farm.now.said.map(pick).join(" "));
  }))];
}

function unknownActs() {
  return [el("p", { class: "quiet" }, say("acts_unknown")), el("pre", {}, "acreline report RUN --out portfolio.html")];
}

function drawCases(rows, title, none) {
  const head = el("h2", {}, title);
  if (rows === null) return [head, ...unknownActs()];
  if (!rows.length) return [head, el("p", { class: "quiet" }, none)];
  return [head, el("ul", { class: "groups" }, rows.map((row) => queueRow(row.place, row.farm, caseDays(row), row.case + (row.about_en ? ": " + (state.lang === "zh" ? row.about_zh || row.about_en : row.about_en) : ""))))];
}
