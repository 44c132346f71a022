// The page: the address says what is asked, the form changes the address, the server answers.

import { card, element } from "./cards.js";
import { shrink } from "./picture.js";
import { fieldsOf, fromAddress, instanceOf, known, listed, MAX_K, problem, toAddress, weightsOf } from "./question.js";
import { about, goodsOf, predictions, ServerError } from "./server.js";
import { LANGUAGES, say } from "./words.js";

const PAUSE_MS = 200; // a slider that moves asks once it rests
const TEXTS = ["query", "user_id", "item_id", "item_ids", "new_only", "category", "brand", "low", "high", "k"];
const at = (id) => document.getElementById(id);

const state = {
  language: first(new URLSearchParams(location.search).get("lang"), navigator.language.slice(0, 2)),
  question: fromAddress(location.search),
  picture: null,
  shop: { scenarios: {}, users: [], queries: [], currency: "" },
  shown: null, // the last answer, so that another language needs no other question
  status: null,
  asking: null,
};

function first(...languages) {
  return languages.find((language) => language in LANGUAGES) ?? "en";
}

const words = (key, values) => say(state.language, key, values);

// ---- words and form

function translate() {
  document.documentElement.lang = state.language === "zh" ? "zh-Hans" : "en";
  document.title = words("title");
  for (const place of document.querySelectorAll("[data-say]")) place.textContent = words(place.dataset.say);
  const other = state.language === "zh" ? "en" : "zh";
  at("language").textContent = other === "zh" ? "中文" : "English";
  at("language").lang = other;
  drawScenarios();
  drawSliders();
  drawPicture();
  if (state.shown) drawAnswer();
  if (state.status) tell(...state.status);
}

function drawScenarios() {
  const made = Object.keys(state.shop.scenarios).filter(known).map((scenario) => {
    const radio = element("input", { type: "radio", name: "scenario", value: scenario, checked: scenario === state.question.scenario });
    return element("label", {}, radio, words(scenario));
  });
  const held = document.activeElement?.name === "scenario";
  at("scenarios").replaceChildren(...made);
  if (held) at("scenarios").querySelector("input:checked")?.focus();
  showFields();
}

function showFields() {
  const wanted = fieldsOf(state.question.scenario);
  for (const field of document.querySelectorAll("[data-for]")) field.hidden = !wanted.includes(field.dataset.for);
}

function drawForm() {
  for (const name of TEXTS) at(name).value = state.question[name];
  at("available").checked = state.question.available;
  at("filters").open ||= ["category", "brand", "low", "high"].some((name) => state.question[name] !== "") || state.question.available;
  at("weights").open ||= Object.keys(weightsOf(state.question)).length > 0;
  drawScenarios();
  drawSliders();
}

function readForm() {
  for (const name of TEXTS) state.question[name] = at(name).value;
  state.question.available = at("available").checked;
}

function drawSliders() {
  const members = state.shop.scenarios[state.question.scenario] ?? [];
  const held = document.activeElement?.dataset.member;
  at("sliders").replaceChildren(...members.map(slider));
  if (held) at("sliders").querySelector(`[data-member="${CSS.escape(held)}"]`)?.focus();
}

function slider(member) {
  const id = `weight-${member}`;
  const value = state.question.weights[member] ?? 1;
  const spoken = (number) => words("times", { value: number.toFixed(1) });
  const output = element("span", { className: "factor", "aria-hidden": "true" }, `× ${value.toFixed(1)}`);
  const input = element("input", { type: "range", id, min: "0", max: "3", step: "0.1", "data-member": member, "aria-valuetext": spoken(value) });
  input.value = value;
  input.addEventListener("input", () => {
    const moved = Number(input.value);
    state.question.weights[member] = moved;
    output.textContent = `× ${moved.toFixed(1)}`;
    input.setAttribute("aria-valuetext", spoken(moved));
    clearTimeout(state.pause);
    state.pause = setTimeout(() => ask("replace"), PAUSE_MS);
  });
  return element("div", { className: "slider" }, element("label", { htmlFor: id }, member), output, input);
}

