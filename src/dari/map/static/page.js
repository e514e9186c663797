// The map's page: shows what the server tells, and nothing from anywhere else.
"use strict";

const words = JSON.parse(document.body.dataset.words);
const at = (id) => document.getElementById(id);
const language = document.documentElement.lang;
const REFRESH = 2000; // milliseconds between questions whether something changed
const PAUSE = 200; // milliseconds without a key, after which the list is filtered
const FEW = 4; // machines whose pods are listed without being asked for
const state = { tag: "", chosen: "", scale: 0, cluster: { machines: [] }, journey: null };

function make(kind, text, attributes = {}) {
  const made = document.createElement(kind);
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

async function ask(path, values = {}) {
  const query = new URLSearchParams({ ...values, lang: language });
  const answer = await fetch(`${path}?${query}`, { headers: state.tag && path === "cluster.json" ? { "If-None-Match": state.tag } : {} });
  if (answer.status === 304) return null;
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  if (path === "cluster.json") state.tag = answer.headers.get("ETag") || "";
  return told;
}

async function refresh() {
  try {
    const told = await ask("cluster.json");
    at("state").textContent = words.live;
    if (told) show(told);
  } catch (error) {
    at("state").textContent = `${words.lost} ${error.message}`;
  }
  setTimeout(refresh, REFRESH);
}

function show(told) {
  state.cluster = told;
  const names = told.machines.flatMap((machine) => [machine, ...machine.pods]);
  at("names").replaceChildren(...names.map((one) => make("option", "", { value: one.name })));
  at("picture").innerHTML = told.svg; // the server's own drawing, with every text escaped
  scale(state.scale);
  list();
  mark();
  draw();
}

function list() {
  const focused = document.activeElement?.dataset?.id;
  const wanted = at("filter").value.trim().toLowerCase();
  const opened = new Set([...document.querySelectorAll("#list details[open]")].map((one) => one.dataset.of));
  const items = state.cluster.machines.map((machine) => machineItem(machine, wanted, opened)).filter(Boolean);
  at("list").replaceChildren(...items);
  if (focused) document.querySelector(`#list [data-id="${CSS.escape(focused)}"]`)?.focus();
}

function machineItem(machine, wanted, opened) {
  const fits = (one) => !wanted || [one.name, ...one.addresses].some((text) => text.toLowerCase().includes(wanted));
  const pods = machine.pods.filter((pod) => fits(machine) || fits(pod));
  if (!fits(machine) && !pods.length) return null;
  const item = make("li");
  item.append(thing(`machine:${machine.name}`, machine.name, machine.faulty));
  if (!pods.length) return item;
  const details = make("details", "", { "data-of": machine.name });
  details.open = Boolean(wanted) || opened.has(machine.name) || state.cluster.machines.length <= FEW;
  const inner = make("ul");
  details.append(make("summary", words.pods.replace("{count}", pods.length)), inner);
  details.addEventListener("toggle", () => fill(inner, details.open ? pods : []));
  fill(inner, details.open ? pods : []);
  item.append(details);
  return item;
}

// Thousands of pods are put in only where somebody looks.
function fill(inner, pods) {
  if (inner.childElementCount === pods.length) return;
  inner.replaceChildren(...pods.map((pod) => {
    const one = make("li");
    one.append(thing(`pod:${pod.name}`, pod.name, pod.faulty));
    return one;
  }));
}

function thing(id, name, faulty) {
  const button = make("button", name, { type: "button", "data-id": id });
  if (faulty) {
    button.classList.add("faulty-thing");
    button.setAttribute("aria-label", `${name}, ${words.faulty}`);
  }
  if (id === state.chosen) button.setAttribute("aria-current", "true");
  return button;
}

function mark() {
  for (const one of document.querySelectorAll(".picture .chosen")) one.classList.remove("chosen");
  for (const one of document.querySelectorAll("#list [aria-current]")) one.removeAttribute("aria-current");
  if (!state.chosen) return;
  document.querySelector(`.picture [data-id="${CSS.escape(state.chosen)}"]`)?.classList.add("chosen");
  document.querySelector(`#list [data-id="${CSS.escape(state.chosen)}"]`)?.setAttribute("aria-current", "true");
}

async function choose(id) {
  const [kind, name] = [id.slice(0, id.indexOf(":")), id.slice(id.indexOf(":") + 1)];
  state.chosen = kind === "pod" ? id : `machine:${name}`;
  mark();
  document.querySelector(".picture .chosen")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  at("tables-heading").textContent = `${words.tables}: ${name}`;
  try {
    const told = await ask("tables.json", { of: name });
    at("tables").replaceChildren(...told.tables.map(table));
  } catch (error) {
    at("tables").replaceChildren(make("p", error.message, { class: "fails" }));
  }
}

function table(told) {
  const box = make("div", "", { class: "table", tabindex: "0", role: "region", "aria-label": told.name });
  const shown = make("table");
  const caption = make("caption", `${told.name} `);
  caption.append(make("small", told.purpose));
  const head = make("tr");
  const keys = told.rows.length ? Object.keys(told.rows[0]) : [];
  head.append(...keys.map((key) => make("th", key === "why" ? words.why : key, { scope: "col" })));
  shown.append(caption, head, ...told.rows.map((row) => {
    const line = make("tr");
    line.append(...keys.map((key) => make("td", Array.isArray(row[key]) ? row[key].join(", ") : String(row[key]))));
    return line;
  }));
  if (!keys.length) shown.append(make("tr", words.empty));
  box.append(shown, ...told.below.map((line) =>
    make("p", line.code ? `${line.code}: ${line.text}` : line.text, line.code ? { class: "fails" } : {})));
  return box;
}

async function explain(event) {
  event.preventDefault();
  const values = Object.fromEntries([...new FormData(at("explain"))].filter(([, value]) => value));
  at("journey").replaceChildren(make("p", words.wait));
  try {
    state.journey = await ask("explain.json", values);
    at("journey").replaceChildren(...journey(state.journey));
  } catch (error) {
    state.journey = null;
    at("journey").replaceChildren(make("p", error.message, { class: "fails" }));
  }
  draw();
}

function journey(told) {
  const hops = make("ol");
  hops.append(...told.hops.map((hop) => {
    const item = make("li", `${hop.where}: ${hop.what}`, hop.stops ? { class: "stops" } : {});
    if (hop.row) item.append(make("br"), make("code", hop.row));
    return item;
  }));
  const parts = [make("p", told.verdict, { class: told.works ? "arrives" : "fails" }), hops];
  for (const finding of told.findings) {
    parts.push(make("p", `${finding.code}: ${finding.what}`, { class: "fails" }));
    if (finding.mend.length) parts.push(make("p", words.mend.replace("{where}", finding.where)), make("pre", finding.mend.join("\n")));
  }
  return parts;
}

function draw() {
  const path = document.querySelector(".picture #path");
  if (!path) return;
  path.replaceChildren();
  for (const line of state.journey?.path || []) {
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
    drawn.setAttribute("class", `line ${line.kind}`);
    drawn.setAttribute("d", line.d);
    path.append(drawn);
  }
}

function scale(wanted) {
  const picture = document.querySelector(".picture");
  if (!picture) return;
  const { width, height } = picture.viewBox.baseVal;
  const room = at("picture").getBoundingClientRect();
  const whole = Math.min(room.width / width, room.height / height, 1.5);
  state.scale = wanted;
  const factor = wanted || whole;
  picture.setAttribute("width", width * factor);
  picture.setAttribute("height", height * factor);
}

function zoom(by) {
  const picture = document.querySelector(".picture");
  if (picture) scale((picture.getAttribute("width") / picture.viewBox.baseVal.width) * by);
}

document.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-id]");
  if (chosen) choose(chosen.dataset.id);
});
let typing = 0;
at("filter").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(list, PAUSE);
});
at("explain").addEventListener("submit", explain);
at("smaller").addEventListener("click", () => zoom(1 / 1.3));
at("larger").addEventListener("click", () => zoom(1.3));
at("whole").addEventListener("click", () => scale(0));
window.addEventListener("resize", () => scale(state.scale));
refresh();