// ---- asking

function tell(key, values = {}) {
  state.status = [key, values];
  const { found, question } = values;
  at("status").textContent = words(key, { ...values, found: found && words(...found), question: question && asked(question) });
}

function complain(key, values = {}, field = null) {
  const label = field && document.querySelector(`label[for="${field}"]`);
  at("error").textContent = words(key, { ...values, field: label ? label.textContent : field });
  at("error").hidden = false;
  if (field) {
    at(field).setAttribute("aria-invalid", "true");
    at(field).focus();
  }
}

function calm() {
  at("error").hidden = true;
  for (const field of document.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

// how: "push" or "replace" the address, or "" to leave it
async function ask(how) {
  clearTimeout(state.pause);
  calm();
  const wrong = problem(state.question, state.picture);
  if (wrong) return complain(wrong[0], {}, wrong[1]);
  if (how) history[`${how}State`](null, "", toAddress(state.question, state.language));
  state.asking?.abort();
  const own = (state.asking = new AbortController());
  at("results").setAttribute("aria-busy", "true");
  tell("asking");
  try {
    const started = performance.now();
    const instance = instanceOf(state.question, state.picture);
    const weights = weightsOf(state.question);
    const moved = Object.keys(weights).length > 0;
    const instances = moved ? [{ ...instance, weights }, { ...instance, k: MAX_K, explain: false }] : [instance];
    const [answer, plain] = await predictions(instances, own.signal);
    const ms = Math.round(performance.now() - started);
    const goods = await goodsOf(answer.items.map((item) => item.item_id), own.signal);
    if (own.signal.aborted) return;
    const before = Object.fromEntries((plain?.items ?? []).map((item) => [item.item_id, item.position]));
    state.shown = { answer, goods, before, moved, question: structuredClone(state.question), picture: Boolean(instance.image_b64) };
    drawAnswer();
    const n = answer.items.length;
    tell("took", { found: [n === 1 ? "found_one" : "found", { n }], question: state.shown, ms });
  } catch (error) {
    if (own.signal.aborted) return;
    if (!(error instanceof ServerError)) throw error;
    clear();
    complain(error.key, error.values);
  } finally {
    if (state.asking === own) at("results").setAttribute("aria-busy", "false");
  }
}

function clear() {
  state.shown = state.status = null;
  for (const id of ["products", "notes", "status", "facts"]) at(id).replaceChildren();
  at("notes").hidden = at("reasons").hidden = true;
}

function asked({ question, picture }) {
  const named = question[{ recommend: "user_id", campaign: "user_id", similar: "item_id", bundle: "item_ids" }[question.scenario] ?? "query"];
  const said = named || (picture ? words("the_picture") : question.user_id || words("anybody"));
  return `${words(question.scenario)} “${said}”`;
}

// ---- answers

function drawAnswer() {
  const { answer, goods, before, moved } = state.shown;
  const { language } = state;
  const parts = answer.items.flatMap((item) => Object.values(item.why ?? {}).map(Math.abs));
  const largest = Math.max(...parts, 1e-9);
  const open = at("reasons").getAttribute("aria-pressed") === "true";
  const cards = answer.items.map((item) => card({
    item, goods: goods[item.item_id] ?? {}, before: before[item.item_id], moved, largest, language, open,
    currency: state.shop.currency, address,
  }));
  at("products").replaceChildren(...cards);
  at("reasons").hidden = !answer.items.length;
  const told = (names) => names.map((name) => words(`lost_${name}`)).join(", ");
  const notes = [];
  if (!answer.items.length) notes.push(words("nothing"));
  if (answer.relaxed?.length) notes.push(words("relaxed", { what: told(answer.relaxed) }));
  if (answer.degraded?.length) notes.push(words("degraded", { what: told(answer.degraded) }));
  at("notes").replaceChildren(...notes.map((note) => element("li", {}, note)));
  at("notes").hidden = !notes.length;
  at("facts").textContent = words("facts", { method: answer.method, release: answer.release.slice(0, 12), as_of: answer.as_of.slice(0, 10) });
}

// The link of a product to *scenario*: it alone, or with what is in the basket already
function address(scenario, id) {
  const basket = state.question.scenario === "bundle" ? listed(state.question.item_ids) : [];
  const item_ids = [...basket.filter((other) => other !== id), id].slice(-50).join(",");
  return toAddress({ ...fromAddress(""), k: state.question.k, scenario, item_id: id, item_ids }, state.language);
}

// ---- pictures

async function take(file) {
  if (!file) return;
  const made = await shrink(file);
  if (!made) return complain("no_picture");
  leave();
  state.picture = made;
  if (!fieldsOf(state.question.scenario).includes("image")) state.question.scenario = "similar";
  if (state.question.scenario === "similar") state.question.item_id = "";
  drawForm();
  drawPicture();
  if (!problem(state.question, state.picture)) ask("push");
}

function leave() {
  if (state.picture) URL.revokeObjectURL(state.picture.url);
  state.picture = null;
  at("file").value = "";
}

function drawPicture() {
  const { picture } = state;
  at("preview").hidden = at("unpicture").hidden = !picture;
  if (picture) at("preview").src = picture.url;
  else at("preview").removeAttribute("src");
  at("picture-note").textContent = picture
    ? words("picture_ready", { name: picture.name, size: Math.ceil(picture.bytes / 1024) })
    : words("picture_note");
}

// ---- wiring

function wire() {
  at("question").addEventListener("submit", (event) => {
    event.preventDefault();
    readForm();
    ask("push");
  });
  at("scenarios").addEventListener("change", (event) => {
    readForm();
    state.question.scenario = event.target.value;
    state.question.weights = {};
    showFields();
    drawSliders();
    calm();
    if (!problem(state.question, state.picture)) ask("push");
  });
  at("reset").addEventListener("click", () => {
    state.question.weights = {};
    drawSliders();
    ask("replace");
  });
  at("reasons").addEventListener("click", () => {
    const open = at("reasons").getAttribute("aria-pressed") !== "true";
    at("reasons").setAttribute("aria-pressed", String(open));
    for (const why of document.querySelectorAll(".why")) why.open = open;
  });
  at("language").addEventListener("click", () => {
    readForm();
    state.language = state.language === "zh" ? "en" : "zh";
    history.replaceState(null, "", toAddress(state.question, state.language));
    translate();
  });
  at("products").addEventListener("click", (event) => {
    const link = event.target.closest("a[data-go]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    leave();
    drawPicture();
    go(fromAddress(new URL(link.href).search), "push");
    at("results").focus();
  });
  at("file").addEventListener("change", (event) => take(event.target.files[0]));
  at("unpicture").addEventListener("click", () => {
    leave();
    drawPicture();
    at("file").focus();
  });
  wireDrop();
  window.addEventListener("popstate", () => go(fromAddress(location.search), ""));
}

function wireDrop() {
  const mark = (over) => at("picture").classList.toggle("over", over);
  for (const kind of ["dragenter", "dragover"]) {
    window.addEventListener(kind, (event) => {
      event.preventDefault();
      mark(true);
    });
  }
  window.addEventListener("dragleave", () => mark(false));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    readForm();
    take(event.dataTransfer?.files[0]);
  });
}

function go(question, how) {
  const served = Object.keys(state.shop.scenarios).filter(known);
  if (!served.includes(question.scenario)) question.scenario = served[0] ?? "recommend";
  state.question = question;
  drawForm();
  ask(how);
}

async function start() {
  if (!known(state.question.scenario)) state.question.scenario = "recommend";
  translate();
  wire();
  drawForm();
  try {
    state.shop = await about();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    return complain(error.key, error.values);
  }
  const options = (values) => values.map((value) => element("option", { value }));
  at("users").replaceChildren(...options(state.shop.users));
  at("queries").replaceChildren(...options(state.shop.queries));
  const addressed = new URLSearchParams(location.search).has("scenario");
  if (addressed || "recommend" in state.shop.scenarios) return go(state.question, "");
  drawForm();
}

start();
